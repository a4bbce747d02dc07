"""The real search that is killed: arithmetic trials that keep a diary and a checkpoint, as a recipe file.

Its workers import nothing but raynas, so what they need is written here. CHAOS_DIARY names the diary.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import raynas
from raynas.plan import Task
from raynas.records import Architecture, Context, Measurement

EPOCHS, SECONDS = 6, 0.25


@dataclass(frozen=True)
class Diligent:
    """Notes every epoch that it trains, keeps it, notes that it is kept, and tells it."""

    diary: str
    metrics = ("val_accuracy",)
    budget = float(EPOCHS)

    def check(self) -> None:
        """Nothing can be wrong."""

    def load(self) -> Any:
        """Nothing is shared."""

    def task(self, shared: Any) -> Task:
        """Any."""
        return Task((1, 8, 8), 10)

    def estimate(self, architecture: Architecture, context: Context) -> Iterator[Measurement]:
        """Scores rise towards the architecture's own."""
        folder = Path(context.folder or ".")
        folder.mkdir(parents=True, exist_ok=True)
        path, partial = folder / "kept.json", folder / "kept.partial"
        kept = json.loads(path.read_text()) if path.exists() else []
        yield from (Measurement(budget, {"val_accuracy": value}) for budget, value in kept)
        for epoch in range(len(kept) + 1, EPOCHS + 1):
            self.note("trained", context.trial, epoch)
            time.sleep(SECONDS)
            kept.append((epoch, score(architecture.key, epoch)))
            partial.write_text(json.dumps(kept))
            partial.replace(path)
            self.note("kept", context.trial, epoch)
            yield Measurement(epoch, {"val_accuracy": kept[-1][1]})

    def note(self, *words: object) -> None:
        """Appends a line to the diary, whole or not at all."""
        descriptor = os.open(self.diary, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(descriptor, (" ".join(map(str, words)) + "\n").encode())
        os.close(descriptor)


def score(key: str, epoch: int) -> float:
    """What an architecture comes to: anybody can say whether a record tells the truth."""
    return int(key[:8], 16) / 16**8 * epoch / EPOCHS


def search() -> raynas.Search:
    """Every trial is trained in full, two at a time."""
    return raynas.Search(
        space=raynas.spaces.nasbench201(width=4, repeats=1),
        strategy=raynas.RegularizedEvolution(population=10, tournament=3),
        estimator=Diligent(os.environ["CHAOS_DIARY"]),
        scheduler=None,
        concurrency=2,
    )
