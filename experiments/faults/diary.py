"""What a search really did, told by itself: the ground truth that no file of raynas can change."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from raynas.records import RUNNING, Trial

Entry = tuple[str, ...]


class Diary:
    """An append-only file. What was noted survives whoever is killed afterwards.

    It is written with `writev`, which nothing else here uses, so that faults of other system calls leave it alone.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def note(self, *words: object) -> None:
        """Notes a line of words."""
        os.writev(self._descriptor, [(" ".join(map(str, words)) + "\n").encode()])

    def heard(self, event: str, trial: Trial) -> None:
        """A listener of the loop: what it hears is on record, so it must never be lost."""
        if event != "asked":
            self.note("recorded", event, trial.id, f"{trial.budget:g}")

    def close(self) -> None:
        """Lets the file go."""
        os.close(self._descriptor)


def entries(path: Path) -> list[Entry]:
    """What was noted, in order."""
    return [tuple(line.split()) for line in path.read_text().splitlines()] if path.exists() else []


def missing(noted: Iterable[Entry], trials: dict[int, Trial]) -> list[str]:
    """What is noted as recorded and yet not among the trials of a search that was resumed."""
    found = []
    for word, *rest in noted:
        if word != "recorded":
            continue
        event, number, budget = rest
        trial = trials.get(int(number))
        if trial is None or trial.budget < float(budget):
            found.append(f"the reading of trial {number} at {budget} epochs is lost")
        elif event == "ended" and trial.status == RUNNING:
            found.append(f"the end of trial {number} is lost")
    return found


def twice(noted: Iterable[Entry]) -> list[str]:
    """What was recorded more than once."""
    counts = Counter(entry for entry in noted if entry[0] == "recorded")
    return [f"{' '.join(entry)} is recorded {n} times" for entry, n in counts.items() if n > 1]


def again(noted: Iterable[Entry]) -> tuple[list[str], int]:
    """Epochs that were trained again although the trial had kept them, and how many were trained again in all."""
    kept: set[Entry] = set()
    trained: set[Entry] = set()
    needless, repeated = [], 0
    for word, *rest in noted:
        epoch = tuple(rest)
        if word == "kept":
            kept.add(epoch)
        elif word == "trained":
            if epoch in kept:
                needless.append(f"epoch {epoch[1]} of trial {epoch[0]} was kept and trained again")
            repeated += epoch in trained
            trained.add(epoch)
    return needless, repeated
