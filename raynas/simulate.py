"""The same loop on a virtual clock: any number of workers, no training, no Ray.

Strategies, schedulers and the loop are those of a real search; only the runtime differs. Time passes as the readings
say (`train_s`), so a search of months takes a second.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from typing import NamedTuple

from raynas.errors import AllTrialsFailed, ConfigError
from raynas.loop import Loop
from raynas.records import FAILED, Architecture, Context, Estimator, Measurement, Trial, usable

FREE = 1000
"""So many trials in a row that cost nothing of the budget end a simulation: it would never end by itself."""


class Reading(NamedTuple):
    """One reading of a simulated search, in the order of time; or the failure of a trial that had none.

    Attributes:
        time_s: on the virtual clock.
        spent: full trainings that all trials together cost up to here, by epochs.
        trial: id.
        architecture: what was measured.
        measurement: the reading; with a budget of 0 and no metrics where the trial failed without one.
        score: the first objective, more is better; None: unusable.
        status: how the trial stands after it.
        reason: why it failed; empty otherwise.
    """

    time_s: float
    spent: float
    trial: int
    architecture: Architecture
    measurement: Measurement
    score: float | None
    status: str
    reason: str


class _Arrival(NamedTuple):
    """When a worker comes back from a trial: with a reading, with nothing more (None), or with the reason it failed."""

    time_s: float
    order: int
    trial: int
    measurement: Measurement | None
    epochs: float
    reason: str


class _Running:
    """A trial on a worker."""

    def __init__(self, curve: Iterator[Measurement], began: float) -> None:
        self.curve = curve
        self.began = began
        self.epochs = 0.0


def simulate(
    loop: Loop, estimator: Estimator, *, workers: int = 1, seconds: float = math.inf, trainings: float = math.inf
) -> Iterator[Reading]:
    """Runs a search and yields what it measures.

    Args:
        loop: a fresh search.
        estimator: answers at once, and says by `train_s` and `train_epochs` what a reading would have cost since the
            trial began; without them a reading costs its budget, in epochs and in seconds.
        workers: trials at once.
        seconds: of virtual time; a reading that would come later never comes.
        trainings: full trainings that may be spent, all trials together; the search ends with the first reading that
            would cost more.

    Raises:
        ConfigError: no worker, a budget that is no number above 0, or neither a budget here nor a number of trials.
        AllTrialsFailed: trial after trial costs nothing, so that the budget will never be spent.
        RaynasError: whatever else ended the search early (a plug-in that raised an error).
    """
    if workers < 1:
        raise ConfigError(f"workers must be at least 1, but got {workers}")
    if not seconds > 0 or not trainings > 0:
        raise ConfigError(f"a budget must be above 0, but got (seconds={seconds}, trainings={trainings})")
    if math.isinf(loop.limit) and math.isinf(seconds) and math.isinf(trainings):
        raise ConfigError("a simulation needs an end: seconds, trainings or a number of trials")
    full = estimator.budget
    arrivals: list[_Arrival] = []
    running: dict[int, _Running] = {}
    now = spent = 0.0
    order = free = 0

    def await_next(trial: int) -> None:
        nonlocal order
        order += 1
        arrives, epochs, reason = now, 0.0, ""
        try:
            measurement = next(running[trial].curve, None)
            if measurement is not None:
                arrives = max(now, running[trial].began + _cost(measurement, "train_s"))
                epochs = _cost(measurement, "train_epochs", running[trial].epochs)
        except Exception as error:  # noqa: BLE001 - a failed trial is a recorded value
            measurement, reason = None, f"estimate: {type(error).__name__}: {error}"
        heapq.heappush(arrivals, _Arrival(arrives, order, trial, measurement, epochs, reason))

    while True:
        while len(loop.running) < workers:
            trial = loop.next()
            if trial is None:
                break
            running[trial.id] = _Running(_curve(estimator, trial, loop.budget_of(trial.id)), now)
            await_next(trial.id)
        if loop.failure:
            raise loop.failure
        if not arrivals:
            return
        before = now, spent
        now, _, number, measurement, epochs, reason = heapq.heappop(arrivals)
        if now > seconds:
            return
        if measurement is None:
            del running[number]
            trial = loop.end(number, reason)
            if trial.status == FAILED:
                nothing = Measurement(0.0, {})
                yield Reading(now, spent, number, trial.architecture, nothing, None, FAILED, trial.reason)
        else:
            spent += (epochs - running[number].epochs) / full
            if spent > trainings + 1e-9:
                return
            running[number].epochs = epochs
            go_on = loop.measure(number, measurement)
            trial = loop.running[number]
            score = trial.score
            if go_on and measurement.budget < full:
                await_next(number)
            else:
                del running[number]
                trial = loop.end(number, stopped=measurement.budget < full)
            yield Reading(now, spent, number, trial.architecture, measurement, score, trial.status, trial.reason)
        free = 0 if _nearer(before, (now, spent), seconds, trainings) else free + 1
        if free >= FREE + workers and math.isinf(loop.limit):
            raise AllTrialsFailed(free, trial.reason or "no time and no epochs", "in a row cost nothing")


def _curve(estimator: Estimator, trial: Trial, budget: float | None) -> Iterator[Measurement]:
    """The readings of a trial; what `estimate` itself raises comes with the first one."""
    yield from estimator.estimate(trial.architecture, Context(trial.id, 0, budget=budget))


def _cost(measurement: Measurement, metric: str, before: float = 0.0) -> float:
    cost = measurement.metrics.get(metric, measurement.budget)
    if not usable(cost) or cost < before:
        raise ValueError(f"{metric} must be a number of at least {before:g}, but got {cost!r}")
    return cost


def _nearer(before: tuple[float, float], after: tuple[float, float], seconds: float, trainings: float) -> bool:
    """Whether the end of the budget came nearer."""
    return (after[0] > before[0] and seconds < math.inf) or (after[1] > before[1] and trainings < math.inf)
