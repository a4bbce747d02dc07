"""Where a table comes from, so that every process can open it; and what a table must be to be benched."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from raynas.errors import ConfigError, RaynasError
from raynas.estimators.nats import NatsTable
from raynas.estimators.tables import open_table
from raynas.estimators.tabular import MissingCell, Table, Tabular
from raynas.recipe import call, load_function
from raynas.records import Architecture, Measurement, usable
from raynas.spaces.decide import sample
from raynas.spaces.function import as_space

SAMPLED = 200
"""Random architectures that are looked up before anything runs."""


@dataclass(frozen=True)
class TableSource:
    """Where a table comes from.

    Attributes:
        path: a Parquet file that `open_table` knows, a file or folder of NATS-Bench, or `FILE.py:FUNCTION` of a
            function that returns a `Table`; it may take `dataset` and `fidelities`.
        dataset: one of the table's; None: the table's own choice.
        fidelities: budgets in epochs that a search may read; none: the full training alone.
    """

    path: str
    dataset: str | None = None
    fidelities: tuple[int, ...] = ()

    def open(self) -> Table:
        """The table.

        Raises:
            ConfigError: it cannot be opened, or is no table; see `check_table`.
        """
        file = self.path.partition(":")[0]
        table: Any
        if file.endswith(".py"):
            table = self._call()
        elif Path(file).is_dir() or file.endswith(".pbz2"):
            table = NatsTable(file, self.dataset or "cifar10", self.fidelities)
        else:
            table = open_table(self.path, self.dataset, self.fidelities)
        if not isinstance(table, Table):
            wanted = "name, space, budgets, curve, truth"
            raise ConfigError(f"{self.path} must return a table (an object with {wanted}), but got {table!r}")
        return table

    def _call(self) -> Any:
        called, function = load_function(self.path, "table", "table")
        given = {"dataset": self.dataset, "fidelities": self.fidelities or None}
        takes = inspect.signature(function).parameters
        arguments = {name: value for name, value in given.items() if value is not None}
        for name, value in arguments.items():
            if name not in takes:
                raise ConfigError(f"{called} takes no {name}, but got {value!r}")
        return call(function, called, **arguments)


@dataclass(frozen=True)
class Coverage:
    """What a look at random architectures says about a table.

    Attributes:
        known: share of them that have a result, in (0, 1].
        seconds: mean cost of each further budget, on the virtual clock.
        epochs: the same in epochs.
    """

    known: float
    seconds: tuple[float, ...]
    epochs: tuple[float, ...]


def check_table(table: Table, metrics: Sequence[str] = ()) -> Coverage:
    """Looks random architectures up.

    Args:
        table: what somebody wrote.
        metrics: names that each reading must hold, besides `val_accuracy`.

    Raises:
        ConfigError: a budget, a reading or a truth is not as `Table` says, or no architecture has a result.
    """
    Tabular(table).check()
    rng = Random(0)
    space = as_space(table.space)
    found: list[Sequence[Measurement]] = []
    for _ in range(SAMPLED):
        try:
            architecture = sample(space, rng)
            curve, truth = table.curve(architecture), table.truth(architecture)
        except MissingCell:
            continue
        except RaynasError:
            raise
        except Exception as error:
            raise ConfigError(f"table {table.name!r} fails: {type(error).__name__}: {error}") from error
        if all(usable(reading.metrics.get("val_accuracy")) for reading in curve):
            _check_curve(table, architecture, curve, ("val_accuracy", *metrics))
            _check_accuracy(table, architecture, "truth", truth.get("val_accuracy"))
            found.append(curve)
    if not found:
        raise ConfigError(
            f"table {table.name!r} has a result for none of {SAMPLED} random architectures of space {space.name!r}"
        )
    return Coverage(len(found) / SAMPLED, _steps(found, "train_s"), _steps(found, "train_epochs"))


def _check_curve(
    table: Table, architecture: Architecture, curve: Sequence[Measurement], metrics: Sequence[str]
) -> None:
    where = f"the curve of {_told(architecture)} in table {table.name!r}"
    budgets = tuple(reading.budget for reading in curve)
    if budgets != tuple(table.budgets):
        raise ConfigError(f"{where} must have a reading at each of {tuple(table.budgets)}, but has {budgets}")
    for reading in curve:
        for metric in metrics:
            if metric not in reading.metrics:
                raise ConfigError(f"{where} has no {metric}; it has {', '.join(reading.metrics)}")
        _check_accuracy(table, architecture, "curve", reading.metrics["val_accuracy"])
    for metric in ("train_s", "train_epochs"):
        costs = [reading.metrics.get(metric, reading.budget) for reading in curve]
        if not all(map(usable, costs)) or any(a > b for a, b in zip((0, *costs), costs, strict=False)):
            raise ConfigError(f"{metric} of {where} must be at least 0 and not fall, but is {costs}")
    if curve[-1].metrics.get("train_epochs", 1) == 0:
        raise ConfigError(f"train_epochs of {where} must be above 0: a search would never spend its budget")


def _check_accuracy(table: Table, architecture: Architecture, what: str, value: float | None) -> None:
    if value is None or not usable(value) or not 0 <= value <= 1:
        raise ConfigError(
            f"val_accuracy must be in [0, 1], but the {what} of {_told(architecture)} in table {table.name!r} "
            f"says {value!r}"
        )


def _steps(curves: Sequence[Sequence[Measurement]], metric: str) -> tuple[float, ...]:
    """Mean cost of each budget beyond the one before."""
    costs = [[reading.metrics.get(metric, reading.budget) for reading in curve] for curve in curves]
    means = [math.fsum(column) / len(costs) for column in zip(*costs, strict=True)]
    return tuple(b - a for a, b in zip((0.0, *means), means, strict=False))


def _told(architecture: Architecture) -> str:
    text = " ".join(map(str, architecture.answers.values()))
    return text if len(text) < 100 else text[:97] + "..."
