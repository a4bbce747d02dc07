"""What Ray Tune costs a search.

    python experiments/bench_overhead.py busy                       # two minutes
    python experiments/bench_overhead.py busy --seconds 30 --trials 8 --rounds 3
    python experiments/bench_overhead.py trivial                    # two minutes
    python experiments/bench_overhead.py trivial --trials 100 1000 5000 --rounds 3

`busy`: how much of the machine trains. Every trial is the same fixed number of hashes, reported in five "epochs"; the
share is the seconds inside them / (slots x wall), from the moment when every slot has begun its first trial (warm
actors) to the end of the last trial, the idle slots at the end included. `work` is what was computed in a second,
beside two plain processes: it also counts what the driver takes away from the trials. Goal: 90 % or more.

`trivial`: trials without work, so that nothing but the search is left: seconds and CPU milliseconds of the driver a
trial, over windows of a search, to show whether the cost grows. Goal: at most 0.05 s and 15 ms, flat to the 5,000th.

raynas runs a whole `Search` (strategy, durable ledger, TensorBoard, keeper of checkpoints); the others run nothing but
Tune: a function trainable with Tune's default settings, and a class trainable with reused actors. Each contender runs
in a process and a Ray of its own, in turn; `--only NAME` runs one in this process (for `python -m cProfile -o x.prof`).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import ray
from measuring import apart, show, spread
from ray import tune

import raynas as rn
from raynas.plan import Task

EPOCHS = 5
Span = tuple[float, float]  # seconds since the epoch at which an epoch of a trial began and ended


def burn(rounds: int) -> Span:
    """Hashes without the interpreter's lock, as torch computes."""
    began = time.time()
    if rounds:
        hashlib.pbkdf2_hmac("sha256", b"raynas", b"raynas", rounds)
    return began, time.time()


def rounds_for(seconds: float) -> int:
    """How many rounds of hashing take so long on an idle core."""
    rate = max(200_000 / (ended - began) for began, ended in (burn(200_000) for _ in range(5)))
    return int(rate * seconds)


@dataclass(frozen=True)
class Burning:
    """The estimator: hashes instead of training.

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


class Ticks(tune.Callback):
    """Notes wall and driver CPU seconds whenever a trial ends: a callback of Tune, and a display of raynas."""

    def __init__(self) -> None:
        self.at: list[Span] = []

    def tick(self) -> None:
        """Of a display."""

    def heard(self, event: str, trial: rn.Trial | None = None) -> None:
        if event == "ended":
            self.at.append((time.perf_counter(), time.process_time()))

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.at.append((time.perf_counter(), time.process_time()))

    def start(self, *_: Any) -> None:
        """Of a display; Tune calls none by this name."""

    stage = stop = start


def run_raynas(rounds: int, epochs: int, trials: int, slots: int, ticks: Ticks) -> list[list[Span]]:
    with tempfile.TemporaryDirectory() as storage:
        search = rn.Search(
            estimator=Burning(rounds, epochs), scheduler=None, objectives=[rn.Objective("score")],
            trials=trials, concurrency=slots, storage=storage,
        )  # fmt: skip
        run = search.run(ticks)
        return [[(m.metrics["began"], m.metrics["ended"]) for m in t.measurements] for t in run.trials]


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
    with multiprocessing.get_context("spawn").Pool(slots) as pool:
        return pool.map(partial(one_plain_trial, rounds, epochs), range(trials), chunksize=1)


CONTENDERS = {
    "raynas": run_raynas,
    "tune-function": partial(run_tune, function_trainable),
    "tune-class-reuse": partial(run_tune, ClassTrainable),
    "processes": run_plain,
}


def use(trials: list[list[Span]], slots: int) -> tuple[float, float]:
    """Share of the slots' time spent inside epochs, and epochs computed a second."""
    since = sorted(epochs[0][0] for epochs in trials)[slots - 1]
    until = max(epochs[-1][1] for epochs in trials)
    inside = [(max(0.0, ended - max(began, since)), ended - began) for epochs in trials for began, ended in epochs]
    wall = until - since
    return sum(part for part, _ in inside) / (slots * wall), sum(part / whole for part, whole in inside) / wall


