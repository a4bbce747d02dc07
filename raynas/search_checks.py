"""What a search must fulfil before anything starts: everything that can be checked without Ray and torch."""

from __future__ import annotations

import os
import re
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from raynas.cost import STATIC_METRICS
from raynas.errors import ConfigError, unknown
from raynas.estimators import Train
from raynas.machine import check_address, check_writable, count_gpus
from raynas.objectives import Constraint, Objective
from raynas.records import Checked, Estimator, Scheduler, Strategy, usable
from raynas.settings import check_types
from raynas.spaces.decide import sample
from raynas.spaces.function import as_space

if TYPE_CHECKING:
    from raynas.search import Search


def check_search(search: Search) -> None:
    """Checks all choices of a search.

    Raises:
        ConfigError: a choice cannot work; one line with the setting, its value and the fix.
    """
    space = as_space(search.space)
    _check_types(search)
    _at_least("trials", search.trials, 1)
    if search.concurrency is not None:
        _at_least("concurrency", search.concurrency, 1)
    if not 0 < search.cpus_per_trial < 1e6:
        raise ConfigError(f"cpus_per_trial must be above 0, but got {search.cpus_per_trial}")
    if not 0 <= search.gpus_per_trial < 1e6 or (search.gpus_per_trial > 1 and search.gpus_per_trial % 1):
        raise ConfigError(
            f"gpus_per_trial must be 0, a fraction of one GPU or a whole number, but got {search.gpus_per_trial}"
        )
    for limit in ("epoch_timeout_s", "trial_timeout_s", "memory_gb_per_trial", "disk_gb", "hours"):
        value = getattr(search, limit)
        if value is not None and not (usable(value) and value > 0):
            raise ConfigError(f"{limit} must be above 0, but got {value!r}")
    known = {*search.estimator.metrics, *STATIC_METRICS}
    if not search.objectives:
        raise ConfigError("a search needs at least one objective, e.g. val_accuracy:max")
    for kind, metrics in (
        ("objective", [o.metric for o in search.objectives]),
        ("constraint", [c.metric for c in search.constraints]),
    ):
        for metric in metrics:
            if metric not in known:
                raise unknown(f"metric of {kind}", metric, known)
    search.estimator.check()
    if isinstance(search.strategy, Checked):
        search.strategy.check(space, tuple(search.objectives), search.trials)
    if search.scheduler and search.scheduler.rungs[-1] > search.estimator.budget:
        raise ConfigError(
            f"the last rung is at {search.scheduler.rungs[-1]:g} epochs, but a trial trains for "
            f"{search.estimator.budget:g}: lower the rungs or raise the epochs"
        )
    if search.address:
        check_address(search.address)
    else:
        _check_machine(search)
    probe = sample(space, Random(search.seed))
    if isinstance(search.estimator, Train):
        search.estimator.with_hyperparameters(probe).check()
    _check_name(search.name)
    check_writable(Path(search.storage))
    if search.mirror is not None:
        from raynas.mirror import open_storage  # pyarrow costs a moment to import

        open_storage(search.mirror)


def _check_types(search: Search) -> None:
    check_types(search)
    for name, kind in (("estimator", Estimator), ("strategy", Strategy), ("scheduler", Scheduler)):
        value = getattr(search, name)
        if (value is None and name == "scheduler") or (isinstance(value, kind) and not isinstance(value, type)):
            continue
        raise ConfigError(f"{name} must be an object like raynas' own, not a name or a class, but got {value!r}")
    for name in ("trials", "seed"):
        if type(getattr(search, name)) is not int:
            raise ConfigError(f"{name} must be a whole number, but got {getattr(search, name)!r}")
    for name, listed in (("objectives", Objective), ("constraints", Constraint)):
        if not isinstance(getattr(search, name), tuple | list):
            raise ConfigError(f"{name} must be a list of {listed.__name__}, but got {getattr(search, name)!r}")
        for value in getattr(search, name):
            if not isinstance(value, listed):
                raise ConfigError(f"{name} are of type {listed.__name__}, but got {value!r}")


def _check_machine(search: Search) -> None:
    cpus = os.cpu_count() or 1
    if search.cpus_per_trial > cpus:
        raise ConfigError(f"cpus_per_trial is {search.cpus_per_trial:g}, but this machine has {cpus}")
    if search.gpus_per_trial > (gpus := count_gpus()):
        raise ConfigError(
            f"gpus_per_trial is {search.gpus_per_trial:g}, but this machine has {gpus} GPUs; "
            "use --gpus-per-trial 0 or --address of a cluster that has them"
        )


def _at_least(name: str, value: float, least: float) -> None:
    if value < least:
        raise ConfigError(f"{name} must be at least {least:g}, but got {value}")


def _check_name(name: str | None) -> None:
    if name is not None and not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", name):
        raise ConfigError(
            f"a run's name must be letters, digits, '_', '-' and '.' (not first), at most 100, but got {name!r}"
        )
