"""The default strategy: levels, promotions, and what it is worth on a real table."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import mean

import pytest
from torch import nn

from raynas import Auto, RandomSearch, spaces
from raynas.errors import ConfigError, Exhausted
from raynas.estimators.tables import NasBench201Table
from raynas.estimators.tabular import Tabular
from raynas.loop import Loop
from raynas.objectives import Objective
from raynas.records import FAILED, FINISHED, STOPPED, Measurement, Trial
from raynas.schedulers import Asha
from raynas.simulate import simulate
from raynas.strategies.ridge import RidgeSearch
from raynas.testing.strategy import StrategyContract

TABLE = Path(__file__).parents[2].parent / "shared" / "data" / "nasbench201.parquet"
SMALL = Auto(levels=((1, 9), (3, 3), (0, 1)), warm=2, pool=10, search=RidgeSearch(initial=3))


class TestOneLevel(StrategyContract):
    def make(self):
        return Auto(levels=((0, 1000),), warm=2, pool=10, search=RidgeSearch(initial=3))


class TestLevels(StrategyContract):
    def make(self):
        return SMALL

    test_ends_when_the_space_is_exhausted = None  # a promoted architecture is trained again
    test_searches_hyperparameters_jointly = None


def run(strategy, trials, score=lambda trial: trial / 100, fails=()):
    """Asks and tells one after the other; (proposal, level's epochs) of each trial."""
    proposer = strategy.begin(spaces.nasbench201(), (Objective(),), 0)
    asked = []
    for number in range(1, trials + 1):
        proposal = proposer.ask()
        asked.append(proposal)
        reading = Measurement(1, {"val_accuracy": score(number)})
        status = FAILED if number in fails else STOPPED
        scores = None if number in fails else (score(number),)
        proposer.tell(Trial(number, proposal.architecture, proposal.parent, status, "", (reading,), scores))
    return asked


def test_levels_come_one_after_the_other_and_take_the_best_of_the_one_below():
    asked = run(SMALL, 13)
    assert [p.budget for p in asked] == [1] * 9 + [3] * 3 + [math.inf]
    assert [p.parent for p in asked[9:12]] == [9, 8, 7]
    assert asked[12].parent == 12  # the best of the second level by its score there
    assert asked[12].architecture == asked[11].architecture == asked[6].architecture
    assert len({p.architecture.key for p in asked[:9]}) == 9


def test_a_failed_trial_is_not_promoted():
    asked = run(SMALL, 12, fails={9, 7})
    assert [p.parent for p in asked[9:12]] == [8, 6, 5]


def test_more_trials_than_planned_go_to_the_highest_level_that_has_a_candidate():
    asked = run(SMALL, 22)
    assert [p.budget for p in asked[13:]] == [math.inf, math.inf, 3, math.inf, 3, math.inf, 3, math.inf, 3]


def test_waits_for_the_level_below_and_asks_nothing_twice():
    proposer = SMALL.begin(spaces.nasbench201(), (Objective(),), 0)
    asked = [proposer.ask() for _ in range(9)]
    assert proposer.ask() is None
    assert proposer.ask() is None
    for number, proposal in enumerate(asked, 1):
        assert proposer.ask() is None
        score = 1 / number
        reading = Measurement(1, {"val_accuracy": score})
        proposer.tell(Trial(number, proposal.architecture, None, STOPPED, "", (reading,), (score,)))
    assert proposer.ask() == asked[0]._replace(budget=3, parent=1)
    assert proposer.ask() == asked[1]._replace(budget=3, parent=2)


def test_a_large_level_is_promoted_in_rounds():
    """Many finalists at once would all be chosen by short trainings alone."""
    proposer = Auto(((1, 20), (0, 12)), warm=0, search=RidgeSearch(initial=3)).begin(
        spaces.nasbench201(), (Objective(),), 0
    )

    def end(number, proposal):
        reading = Measurement(1, {"val_accuracy": 1 / number})
        proposer.tell(Trial(number, proposal.architecture, None, STOPPED, "", (reading,), (1 / number,)))

    for number in range(1, 21):
        end(number, proposer.ask())
    finalists = [proposer.ask() for _ in range(4)]
    assert proposer.ask() is None
    end(21, finalists[0])
    assert proposer.ask().budget == math.inf
    assert proposer.ask() is None


def test_ends_when_everybody_was_trained_in_full():
    def tiny(choose):
        return spaces.nasbench201().decide(lambda address, options: choose(address, options[:2]))

    strategy = Auto(levels=((1, 2), (0, 1)), warm=0, search=RidgeSearch(initial=2))
    proposer = strategy.begin(spaces.FunctionSpace(tiny), (Objective(),), 0)
    budgets = []

    def search():
        for number in range(1, 1000):
            proposal = proposer.ask()
            budgets.append(proposal.budget)
            reading = Measurement(1, {"val_accuracy": 0.5})
            proposer.tell(Trial(number, proposal.architecture, None, FINISHED, "", (reading,), (0.5,)))

    with pytest.raises(Exhausted):
        search()
    assert budgets.count(1) == budgets.count(math.inf) > 2


def test_begins_with_large_networks_where_sizes_are_known():
    first = run(Auto(warm=5, pool=100), 5)
    strangers = run(RandomSearch(), 100)
    weights = [sum("conv" in str(v) for v in p.architecture.answers.values()) for p in (*first, *strangers)]
    assert mean(weights[:5]) > mean(weights[5:]) + 1


def test_code_is_not_run_to_know_its_size():
    def code(choose):
        return nn.Linear(2 ** choose("width", (2, 3, 4, 5)), 3)

    proposer = Auto(warm=2, pool=5, search=RidgeSearch(initial=2)).begin(spaces.FunctionSpace(code), (Objective(),), 0)
    assert len({proposer.ask().architecture.key for _ in range(3)}) == 3


def test_rungs_of_a_scheduler_do_not_matter():
    loop = Loop(spaces.nasbench201(), SMALL, [Objective()], 0, trials=13, scheduler=Asha((1, 3, 9)))
    epochs = {}
    while not loop.done:
        trial = loop.next()
        for epoch in range(1, 10):
            epochs[trial.id] = epoch
            if not loop.measure(trial.id, Measurement(epoch, {"val_accuracy": 0.5})):
                break
        loop.end(trial.id, stopped=epochs[trial.id] < 9)
    assert list(epochs.values()) == [1] * 9 + [3] * 3 + [9]


def test_sizes_fit_the_search():
    assert Auto.for_search(100, 64).levels == ((4.0, 80), (16.0, 15), (0, 5))
    assert Auto.for_search(40, 9).levels == ((1.0, 32), (2.0, 6), (0, 2))
    assert Auto.for_search(12, 2).levels == ((1.0, 11), (0, 1))
    assert Auto.for_search(3, 1).levels == ((0, 3),)
    for trials in range(1, 60):
        for epochs in (1, 2, 3, 9, 100):
            assert sum(n for _, n in Auto.for_search(trials, epochs).levels) == trials
    assert Auto.for_budget(10, (12, 200)).levels == ((12, 117), (0, 3))
    assert Auto.for_budget(7.4, (200,)).levels == ((0, 7),)
    assert len(Auto.for_budget(20, (6, 25, 100)).levels) == 3


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"levels": ()}, "levels must be .* with rising epochs"),
        ({"levels": ((3, 1), (1, 1))}, "levels must be .* with rising epochs"),
        ({"levels": ((0, 1), (3, 1))}, "levels must be .* with rising epochs"),
        ({"levels": ((1, 0), (0, 1))}, "each of levels needs at least one trial"),
        ({"warm": 200}, r"warm must be at most pool, but got \(warm=200, pool=100\)"),
        ({"warm": -1}, "warm must be a whole number of at least 0, but got -1"),
    ],
)
def test_bad_settings_are_refused(settings, told):
    with pytest.raises(ConfigError, match=told):
        Auto(**settings)


