"""Runs a `Loop` in this process: what Ray Tune does, without Ray, one event at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random

from raynas.ledger import Event
from raynas.loop import Loop
from raynas.records import Context, Estimator, Measurement, Trial
from raynas.seeds import seed_for


class Driver:
    """Keeps up to `concurrency` trials running.

    Each `step` makes exactly one event, and which one depends on the loop's state and on `rng` alone. So two drivers of
    equal loops, given equal generators, make the same events, although one loop was killed and replayed.

    Args:
        loop: fresh, or replayed: then its unfinished trials are taken up first.
        estimator: what scores.
        concurrency: trials at once.
        rng: chooses between asking and reading, and whose reading comes next; None: asks first, then the oldest.
        folder: where trials keep checkpoints; None: nowhere.
    """

    def __init__(
        self,
        loop: Loop,
        estimator: Estimator,
        *,
        concurrency: int = 1,
        rng: Random | None = None,
        folder: str | None = None,
    ) -> None:
        self.loop = loop
        self.estimator = estimator
        self.concurrency = concurrency
        self.rng = rng
        self.folder = folder
        self.shared = estimator.load()
        self.readings: dict[int, Iterator[Measurement]] = {}
        self.stopped: set[int] = set()
        for _ in range(len(loop.running)):
            self._take(loop.next())

    def run(self, events: int | None = None) -> None:
        """Goes on until nothing is left to do, or for at most so many events."""
        while (events is None or events > 0) and self.step():
            events = events and events - 1

    def step(self) -> bool:
        """Makes one event: a trial is asked, read or ended. False: there is nothing left to do."""
        ask_first = self.rng is None or self.rng.random() < 0.5
        choice = 0.0 if self.rng is None else self.rng.random()
        if len(self.readings) < self.concurrency and (ask_first or not self.readings):
            trial = self.loop.next()
            if trial is not None:
                self._take(trial)
                return True
        if self.readings:
            self._read(list(self.readings)[int(choice * len(self.readings))])
            return True
        return False

    def _take(self, trial: Trial) -> None:
        folder = f"{self.folder}/{trial.id:05d}" if self.folder else None
        context = Context(trial.id, seed_for(0, "trial", trial.id), self.shared, folder=folder)
        self.readings[trial.id] = iter(self.estimator.estimate(trial.architecture, context))

    def _read(self, trial_id: int) -> None:
        """The first reading that the loop does not know yet, or the end."""
        while trial_id not in self.stopped:
            try:
                measurement = next(self.readings[trial_id], None)
            except Exception as error:  # noqa: BLE001 - a failed trial is a value
                self._end(trial_id, f"{type(error).__name__}: {error}")
                return
            if measurement is None:
                break
            known = self.loop.running[trial_id].budget
            if not self.loop.measure(trial_id, measurement):
                self.stopped.add(trial_id)
            if self.loop.running[trial_id].budget > known:
                return
        self._end(trial_id)

    def _end(self, trial_id: int, reason: str = "") -> None:
        full = self.loop.running[trial_id].budget >= self.estimator.budget
        self.loop.end(trial_id, reason, stopped=trial_id in self.stopped and not full)
        del self.readings[trial_id]
        self.stopped.discard(trial_id)


class Recorder:
    """A listener that keeps the events as a ledger would: through JSON."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, kind: str, trial: Trial) -> None:
        if kind == "asked":
            body = {"answers": dict(trial.architecture.answers), "parent": trial.parent}
        elif kind == "measured":
            metrics = {name: value if value == value else None for name, value in trial.metrics.items()}
            body = {"budget": trial.budget, "metrics": metrics}
        else:
            body = {"status": trial.status, "reason": trial.reason}
        self.events.append(Event(0.0, kind, trial.id, json.loads(json.dumps(body, allow_nan=False))))
