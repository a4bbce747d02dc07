"""The suites of raynas.testing can fail: each catches parts that break one of its promises, and passes good ones."""

from __future__ import annotations

import broken_estimators
import broken_schedulers
import broken_spaces
import broken_strategies
import broken_tables
import pytest

from raynas.spaces.decide import sample
from raynas.testing.estimator import EstimatorContract
from raynas.testing.scheduler import SchedulerContract
from raynas.testing.space import SpaceContract
from raynas.testing.strategy import StrategyContract
from raynas.testing.table import TableContract

pytest_plugins = "pytester"


class TestGoodStrategy(StrategyContract):
    kind = broken_strategies.Good

    def make(self):
        return self.kind()


class TestGoodScheduler(SchedulerContract):
    kind = broken_schedulers.Asha

    def make(self):
        return self.kind()


class TestGoodEstimator(EstimatorContract):
    kind = broken_estimators.Good
    checkpoints = True

    def make(self):
        return self.kind()

    def architecture(self, number):
        return self.drawn(fails=False)[number]

    def failing(self):
        return self.drawn(fails=True)[0]

    def drawn(self, fails):
        drawn = [sample(self.space(), seed) for seed in range(100)]
        return [a for a in drawn if a.key.endswith(broken_estimators.FAILS) == fails]

    def wrong(self):
        return [lambda: self.kind(epochs=0)]


class TestGoodSpace(SpaceContract):
    kind = broken_spaces.Good
    built = 2

    def make(self):
        return self.kind()

    def small(self):
        return self.kind()


class TestGoodTable(TableContract):
    kind = broken_tables.Good
    looked_up = 60

    def make(self):
        return self.kind()


SUITES = {
    "TestGoodEstimator": broken_estimators,
    "TestGoodScheduler": broken_schedulers,
    "TestGoodSpace": broken_spaces,
    "TestGoodStrategy": broken_strategies,
    "TestGoodTable": broken_tables,
}
BROKEN = [
    pytest.param(suite, module.__name__, kind.__name__, test, id=f"{kind.__name__}-{suite[8:].lower()}")
    for suite, module in SUITES.items()
    for kind, test in module.CAUGHT.items()
]


def failures(pytester, suite, module, kind, test):
    """Reports of one test of a suite, run by pytest as a third party runs it."""
    path = pytester.makepyfile(
        test_mine=f"""
        import {module}
        from test_suites import {suite}

        class TestMine({suite}):
            kind = {module}.{kind}

        del {suite}
        """
    )
    _, _, failed = pytester.inline_run(path, "-k", test, "-p", "no:cacheprovider").listoutcomes()
    return failed


@pytest.mark.parametrize(("suite", "module", "kind", "test"), BROKEN)
def test_what_is_broken_fails(suite, module, kind, test, pytester):
    failed = failures(pytester, suite, module, kind, test)
    assert failed, "no test failed"
    assert {report.when for report in failed} == {"call"}
    assert all(f"TestMine::{test}" in report.nodeid for report in failed)


def test_a_broken_promise_is_shown_with_both_sides(pytester):
    """Pytest rewrites the asserts of the suites as those of a person's own tests."""
    (report,) = failures(
        pytester, "TestGoodStrategy", "broken_strategies", "UnknownParents", "test_parents_are_trials_that_were_told"
    )
    assert "assert (1 is None or 1 <= 0)" in report.longreprtext
