"""Ten thousand trials in one run: what a commit, a trial's memory, its bytes on disk and a resume cost."""

from __future__ import annotations

import gc
import resource
import shutil
import tempfile
import time
from pathlib import Path

from measuring import apart

from faults.outcome import Outcome, Progress
from raynas import spaces
from raynas.graph import Graph
from raynas.ledger import FILE, Ledger
from raynas.loop import Loop
from raynas.objectives import Objective
from raynas.records import Choose, Measurement
from raynas.spaces.decide import enumerate_space
from raynas.spaces.function import as_space
from raynas.strategies import RandomSearch

WARM_UP = 0.2
"""Share of the trials before memory and open files are looked at for the first time."""

LIMITS = {
    "p99_ms": ("a commit, fsync included, 99 of 100", 25.0, "ms"),
    "memory_bytes": ("memory of a trial after warm-up", 2048.0, "bytes"),
    "ledger_bytes": ("ledger of a trial, a reading included", 2048.0, "bytes"),
    "resume_s": ("resume", 5.0, "s of CPU"),
    "files": ("open files more than after warm-up", 0.0, ""),
}
"""What may be: words, at most, unit."""

DISK = "/var/tmp" if Path("/var/tmp").is_dir() else None
"""Commits are timed on a disk, also where other temporary files are in memory."""


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def open_files() -> int:
    """How many files this process holds open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def cells_and_rates(choose: Choose) -> Graph:
    """NAS-Bench-201 with a learning rate: as many different trials as are wanted."""
    choose.real("train/lr", 1e-3, 1.0, log=True)
    return spaces.nasbench201().decide(choose)


def loop(trials: int) -> Loop:
    """Random search, which remembers all that it proposed."""
    return Loop(as_space(cells_and_rates), RandomSearch(), [Objective()], 0, trials=trials)


def search(folder: Path, trials: int) -> dict[str, float]:
    """A search of so many trials, one reading each; what it cost.

    The space remembers the cells that it has met, at most all 15,625. It meets them before anything is measured, so
    that what grows afterwards is the search.
    """
    for cell in enumerate_space(spaces.nasbench201()):
        cell.graph.key  # noqa: B018 - worked out, and kept
    ledger, running = Ledger.write(folder), loop(trials)
    running.ledger = ledger
    commits, memory, files = [], 0, 0
    for number in range(1, trials + 1):
        trial = running.next()
        if trial is None:
            raise RuntimeError(f"the search ended at trial {number}: {running.failure}")
        reading = Measurement(1, {"val_accuracy": number * 7919 % 10007 / 10007})
        began = time.perf_counter()
        running.measure(number, reading)
        measured = time.perf_counter()
        running.end(number)
        commits += [measured - began, time.perf_counter() - measured]
        if number == int(trials * WARM_UP):
            gc.collect()
            memory, files = resident(), open_files()
    gc.collect()
    grown = resident() - memory, open_files() - files
    ledger.close()
    commits.sort()
    return {
        "p50_ms": 1000 * commits[len(commits) // 2],
        "p99_ms": 1000 * commits[int(len(commits) * 0.99)],
        "memory_bytes": grown[0] / (trials * (1 - WARM_UP)),
        "files": grown[1],
        "ledger_bytes": (folder / FILE).stat().st_size / trials,
    }


def resume(folder: Path, trials: int) -> dict[str, float]:
    """How long a stopped run takes until it can go on: seconds of CPU, the parts of that, and by the clock."""
    began, wall = time.process_time(), time.perf_counter()
    ledger = Ledger.write(folder)
    opened = time.process_time()
    again = loop(trials)
    again.ledger = ledger
    again.replay(ledger.events())
    replayed = time.process_time()
    count = len(again.trials)
    ledger.close()
    if count != trials:
        raise RuntimeError(f"{trials} trials were recorded, but {count} came back")
    wall = time.perf_counter() - wall
    return {"resume_s": replayed - began, "open_s": opened - began, "replay_s": replayed - opened, "wall_s": wall}


def part(name: str, folder: str, trials: str) -> dict[str, float]:
    """One of the two parts, in a process of its own: what it imports and remembers must not help the other."""
    return {"search": search, "resume": resume}[name](Path(folder), int(trials))


def run(trials: int, script: str, progress: Progress) -> list[Outcome]:
    """Measures, on the disk of temporary files.

    Args:
        trials: of the one run.
        script: that answers `--scale PART FOLDER TRIALS` with the JSON of `part`.
        progress: told.
    """
    folder = Path(tempfile.mkdtemp(prefix="chaos-", dir=DISK))
    try:
        found: dict[str, float] = {}
        for number, name in enumerate(("search", "resume")):
            progress(number, 2)
            found |= apart(script, "--scale", name, folder, trials)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return [_outcome(name, found, trials) for name in LIMITS]


def _outcome(name: str, found: dict[str, float], trials: int) -> Outcome:
    words, limit, unit = LIMITS[name]
    told = f"{found[name]:,.3g} {unit}, at most {limit:,.0f}"
    if name == "p99_ms":
        told += f"; median {found['p50_ms']:.3g} ms"
    if name == "resume_s":
        told += f"; checking {found['open_s']:.2g} s, replay {found['replay_s']:.2g} s"
        told += f"; by the clock {found['wall_s']:.2g} s"
    over = found[name] > limit
    return Outcome(f"{trials:,} trials: {words}", "1", int(over), told, (f"{words}: {told}",) if over else ())
