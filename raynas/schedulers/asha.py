"""Asynchronous successive halving, the stopping variant, as plain Python rungs.

Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning", https://arxiv.org/abs/1810.05934; the stopping
variant decides at once, when a trial reaches a rung, from what the rung has seen so far.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from dataclasses import dataclass

from raynas.errors import ConfigError
from raynas.records import usable
from raynas.settings import fits


@dataclass(frozen=True)
class Asha:
    """Asynchronous successive halving: at each rung the best third goes on, the others stop.

    Attributes:
        rungs: budgets in epochs at which trials are compared, rising. The full budget need not be among them.
        eta: one of so many goes on from each rung.
    """

    rungs: tuple[float, ...] = (1, 3, 9)
    eta: float = 3

    def __post_init__(self) -> None:
        numbers = fits(self.rungs, "tuple[float, ...]") and all(usable(rung) for rung in self.rungs)
        if not numbers or not self.rungs or any(a >= b for a, b in zip((0, *self.rungs), self.rungs, strict=False)):
            raise ConfigError(f"rungs must be a tuple of positive and rising numbers, but got {self.rungs!r}")
        if not fits(self.eta, "float") or not usable(self.eta) or self.eta <= 1:
            raise ConfigError(f"eta must be above 1, but got {self.eta!r}")

    @classmethod
    def for_budget(cls, budget: float, eta: float = 3) -> Asha:
        """Rungs at budget / eta, budget / eta², ... down to one epoch, each rounded down.

        Raises:
            ConfigError: a budget below one epoch, or an eta of 1 or less.
        """
        if not 1 <= budget < math.inf or not eta > 1:
            raise ConfigError(f"budget must be at least 1 and eta above 1, but got (budget={budget!r}, eta={eta!r})")
        rungs = [float(budget)]
        while rungs[-1] / eta >= 1:
            rungs.append(rungs[-1] / eta)
        return cls(tuple(sorted({math.floor(r) for r in rungs})), eta)

    def begin(self) -> AshaRungs:
        """A new search."""
        return AshaRungs(self)


class AshaRungs:
    """The state: the scores seen at each rung."""

    def __init__(self, settings: Asha) -> None:
        self.settings = settings
        self.scores: dict[float, list[float]] = {rung: [] for rung in settings.rungs}

    def report(self, trial: int, budget: float, score: float | None) -> bool:
        """Whether a trial goes on.

        At a rung it must be among the best 1/eta of all that reached the rung, itself included, or the best of all.
        A score that is missing or not finite counts as the worst and stops the trial.

        Args:
            trial: id of the trial.
            budget: epochs it reached; between rungs it goes on.
            score: more is better.
        """
        bad = not usable(score)
        seen = self.scores.get(budget)
        if seen is None:
            return not bad
        value = -math.inf if bad or score is None else float(score)
        better = len(seen) - bisect_right(seen, value)
        insort(seen, value)
        return not bad and better < max(1, int(len(seen) / self.settings.eta))
