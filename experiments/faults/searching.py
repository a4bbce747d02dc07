"""The search that is disturbed: a few lines that drive raynas' own loop and ledger on disk, without Ray.

Its trials are arithmetic, but they do what trials do: they keep every epoch in a file of their own, some fail, some
yield NaN, some end early. At concurrency 1 everything is a function of the seed.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from faults.diary import Diary, entries, missing
from raynas import catalog, spaces
from raynas.errors import StorageError
from raynas.ledger import Ledger, Recorded
from raynas.loop import Loop
from raynas.objectives import Objective
from raynas.records import FAILED, FINISHED, STOPPED, Architecture, Measurement, Space, Trial
from raynas.schedulers import Asha

DIARY, RUN = "diary", "run"
Point = Callable[[], None]
"""Called between any two things that a search does; a fault may strike there."""


def nothing() -> None:
    """No fault."""


@dataclass(frozen=True)
class Scenario:
    """The choices of a search.

    Attributes:
        strategy: a name of `raynas.catalog.STRATEGIES`.
        asha: whether ASHA stops trials early.
        trials, epochs: how many, and of each.
        concurrency: trials at once, in turn.
    """

    strategy: str = "evolution"
    asha: bool = True
    trials: int = 30
    epochs: int = 3
    concurrency: int = 1

    def __str__(self) -> str:
        return f"{self.strategy}{' with ASHA' if self.asha else ''}, {self.concurrency} at once"

    @property
    def space(self) -> Space:
        """What is searched; large-scale evolution has a space of its own."""
        return spaces.large_scale() if self.strategy == "large_scale" else spaces.nasbench201(width=4, repeats=1)

    def loop(self, folder: Path) -> Loop:
        """A fresh loop.

        Args:
            folder: of the search; the strategy `file` finds its architectures there.
        """
        strategy: Any = catalog.fitted(catalog.STRATEGIES[self.strategy], self.trials, self.epochs)
        if self.strategy == "file":
            strategy = catalog.STRATEGIES["file"](str(self._listed(folder)))
        scheduler = Asha.for_budget(self.epochs, 2) if self.asha else None
        return Loop(self.space, strategy, [Objective()], 0, trials=self.trials, scheduler=scheduler)

    def _listed(self, folder: Path) -> Path:
        path = folder / "architectures.jsonl"
        if not path.exists():
            drawn = [spaces.sample(self.space, Random(number)) for number in range(2 * self.trials)]
            path.write_text("".join(json.dumps(dict(one.answers)) + "\n" for one in drawn))
        return path


def readings(
    architecture: Architecture, trial: int, epochs: int, folder: Path, diary: Diary, point: Point
) -> Iterator[Measurement]:
    """The readings of one trial: those that it kept first, then a new one an epoch, kept before it is told."""
    fate = int(architecture.key[8:10], 16)
    path = folder / f"{trial:05d}.json"
    kept = json.loads(path.read_text()) if path.exists() else []
    yield from (Measurement(budget, {"val_accuracy": value}) for budget, value in kept)
    for epoch in range(len(kept) + 1, epochs + 1):
        if fate < 16 and epoch == 2:
            raise ValueError(f"no luck with {fate}")
        if 16 <= fate < 32 and epoch == 3:
            return
        diary.note("trained", trial, epoch)
        point()
        value = int(architecture.key[:8], 16) / 16**8 * epoch / epochs
        kept.append((epoch, None if 32 <= fate < 48 and epoch == 2 else value))
        keep(path, json.dumps(kept), point)
        diary.note("kept", trial, epoch)
        budget, reading = kept[-1]
        yield Measurement(budget, {"val_accuracy": math.nan if reading is None else reading})


def keep(path: Path, text: str, point: Point) -> None:
    """Writes a file whole or not at all, as raynas' checkpoints are."""
    partial = path.with_suffix(".partial")
    with partial.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    point()
    partial.replace(path)


