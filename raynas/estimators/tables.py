"""Tables that are read from Parquet files: NAS-Bench-201's results, and learning curves of the same space.

A row whose results are missing, or are no numbers, counts as no row: to try its architecture is a failed trial.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from raynas.errors import ConfigError, DataError, unknown
from raynas.estimators.tabular import METRICS, MissingCell, Table
from raynas.graph import Graph, GraphBuilder
from raynas.records import Architecture, Choose, Measurement, Space
from raynas.spaces.nasbench201 import ADDRESSES, EDGES, NasBench201, to_string

Row = Mapping[str, Any]
Curve = tuple[Measurement, ...]

STATIC = {"params": ("params_m", 1e-6), "mflops": ("flops_m", 1.0)}
"""Columns of what an architecture costs, with the metric's name and its unit in theirs; `latency_ms_...` besides."""


class NasBench201Table:
    """The cells of NAS-Bench-201 (Dong & Yang 2020, https://arxiv.org/abs/2001.00326), one row each.

    Columns: `arch` (the benchmark's string), and with the data set's name before them `_val200` (percent; mean over
    seeds), `_sec_per_epoch`, and where they are there `_val12` (of a training of its own, with a schedule of 12
    epochs), `_test200`. From `params`, `mflops` and `latency_ms_...` come the metrics `params_m`, `flops_m` and
    `latency_ms_...`.

    Args:
        path: of the Parquet file.
        dataset: "cifar10", "cifar100", ...
        fidelities: trainings that a search may see, of 12 and 200 epochs. Each is a training of its own: the second one
            costs its epochs on top of the first one's.

    Raises:
        DataError: the file cannot be read, or a column holds no numbers.
        ConfigError: an unknown data set, a missing column, no complete row, or other fidelities.
    """

    def __init__(self, path: str | Path, dataset: str = "cifar10", fidelities: Sequence[int] = (200,)) -> None:
        self.path = Path(path)
        self.dataset = dataset
        if not fidelities or not set(fidelities) <= {12, 200} or list(fidelities) != sorted(set(fidelities)):
            raise ConfigError(f"fidelities of {path} must be some of 12, 200, rising, but got {_told(fidelities)}")
        self.budgets: tuple[float, ...] = tuple(float(f) for f in fidelities)
        self.space: Space = NasBench201()
        schema = _schema(self.path)
        known = sorted(n.removesuffix("_val200") for n in schema.names if n.endswith("_val200"))
        if not known:
            raise ConfigError(f"{path} has no column DATASET_val200; it has {_told(schema.names)}")
        if dataset not in known:
            raise unknown("data set of the table", dataset, known)
        seen = [f"{dataset}_val{f}" for f in dict.fromkeys((*fidelities, 200))]
        self._static = {n: STATIC.get(n, (n, 1.0)) for n in schema.names if n in STATIC or n.startswith("latency_ms_")}
        rows = _rows(self.path, schema, "arch", [f"{dataset}_sec_per_epoch", *seen])
        also = [n for n in (f"{dataset}_test200", *self._static) if n in schema.names]
        self._rows = _with_numbers(self.path, schema, "arch", also, rows)
        self._curves: dict[str, Curve] = {}
        self.metrics = (*METRICS, *(name for name, _ in self._static.values()))
        self.best = _best(self._truth(row) for row in self._rows.values())

    @property
    def name(self) -> str:
        """Of the table and the data set."""
        return f"{self.path.stem} {self.dataset}"

    def curve(self, architecture: Architecture) -> Curve:
        """Of the trainings that may be seen."""
        string = to_string(architecture.answers)
        known = self._curves.get(string)
        if known is None:
            known = self._curves[string] = self._curve(self._row(string))
        return known

    def truth(self, architecture: Architecture) -> Mapping[str, float]:
        """After 200 epochs, mean over seeds."""
        return self._truth(self._row(to_string(architecture.answers)))

    def _curve(self, row: Row) -> Curve:
        static = {name: row[column] * unit for column, (name, unit) in self._static.items()}
        told, epochs = [], 0.0
        for budget in self.budgets:
            epochs += budget
            spent = {"train_s": epochs * row[f"{self.dataset}_sec_per_epoch"], "train_epochs": epochs}
            accuracy = row[f"{self.dataset}_val{budget:g}"] / 100
            told.append(Measurement(budget, {"val_accuracy": accuracy, **spent, **static}))
        return tuple(told)

    def _truth(self, row: Row) -> dict[str, float]:
        columns = {"val_accuracy": f"{self.dataset}_val200", "test_accuracy": f"{self.dataset}_test200"}
        return {metric: row[column] / 100 for metric, column in columns.items() if column in row}

    def _row(self, string: str) -> Row:
        if string not in self._rows:
            raise MissingCell(string)
        return self._rows[string]


