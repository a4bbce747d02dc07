"""Which trials' checkpoints are kept."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from raynas.objectives import Constraint
from raynas.records import Trial

KEEP = 3
"""Checkpoints of so many best trials are kept, besides those of the running ones."""


class Keeper:
    """A listener that removes the checkpoints of trials that cannot win any more."""

    def __init__(self, folder: Path, constraints: Sequence[Constraint]) -> None:
        self.folder = folder
        self.constraints = constraints
        self.kept: list[tuple[tuple[bool, float, float, int], int]] = []

    def __call__(self, event: str, trial: Trial) -> None:
        """Removes what the trial that ended has made needless."""
        if event != "ended":
            return
        if trial.score is None:
            self._remove(trial.id)
            return
        allowed = all(c.holds(trial.metrics) for c in self.constraints)
        self.kept.append(((allowed, trial.budget, trial.score, -trial.id), trial.id))
        self.kept.sort(reverse=True)
        for _, loser in self.kept[KEEP:]:
            self._remove(loser)
        del self.kept[KEEP:]

    def _remove(self, trial: int) -> None:
        shutil.rmtree(self.folder / f"{trial:05d}", ignore_errors=True)
