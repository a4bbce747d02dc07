"""The contenders of bench_overhead.py: the same trials through raynas, through Tune alone and in plain processes.

A trial is a fixed number of hashes, computed in "epochs" without the interpreter's lock, as torch computes.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import ray
from ray import tune

import raynas as rn
from raynas.plan import Task

Span = tuple[float, float]  # seconds since the epoch at which an epoch of a trial began and ended


def burn(rounds: int) -> Span:
    """One epoch."""
    began = time.time()
    if rounds:
        hashlib.pbkdf2_hmac("sha256", b"raynas", b"raynas", rounds)
    return began, time.time()


def rounds_for(seconds: float) -> int:
    """How many rounds of hashing take so long on an idle core."""
    rate = max(200_000 / (ended - began) for began, ended in (burn(200_000) for _ in range(5)))
    return int(rate * seconds)


class Ticks(tune.Callback):
    """Notes wall and driver CPU seconds whenever a trial ends: a callback of Tune, and a display of raynas."""

    def __init__(self) -> None:
        self.at: list[Span] = []

    def note(self) -> None:
        self.at.append((time.perf_counter(), time.process_time()))

    def heard(self, event: str, trial: rn.Trial) -> None:
        if event == "ended":
            self.note()

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.note()

    def start(self, *_: Any) -> None:
        """What else a display hears; Tune calls none of these."""

    stage = warn = tick = stop = start


@dataclass(frozen=True)
class Burning:
    """raynas' estimator: hashes instead of training.

    Attributes:
        rounds: of one epoch.
        epochs: full budget of one architecture.
    """

    rounds: int = 0
    epochs: int = 1

    metrics = ("score", "began", "ended")

    @property
    def budget(self) -> float:
        return self.epochs

    def check(self) -> None:
        """Nothing can be wrong."""

    def load(self) -> None:
        """Nothing is shared."""

    def task(self, shared: None) -> Task:
        return Task()

    def estimate(self, architecture: rn.Architecture, context: rn.Context) -> Iterator[rn.Measurement]:
        for epoch in range(self.epochs):
            began, ended = burn(self.rounds)
            yield rn.Measurement(epoch + 1, {"score": context.trial, "began": began, "ended": ended})


def run_raynas(rounds: int, epochs: int, trials: int, slots: int, ticks: Ticks) -> list[list[Span]]:
    """A whole search: strategy, durable ledger, TensorBoard, keeper of checkpoints."""
    with tempfile.TemporaryDirectory() as storage:
        search = rn.Search(
            strategy=rn.RandomSearch(),  # as the others have: `auto` would spend the driver's time on its model
            estimator=Burning(rounds, epochs),
            scheduler=None,
            objectives=[rn.Objective("score")],
            trials=trials,
            concurrency=slots,
            storage=storage,
        )
        return [[(m.metrics["began"], m.metrics["ended"]) for m in t.measurements] for t in search.run(ticks).trials]


def function_trainable(config: dict[str, Any], rounds: int, epochs: int) -> None:
    spans: list[Span] = []
    for _ in range(epochs):
        spans.append(burn(rounds))
        tune.report({"spans": spans})


class ClassTrainable(tune.Trainable):
    def setup(self, config: dict[str, Any], rounds: int, epochs: int) -> None:
        self.rounds, self.epochs = rounds, epochs
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.spans: list[Span] = []
        return True

    def step(self) -> dict[str, Any]:
        self.spans.append(burn(self.rounds))
        return {"spans": self.spans, "done": len(self.spans) == self.epochs}

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        return {}

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing was saved."""


def run_tune(trainable: Any, rounds: int, epochs: int, trials: int, slots: int, ticks: Ticks) -> list[list[Span]]:
    """Tune alone, with its default settings but for its printed tables."""
    ray.init(num_cpus=slots, include_dashboard=False, log_to_driver=False)
    with tempfile.TemporaryDirectory() as storage:
        tuner = tune.Tuner(
            tune.with_parameters(trainable, rounds=rounds, epochs=epochs),
            param_space={"x": tune.uniform(0, 1)},
            tune_config=tune.TuneConfig(num_samples=trials, reuse_actors=trainable is ClassTrainable),
            run_config=tune.RunConfig(storage_path=storage, verbose=0, callbacks=[ticks]),
        )
        return [result.metrics["spans"] for result in tuner.fit()]


def one_plain_trial(rounds: int, epochs: int, _: int) -> list[Span]:
    return [burn(rounds) for _ in range(epochs)]


def run_plain(rounds: int, epochs: int, trials: int, slots: int, ticks: Ticks) -> list[list[Span]]:
    """As many processes as slots, and nothing else: what the machine can do."""
    with multiprocessing.get_context("spawn").Pool(slots) as pool:
        return pool.map(partial(one_plain_trial, rounds, epochs), range(trials), chunksize=1)


CONTENDERS = {
    "raynas": run_raynas,
    "tune-function": partial(run_tune, function_trainable),
    "tune-class-reuse": partial(run_tune, ClassTrainable),
    "processes": run_plain,
}
