"""Runs a `Loop` on Ray: starts or joins Ray, shares the data, and lets Tune drive trial actors until the end."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import ray
from ray import tune
from ray.tune import Stopper
from ray.tune.progress_reporter import TrialProgressCallback

from raynas.errors import ConfigError, Interrupted
from raynas.loop import Loop
from raynas.recipe import PREFIX as RECIPE
from raynas.records import Estimator, Space, Trial
from raynas.tune.adapters import LoopScheduler, LoopSearcher
from raynas.tune.trainable import TrialRunner

ENVIRONMENT = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the ledger and raynas' TensorBoard writer replace them
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # results carry measurements, not a metric
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",  # Tune's own state is never read
    "TUNE_WARN_THRESHOLD_S": "30",
    "RAY_AIR_NEW_OUTPUT": "0",
}
"""How Tune must behave while it runs a search of raynas; put back afterwards, other Tune runs keep their ways."""


@dataclass(frozen=True)
class Resources:
    """What the search may use.

    Attributes:
        cpus: of one trial; may be a fraction.
        gpus: of one trial; may be a fraction.
        slots: trials at once; None: as many as fit.
        address: of a running Ray cluster ("auto", "host:port", "ray://..."); None: start Ray here.
        epoch_timeout_s: a worker that gives no reading for so long is killed; None: never.
        trial_timeout_s: so is one that works on a trial for longer.
        memory_gb: and one whose resident memory, in GiB, exceeds this.
    """

    cpus: float = 1.0
    gpus: float = 0.0
    slots: int | None = None
    address: str | None = None
    epoch_timeout_s: float | None = None
    trial_timeout_s: float | None = None
    memory_gb: float | None = None


@contextmanager
def session(address: str | None = None) -> Iterator[None]:
    """Ray for the duration of the block: joined where one runs already, else started here and ended afterwards.

    Raises:
        ConfigError: no cluster answers at the address.
    """
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "180")  # loaded machines start slowly
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address:
        try:
            ray.init(address=address, **quiet)
        except (ConnectionError, ValueError, TimeoutError) as error:
            text = str(error).strip().splitlines()
            raise ConfigError(
                f"no Ray cluster answers at {address!r}: {text[0] if text else error}; "
                "if it asks for a token, set RAY_AUTH_MODE=token"
            ) from error
    else:
        ray.init(address="local", include_dashboard=False, **quiet)
    try:
        yield
    finally:
        ray.shutdown()


def slots(resources: Resources) -> int:
    """How many trials run at once: what was asked for, at most what fits the cluster.

    Raises:
        ConfigError: not even one trial fits.
    """
    have = ray.cluster_resources()
    fit = int(have.get("CPU", 0) / resources.cpus + 1e-9) if resources.cpus else 10**6
    if resources.gpus:
        whole = int(have.get("GPU", 0))
        if resources.gpus > whole:
            raise ConfigError(f"a trial needs {resources.gpus:g} GPUs, but the cluster has {whole}")
        fit = min(fit, int(whole / resources.gpus + 1e-9))
    if fit < 1:
        raise ConfigError(f"a trial needs {resources.cpus:g} CPUs, but the cluster has {have.get('CPU', 0):g}")
    return min(fit, resources.slots) if resources.slots else fit


class _Deadline(Stopper):
    """Ends the session at a point of time, or when the loop failed."""

    def __init__(self, at: float | None, loop: Loop) -> None:
        self.at = at
        self.loop = loop

    def __call__(self, trial_id: str, result: Any) -> bool:
        return False

    def stop_all(self) -> bool:
        return self.loop.failure is not None or (self.at is not None and time.monotonic() > self.at)

    def __getstate__(self) -> dict[str, Any]:
        return {}


class _Tick(TrialProgressCallback):
    """Lets the display breathe between events, and stands in the place of Tune's own printing of each trial."""

    def __init__(self, tick: Callable[[], None]) -> None:
        self.tick = tick

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        self.tick()

    def on_trial_result(self, *args: Any, **info: Any) -> None:
        pass

    def on_trial_error(self, *args: Any, **info: Any) -> None:
        pass

    def on_trial_complete(self, *args: Any, **info: Any) -> None:
        pass

    def __getstate__(self) -> dict[str, Any]:
        return {}


