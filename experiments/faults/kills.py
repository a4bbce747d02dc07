"""SIGKILL at any moment: nothing is lost, counted twice or trained again, and the record is what it would have been.

A life is a fork of this process that opens a search, new or killed, and goes on with it. It is killed at a random
point of what it does (between any two statements of SQLite, before and after a trial's own file) or after a random
time, and the next life follows on the same files, until one comes to the end.
"""

from __future__ import annotations

import multiprocessing
import os
import select
import shutil
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from faults.diary import Diary, again, entries, twice
from faults.outcome import Outcome, Progress
from faults.searching import DIARY, Point, Scenario, digest, incomplete, live, nothing, record
from raynas import catalog
from raynas.errors import RaynasError

LIVES = 400
"""A search that is still not at its end after so many lives is stuck."""


@dataclass
class Counts:
    """Of some searches that were killed until they came to their end."""

    kills: int = 0
    searches: int = 0
    lost: int = 0
    twice: int = 0
    retrained: int = 0
    different: int = 0
    broken: int = 0
    repeated: int = 0
    allowed: int = 0
    troubles: list[str] = field(default_factory=list)

    def add(self, other: Counts) -> None:
        """Counts together."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


@dataclass(frozen=True)
class Truth:
    """What a search that nobody disturbs comes to: its record, seconds, and points where a fault may strike."""

    digest: str
    seconds: float
    points: int


def forked(act: Callable[[], None], diary: Path) -> int:
    """Begins a child process that acts and exits: 0, the code of a deliberate error, or 1 with a trouble noted."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        act()
        code = 0
    except RaynasError as error:
        code = error.exit_code
        Diary(diary).note("stopped", type(error).__name__, error)
    except BaseException as error:  # noqa: BLE001 - whatever breaks is what is looked for
        where = traceback.extract_tb(error.__traceback__)[-1]
        Diary(diary).note("trouble", f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})")
    finally:
        os._exit(code)
    return child


def killer_at(countdown: int) -> Point:
    """A point that kills this process when it is passed for the n-th time."""
    left = countdown

    def point() -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return point


def truth(scenario: Scenario) -> Truth:
    """Runs a search undisturbed, in this process: its forks find everything imported."""
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        points = 0

        def point() -> None:
            nonlocal points
            points += 1

        live(scenario, Path(name), point)
        found = digest(record(Path(name)))
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        began = time.perf_counter()
        live(scenario, Path(name))
        seconds = time.perf_counter() - began
        if digest(record(Path(name))) != found:
            raise RuntimeError(f"{scenario} is no function of its seed: it cannot be compared")
    return Truth(found, seconds, points)


def killed_until_it_ends(scenario: Scenario, expected: Truth, seed: int, kills: int) -> Counts:
    """A search that is killed again and again, about so many times."""
    rng, counts = Random(seed), Counts(searches=1)
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    try:
        for _ in range(LIVES):
            by_time = rng.random() < 0.5
            share = 2 * rng.random() / max(1, kills)
            point = nothing if by_time else killer_at(1 + int(share * expected.points))
            child = forked(lambda point=point: live(scenario, folder, point), folder / DIARY)  # type: ignore[misc]
            code = ended(child, share * expected.seconds + rng.random() * 0.01 if by_time else None)
            if code != -signal.SIGKILL:
                break
            counts.kills += 1
        noted = entries(folder / DIARY)
        troubles = [" ".join(entry[1:]) for entry in noted if entry[0] in ("trouble", "recovered")]
        counts.lost = sum("is lost" in trouble for trouble in troubles)
        counts.broken = len(troubles) - counts.lost
        if code:
            counts.broken += 1
            troubles.append(f"it ended with {code}: {[' '.join(e) for e in noted if e[0] == 'stopped'][-1:]}")
        needless, counts.repeated = again(noted)
        counts.allowed = counts.kills * scenario.concurrency
        doubles = twice(noted)
        counts.twice, counts.retrained = len(doubles), len(needless)
        troubles += doubles + needless
        wrong = []
        if not code:
            trials = record(folder)
            wrong = incomplete(scenario, trials)
            if scenario.concurrency == 1 and digest(trials) != expected.digest:
                wrong.append("the record is another than without kills")
        counts.different = bool(wrong)
        troubles += wrong
        counts.troubles = [f"{scenario}, seed {seed}: {trouble}" for trouble in troubles[:3]]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return counts