def found_on_the_table(dataset, trainings, seeds):
    """What the best cell of each search is worth, on average."""
    table = NasBench201Table(TABLE, dataset, (12, 200))
    found = []
    for seed in range(seeds):
        loop = Loop(table.space, Auto.for_budget(trainings, table.budgets), [Objective()], seed)
        readings = list(simulate(loop, Tabular(table), trainings=trainings))
        best = max(readings, key=lambda reading: (reading.measurement.budget, reading.score))
        found.append(table.truth(best.architecture)["val_accuracy"])
    return mean(found)


@pytest.mark.skipif(not TABLE.exists(), reason="the table is not there")
def test_finds_in_ten_trainings_what_random_search_does_not_find_in_a_hundred():
    """NAS-Bench-201, CIFAR-100: random search reaches 71.6 % with a hundred full trainings."""
    assert found_on_the_table("cifar100", trainings=10, seeds=5) > 0.722  # over 200 seeds 0.7325


@pytest.mark.skipif(not TABLE.exists(), reason="the table is not there")
def test_long_trainings_tell_who_is_trained_next():
    """NAS-Bench-201, CIFAR-10: by their short trainings alone, the best cell would be far down the list."""
    # Over 60 seeds 0.9160; by the ranks of short trainings alone 0.9155, and no search found the best cell.
    assert found_on_the_table("cifar10", trainings=20, seeds=4) > 0.9157
