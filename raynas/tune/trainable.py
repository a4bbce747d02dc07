"""A trial as a Ray actor: runs an estimator, reports its measurements, turns every failure into a final result.

Actors are reused from trial to trial, since starting one and importing torch costs seconds.
"""

from __future__ import annotations

import math
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ray import tune

from raynas.crashes import CrashFile
from raynas.errors import RaynasWarning
from raynas.files import DISK_FULL
from raynas.ledger import TRACEBACK
from raynas.ops import Scalar
from raynas.outcome import Outcome
from raynas.records import Context, Estimator, Measurement, Space, plain
from raynas.spaces.decide import replay
from raynas.watchdog import Watchdog

REPORT_EVERY_S = 1.0
"""Measurements are gathered for so long before they are reported: a report costs the driver milliseconds."""


_END: Any = object()


class TrialRunner(tune.Trainable):
    """One trial at a time; `setup` gets what all trials share, `reset_config` the next trial."""

    def setup(
        self, config: dict[str, Any], space: Space, estimator: Estimator, shared: Any, context: dict[str, Any]
    ) -> None:
        """Called by Tune once per actor.

        Args:
            config: of the first trial (see `begin`).
            space: what is searched.
            estimator: what scores.
            shared: what `estimator.load()` returned.
            context: the fields of `Context` that are the same for all trials, and the limits: `epoch_timeout_s`,
                `trial_timeout_s` and `memory_gb`, None where there is none.
        """
        self.space = space
        self.estimator = estimator
        self.shared = shared
        self.limits = {name: context.pop(name) or math.inf for name in ("epoch_timeout_s", "trial_timeout_s")}
        memory = context.pop("memory_gb")
        self.watchdog = Watchdog(memory) if memory or min(self.limits.values()) < math.inf else None
        self.context = context
        self.crash_file = CrashFile()
        self.readings: Iterator[Any] | None = None
        self.begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Called by Tune when the actor goes on with another trial."""
        self.begin(new_config)
        return True

    def begin(self, config: dict[str, Any]) -> None:
        """Takes up a trial.

        Args:
            config: `trial` (id), `seed`, `folder`, `budget` (see `Context`) and the answers.
        """
        self.close()
        self.spec = config
        self.folder = Path(config["folder"])
        self.end = min(self.estimator.budget, config.get("budget") or math.inf)
        self.crash_file.open(self.folder)
        self.identity = ""
        self.told: list[Measurement] = []
        self.began = time.monotonic()

    def close(self) -> None:
        """Lets go of a trial that was stopped: its estimator may save what it has."""
        readings, self.readings = self.readings, None
        close = getattr(readings, "close", None)
        if close:
            with suppress(Exception):  # it was stopped: nobody waits for what it says
                close()

    def cleanup(self) -> None:
        """Called by Tune when the actor ends."""
        self.close()
        self.crash_file.close()
        if self.watchdog:
            self.watchdog.close()

    def step(self) -> dict[str, Any]:
        """Runs the estimator for about a second, to the next rung or to its end.

        Returns:
            `measurements` as (budget, metrics), and `notes`, what a person should know. At the end also `done`, and
            `outcome`, the fields of an `Outcome` without its measurements. Where the disk is full, `halted` says so:
            the trial is not to blame, and not at its end.
        """
        first = len(self.told)
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always", RaynasWarning)
            try:
                result = self._go_on()
            except OSError as error:
                if error.errno not in DISK_FULL:
                    raise
                result = {"halted": str(error)}
                self.close()
        notes = [str(w.message) for w in heard if isinstance(w.message, RaynasWarning)]
        return result | {"measurements": [tuple(m) for m in self.told[first:]], "notes": notes}

    def _go_on(self) -> dict[str, Any]:
        until = time.monotonic() + REPORT_EVERY_S
        try:
            self._watch()
            if self.readings is None:
                self.readings = self._estimate()
            while (reading := next(self.readings, _END)) is not _END:
                budget, metrics = reading
                self.told.append(plain(Measurement(budget, metrics)))
                budget = self.told[-1].budget
                if budget >= self.end:
                    break
                if budget in self.context["rungs"] or time.monotonic() > until:
                    return {}
                self._watch()
        except BaseException as error:
            if isinstance(error, OSError) and error.errno in DISK_FULL:
                raise
            trace = f"{''.join(traceback.format_tb(error.__traceback__))}{type(error).__name__}: {_text(error)}"
            return self._over(Outcome(self.identity, self.told, self._reason(error), trace))
        finally:
            if self.watchdog:
                self.watchdog.rest()
        return self._over(Outcome(self.identity, self.told, full=self.budget >= self.estimator.budget))

    def _over(self, outcome: Outcome) -> dict[str, Any]:
        """Makes the outcome durable before anybody hears of it."""
        self.close()
        self.crash_file.close()
        outcome.write(self.folder)
        told = {"reason": outcome.reason, "traceback": outcome.traceback[-TRACEBACK:], "full": outcome.full}
        return {"done": True, "outcome": {"identity": outcome.identity, **told}}

    @property
    def budget(self) -> float:
        """Epochs spent."""
        return self.told[-1].budget if self.told else 0.0

    def _watch(self) -> None:
        """Starts the clock for the next reading."""
        epoch, whole = self.limits["epoch_timeout_s"], self.limits["trial_timeout_s"]
        if self.watchdog:
            left = whole - (time.monotonic() - self.began)
            late = f"timeout: epoch {self.budget + 1:g} took more than {epoch:g} s"
            if left < epoch:
                late = f"timeout: the trial took more than {whole:g} s"
            self.watchdog.watch(self.folder, min(epoch, left), late)

    def _estimate(self) -> Iterator[Any]:
        answers: dict[str, Scalar] = self.spec["arch"]
        context = Context(
            trial=self.spec["trial"],
            seed=self.spec["seed"],
            folder=self.spec["folder"],
            shared=self.shared,
            budget=self.spec.get("budget"),
            **self.context,
        )
        architecture = replay(self.space, answers)
        self.identity = architecture.identity
        return iter(self.estimator.estimate(architecture, context))

    def _reason(self, error: BaseException) -> str:
        """Phase, error and where it was raised, in one line."""
        phase = f"epoch {self.budget + 1:g}" if self.budget else "start"
        text = _text(error).strip().splitlines()
        frames = traceback.extract_tb(error.__traceback__)
        where = f" ({frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno})" if frames else ""
        return f"{phase}: {type(error).__name__}: {text[0][:300] if text else ''}{where}"

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        """Reuse of actors needs this method; estimators keep their own checkpoints."""
        return {}

    def load_checkpoint(self, checkpoint: Any) -> None:
        """See `save_checkpoint`."""


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as trouble:  # noqa: BLE001 - other people's __str__
        return f"(its text raises {type(trouble).__name__})"
