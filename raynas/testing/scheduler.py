"""What every scheduler must do. Inherit, and say how to make one.

class TestMine(SchedulerContract):
    def make(self):
        return Mine(rungs=(1, 3, 9))
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

import pytest

from raynas import catalog
from raynas.records import Scheduler
from raynas.testing.settings import check_frozen, check_json, untouched_randomness

BAD: list[Any] = [math.nan, None, math.inf, -math.inf, True, False, "0.9", "nan", [0.9]]
"""Scores that are no finite numbers."""


def play(scheduler: Scheduler, scores: Mapping[int, float], order: Iterable[int]) -> dict[int, int]:
    """Trials run one after the other, each until it is stopped or at the last rung.

    Args:
        scheduler: who decides, with rungs at whole budgets.
        scores: of each trial, at every budget.
        order: of trials.

    Returns:
        The budget that each reached.
    """
    rungs, reached = scheduler.begin(), {}
    for trial in order:
        for budget in range(1, int(scheduler.rungs[-1]) + 1):
            reached[trial] = budget
            if not rungs.report(trial, budget, scores[trial]):
                break
    return reached


class SchedulerContract:
    """The suite; its methods are the promises."""

    def make(self) -> Scheduler:
        """The settings under test, with rungs at whole budgets."""
        raise NotImplementedError

    def test_settings_are_frozen(self) -> None:
        assert isinstance(self.make(), Scheduler)
        check_frozen(self.make())

    def test_settings_are_json(self) -> None:
        check_json(self.make())

    def test_rungs_rise(self) -> None:
        rungs = self.make().rungs
        assert rungs
        assert list(rungs) == sorted(set(rungs))
        assert rungs[0] > 0

    def test_the_first_trial_goes_on_to_the_end(self) -> None:
        rungs = self.make().begin()
        assert all(rungs.report(1, budget, -5.0) for budget in range(1, int(self.make().rungs[-1]) + 1))

    @pytest.mark.parametrize("bad", BAD, ids=repr)
    def test_a_bad_score_stops_at_the_first_rung(self, bad: Any) -> None:
        scheduler = self.make()
        for others in ([], [bad] * 30, [0.1] * 30):
            rungs = scheduler.begin()
            for trial, score in enumerate(others):
                rungs.report(trial, scheduler.rungs[0], score)
            assert rungs.report(99, scheduler.rungs[0], bad) is False

    @pytest.mark.parametrize("bad", BAD, ids=repr)
    def test_a_rung_of_bad_scores_still_compares(self, bad: Any) -> None:
        scheduler = self.make()
        for rung in scheduler.rungs:
            rungs = scheduler.begin()
            assert not any(rungs.report(trial, rung, bad) for trial in range(30))
            assert rungs.report(30, rung, -1e300) is True  # the first that counts
            assert rungs.report(31, rung, 0.5) is True  # better
            assert not all(rungs.report(32 + trial, rung, 0.4 - trial / 1000) for trial in range(60))

    def test_between_rungs_a_trial_goes_on(self) -> None:
        scheduler = self.make()
        rungs = scheduler.begin()
        for trial in range(20):
            rungs.report(trial, scheduler.rungs[0], 0.9)
        between = [b / 2 for b in range(1, int(2 * scheduler.rungs[-1])) if b / 2 not in scheduler.rungs]
        assert between
        assert all(rungs.report(99, budget, 0.0) is True for budget in between)

    def test_the_same_reports_get_the_same_answers(self) -> None:
        """What a resumed search relies on."""
        scheduler, rng = self.make(), Random(0)
        reports = [(trial, rng.choice(scheduler.rungs), rng.choice([rng.random(), *BAD])) for trial in range(300)]
        first, second = scheduler.begin(), scheduler.begin()
        assert [first.report(*r) for r in reports] == [second.report(*r) for r in reports]

    def test_searches_do_not_meet(self) -> None:
        scheduler = self.make()
        told = catalog.to_json(scheduler)
        busy, fresh = scheduler.begin(), scheduler.begin()
        for trial in range(30):
            busy.report(trial, scheduler.rungs[0], 0.9)
        assert fresh.report(1, scheduler.rungs[0], 0.1) is True
        assert scheduler.begin().report(1, scheduler.rungs[0], 0.1) is True
        assert catalog.to_json(scheduler) == told

    def test_no_global_random_state_is_touched(self) -> None:
        with untouched_randomness():
            play(self.make(), {trial: trial % 7 / 7 for trial in range(50)}, range(50))

    def test_the_best_goes_to_the_end_in_whatever_order_trials_come(self) -> None:
        scheduler, rng = self.make(), Random(0)
        scores = {trial: rng.random() for trial in range(27)}
        best = max(scores, key=lambda trial: scores[trial])
        for _ in range(50):
            order = rng.sample(range(27), 27)
            assert play(scheduler, scores, order)[best] == scheduler.rungs[-1]

    def test_scale_and_offset_of_scores_do_not_matter(self) -> None:
        scheduler, rng = self.make(), Random(0)
        scores = {trial: float(rng.randrange(1000)) for trial in range(40)}
        plain = play(scheduler, scores, range(40))
        assert play(scheduler, {t: 1e-6 * s - 77 for t, s in scores.items()}, range(40)) == plain
