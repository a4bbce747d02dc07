"""A trial as a Ray actor: runs an estimator, reports its measurements, turns every failure into a final result.

Actors are reused from trial to trial, since starting one and importing torch costs seconds.
"""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Iterator
from typing import Any

from ray import tune

from raynas.ops import Scalar
from raynas.records import Context, Estimator, Measurement, Space
from raynas.spaces.decide import replay

REPORT_EVERY_S = 1.0
"""Measurements are gathered for so long before they are reported: a report costs the driver milliseconds."""


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
            context: the fields of `Context` that are the same for all trials.
        """
        self.space = space
        self.estimator = estimator
        self.shared = shared
        self.context = context
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
        self.spec = config
        self.end = min(self.estimator.budget, config.get("budget") or math.inf)
        self.readings: Iterator[Measurement] | None = None
        self.budget = 0.0

    def step(self) -> dict[str, Any]:
        """Runs the estimator for about a second, to the next rung or to its end.

        Returns:
            `measurements` as (budget, metrics); at the end also `done`, `ended`, `full` (whether the full budget was
            reached) and, for a failed trial, its `reason`.
        """
        gathered: list[tuple[float, dict[str, float]]] = []
        until = time.monotonic() + REPORT_EVERY_S
        try:
            if self.readings is None:
                self.readings = self._estimate()
            for budget, metrics in self.readings:
                gathered.append((budget, dict(metrics)))
                self.budget = budget
                if budget >= self.end:
                    break
                if budget in self.context["rungs"] or time.monotonic() > until:
                    return {"measurements": gathered}
        except BaseException as error:  # noqa: BLE001 - a failure is a recorded value, whatever it is
            reason, self.readings = self._reason(error), None
            return {"measurements": gathered, "done": True, "ended": True, "reason": reason}
        self.readings = None
        full = self.budget >= self.estimator.budget
        return {"measurements": gathered, "done": True, "ended": True, "full": full}

    def _estimate(self) -> Iterator[Measurement]:
        answers: dict[str, Scalar] = self.spec["arch"]
        context = Context(
            trial=self.spec["trial"],
            seed=self.spec["seed"],
            folder=self.spec["folder"],
            shared=self.shared,
            budget=self.spec.get("budget"),
            **self.context,
        )
        return iter(self.estimator.estimate(replay(self.space, answers), context))

    def _reason(self, error: BaseException) -> str:
        """Phase, error and where it was raised, in one line."""
        phase = f"epoch {self.budget + 1:g}" if self.readings is not None and self.budget else "start"
        text = str(error).strip().splitlines()
        frames = traceback.extract_tb(error.__traceback__)
        where = f" ({frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno})" if frames else ""
        return f"{phase}: {type(error).__name__}: {text[0][:300] if text else ''}{where}"

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        """Reuse of actors needs this method; estimators keep their own checkpoints."""
        return {}

    def load_checkpoint(self, checkpoint: Any) -> None:
        """See `save_checkpoint`."""