class Driver:
    """Keeps trials running, each in turn a reading, until nothing is left to do."""

    def __init__(self, scenario: Scenario, loop: Loop, folder: Path, diary: Diary, point: Point) -> None:
        self.scenario = scenario
        self.loop = loop
        self.folder = folder
        self.diary = diary
        self.point = point
        self.running: list[tuple[Trial, Iterator[Measurement]]] = []

    def run(self) -> None:
        """Goes on to the end.

        Raises:
            RaynasError: what ended the search early.
        """
        while self.loop.failure is None:
            self.point()
            while len(self.running) < self.scenario.concurrency and (trial := self.loop.next()) is not None:
                self.running.append((trial, self._begun(trial)))
                self.point()
            if not self.running:
                break
            self._read(*self.running.pop(0))
        if self.loop.failure:
            raise self.loop.failure

    def _begun(self, trial: Trial) -> Iterator[Measurement]:
        return readings(trial.architecture, trial.id, self.scenario.epochs, self.folder, self.diary, self.point)

    def _read(self, trial: Trial, left: Iterator[Measurement]) -> None:
        """The next reading of a trial, or its end."""
        try:
            measurement = next(left, None)
        except OSError as error:  # no fault of the trial: what is on record is safe, and there may be room again
            raise StorageError(str(self.folder), str(error)) from error
        except Exception as error:  # noqa: BLE001 - a failed trial is a value
            self.loop.end(trial.id, f"{type(error).__name__}: {error}")
            return
        self.point()
        if measurement is not None and self.loop.measure(trial.id, measurement):
            self.running.append((trial, left))
            return
        self.point()
        full = self.loop.running[trial.id].budget >= self.scenario.epochs
        self.loop.end(trial.id, stopped=measurement is not None and not full)


def live(scenario: Scenario, folder: Path, point: Point = nothing) -> None:
    """One session of a search, begun or resumed, to its end. What it misses on resume is noted as trouble.

    Args:
        scenario: the choices.
        folder: of the search: the run, the trials' files, the diary.
        point: where a fault may strike.

    Raises:
        RaynasError: what ended it early.
    """
    (folder / RUN).mkdir(exist_ok=True)
    noted = entries(folder / DIARY)
    diary = Diary(folder / DIARY)
    try:
        ledger = Ledger.write(folder / RUN)
        try:
            if point is not nothing:
                ledger._db.set_trace_callback(lambda statement: point())
            loop = scenario.loop(folder)
            loop.ledger, loop.listeners = ledger, (diary.heard,)
            loop.replay(ledger.events())
            for trouble in missing(noted, loop.trials):
                diary.note("trouble", trouble)
            if ledger.recovery:
                diary.note("recovered", ledger.recovery)
            Driver(scenario, loop, folder, diary, point).run()
        finally:
            with suppress(StorageError):  # the first error tells more
                ledger.close()
    finally:
        diary.close()


def record(folder: Path) -> list[Recorded]:
    """The trials on record."""
    ledger = Ledger.read(folder / RUN)
    try:
        return ledger.trials()
    finally:
        ledger.close()


def told(trials: Sequence[Recorded]) -> list[dict[str, Any]]:
    """What must not depend on what happened on the way: everything but times."""
    return [
        {
            "id": trial.id,
            "key": trial.key,
            "answers": trial.answers,
            "parent": trial.parent,
            "status": trial.status,
            "reason": trial.reason,
            "measurements": [
                [m.budget, {k: repr(v) for k, v in m.metrics.items() if not k.endswith("_s")}]
                for m in trial.measurements
            ],
        }
        for trial in trials
    ]


def digest(trials: Sequence[Recorded]) -> str:
    """SHA-256 of the record in its canonical form."""
    return hashlib.sha256(json.dumps(told(trials), sort_keys=True).encode()).hexdigest()


def incomplete(scenario: Scenario, trials: Sequence[Recorded]) -> list[str]:
    """What is wrong with the record of a search that ended, whatever its order of events."""
    found = []
    if [trial.id for trial in trials] != list(range(1, scenario.trials + 1)):
        found.append(f"{scenario.trials} trials were asked for, but {len(trials)} are on record")
    for trial in trials:
        budgets = [m.budget for m in trial.measurements]
        if trial.status not in (FINISHED, STOPPED, FAILED):
            found.append(f"trial {trial.id} is {trial.status}")
        if budgets != sorted(set(budgets)):
            found.append(f"trial {trial.id} has readings at {budgets}")
    return found
