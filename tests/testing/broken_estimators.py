"""Estimators that break one promise each, and the test of the suite that must notice."""

from __future__ import annotations

import json
import math
import random
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from fakes import Fake

from raynas.errors import ConfigError, GraphError
from raynas.records import Measurement

FAILS = "1"
"""Architectures whose key ends so cannot be scored."""


@dataclass(frozen=True)
class Good(Fake):
    """Noisy scores, kept in a checkpoint; some architectures fail."""

    epochs: int = 3

    def estimate(self, architecture, context):
        if architecture.key.endswith(FAILS):
            raise GraphError("it does not fit")
        path = Path(context.folder) / "state.json" if context.folder else None
        known = json.loads(path.read_text()) if path and path.exists() else []
        yield from (Measurement(budget, metrics) for budget, metrics in known)
        for epoch in range(len(known) + 1, self.epochs + 1):
            noise = random.Random(f"{context.seed} {epoch}").random()
            reading = Measurement(epoch, {"val_accuracy": noise, "train_s": time.perf_counter()})
            known.append(reading)
            if path and (epoch in context.rungs or epoch == self.epochs):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(known))
            yield reading


@dataclass(frozen=True)
class ForgetsItsFolder(Good):
    """Writes checkpoints and never reads them; goes on with other noise where it was."""

    def estimate(self, architecture, context):
        seen = bool(context.folder) and (Path(context.folder) / "seen").exists()
        for budget, metrics in super().estimate(architecture, context):
            if context.folder:
                (Path(context.folder)).mkdir(parents=True, exist_ok=True)
                (Path(context.folder) / "seen").touch()
            yield Measurement(budget, {**metrics, "val_accuracy": metrics["val_accuracy"] / (2 if seen else 1)})


@dataclass(frozen=True)
class GlobalNoise(Good):
    def estimate(self, architecture, context):
        for budget, metrics in super().estimate(architecture, context):
            yield Measurement(budget, {**metrics, "val_accuracy": float(np.random.rand())})


@dataclass(frozen=True)
class SeedsTheProcess(Good):
    def estimate(self, architecture, context):
        np.random.seed(context.seed)
        return super().estimate(architecture, context)


@dataclass(frozen=True)
class Nan(Good):
    """No number at the end."""

    def estimate(self, architecture, context):
        for budget, metrics in super().estimate(architecture, context):
            yield Measurement(budget, {**metrics, "val_accuracy": math.nan if budget == 3 else 0.5})


@dataclass(frozen=True)
class Unnamed(Good):
    metrics = ("val_accuracy", "val_loss")


@dataclass(frozen=True)
class StopsShort(Good):
    @property
    def budget(self):
        return self.epochs + 1


@dataclass(frozen=True)
class Stutters(Good):
    """Every reading twice."""

    def estimate(self, architecture, context):
        for reading in super().estimate(architecture, context):
            yield reading
            yield reading


@dataclass(frozen=True)
class ScoresFailures(Good):
    """A network that cannot be built has an accuracy of 0."""

    def estimate(self, architecture, context):
        try:
            yield from super().estimate(architecture, context)
        except GraphError:
            yield Measurement(3, {"val_accuracy": 0.0})


@dataclass(frozen=True)
class Unchecked(Good):
    def check(self):
        """Whatever it is."""


@dataclass(frozen=True)
class SlowCheck(Good):
    def check(self):
        time.sleep(2.1)


@dataclass(frozen=True)
class CleansUp(Good):
    """Who stops it early gets an error."""

    def estimate(self, architecture, context):
        done = False
        try:
            yield from super().estimate(architecture, context)
            done = True
        finally:
            if not done:
                raise ConfigError("not finished")


@dataclass(frozen=True)
class WritesHere(Good):
    def estimate(self, architecture, context):
        Path("log.txt").write_text("began")
        return super().estimate(architecture, context)


@dataclass(frozen=True)
class Spoils(Good):
    """Shuffles the data that all trials share."""

    def load(self):
        return [1, 2, 3]

    def estimate(self, architecture, context):
        context.shared.reverse()
        return super().estimate(architecture, context)


@dataclass(frozen=True)
class NotJson(Good):
    data: object = field(default_factory=object)


@dataclass(frozen=True)
class StaysHere(Good):
    """Holds what no other process can have."""

    def load(self):
        return lambda: None


CAUGHT = {
    ForgetsItsFolder: "test_continues_from_its_folder",
    GlobalNoise: "test_same_seed_same_readings",
    SeedsTheProcess: "test_no_global_random_state_is_touched",
    Nan: "test_every_reading_holds_the_named_metrics_as_finite_numbers",
    Unnamed: "test_every_reading_holds_the_named_metrics_as_finite_numbers",
    StopsShort: "test_budgets_rise_and_end_at_the_full_budget",
    Stutters: "test_budgets_rise_and_end_at_the_full_budget",
    ScoresFailures: "test_an_architecture_that_fails_raises",
    Unchecked: "test_wrong_settings_are_refused",
    SlowCheck: "test_good_settings_pass_the_check_quickly",
    CleansUp: "test_may_stop_at_any_reading",
    WritesHere: "test_writes_to_its_folder_alone",
    Spoils: "test_what_trials_share_stays_as_it_was",
    NotJson: "test_settings_are_json",
    StaysHere: "test_travels_to_other_processes",
}
