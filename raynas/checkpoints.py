"""Which trials' checkpoints are kept, and how much disk a run may take."""

from __future__ import annotations

import shutil
import stat
import time
from collections.abc import Sequence
from pathlib import Path

from raynas.errors import StorageError
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


LOOK_EVERY_S = 10.0
"""A run's folder is added up at most so often."""


class DiskLimit:
    """A listener that ends a search whose folder has grown too large.

    Args:
        folder: of the run.
        gigabytes: GiB that it may hold.
    """

    def __init__(self, folder: Path, gigabytes: float) -> None:
        self.folder = folder
        self.gigabytes = gigabytes
        self.next = 0.0

    def __call__(self, event: str, trial: Trial) -> None:
        """Looks from time to time.

        Raises:
            StorageError: it holds more.
        """
        if time.monotonic() < self.next:
            return
        self.next = time.monotonic() + LOOK_EVERY_S
        held = sum(_size(path) for path in self.folder.rglob("*")) / 2**30
        if held > self.gigabytes:
            raise StorageError(str(self.folder), f"it holds {held:.3g} GiB, more than disk_gb={self.gigabytes:g}")


def _size(path: Path) -> int:
    try:
        found = path.lstat()
    except OSError:
        return 0  # it was removed meanwhile
    return found.st_size if stat.S_ISREG(found.st_mode) else 0