@dataclass(frozen=True)
class SixEdges:
    """The cells of NAS-Bench-201 with nothing, an identity or one of three kinds of convolution on each edge.

    What tells the kinds apart besides their weights is not in the table; here it is their activation.
    """

    name: str = "six_edges"

    OPS: ClassVar[tuple[str, ...]] = ("none", "identity", "conv_0", "conv_1", "conv_2")

    def decide(self, choose: Choose) -> Graph:
        """Asks for the six edges."""
        return _six_edges(tuple([choose(address, self.OPS) for address in ADDRESSES]))

    def count(self) -> int:
        """5 on each of 6."""
        return int(len(self.OPS) ** len(ADDRESSES))


@lru_cache(maxsize=15_625)
def _six_edges(ops: tuple[str, ...]) -> Graph:
    g = GraphBuilder()
    states = [g.add("conv_bn", g.input(), channels=16)]
    incoming: dict[int, list[int]] = {}
    for (source, target), op in zip(EDGES, ops, strict=True):
        if len(states) <= source:
            states.append(g.add("sum", *incoming[source]))
        if op.startswith("conv"):
            kind = ("relu", "silu", "gelu")[int(op[-1])]
            edge = g.add("conv_bn_act", states[source], channels=16, activation=kind)
        else:
            edge = g.add("zero" if op == "none" else op, states[source])
        incoming.setdefault(target, []).append(edge)
    return g.build(g.add("classifier", g.add("sum", *incoming[3])))


class CurveTable:
    """Full learning curves of the cells of `SixEdges`, one row each.

    Columns: `code` (six digits, the positions of the edges' ops in `SixEdges.OPS`, edges in the order of
    NAS-Bench-201), `val_correct` (right answers after each epoch), `seconds` (of the whole training), `epochs`,
    `test_acc` (percent).

    Args:
        path: of the Parquet file.
        epochs: at which a search reads, rising; the last one is the full training. None: the end of the curves.
        images: how many validation images there are.

    Raises:
        DataError: the file cannot be read, or a column holds no numbers.
        ConfigError: a missing column, no complete row, or epochs that are not rising or that no curve reaches.
    """

    def __init__(self, path: str | Path, epochs: Sequence[int] | None = None, images: int = 25_000) -> None:
        self.path = Path(path)
        self.images = images
        self.space: Space = SixEdges()
        schema = _schema(self.path)
        rows = _rows(self.path, schema, "code", ["seconds", "epochs", "test_acc"])
        curves = _columns(self.path, schema, ["code", "val_correct"])
        told = {code: curve for code, curve in zip(*curves, strict=True) if curve and _finite(curve)}
        longest = max(map(len, told.values()), default=0)
        epochs = tuple((longest,) if epochs is None else epochs)
        if not epochs or min(epochs) < 1 or list(epochs) != sorted(set(epochs)) or epochs[-1] > longest:
            raise ConfigError(f"fidelities of {path} must be rising and in [1, {longest}], but got {_told(epochs)}")
        self.budgets: tuple[float, ...] = tuple(float(e) for e in epochs)
        self._rows: dict[str, Row] = {
            code: {**row, "val_correct": told[code]}
            for code, row in rows.items()
            if code in told and len(told[code]) == longest
        }
        if not self._rows:
            raise ConfigError(f"{path} has no complete row")
        self.best = _best(self._truth(row) for row in self._rows.values())

    @property
    def name(self) -> str:
        """Of the table."""
        return self.path.stem

    def curve(self, architecture: Architecture) -> Curve:
        """One training, read at `budgets`."""
        row = self._row(architecture)
        correct, rate = row["val_correct"], row["seconds"] / row["epochs"]
        told = []
        for budget in self.budgets:
            spent = {"train_s": budget * rate, "train_epochs": budget}
            told.append(Measurement(budget, {"val_accuracy": correct[int(budget) - 1] / self.images, **spent}))
        return tuple(told)

    def truth(self, architecture: Architecture) -> Mapping[str, float]:
        """At the end of the training."""
        return self._truth(self._row(architecture))

    def _truth(self, row: Row) -> dict[str, float]:
        return {"val_accuracy": row["val_correct"][-1] / self.images, "test_accuracy": row["test_acc"] / 100}

    def _row(self, architecture: Architecture) -> Row:
        ops = [str(architecture.answers[address]) for address in ADDRESSES]
        code = "".join(str(SixEdges.OPS.index(op)) for op in ops)
        if code not in self._rows:
            raise MissingCell(" ".join(ops))
        return self._rows[code]


