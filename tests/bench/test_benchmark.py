"""Settings of a comparison, and the sizes that follow from them."""

from __future__ import annotations

import math

import pytest
from toys import STRATEGIES, Toy, comparison

from raynas.bench import Budget, check_table, default_scheduler, sized, trials_for
from raynas.errors import ConfigError
from raynas.objectives import Objective
from raynas.schedulers import Asha
from raynas.strategies import RandomSearch, RegularizedEvolution

LADDER = Toy((1.0, 4.0))


class TestBudget:
    @pytest.mark.parametrize(
        ("text", "trainings", "seconds", "told"),
        [
            ("20", 20, math.inf, "20 full trainings"), ("0.5", 0.5, math.inf, "0.5 full trainings"),
            ("12000s", math.inf, 12_000, "12,000 s"), (" 1e5 s ", math.inf, 100_000, "100,000 s"),
        ],
    )  # fmt: skip
    def test_reads(self, text, trainings, seconds, told):
        budget = Budget.parse(text)
        assert (budget.trainings, budget.seconds, str(budget)) == (trainings, seconds, told)

    @pytest.mark.parametrize("text", ["", "many", "20h", "-5", "1.2.3", "nan", "inf", "s", "12,000"])
    def test_refuses(self, text):
        with pytest.raises(ConfigError, match="a budget is full trainings like 20, or virtual seconds like 12000s"):
            Budget.parse(text)

    @pytest.mark.parametrize("amount", [0, -1, math.nan, math.inf, "20"])
    def test_refuses_amounts(self, amount):
        with pytest.raises(ConfigError, match="the budget must be a number above 0"):
            Budget(amount)
        with pytest.raises(ConfigError, match="must be a number above 0, but got 0.0"):
            Budget.parse("0")

    def test_refuses_units(self):
        with pytest.raises(ConfigError, match="unknown unit of the budget 'second'; did you mean 'seconds'"):
            Budget(5, "second")


class TestTrials:
    """A full training of the toy takes 4 epochs and 40 s, a reading at 1 epoch 1 epoch and 10 s."""

    @pytest.mark.parametrize(
        ("budget", "settings", "trials"),
        [
            ("20", {}, 20),
            ("400s", {}, 10),
            ("400s", {"workers": 8}, 80),
            ("20", {"workers": 8}, 20),
            ("20", {"scheduler": Asha((1.0,), 3)}, 40),  # (1 + 3 / 3) / 4 of a training each
            ("400s", {"scheduler": Asha((1.0,), 3)}, 20),
            ("20", {"scheduler": Asha((1.0, 4.0), 3)}, 40),  # at the end nobody is stopped
            ("0.25", {}, 1),
        ],
    )
    def test_what_a_budget_buys(self, budget, settings, trials):
        assert trials_for(Budget.parse(budget), LADDER, check_table(LADDER), **settings) == trials

    def test_failed_trials_are_free(self):
        half = Toy(known=0.5)
        assert trials_for(Budget(20), half, check_table(half)) == pytest.approx(40, abs=6)

    def test_strategies_follow(self):
        fits = Budget(20), LADDER, check_table(LADDER), 200
        assert sized(RegularizedEvolution, *fits) == RegularizedEvolution.for_trials(200)
        assert sized(RandomSearch, *fits) == RandomSearch()

    @pytest.mark.parametrize(("budget", "workers", "trainings"), [("20", 8, 20), ("800s", 1, 20), ("800s", 8, 160)])
    def test_strategies_may_choose_fidelities(self, budget, workers, trainings):
        class Chooses:
            @classmethod
            def for_budget(cls, trainings, fidelities):
                return trainings, fidelities

        found = sized(Chooses, Budget.parse(budget), LADDER, check_table(LADDER), 50, workers)
        assert found == (pytest.approx(trainings), (1, 4))

    def test_early_stopping_by_default_where_it_can_be(self):
        assert default_scheduler(LADDER) == Asha((1.0,))
        assert default_scheduler(Toy()) is None


class TestCheck:
    def test_good(self):
        comparison().check(Toy(), check_table(Toy()))

    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"strategies": ()}, "name at least one strategy"),
            ({"strategies": (*STRATEGIES, STRATEGIES[0])}, "different labels, but got 'random' twice"),
            ({"seeds": 0}, "seeds must be at least 1, but got 0"),
            ({"workers": 0}, "workers must be at least 1, but got 0"),
            (
                {"budget": Budget(0.5)},
                "the budget of 0.5 full trainings is less than one reading of the table costs: 1",
            ),
            ({"budget": Budget(39, "seconds")}, "less than one reading of the table costs: 40"),
            ({"scheduler": Asha((1.0, 9.0))}, "the last rung is at 9 epochs, above the table's full training of 4"),
            ({"objectives": (Objective("accuracy"),)}, "unknown objective 'accuracy'; did you mean 'val_accuracy'"),
            ({"objectives": (Objective(), Objective("params_m", False))}, "unknown objective 'params_m'"),
            (
                {"objectives": (Objective("train_s", False),)},
                "first objective must be val_accuracy:max, .* train_s:min",
            ),
            ({"objectives": (Objective(maximise=False),)}, "but got val_accuracy:min"),
            ({"objectives": ()}, "but got none"),
        ],
    )
    def test_refused(self, changes, says):
        with pytest.raises(ConfigError, match=says):
            comparison(**changes).check(Toy(), check_table(Toy()))

    def test_strategies_may_refuse(self):
        class Picky(RandomSearch):
            def check(self, space, objectives, trials):
                raise ConfigError(f"{space.name} in {trials} trials for {objectives[0]}? never")

        with pytest.raises(ConfigError, match="strategy picky: nasbench201 in 20 trials for val_accuracy:max"):
            comparison(strategies=(("picky", Picky()),)).check(Toy(), check_table(Toy()))

    def test_a_reading_may_be_cheaper_than_a_training(self):
        comparison(budget=Budget(0.5)).check(LADDER, check_table(LADDER))
