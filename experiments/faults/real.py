"""Real searches on Ray, as a person starts them, and SIGKILL: for all of their processes, or for workers alone.

Every process of a search carries a mark in its environment; no other process is touched.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from faults.diary import again, entries
from faults.marked import Marked
from faults.outcome import Outcome, Progress
from faults.recipe import EPOCHS, score
from raynas.ledger import Recorded
from raynas.records import FINISHED
from raynas.run import Run

RECIPE = Path(__file__).with_name("recipe.py")
RAYNAS = (sys.executable, "-c", "from raynas.cli.main import main; main()")
CONCURRENCY = 2
EACH = 10
"""Kills of one search, at most; it has so many trials for each."""

START_S, END_S, LEFT_S = 180.0, 600.0, 15.0
"""Until the first epoch; until an undisturbed end; until nothing of a search is left."""


@dataclass
class Found:
    """Of the searches of one kind of kill."""

    kills: int = 0
    searches: int = 0
    trials: int = 0
    repeated: int = 0
    troubles: list[str] = field(default_factory=list)


class Killable(Marked):
    """A search in a folder of its own, begun and resumed by command."""

    def __init__(self, trials: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="chaos-"))
        super().__init__(self.folder / "output")
        self.run = self.folder / "runs" / "run"
        self.diary = self.folder / "diary"
        self.trials = trials

    def go_on(self) -> subprocess.Popen[bytes]:
        """Begins the search, or resumes it where there is something to resume."""
        command = ["resume", str(self.run), "--json"]
        if not (self.run / "search.json").exists():
            shutil.rmtree(self.run, ignore_errors=True)
            place = ["--storage", str(self.run.parent), "--name", "run", "--trials", str(self.trials)]
            command = ["search", f"{RECIPE}:search", *place, "--json"]
        return self.start([*RAYNAS, *command], {"CHAOS_DIARY": str(self.diary)})

    def noted(self) -> int:
        """How long the diary is."""
        return len(entries(self.diary))

    def until(self, lines: int, seconds: float) -> bool:
        """Waits until the diary has more lines; False where the search ended before."""
        began = time.monotonic()
        while self.noted() <= lines:
            if not self.running:
                return False
            if time.monotonic() - began > seconds:
                raise RuntimeError(f"nothing happened for {seconds:.0f} s: {self.said()}")
            time.sleep(0.05)
        return True

    def remove(self) -> None:
        """Ends what is left of it and deletes its files."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def finish(search: Killable, found: Found) -> None:
    """Lets a search come to its end, and judges it."""
    process = search.process if search.process and search.running else search.go_on()
    code = process.wait(END_S)
    found.searches += 1
    if code:
        found.troubles.append(f"the search ended with {code}: {search.said()}")
        return
    until = time.monotonic() + LEFT_S
    while (left := list(search.processes())) and time.monotonic() < until:
        time.sleep(0.5)
    if left:
        found.troubles.append(f"{len(left)} processes are left after {LEFT_S:.0f} s: {left[0][1][:80]}")
    judge(Run(search.run).trials, search, found)


def judge(trials: list[Recorded], search: Killable, found: Found) -> None:
    """Compares the record with the diary, with what was asked for, and with what every architecture comes to."""
    found.trials += len(trials)
    if [trial.id for trial in trials] != list(range(1, search.trials + 1)):
        found.troubles.append(f"{search.trials} trials were asked for, but {len(trials)} are on record")
    for trial in trials:
        told = [(m.budget, m.metrics["val_accuracy"]) for m in trial.measurements]
        true = [(float(epoch), score(trial.key, epoch)) for epoch in range(1, EPOCHS + 1)]
        if trial.status != FINISHED or told != true:
            found.troubles.append(f"trial {trial.id} is {trial.status} ({trial.reason}) with readings {told}")
    needless, repeated = again(entries(search.diary))
    found.repeated += repeated
    found.troubles += needless


def driver_kills(number: int, progress: Progress) -> Found:
    """Kills searches, all of their processes, at random times, and resumes them."""
    found, rng = Found(), Random(0)
    while found.kills < number:
        kills = min(EACH, number - found.kills)
        search = Killable(trials=6 * kills + 4)
        try:
            for _ in range(kills):
                before = search.noted()
                search.go_on()
                if rng.random() < 0.2:  # while it starts
                    time.sleep(rng.uniform(0.5, 10))
                elif search.until(before, START_S):
                    time.sleep(rng.uniform(0, 5))
                if not search.running:
                    break  # it came to its end before
                search.kill()
                found.kills += 1
                progress(found.kills, number)
            finish(search, found)
        finally:
            search.remove()
    return found


def worker_kills(number: int, progress: Progress) -> Found:
    """Kills workers of searches, one after the other, while they run."""
    found, rng = Found(), Random(1)
    while found.kills < number:
        kills = min(5 * EACH, number - found.kills)
        search = Killable(trials=3 * kills + 10)
        try:
            search.go_on()
            search.until(0, START_S)
            for _ in range(kills):
                time.sleep(rng.uniform(1, 4))
                workers = [pid for pid, name in search.processes() if name.startswith("ray::") and ".train" in name]
                if not search.running:
                    break
                if workers:
                    with suppress(ProcessLookupError):
                        os.kill(rng.choice(workers), signal.SIGKILL)
                        found.kills += 1
                progress(found.kills, number)
            finish(search, found)
        finally:
            search.remove()
    return found


def run(ray_kills: int, workers: int, progress: Progress) -> list[Outcome]:
    """Both kinds of kills.

    Args:
        ray_kills: of whole searches.
        workers: kills of workers.
        progress: told.
    """
    rows = []
    for what, number, kill in (
        ("raynas search killed -9, resumed", ray_kills, driver_kills),
        ("workers of a search killed -9", workers, worker_kills),
    ):
        if number:
            found = kill(number, progress)
            runs = f"{found.kills} kills of {found.searches} searches"
            allowed = found.kills * (CONCURRENCY if kill is driver_kills else 1)
            waste = f"{found.repeated} epochs trained twice, at most {allowed} may be"
            told = f"{found.trials} trials, as many as asked for"
            troubles = tuple(found.troubles)
            rows += [
                Outcome(f"{what}: all trials are there once and whole", runs, len(troubles), told, troubles[:5]),
                Outcome(f"{what}: epochs trained twice", runs, max(0, found.repeated - allowed), waste),
            ]
    return rows
