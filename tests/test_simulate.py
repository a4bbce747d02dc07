"""The virtual clock: when readings come, what a budget buys, and what fails."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field

import pytest
from fakes import Fake, merit

from raynas.errors import AllTrialsFailed, ConfigError, PluginError
from raynas.loop import Loop
from raynas.objectives import Objective
from raynas.records import FAILED, FINISHED, RUNNING, STOPPED, Measurement, Proposal
from raynas.schedulers import Asha
from raynas.simulate import FREE, simulate
from raynas.spaces import nasbench201
from raynas.strategies import RandomSearch, RegularizedEvolution

SPACE = nasbench201()


@dataclass(frozen=True)
class Timed:
    """Trial k takes `seconds[k - 1]` (the last one ever after) for its full budget, evenly over its readings."""

    seconds: tuple[float, ...] = (10.0,)
    budgets: tuple[float, ...] = (4.0,)
    wrong: dict[int, object] = field(default_factory=dict)  # trial -> a score, or an error
    metrics = ("val_accuracy",)

    @property
    def budget(self):
        return self.budgets[-1]

    def estimate(self, architecture, context):
        seconds = self.seconds[min(context.trial, len(self.seconds)) - 1]
        score = self.wrong.get(context.trial, merit(architecture))
        if isinstance(score, Exception):
            raise score
        for budget in self.budgets:
            yield Measurement(budget, {"val_accuracy": score, "train_s": seconds * budget / self.budget})


def loop(strategy=None, seed=0, **settings):
    return Loop(SPACE, strategy or RandomSearch(), [Objective()], seed, **settings)


def played(estimator, *, workers=1, seconds=math.inf, trainings=math.inf, **settings):
    return list(simulate(loop(**settings), estimator, workers=workers, seconds=seconds, trainings=trainings))


def test_one_worker_waits_for_each_trial():
    readings = played(Timed((3.0, 5.0, 2.0)), trials=4)
    assert [r.time_s for r in readings] == [3, 8, 10, 12]
    assert [r.spent for r in readings] == [1, 2, 3, 4]
    assert [r.trial for r in readings] == [1, 2, 3, 4]
    assert {r.status for r in readings} == {FINISHED}
    assert all(r.score == merit(r.architecture) == r.measurement.metrics["val_accuracy"] for r in readings)


def test_workers_take_the_next_trial_as_soon_as_they_are_free():
    """1 and 2 begin at 0; 3 when 2 ends at 4; 4 when 1 ends at 9; 5 when 3 ends at 10."""
    readings = played(Timed((9.0, 4.0, 6.0, 1.0, 3.0)), workers=2, trials=5)
    assert [(r.trial, r.time_s) for r in readings] == [(2, 4), (1, 9), (3, 10), (4, 10), (5, 13)]


def test_readings_at_one_moment_come_in_the_order_of_asking():
    readings = played(Timed((5.0,), (1.0, 4.0)), workers=3, trials=3)
    assert [(r.trial, r.time_s) for r in readings] == [(1, 1.25), (2, 1.25), (3, 1.25), (1, 5), (2, 5), (3, 5)]
    assert [r.status for r in readings] == [RUNNING] * 3 + [FINISHED] * 3


@pytest.mark.parametrize("workers", [1, 3, 7, 64])
def test_the_clock_never_runs_backwards(workers):
    seconds = tuple(float(s) for s in range(1, 40))[::-1]
    readings = played(Timed(seconds, (1.0, 2.0, 4.0)), workers=workers, trials=60, scheduler=Asha((1, 2, 4), 2))
    assert all(a.time_s <= b.time_s and a.spent <= b.spent for a, b in itertools.pairwise(readings))
    assert len({r.trial for r in readings}) == 60


def test_many_workers_are_that_much_faster():
    alone, together = (played(Timed(), workers=workers, trials=64)[-1].time_s for workers in (1, 16))
    assert (alone, together) == (640, 40)


def test_a_reading_after_the_last_second_never_comes():
    assert [r.time_s for r in played(Timed(), seconds=30)] == [10, 20, 30]
    assert [r.time_s for r in played(Timed(), seconds=29.9)] == [10, 20]
    assert len(played(Timed(), workers=4, seconds=30)) == 12
    assert played(Timed(), seconds=9) == []


def test_a_reading_that_costs_too_much_ends_the_search():
    assert [r.spent for r in played(Timed(), trainings=3)] == [1, 2, 3]
    assert len(played(Timed(), trainings=2.9)) == 2
    # what runs beside the last one is not paid for
    assert [r.spent for r in played(Timed(), workers=8, trainings=3)] == [1, 2, 3]


def test_many_small_readings_add_up_to_the_whole_budget():
    """0.1 and the like are no binary fractions."""
    readings = played(Timed((1.0,), tuple(0.7 * k for k in range(1, 11))), trainings=9)
    assert len(readings) == 90
    assert readings[-1].spent == pytest.approx(9)


def test_stopped_trials_cost_what_they_trained():
    """The first trial is best of its rung; afterwards one must be among the best half."""
    readings = played(Timed((8.0,), (1.0, 4.0)), trials=30, scheduler=Asha((1, 4), 2))
    first = [r for r in readings if r.measurement.budget == 1]
    last = [r for r in readings if r.measurement.budget == 4]
    assert len(first) == 30
    assert {r.status for r in first} == {RUNNING, STOPPED}
    assert 0 < len(last) < 30
    assert sum(r.status == RUNNING for r in first) == len(last)
    assert readings[-1].spent == pytest.approx((30 + 3 * len(last)) / 4)
    assert readings[-1].time_s == pytest.approx(2 * (30 + 3 * len(last)))


def test_a_proposal_with_a_budget_of_its_own_is_stopped_there():
    class Peek(RandomSearch):
        def begin(self, space, objectives, seed):
            proposer = super().begin(space, objectives, seed)
            ask = proposer.ask
            proposer.ask = lambda: Proposal(ask().architecture, budget=1)
            return proposer

    readings = played(Timed((8.0,), (1.0, 4.0)), strategy=Peek(), trials=5)
    assert [(r.measurement.budget, r.status) for r in readings] == [(1, STOPPED)] * 5


def test_costs_are_epochs_where_nothing_is_said():
    readings = played(Fake(), trials=2)
    assert [r.time_s for r in readings] == [1, 2, 3, 4, 5, 6]
    assert [r.spent for r in readings] == pytest.approx([1 / 3, 2 / 3, 1, 4 / 3, 5 / 3, 2])


def test_failures_are_readings_without_a_score():
    wrong = {2: math.nan, 3: ZeroDivisionError("division by zero"), 4: math.inf}
    readings = played(Timed(wrong=wrong), trials=5)
    assert [r.trial for r in readings] == [1, 2, 3, 4, 5]
    assert [r.status for r in readings] == [FINISHED, FAILED, FAILED, FAILED, FINISHED]
    assert [r.score is None for r in readings] == [False, True, True, True, False]
    assert readings[1].reason == "metrics: val_accuracy is nan after 4 epochs"
    assert readings[2].reason == "estimate: ZeroDivisionError: division by zero"
    assert readings[2].measurement == Measurement(0, {})
    # a training that diverges is paid for; one that does not begin is not
    assert [r.time_s for r in readings] == [10, 20, 20, 30, 40]
    assert [r.spent for r in readings] == [1, 2, 2, 3, 4]


def test_an_estimator_that_ends_early():
    class Short(Timed):
        def estimate(self, architecture, context):
            yield from itertools.islice(super().estimate(architecture, context), context.trial - 1)

    readings = played(Short((8.0,), (1.0, 4.0)), trials=3)
    assert [(r.trial, r.measurement.budget, r.status) for r in readings] == [
        (1, 0, FAILED), (2, 1, RUNNING), (3, 1, RUNNING), (3, 4, FINISHED),
    ]  # fmt: skip
    assert readings[0].reason == "estimate: ended without a measurement"


def test_an_estimator_that_fails_when_called():
    class Broken(Timed):
        def estimate(self, architecture, context):
            raise KeyError(context.trial)

    assert [r.reason for r in played(Broken(), trials=2)] == ["estimate: KeyError: 1", "estimate: KeyError: 2"]


@pytest.mark.parametrize("cost", [math.nan, -1.0, "long"])
@pytest.mark.parametrize("metric", ["train_s", "train_epochs"])
def test_costs_that_are_none(metric, cost):
    class Odd(Timed):
        def estimate(self, architecture, context):
            for budget in (1.0, 4.0):
                yield Measurement(budget, {"val_accuracy": 0.5, metric: cost if context.trial == 2 else budget})

    readings = played(Odd(budgets=(1.0, 4.0)), trials=3)
    assert [(r.trial, r.status) for r in readings if r.trial == 2] == [(2, FAILED)]
    assert f"{metric} must be a number of at least 0" in readings[2].reason
    assert readings[-1].spent == 2


def test_epochs_do_not_fall():
    class Back(Timed):
        def estimate(self, architecture, context):
            yield Measurement(1, {"val_accuracy": 0.5, "train_s": 1, "train_epochs": 3})
            yield Measurement(4, {"val_accuracy": 0.5, "train_s": 2, "train_epochs": 2})

    readings = played(Back(), trials=1)
    assert readings[-1].reason == "estimate: ValueError: train_epochs must be a number of at least 3, but got 2"


def test_a_search_that_never_costs_anything_ends():
    class Nothing(Timed):
        def estimate(self, architecture, context):
            raise LookupError(str(architecture.key))

    with pytest.raises(AllTrialsFailed, match=f"{FREE + 1} trials in a row cost nothing: estimate: LookupError"):
        played(Nothing(), trainings=5)

    class Free(Timed):
        def estimate(self, architecture, context):
            yield Measurement(4, {"val_accuracy": 0.5, "train_s": 1, "train_epochs": 0})

    with pytest.raises(AllTrialsFailed, match="cost nothing: no time and no epochs"):
        played(Free(), trainings=5)
    assert len(played(Free(), seconds=1500)) == 1500
    assert len(played(Free(), seconds=2, workers=2 * FREE)) == 4 * FREE  # together at one moment is not for nothing


def test_all_trials_fail_alike():
    with pytest.raises(AllTrialsFailed, match="10 trials in a row failed alike: metrics: val_accuracy is nan"):
        played(Timed(wrong=dict.fromkeys(range(1, 99), math.nan)), trainings=50)


def test_a_strategy_that_breaks_ends_the_simulation():
    class Breaking(RandomSearch):
        def begin(self, space, objectives, seed):
            proposer = super().begin(space, objectives, seed)
            proposer.tell = lambda trial: 1 / 0
            return proposer

    with pytest.raises(PluginError, match="ZeroDivisionError"):
        played(Timed(), strategy=Breaking(), trials=5)


@pytest.mark.parametrize("workers", [1, 5])
def test_same_seed_same_trace(workers):
    def trace(seed):
        strategy = RegularizedEvolution(10, 3)
        found = loop(strategy, seed, scheduler=Asha((1, 4), 2))
        return list(simulate(found, Timed((3.0, 7.0, 5.0), (1.0, 4.0)), workers=workers, trainings=20))

    assert trace(1) == trace(1)
    assert trace(1) != trace(2)


def test_workers_change_what_evolution_knows():
    """With as many workers as trials, all are asked before any is told: a random search."""

    def cells(strategy, workers):
        return [r.architecture.key for r in played(Timed(), strategy=strategy, workers=workers, trials=40)]

    assert cells(RegularizedEvolution(5, 2), 40) == cells(RandomSearch(), 40)
    assert cells(RegularizedEvolution(5, 2), 1) != cells(RandomSearch(), 1)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"workers": 0, "seconds": 5}, "workers must be at least 1, but got 0"),
        ({}, "needs an end"),
        ({"seconds": 0}, r"above 0, but got \(seconds=0,"),
        ({"trainings": -1}, "above 0"),
        ({"trainings": math.nan}, "above 0"),
    ],
)
def test_wrong_settings(settings, says):
    with pytest.raises(ConfigError, match=says):
        played(Timed(), **settings)
