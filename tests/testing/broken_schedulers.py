"""Schedulers that break one promise each, and the test of the suite that must notice."""

from __future__ import annotations

import random
from dataclasses import dataclass

from raynas import Asha
from raynas.schedulers.asha import AshaRungs


@dataclass(frozen=True)
class TrustsNan(Asha):
    """NaN compares with nothing, so nothing is better."""

    def begin(self):
        class Trusting(AshaRungs):
            def report(self, trial, budget, score):
                return True if score != score else super().report(trial, budget, score)

        return Trusting(self)


@dataclass(frozen=True)
class Throws(Asha):
    """Takes every score for a number."""

    def begin(self):
        class Adding(AshaRungs):
            def report(self, trial, budget, score):
                return super().report(trial, budget, score + 0)

        return Adding(self)


@dataclass(frozen=True)
class Draws(Asha):
    """Some trials go on by luck."""

    def begin(self):
        class Lucky(AshaRungs):
            def report(self, trial, budget, score):
                return super().report(trial, budget, score) or (score == score and random.random() < 0.01)

        return Lucky(self)


@dataclass(frozen=True)
class Shares(Asha):
    """All searches compare at the same rungs."""

    def begin(self):
        state = AshaRungs(self)
        state.scores = SHARED.setdefault(self.rungs, state.scores)
        return state


SHARED: dict = {}


@dataclass(frozen=True)
class Falling(Asha):
    """Rungs from the last to the first."""

    def __post_init__(self):
        object.__setattr__(self, "rungs", (9, 3, 1))


@dataclass(frozen=True)
class StopsBetween(Asha):
    """Stops a bad trial wherever it is."""

    def begin(self):
        class Impatient(AshaRungs):
            def report(self, trial, budget, score):
                return super().report(trial, budget, score) and (budget in self.scores or score > 0.5)

        return Impatient(self)


@dataclass(frozen=True)
class Absolute(Asha):
    """Asks for a score of a half, whatever the scale is."""

    def begin(self):
        class Bar(AshaRungs):
            def report(self, trial, budget, score):
                go_on = super().report(trial, budget, score)
                return go_on and (len(self.scores[self.settings.rungs[0]]) < 10 or score > 500)

        return Bar(self)


@dataclass(frozen=True)
class Worst(Asha):
    """The worst go on."""

    def begin(self):
        class Upside(AshaRungs):
            def report(self, trial, budget, score):
                good = isinstance(score, float | int) and not isinstance(score, bool) and abs(score) < 1e301
                return super().report(trial, budget, -score if good else score)

        return Upside(self)


@dataclass
class NotFrozen:
    rungs: tuple[float, ...] = (1, 3, 9)

    def begin(self):
        return Asha(self.rungs).begin()


CAUGHT = {
    TrustsNan: "test_a_bad_score_stops_at_the_first_rung",
    Throws: "test_a_bad_score_stops_at_the_first_rung",
    Draws: "test_no_global_random_state_is_touched",
    Shares: "test_searches_do_not_meet",
    Falling: "test_rungs_rise",
    StopsBetween: "test_between_rungs_a_trial_goes_on",
    Absolute: "test_scale_and_offset_of_scores_do_not_matter",
    Worst: "test_the_best_goes_to_the_end_in_whatever_order_trials_come",
    NotFrozen: "test_settings_are_frozen",
}
