"""What Ray Tune costs a search.

    python experiments/bench_overhead.py busy                       # two minutes
    python experiments/bench_overhead.py busy --trials 8 --rounds 3
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
import json
import sys
from pathlib import Path

from contenders import CONTENDERS, Span, Ticks, rounds_for
from measuring import apart, show, spread

EPOCHS = 5


def use(trials: list[list[Span]], slots: int) -> tuple[float, float]:
    """Share of the slots' time spent inside epochs, and epochs computed a second."""
    since = sorted(epochs[0][0] for epochs in trials)[slots - 1]
    until = max(epochs[-1][1] for epochs in trials)
    inside = [(max(0.0, ended - max(began, since)), ended - began) for epochs in trials for began, ended in epochs]
    wall = until - since
    return sum(part for part, _ in inside) / (slots * wall), sum(part / whole for part, whole in inside) / wall


def busy(args: argparse.Namespace) -> None:
    size = ("--work", rounds_for(args.seconds / EPOCHS), "--trials", args.trials, "--slots", args.slots)
    shares: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    works: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for _ in range(args.rounds):
        for name in CONTENDERS:
            share, work = use(apart(__file__, "busy", "--only", name, *size)["spans"], args.slots)
            shares[name].append(100 * share)
            works[name].append(100 * work)
    rows = []
    for name in CONTENDERS:
        beside = [work / best for work, best in zip(works[name], works["processes"], strict=True)]
        rows.append((name, spread(shares[name]), spread([100 * ratio for ratio in beside])))
    show(
        f"{args.trials} trials of {args.seconds:g} s of pure work, {args.slots} at once",
        ("contender", "busy %", "work % of processes"),
        rows,
        "Median (range) of the rounds. Goal of raynas: 90 % or more.",
    )


def windows(trials: int) -> list[tuple[int, int]]:
    """First 100, around the 1,000th, last 100, and all with what comes after; the first trial waits for its actor."""
    spans = [(1, min(100, trials)), *([(950, 1050)] if trials > 1500 else []), (max(1, trials - 100), trials)]
    return [*dict.fromkeys(spans), (1, trials + 1)]


def trivial(args: argparse.Namespace) -> None:
    plans = [("raynas", n) for n in args.trials] + [("tune-class-reuse", min(args.trials)), ("tune-function", 20)]
    ticks: dict[tuple[str, int], list[list[Span]]] = {plan: [] for plan in plans}
    for _ in range(args.rounds):
        for name, trials in plans:
            told = apart(__file__, "trivial", "--only", name, "--trials", trials, "--slots", args.slots)
            ticks[name, trials].append(told["ticks"])
    rows = []
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
    ticks.note()  # the whole search: tables are written, actors are gone
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