def ended(child: int, seconds: float | None) -> int:
    """Waits for a child, kills it when so many seconds are over, and tells its exit code, or minus the signal."""
    if seconds is not None:
        descriptor = os.pidfd_open(child)
        if not select.select([descriptor], [], [], seconds)[0]:
            os.kill(child, signal.SIGKILL)
        os.close(descriptor)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def scenarios() -> list[Scenario]:
    """Every strategy with and without ASHA, one trial at a time; and a few with several trials at once."""
    single = [Scenario(name, asha) for name in catalog.STRATEGIES for asha in (False, True)]
    return single + [Scenario(name, True, concurrency=4) for name in ("random", "evolution", "auto")]


def shares(truths: dict[Scenario, Truth], kills: int) -> dict[Scenario, int]:
    """How many kills each search gets: slow ones fewer, all some."""
    weights = {scenario: 1 / (0.05 + found.seconds) for scenario, found in truths.items()}
    least = min(20, max(2, kills // (2 * len(truths))))
    left = max(0, kills - least * len(truths))
    total = sum(weights.values())
    return {scenario: least + round(left * weight / total) for scenario, weight in weights.items()}


def run(kills: int, workers: int, each: int, progress: Progress, only: Sequence[str] = ()) -> list[Outcome]:
    """Kills searches.

    Args:
        kills: how many, at least.
        workers: processes at once.
        each: kills of one search, about.
        progress: told.
        only: strategies; none: all.
    """
    chosen = [s for s in scenarios() if not only or s.strategy in only]
    truths = {}
    for number, scenario in enumerate(chosen):
        truths[scenario] = truth(scenario)
        progress(number, len(chosen) + kills)
    wanted = shares(truths, kills)
    total, of = Counts(), {scenario: Counts() for scenario in chosen}
    with ProcessPoolExecutor(workers, multiprocessing.get_context("fork")) as pool:
        seed = 0
        waiting: dict[Future[Counts], Scenario] = {}
        while True:
            for scenario in chosen:
                under_way = sum(1 for s in waiting.values() if s == scenario)
                while of[scenario].kills + under_way * each < wanted[scenario]:
                    seed += 1
                    job = pool.submit(killed_until_it_ends, scenario, truths[scenario], seed, each)
                    waiting[job] = scenario
                    under_way += 1
            if not waiting:
                break
            for job in wait(waiting, return_when=FIRST_COMPLETED).done:
                of[waiting.pop(job)].add(job.result())
                total.add(job.result())
            progress(len(chosen) + min(kills, total.kills), len(chosen) + kills)
    return outcomes(total, of)


def outcomes(total: Counts, of: dict[Scenario, Counts]) -> list[Outcome]:
    """Rows of the table."""
    single = {s: counts for s, counts in of.items() if s.concurrency == 1}
    fewest = min(of, key=lambda s: of[s].kills)
    runs = f"{total.kills:,} kills of {total.searches:,} searches"
    troubles = tuple(total.troubles)
    ones = sum(c.searches for c in single.values())
    spread = (
        f"{len({s.strategy for s in of})} strategies with and without ASHA; fewest kills: {of[fewest].kills} ({fewest})"
    )
    waste = f"{total.repeated:,} epochs were trained twice, {total.allowed:,} may be (one a kill and trial at once)"
    return [
        Outcome("kill -9: no result is lost, every resume works", runs, total.lost + total.broken, spread, troubles),
        Outcome("kill -9: no result is counted twice", runs, total.twice),
        Outcome("kill -9: nothing that was finished is trained again", runs, total.retrained),
        Outcome("kill -9: epochs trained twice", runs, max(0, total.repeated - total.allowed), waste),
        Outcome(
            "kill -9: the record is that of a search never killed",
            f"{ones:,} searches",
            sum(c.different for c in single.values()),
            "SHA-256 over answers, keys, readings, ends",
        ),
        Outcome(
            "kill -9 with 4 trials at once: every trial is there once",
            f"{total.searches - ones:,} searches",
            total.different - sum(c.different for c in single.values()),
        ),
    ]
