"""Faults on purpose: does a search of raynas lose, repeat or make up anything? A table of promises and failures.

    python experiments/chaos.py --quick                              # minutes; what CI runs
    python experiments/chaos.py --markdown docs/reliability.part.md  # 5,000 kills, 2,000 damages, every call: an hour
    python experiments/chaos.py --only kills damage --kills 500 --damages 300
    python experiments/chaos.py --only real --ray-kills 30 --worker-kills 100
    python experiments/chaos.py --beside                             # the same faults for plain Ray Tune and Optuna

Parts, without Ray:

- `kills`: searches over the real ledger on disk get SIGKILL at random points and times and are resumed until they end,
  every strategy with and without ASHA. Their trials keep a diary that no file of raynas can change: the ground truth.
- `calls`: a fault (SIGKILL, disk full, disk failing) at every system call of a run that changes a file, by strace.
- `damage`: files of real runs are cut, changed, blanked and deleted, then shown and resumed.
- `scale`: ten thousand trials in one run: commits, memory, size, resume.

And with Ray, only where it is asked for:

- `real`: `raynas search` as a person starts it, killed with all its processes and resumed; and its workers killed.
- `--beside`: what plain Ray Tune and Optuna do under the same faults, where they apply.

The files of kills and calls are in memory where /dev/shm is one: a killed process leaves what it wrote either way.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: forks of this process must not wait for its threads

from faults.outcome import Outcome, Progress
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table

PARTS = ("kills", "calls", "damage", "scale", "real", "beside")
FULL = {"kills": 5000, "calls": None, "damages": 2000, "trials": 10_000}
QUICK = {"kills": 150, "calls": 12, "damages": 60, "trials": 10_000}
MEMORY = Path("/dev/shm")
PLAIN_EVERY_S = 15.0
"""Without a terminal, a line at most so often."""
COLUMNS = ("promise", "runs", "failures", "")


def kills(args: argparse.Namespace, progress: Progress) -> list[Outcome]:
    from faults import kills

    return kills.run(args.kills, args.workers, 3 if args.quick else 12, progress, args.strategies)


def calls(args: argparse.Namespace, progress: Progress) -> list[Outcome]:
    from faults import calls

    return calls.run(args.calls, args.workers, progress)


def damage(args: argparse.Namespace, progress: Progress) -> list[Outcome]:
    from faults import damage

    return damage.run(args.damages, args.workers, progress)


def scale(args: argparse.Namespace, progress: Progress) -> list[Outcome]:
    from faults import scale

    return scale.run(args.trials, __file__, progress)


def real(args: argparse.Namespace, progress: Progress) -> list[Outcome]:
    from faults import real

    return real.run(args.ray_kills, args.worker_kills, progress)


def beside(args: argparse.Namespace, progress: Progress) -> list[Outcome]:
    from faults import beside

    return beside.run(progress)


RUN: dict[str, Callable[[argparse.Namespace, Progress], list[Outcome]]] = {
    "kills": kills,
    "calls": calls,
    "damage": damage,
    "scale": scale,
    "real": real,
    "beside": beside,
}


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog=Path(__file__).name
    )
    parser.add_argument("--quick", action="store_true", help="small counts")
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--kills", type=int, help="of searches without Ray, at least")
    parser.add_argument("--strategies", nargs="+", default=(), metavar="NAME", help="that are killed; all by default")
    parser.add_argument("--calls", type=int, help="that a fault strikes, drawn at random; all by default")
    parser.add_argument("--damages", type=int, help="damaged files")
    parser.add_argument("--trials", type=int, help="of the long run")
    parser.add_argument("--ray-kills", type=int, default=0, metavar="N", help="of a real search, processes and all")
    parser.add_argument("--worker-kills", type=int, default=0, metavar="N", help="of workers of a real search")
    parser.add_argument("--beside", action="store_true", help="plain Ray Tune and Optuna too: minutes")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes at once")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="where the table is written as Markdown")
    parser.add_argument("--scale", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    for name, number in (QUICK if args.quick else FULL).items():
        if getattr(args, name) is None:
            setattr(args, name, number)
    # A short run says nothing of the memory of a trial, and a busy machine nothing of times: --quick measures neither.
    wanted = {"real": args.ray_kills or args.worker_kills, "beside": args.beside, "scale": not args.quick}
    args.only = args.only or [part for part in PARTS if wanted.get(part, True)]
    return args


def main(arguments: list[str] | None = None) -> int:
    args = parsed(arguments)
    if args.scale:
        from faults import scale

        sys.stdout.write(json.dumps(scale.part(*args.scale)) + "\n")
        return 0
    if os.access(MEMORY, os.W_OK):
        tempfile.tempdir = str(MEMORY)
    outcomes: list[Outcome] = []
    errors = Console(stderr=True)
    for part in args.only:
        began = time.monotonic()
        found = watched(part, RUN[part], args, errors)
        outcomes += found
        failures = sum(outcome.failures for outcome in found if outcome.ours)
        errors.print(f"{part}: {failures} failures, {time.monotonic() - began:.0f} s", highlight=False)
        for trouble in [trouble for outcome in found for trouble in outcome.troubles][:20]:
            errors.print(f"  {trouble}", highlight=False, markup=False, soft_wrap=True)
    failed = sum(outcome.failures for outcome in outcomes if outcome.ours)
    show(outcomes, failed)
    if args.markdown:
        args.markdown.write_text(as_markdown(outcomes))
    return int(failed > 0)


def watched(
    part: str,
    run: Callable[[argparse.Namespace, Progress], list[Outcome]],
    args: argparse.Namespace,
    console: Console,
) -> list[Outcome]:
    """Runs a part under a progress bar. Nothing but this thread draws it: the parts fork."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    bar = Bar(*columns, console=console, transient=True, auto_refresh=False)
    bar.start()
    told_at = time.monotonic()
    try:
        task = bar.add_task(part, total=None)

        def progress(done: int, total: int) -> None:
            nonlocal told_at
            bar.update(task, completed=done, total=total)
            if console.is_terminal:
                bar.refresh()
            elif time.monotonic() - told_at > PLAIN_EVERY_S:
                told_at = time.monotonic()
                console.print(f"{part}: {done:,} of {total:,}", highlight=False)

        return run(args, progress)
    finally:
        bar.stop()


def show(outcomes: Iterable[Outcome], failed: int) -> None:
    """Prints the table."""
    table = Table(title="faults on purpose", title_justify="left", title_style="bold", box=None, padding=(0, 3, 0, 0))
    for column in COLUMNS:
        table.add_column(column, justify="right" if column == "failures" else "left")
    for outcome in outcomes:
        table.add_row(outcome.promise, outcome.runs, f"{outcome.failures:,}", outcome.told)
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(table, highlight=False)
    console.print(f"{failed:,} failures" if failed else "Nothing failed.", style="dim", highlight=False)


def as_markdown(outcomes: Iterable[Outcome]) -> str:
    """The table, for a document."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---|---|---|---|"]
    lines += [f"| {o.promise} | {o.runs} | {o.failures} | {o.told} |" for o in outcomes]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