def open_table(path: str | Path, dataset: str | None = None, fidelities: Sequence[int] = ()) -> Table:
    """The table in a Parquet file, its kind told by its columns.

    Args:
        path: of the file.
        dataset: one of the table's, where it has several; None: the first that papers report, CIFAR-10.
        fidelities: epochs at which a search reads; none: the end of the training alone.

    Raises:
        DataError: the file cannot be read.
        ConfigError: the columns are those of no known table, or the table has no such data set or fidelity.
    """
    names = _schema(Path(path)).names
    if "arch" in names:
        return NasBench201Table(path, dataset or "cifar10", tuple(fidelities) or (200,))
    if "val_correct" in names:
        if dataset is not None:
            raise ConfigError(f"{path} has one data set, without a name, but got data set {dataset!r}")
        return CurveTable(path, tuple(fidelities) or None)
    raise ConfigError(
        f"{path} is no table that raynas knows (its columns: {_told(names)}): "
        "write a Python file with a function that returns a table, see docs/bench.md"
    )


def _schema(path: Path) -> Any:
    try:
        return pq.read_schema(path)
    except (OSError, ValueError) as error:  # pyarrow's own errors are of these kinds
        reason = "no such file" if not path.exists() else str(error).splitlines()[0]
        raise DataError(f"{path} cannot be read as Parquet: {reason}") from error


def _columns(path: Path, schema: Any, names: Sequence[str]) -> list[list[Any]]:
    for name in names:
        if name not in schema.names:
            raise ConfigError(f"{path} has no column {name!r}; it has {_told(schema.names)}")
    try:
        table = pq.read_table(path, columns=list(names))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    return [table[name].to_pylist() for name in names]


def _rows(path: Path, schema: Any, key: str, needed: Sequence[str]) -> dict[str, Row]:
    """The rows whose `needed` columns all hold finite numbers, by their key."""
    keys, *columns = _columns(path, schema, [key, *needed])
    _check_numbers(path, schema, needed)
    rows = zip(keys, zip(*columns, strict=True), strict=True)
    told: dict[str, Row] = {k: dict(zip(needed, values, strict=True)) for k, values in rows if _finite(values)}
    if not told:
        raise ConfigError(f"{path} has no complete row: one with a number in each of {_told(needed)}")
    return told


def _with_numbers(
    path: Path, schema: Any, key: str, names: Sequence[str], rows: Mapping[str, Row]
) -> dict[str, Mapping[str, Any]]:
    """Rows with further columns, NaN where there is no number."""
    _check_numbers(path, schema, names)
    keys, *columns = _columns(path, schema, [key, *names])
    more = {k: values for k, *values in zip(keys, *columns, strict=True) if k in rows}
    return {
        k: {**row, **{n: math.nan if v is None else v for n, v in zip(names, more[k], strict=True)}}
        for k, row in rows.items()
    }


def _check_numbers(path: Path, schema: Any, names: Iterable[str]) -> None:
    for name in names:
        kind = schema.field(name).type
        if not pa.types.is_floating(kind) and not pa.types.is_integer(kind):
            raise DataError(f"column {name!r} of {path} must hold numbers, but holds {kind}")


def _finite(values: Iterable[float | None]) -> bool:
    return all(value is not None and math.isfinite(value) for value in values)


def _best(truths: Iterable[Mapping[str, float]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for truth in truths:
        for metric, value in truth.items():
            if value > found.get(metric, -math.inf):
                found[metric] = value
    return found


def _told(values: Iterable[object]) -> str:
    shown = [str(value) for value in values]
    return ", ".join(shown[:12]) + (", ..." if len(shown) > 12 else "")
