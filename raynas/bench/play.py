"""Searches on a table: one, and all of a comparison, over the cores of this machine."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache

from raynas.bench.benchmark import JUDGED, Benchmark
from raynas.bench.source import TableSource
from raynas.errors import ConfigError, PluginError
from raynas.estimators.tabular import MissingCell, Table, Tabular
from raynas.loop import Loop
from raynas.records import Architecture
from raynas.simulate import Reading, simulate
from raynas.spaces.function import as_space

CHUNKS = 8
"""Parts that each process's share of the seeds of a strategy is cut into, at least."""

CHUNK = 25
"""Seeds in a part, at most."""

Progress = Callable[[int], None]
"""Called with the number of searches that ended since the last call."""


@dataclass
class Trace:
    """Every reading of one search, column by column.

    Attributes:
        strategy: label.
        seed: of the search.
        trial: id of the trial that was read.
        time_s: on the virtual clock.
        spent: full trainings so far, all trials together.
        budget: epochs of the reading; 0 for a trial that failed without one.
        score: `val_accuracy` of the reading; NaN where it is none.
        status: of the trial after the reading: running, finished, stopped, failed.
        reason: why it failed.
        key: canonical key of the architecture.
        answers: of the architecture, as JSON.
        incumbent: id of the best trial so far: by the budget it reached, then by its score; 0: none yet.
        val_accuracy: what the incumbent is worth, which the search does not see; NaN: there is none.
        test_accuracy: the same; NaN where the table does not know.
    """

    strategy: str
    seed: int
    trial: list[int] = field(default_factory=list)
    time_s: list[float] = field(default_factory=list)
    spent: list[float] = field(default_factory=list)
    budget: list[float] = field(default_factory=list)
    score: list[float] = field(default_factory=list)
    status: list[str] = field(default_factory=list)
    reason: list[str] = field(default_factory=list)
    key: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    incumbent: list[int] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)
    test_accuracy: list[float] = field(default_factory=list)

    def add(self, reading: Reading, incumbent: int, truth: Mapping[str, float]) -> None:
        """Appends a row."""
        self.trial.append(reading.trial)
        self.time_s.append(reading.time_s)
        self.spent.append(reading.spent)
        self.budget.append(reading.measurement.budget)
        self.score.append(math.nan if reading.score is None else reading.score)
        self.status.append(reading.status)
        self.reason.append(reading.reason)
        self.key.append(reading.architecture.key)
        self.answers.append(json.dumps(dict(reading.architecture.answers)))
        self.incumbent.append(incumbent)
        self.val_accuracy.append(truth.get(JUDGED, math.nan))
        self.test_accuracy.append(truth.get("test_accuracy", math.nan))


def play(benchmark: Benchmark, table: Table, label: str, seed: int) -> Trace:
    """One search.

    Raises:
        RaynasError: the strategy or the table broke its contract, or nothing works.
    """
    strategy = dict(benchmark.strategies)[label]
    loop = Loop(as_space(table.space), strategy, benchmark.objectives, seed, scheduler=benchmark.scheduler)
    budget = benchmark.budget
    trace = Trace(label, seed)
    best: tuple[float, float] = (-math.inf, -math.inf)
    incumbent, truth = 0, dict[str, float]()
    for reading in simulate(
        loop, Tabular(table), workers=benchmark.workers, seconds=budget.seconds, trainings=budget.trainings
    ):
        if reading.score is not None and (reading.measurement.budget, reading.score) > best:
            best = reading.measurement.budget, reading.score
            if reading.trial != incumbent:
                incumbent, truth = reading.trial, _truth(table, reading.architecture)
        trace.add(reading, incumbent, truth)
    return trace


def play_all(benchmark: Benchmark, processes: int | None = None, progress: Progress | None = None) -> list[Trace]:
    """All searches, strategy by strategy, seed by seed; the result does not depend on the number of processes.

    Args:
        benchmark: what is compared.
        processes: how many of this machine's cores to use; None: all that this process may use.
        progress: told of searches that ended.

    Raises:
        RaynasError: what broke a search.
    """
    if processes is None:
        processes = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if processes < 1:
        raise ConfigError(f"processes must be at least 1, but got {processes}")
    labels = [label for label, _ in benchmark.strategies]
    size = min(CHUNK, max(1, math.ceil(benchmark.seeds / (processes * CHUNKS))))
    jobs = [
        (label, tuple(range(first, min(first + size, benchmark.seeds))))
        for label in labels
        for first in range(0, benchmark.seeds, size)
    ]
    found: dict[tuple[str, int], Trace] = {}
    with _workers(min(processes, len(jobs)), benchmark) as results:
        for traces in results(jobs):
            found |= {(trace.strategy, trace.seed): trace for trace in traces}
            if progress:
                progress(len(traces))
    return [found[label, seed] for label in labels for seed in range(benchmark.seeds)]


Job = tuple[str, tuple[int, ...]]


@contextmanager
def _workers(processes: int, benchmark: Benchmark) -> Iterator[Callable[[list[Job]], Iterator[list[Trace]]]]:
    """Plays jobs, in this process where one is enough; results come in any order."""
    if processes == 1:
        table = benchmark.source.open()
        yield lambda jobs: (_played(benchmark, table, job) for job in jobs)
        return
    # Spawned, not forked: this process has threads (a progress bar, Arrow's), which a fork would leave half alive.
    before = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"), initializer=_follow)
    try:
        yield lambda jobs: (
            future.result() for future in as_completed([pool.submit(_job, benchmark, job) for job in jobs])
        )
    except BaseException:  # an error or the person ends all searches now, not after those that run
        pool.shutdown(wait=False, cancel_futures=True)
        for process in set(multiprocessing.active_children()) - before:
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _follow() -> None:
    """A worker ends with the process that made it, however that ends; Ctrl-C is that one's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _played(benchmark: Benchmark, table: Table, job: Job) -> list[Trace]:
    label, seeds = job
    return [play(benchmark, table, label, seed) for seed in seeds]


def _job(benchmark: Benchmark, job: Job) -> list[Trace]:
    """In a worker."""
    return _played(benchmark, _opened(benchmark.source), job)


@lru_cache(maxsize=1)
def _opened(source: TableSource) -> Table:
    """The table of this worker, opened once."""
    return source.open()


def _truth(table: Table, architecture: Architecture) -> dict[str, float]:
    try:
        truth = dict(table.truth(architecture))
    except MissingCell as error:
        raise PluginError(table.name, f"has a curve but no truth: {error}") from error
    if not math.isfinite(truth.get(JUDGED, math.nan)):
        raise PluginError(table.name, f"has a curve but no {JUDGED} in the truth of {dict(architecture.answers)}")
    return truth