def run(
    loop: Loop,
    space: Space,
    estimator: Estimator,
    shared: Any,
    resources: Resources,
    *,
    config: Callable[[Trial], Mapping[str, Any]],
    rungs: tuple[float, ...],
    deadline: float | None = None,
    tick: Callable[[], None] = lambda: None,
    say: Callable[[str], None] = lambda text: None,
) -> None:
    """Drives the loop until it is done or the deadline is past. Ray must be there (see `session`).

    Args:
        loop: the search.
        space: what is searched.
        estimator: what scores.
        shared: what `estimator.load()` returned; goes to the object store once.
        resources: of a trial, and how many at once.
        config: what a trial's runner must know: `trial`, `arch`, `seed`, `folder`.
        rungs: budgets at which results are reported at once.
        deadline: on the clock of `time.monotonic`.
        tick: called several times a second.
        say: told what a person should know of a trial.

    Raises:
        Interrupted: the person pressed Ctrl-C or the process was asked to end.
    """
    for name, module in list(sys.modules.items()):
        if name.startswith(RECIPE):  # no worker can import a recipe file: what it defines travels by value
            ray.cloudpickle.register_pickle_by_value(module)
    count = slots(resources)
    context = {
        "device": "cuda" if resources.gpus else "cpu",
        "threads": max(1, int(resources.cpus)),
        "memory_fraction": min(1.0, resources.gpus) if resources.gpus else 1.0,
        "rungs": rungs,
        "epoch_timeout_s": resources.epoch_timeout_s,
        "trial_timeout_s": resources.trial_timeout_s,
        "memory_gb": resources.memory_gb,
    }
    runner = tune.with_parameters(TrialRunner, space=space, estimator=estimator, shared=shared, context=context)
    searcher = LoopSearcher(loop, lambda trial: {**config(trial), "budget": loop.budget_of(trial.id)}, count, say)
    with (
        tempfile.TemporaryDirectory(prefix="raynas-tune-") as scratch,
        _settings(ENVIRONMENT | {"TUNE_MAX_PENDING_TRIALS_PG": str(count)}),
        _interrupts() as interrupted,
    ):
        tuner = tune.Tuner(
            tune.with_resources(runner, {"cpu": resources.cpus, "gpu": resources.gpus}),
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                scheduler=LoopScheduler(searcher),
                num_samples=-1,
                reuse_actors=True,
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                name="search",
                storage_path=scratch,
                callbacks=[_Tick(tick)],
                stop=_Deadline(deadline, loop),
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=-1),  # LoopScheduler decides
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        )
        tuner.fit()
    if loop.failure:
        raise loop.failure
    if not loop.done and (deadline is None or time.monotonic() < deadline):
        raise Interrupted("", 128 + (interrupted[0] if interrupted else signal.SIGINT))


@contextmanager
def _settings(environment: Mapping[str, str]) -> Iterator[None]:
    """Sets environment variables and silences Tune's log: what it would say of failed trials is in the ledger."""
    before = {name: os.environ.get(name) for name in environment}
    log = logging.getLogger("ray.tune")
    level = log.level
    os.environ.update(environment)
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Collects the signals that ended the session; SIGTERM ends it like Ctrl-C, which Tune handles by itself."""
    caught: list[int] = []
    previous: dict[int, Any] = {}

    def terminate(number: int, frame: Any) -> None:
        caught.append(number)
        os.kill(os.getpid(), signal.SIGINT)

    with suppress(ValueError):  # not the main thread: signals are somebody else's business
        previous[signal.SIGTERM] = signal.signal(signal.SIGTERM, terminate)
    try:
        yield caught
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
