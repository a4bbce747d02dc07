"""Regularized evolution beside random search on handwritten digits: `make demo`.

    python experiments/demo.py [--trials 40] [--storage runs]

Both search the same cells with the same seed, trials, epochs and early stopping (`experiments/digits.py:demo`), in one
Ray session. Two CPU cores need about a minute and a half, starting Ray included. The promise: at least 30 different
architectures each, and a network that reads at least 97.5 % of the test images right; else the exit code is 1.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import sys
import time
from pathlib import Path

import digits
from measuring import show

import raynas as rn
from raynas.cli import live
from raynas.errors import RaynasError

ARCHITECTURES, TEST_ACCURACY = 30, 0.975
"""The promise."""


def free_names(storage: str, *labels: str) -> list[str]:
    """`label-N` for each label, with the first N for which none of these runs exists."""
    for number in itertools.count(1):
        names = [f"{label}-{number}" for label in labels]
        if not any((Path(storage) / name).exists() for name in names):
            return names
    raise AssertionError("numbers never end")


def row(title: str, run: rn.Run, trials: int) -> tuple[object, ...]:
    """What a run found and what it cost."""
    told = run.summary()
    metrics = told["best"]["metrics"]
    return (
        title,
        f"{metrics['test_accuracy']:.2%}",
        f"{metrics['val_accuracy']:.2%}",
        f"{metrics['params_m'] * 1e3:.1f} k",
        len({trial.key for trial in run.trials}),
        f"{told['epochs_trained']:g} of {trials * 9}",
        f"{told['wall_s']:.0f} s",
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog=Path(__file__).name
    )
    parser.add_argument("--trials", type=int, default=40, help="architectures of each search")
    parser.add_argument("--storage", default="runs", help="where the runs are kept")
    args = parser.parse_args(arguments)
    began = time.monotonic()
    strategies = {
        "regularized evolution": rn.RegularizedEvolution.for_trials(args.trials),
        "random search": rn.RandomSearch(),
    }
    names = free_names(args.storage, "demo-evolution", "demo-random")
    runs: dict[str, rn.Run] = {}
    sys.stderr.write("starting Ray\n")
    from raynas.tune.run import session  # noqa: PLC0415 - ray takes two seconds: --help need not wait

    with session():
        for (title, strategy), name in zip(strategies.items(), names, strict=True):
            sys.stderr.write(f"{title}: {args.trials} architectures\n")
            search = dataclasses.replace(
                digits.demo(), strategy=strategy, trials=args.trials, storage=args.storage, name=name
            )
            runs[title] = search.run(live.display())
    show(
        "the same budget for both",
        ("search", "test accuracy", "validation", "params", "architectures", "epochs", "time"),
        [row(title, run, args.trials) for title, run in runs.items()],
        f"{time.monotonic() - began:.0f} s in all. Most epochs were saved by stopping the weaker architectures early.",
    )
    for run in runs.values():
        sys.stdout.write(f"{run.folder}: raynas show {run.folder}\n")
    sys.stdout.write(f"curves: tensorboard --logdir {args.storage}\n")
    fewest = min(len({trial.key for trial in run.trials}) for run in runs.values())
    best = max(run.best().metrics["test_accuracy"] for run in runs.values())
    if fewest < ARCHITECTURES or best < TEST_ACCURACY:
        sys.exit(
            f"the demo promises {ARCHITECTURES} architectures each and {TEST_ACCURACY:.1%} on the test images, "
            f"but it tried {fewest} and reached {best:.2%}"
        )


if __name__ == "__main__":
    try:
        main()
    except RaynasError as error:
        sys.stderr.write(f"demo: {error}\n")
        sys.exit(error.exit_code)