def busy(args: argparse.Namespace) -> None:
    rounds = rounds_for(args.seconds / EPOCHS)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in CONTENDERS}
    for _ in range(args.rounds):
        for name, figures in found.items():
            told = apart(
                __file__, "busy", "--only", name, "--work", rounds, "--trials", args.trials, "--slots", args.slots
            )
            figures.append(use(told["spans"], args.slots))
    plain = [work for _, work in found["processes"]]
    show(
        f"{args.trials} trials of {args.seconds:g} s of pure work, {args.slots} at once",
        ("contender", "busy %", "work % of processes"),
        [
            (name, spread([100 * share for share, _ in figures]),
             spread([100 * work / best for (_, work), best in zip(figures, plain, strict=True)]))
            for name, figures in found.items()
        ],
        "Median (range) of the rounds. Goal of raynas: 90 % or more.",
    )  # fmt: skip


def windows(trials: int) -> list[tuple[int, int]]:
    """First 100, around the 1,000th, last 100, and all with what comes after; the first trial waits for its actor."""
    spans = [(1, min(100, trials)), *([(950, 1050)] if trials > 1500 else []), (max(1, trials - 100), trials)]
    return [*dict.fromkeys(spans), (1, trials + 1)]


def trivial(args: argparse.Namespace) -> None:
    rows = []
    plans = [("raynas", n) for n in args.trials] + [("tune-class-reuse", min(args.trials)), ("tune-function", 20)]
    ticks: dict[tuple[str, int], list[list[Span]]] = {plan: [] for plan in plans}
    for _ in range(args.rounds):
        for name, trials in plans:
            told = apart(__file__, "trivial", "--only", name, "--trials", trials, "--slots", args.slots)
            ticks[name, trials].append(told["ticks"])
    for (name, trials), runs in ticks.items():
        for a, b in windows(trials):
            wall = [(at[b - 1][0] - at[a - 1][0]) / (b - a) for at in runs]
            cpu = [(at[b - 1][1] - at[a - 1][1]) / (b - a) * 1e3 for at in runs]
            window = f"{a}-{b}" if b <= trials else "all, and the end"
            rows.append((name, trials, window, spread(wall), spread(cpu)))
    show(
        f"trivial trials, {args.slots} at once",
        ("contender", "trials", "window", "s a trial", "driver CPU ms a trial"),
        rows,
        "Goal of raynas: at most 0.05 s and 15 ms, flat from the 100th to the 5,000th.",
    )


def alone(args: argparse.Namespace) -> None:
    """One contender, here; its raw figures as JSON."""
    epochs, trials = (EPOCHS, args.trials) if args.what == "busy" else (1, args.trials[0])
    ticks = Ticks()
    spans = CONTENDERS[args.only](args.work, epochs, trials, args.slots, ticks)
    ticks.heard("ended")  # the whole search: tables are written, actors and Ray are gone
    sys.stdout.write("\n" + json.dumps({"spans": spans, "ticks": ticks.at}) + "\n")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog=Path(__file__).name
    )
    what = parser.add_subparsers(dest="what", required=True)
    share, cost = what.add_parser("busy"), what.add_parser("trivial")
    share.add_argument("--seconds", type=float, default=10, help="of pure work a trial")
    share.add_argument("--trials", type=int, default=4)
    cost.add_argument("--trials", type=int, nargs="+", default=[100, 1000], metavar="N")
    for parts in (share, cost):
        parts.add_argument("--slots", type=int, default=2, help="trials at once")
        parts.add_argument("--rounds", type=int, default=1, help="repeats of everything, in turn")
        parts.add_argument("--only", choices=CONTENDERS, help="run this contender in this process and print JSON")
        parts.add_argument("--work", type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.only:
        alone(args)
    elif args.what == "busy":
        busy(args)
    else:
        trivial(args)


if __name__ == "__main__":
    main()
