"""Estimators without training, for tests of the loop and of Ray: each `estimate` is a few lines of arithmetic."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raynas.errors import ConfigError
from raynas.plan import Task
from raynas.records import Architecture, Context, Measurement


def merit(architecture: Architecture) -> float:
    """A score in [0, 1) that is a function of the network alone."""
    return int(architecture.key[:8], 16) / 16**8


@dataclass(frozen=True)
class Fake:
    """Scores rise with the epochs towards the architecture's merit."""

    epochs: int = 3
    seconds: float = 0.0
    metrics = ("val_accuracy",)

    @property
    def budget(self) -> float:
        return self.epochs

    def check(self) -> None:
        if self.epochs < 1:
            raise ConfigError(f"epochs must be at least 1, but got {self.epochs}")

    def load(self) -> Any:
        return None

    def task(self, shared: Any) -> Task:
        return Task((1, 8, 8), 10)

    def estimate(self, architecture: Architecture, context: Context) -> Iterator[Measurement]:
        for epoch in range(1, self.epochs + 1):
            time.sleep(self.seconds)
            self.act(architecture, context, epoch)
            yield Measurement(epoch, {"val_accuracy": self.score(architecture, context, epoch)})

    def score(self, architecture: Architecture, context: Context, epoch: int) -> float:
        return merit(architecture) * epoch / self.epochs

    def act(self, architecture: Architecture, context: Context, epoch: int) -> None:
        """What subclasses do wrong."""


@dataclass(frozen=True)
class Misbehaving(Fake):
    """Trial 2 raises, 3 exits, 4 yields NaN, 5 yields nothing, 6 dies once, 7 dies always, 8 misses the metric."""

    folder: str = ""

    def estimate(self, architecture: Architecture, context: Context) -> Iterator[Measurement]:
        if context.trial == 5:
            return
        if context.trial == 8:
            yield Measurement(1, {"loss": 0.5})
            return
        yield from super().estimate(architecture, context)

    def score(self, architecture: Architecture, context: Context, epoch: int) -> float:
        return float("nan") if context.trial == 4 else super().score(architecture, context, epoch)

    def act(self, architecture: Architecture, context: Context, epoch: int) -> None:
        if context.trial == 2 and epoch == 2:
            raise ZeroDivisionError("division by zero")
        if context.trial == 3:
            raise SystemExit(3)
        mark = Path(self.folder) / f"died-{context.trial}"
        if context.trial == 7 or (context.trial == 6 and epoch == 2 and not mark.exists()):
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Logging(Fake):
    """Appends a line per epoch to a file, so that a test knows what was really run, whoever was killed."""

    log: str = ""

    def act(self, architecture: Architecture, context: Context, epoch: int) -> None:
        line = f"{context.trial} {epoch} {context.seed} {context.device} {context.threads} {context.memory_fraction}\n"
        descriptor = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, line.encode())
        os.close(descriptor)
