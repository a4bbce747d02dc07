"""Tables as an estimator."""

from __future__ import annotations

import math
import pickle
from dataclasses import dataclass
from random import Random

import pytest
from fakes import merit

from raynas.errors import ConfigError
from raynas.estimators.tabular import METRICS, MissingCell, Tabular
from raynas.loop import Loop
from raynas.objectives import Objective
from raynas.plan import Task
from raynas.records import FAILED, Context, Measurement
from raynas.simulate import simulate
from raynas.spaces import nasbench201, sample
from raynas.strategies import RandomSearch, RegularizedEvolution
from raynas.testing.estimator import EstimatorContract
from raynas.testing.table import TableContract


@dataclass(frozen=True)
class Half:
    """Knows the cells whose merit is at least `known`; merits in between are no numbers at the full budget."""

    known: float = 0.5
    broken: float = 0.5
    budgets: tuple[float, ...] = (1.0, 4.0)
    name = "half"
    space = nasbench201()

    def curve(self, architecture):
        value = merit(architecture)
        if value < self.known:
            raise MissingCell(architecture.key)
        last = math.nan if value < self.broken else value
        return [
            Measurement(b, {"val_accuracy": value / 2 if b < 4 else last, "train_s": 9 * b, "train_epochs": b})
            for b in self.budgets
        ]

    def truth(self, architecture):
        self.curve(architecture)
        return {"val_accuracy": merit(architecture)}


def played(table, strategy=None, **budget):
    return list(simulate(Loop(table.space, strategy or RandomSearch(), [Objective()], 0), Tabular(table), **budget))


class TestHalf(TableContract):
    def make(self):
        return Half(0.3, 0.6)


class TestTabular(EstimatorContract):
    def make(self):
        return Tabular(Half(0, 0))

    def space(self):
        return nasbench201()

    def wrong(self):
        return [lambda: Tabular(Half(budgets=()))]

    test_settings_are_json = None  # a table is made of results


class TestTabularWithHoles(TestTabular):
    def make(self):
        return Tabular(Half(0.4, 0.4))

    def architecture(self, number):
        return [a for a in map(self.draw, range(100)) if merit(a) > 0.4][number]

    def failing(self):
        return next(a for a in map(self.draw, range(100)) if merit(a) < 0.4)

    def draw(self, seed):
        return sample(nasbench201(), Random(seed))


def test_what_it_is_made_of():
    assert Tabular(Half()).metrics == METRICS
    assert Tabular(Half()).budget == 4
    assert Tabular(Half()).load() is None
    assert Tabular(Half()).task(None) == Task()


def test_a_table_may_tell_more_metrics():
    class More(Half):
        metrics = (*METRICS, "params_m")

    assert Tabular(More()).metrics == (*METRICS, "params_m")


def test_yields_the_curve():
    architecture = sample(nasbench201(), Random(0))
    readings = list(Tabular(Half(0, 0)).estimate(architecture, Context(1, 0)))
    assert readings == Half(0, 0).curve(architecture)


def test_cells_that_are_missing_fail_and_cost_nothing():
    readings = played(Half(), trainings=40)
    missing = [r for r in readings if r.status == FAILED]
    assert 20 < len(missing) < 80
    assert all(merit(r.architecture) < 0.5 for r in missing)
    assert all(r.reason.startswith("estimate: MissingCell: the table has no result for") for r in missing)
    scored = [r for r in readings if r.score is not None]
    assert len(scored) == 2 * 40
    assert readings[-1].spent == pytest.approx(40)
    assert readings[-1].time_s == pytest.approx(40 * 36)


def test_cells_that_are_no_numbers_fail_and_cost_their_training():
    readings = played(Half(0, 0.5), trainings=40)
    bad = [r for r in readings if r.status == FAILED]
    assert len(bad) > 5
    assert {(r.reason, r.measurement.budget) for r in bad} == {("metrics: val_accuracy is nan after 4 epochs", 4)}
    assert len({r.trial for r in readings}) == 40
    assert readings[-1].spent == pytest.approx(40)


@pytest.mark.parametrize("workers", [1, 6])
def test_evolution_searches_what_is_known(workers):
    """The population is never filled with failures."""
    readings = played(Half(0.3, 0.6), RegularizedEvolution(10, 5), trainings=60, workers=workers)
    assert max(r.score for r in readings if r.score is not None) > 0.9


@pytest.mark.parametrize("budgets", [(), (0.0, 4.0), (4.0, 1.0), (1.0, 1.0), (math.nan,), ("1",)])
def test_budgets_that_do_not_rise(budgets):
    with pytest.raises(ConfigError, match="budgets of table 'half' must be rising and above 0"):
        Tabular(Half(budgets=budgets)).check()


def test_a_missing_cell_survives_processes():
    error = pickle.loads(pickle.dumps(MissingCell("|none~0|")))
    assert str(error) == "the table has no result for architecture |none~0|"
