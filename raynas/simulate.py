"""The same loop on a virtual clock: any number of workers, no training, no Ray.

Strategies, schedulers and the loop are those of a real search; only the runtime differs. Time passes as the readings
say (`train_s`), so a search of months takes a second.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from typing import NamedTuple

from raynas.errors import ConfigError
from raynas.loop import Loop
from raynas.records import Architecture, Context, Estimator, Measurement


class Reading(NamedTuple):
    """One reading of a simulated search, in the order of time.

    Attributes:
        time_s: on the virtual clock.
        spent: full trainings that all trials together cost up to here, by epochs.
        trial: id.
        architecture: what was measured.
        measurement: the reading.
        score: the first objective, more is better; None: unusable.
    """

    time_s: float
    spent: float
    trial: int
    architecture: Architecture
    measurement: Measurement
    score: float | None


class _Arrival(NamedTuple):
    time_s: float
    order: int
    trial: int
    measurement: Measurement | None
    reason: str


def simulate(
    loop: Loop, estimator: Estimator, *, workers: int = 1, seconds: float = math.inf, trainings: float = math.inf
) -> Iterator[Reading]:
    """Runs a search and yields what it measures.

    Args:
        loop: a fresh search.
        estimator: answers at once, and says by `train_s` and `train_epochs` what a reading would have cost since the
            trial began.
        workers: trials at once.
        seconds: of virtual time; a reading that would come later never comes.
        trainings: full trainings that may be spent, all trials together.

    Raises:
        ConfigError: no worker, or neither a budget here nor a number of trials in the loop.
        RaynasError: whatever ended the search early (a plug-in that raised an error).
    """
    if workers < 1:
        raise ConfigError(f"workers must be at least 1, but got {workers}")
    if math.isinf(loop.limit) and math.isinf(seconds) and math.isinf(trainings):
        raise ConfigError("a simulation needs an end: seconds, trainings or a number of trials")
    full = estimator.budget
    arrivals: list[_Arrival] = []
    curves: dict[int, Iterator[Measurement]] = {}
    began: dict[int, float] = {}
    epochs: dict[int, float] = {}
    now = spent = 0.0
    order = 0

    def await_next(trial: int) -> None:
        nonlocal order
        order += 1
        try:
            measurement = next(curves[trial], None)
        except Exception as error:  # noqa: BLE001 - a failed trial is a recorded value
            heapq.heappush(arrivals, _Arrival(now, order, trial, None, f"estimate: {type(error).__name__}: {error}"))
            return
        if measurement is None:
            heapq.heappush(arrivals, _Arrival(now, order, trial, None, ""))
            return
        arrives = began[trial] + measurement.metrics.get("train_s", measurement.budget)
        heapq.heappush(arrivals, _Arrival(max(now, arrives), order, trial, measurement, ""))

    while True:
        while len(loop.running) < workers:
            trial = loop.next()
            if trial is None:
                break
            began[trial.id], epochs[trial.id] = now, 0.0
            curves[trial.id] = iter(estimator.estimate(trial.architecture, Context(trial.id, 0)))
            await_next(trial.id)
        if loop.failure:
            raise loop.failure
        if not arrivals:
            return
        now, _, number, measurement, reason = heapq.heappop(arrivals)
        if now > seconds:
            return
        if measurement is None:
            _close(loop, number, reason, curves, began, epochs)
            continue
        cost = measurement.metrics.get("train_epochs", measurement.budget)
        spent += (cost - epochs[number]) / full
        epochs[number] = cost
        if spent > trainings + 1e-9:
            return
        go_on = loop.measure(number, measurement)
        trial = loop.running[number]
        yield Reading(now, spent, number, trial.architecture, measurement, trial.score)
        if not go_on and measurement.budget < full:
            _close(loop, number, "", curves, began, epochs, stopped=True)
        elif not go_on or measurement.budget >= full:
            _close(loop, number, "", curves, began, epochs)
        else:
            await_next(number)


def _close(
    loop: Loop, trial: int, reason: str, *kept: dict[int, Iterator[Measurement]] | dict[int, float],
    stopped: bool = False,
) -> None:  # fmt: skip
    for values in kept:
        values.pop(trial, None)
    loop.end(trial, reason, stopped=stopped)
