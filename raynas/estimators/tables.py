"""Tables that are read from Parquet files: NAS-Bench-201's results, and learning curves of the same space."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar

import pyarrow.parquet as pq

from raynas.errors import ConfigError, DataError, unknown
from raynas.estimators.tabular import MissingCell, Table
from raynas.graph import Graph, GraphBuilder
from raynas.records import Architecture, Choose, Measurement, Space
from raynas.spaces.nasbench201 import ADDRESSES, EDGES, NasBench201, to_string

Row = Mapping[str, Any]


class NasBench201Table:
    """Every cell of NAS-Bench-201 (Dong & Yang 2020, https://arxiv.org/abs/2001.00326), one row each.

    Columns: `arch` (the benchmark's string), and with the data set's name before them `_val200` (percent; mean over
    seeds), `_sec_per_epoch`, and where they are there `_val12` (of a training of its own, with a schedule of 12
    epochs), `_test200`.

    Args:
        path: of the Parquet file.
        dataset: "cifar10", "cifar100", ...
        fidelities: trainings that a search may see, of 12 and 200 epochs. Each is a training of its own: the second one
            costs its epochs on top of the first one's.

    Raises:
        DataError: the file cannot be read.
        ConfigError: a column is missing.
    """

    def __init__(self, path: str | Path, dataset: str = "cifar10", fidelities: Sequence[int] = (200,)) -> None:
        self.path = Path(path)
        self.dataset = dataset
        if not fidelities or not set(fidelities) <= {12, 200} or list(fidelities) != sorted(set(fidelities)):
            raise ConfigError(f"fidelities must be some of 12, 200, rising, but got {tuple(fidelities)}")
        self.budgets: tuple[float, ...] = tuple(fidelities)
        self.space: Space = NasBench201()
        names = _columns(self.path)
        known = sorted(n.removesuffix("_val200") for n in names if n.endswith("_val200"))
        if dataset not in known:
            raise unknown("data set of the table", dataset, known)
        self._needed = ["arch", f"{dataset}_sec_per_epoch", *[f"{dataset}_val{f}" for f in {*fidelities, 200}]]
        missing = [n for n in self._needed if n not in names]
        if missing:
            raise ConfigError(f"{self.path} has no column {missing[0]!r}; it has {', '.join(names[:12])}, ...")
        self._tested = f"{dataset}_test200" in names

    @property
    def name(self) -> str:
        """Of the table and the data set."""
        return f"nasbench201 {self.dataset}"

    def curve(self, architecture: Architecture) -> Sequence[Measurement]:
        """Of the trainings that may be seen."""
        row, told = self._row(architecture), []
        epochs = 0.0
        for budget in self.budgets:
            epochs += budget
            value = row[f"{self.dataset}_val{budget:g}"]
            if value is None or not math.isfinite(value):
                raise MissingCell(to_string(architecture.answers))
            spent = {"train_s": epochs * row[f"{self.dataset}_sec_per_epoch"], "train_epochs": epochs}
            told.append(Measurement(budget, {"val_accuracy": value / 100, **spent}))
        return told

    def truth(self, architecture: Architecture) -> Mapping[str, float]:
        """After 200 epochs, mean over seeds."""
        row = self._row(architecture)
        told = {"val_accuracy": row[f"{self.dataset}_val200"] / 100}
        return told | {"test_accuracy": row[f"{self.dataset}_test200"] / 100} if self._tested else told

    @cached_property
    def best(self) -> Mapping[str, float]:
        """The highest truth of all, metric by metric."""
        return _best([{"val": r[f"{self.dataset}_val200"], "test": r.get(f"{self.dataset}_test200")}
                      for r in self._rows.values()])  # fmt: skip

    @cached_property
    def _rows(self) -> Mapping[str, Row]:
        columns = [*self._needed, *([f"{self.dataset}_test200"] if self._tested else [])]
        rows = pq.read_table(self.path, columns=columns).to_pylist()
        return {row["arch"]: row for row in rows}

    def _row(self, architecture: Architecture) -> Row:
        string = to_string(architecture.answers)
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
    """Full learning curves of all cells of `SixEdges`, one row each.

    Columns: `code` (six digits, the positions of the edges' ops in `SixEdges.OPS`, edges in the order of
    NAS-Bench-201), `val_correct` (right answers after each epoch), `seconds` (of the whole training), `epochs`,
    `test_acc` (percent).

    Args:
        path: of the Parquet file.
        epochs: at which a search reads, rising; the last one is the full training.
        images: how many validation images there are.

    Raises:
        DataError: the file cannot be read.
        ConfigError: a column is missing.
    """

    def __init__(self, path: str | Path, epochs: Sequence[int] = (100,), images: int = 25_000) -> None:
        self.path = Path(path)
        self.budgets: tuple[float, ...] = tuple(epochs)
        self.images = images
        self.space: Space = SixEdges()
        names = _columns(self.path)
        self._needed = ["code", "val_correct", "seconds", "epochs", "test_acc"]
        missing = [n for n in self._needed if n not in names]
        if missing:
            raise ConfigError(f"{self.path} has no column {missing[0]!r}; it has {', '.join(names[:12])}")
        if not epochs or min(epochs) < 1 or list(epochs) != sorted(set(epochs)):
            raise ConfigError(f"epochs must be whole numbers of at least 1, rising, but got {tuple(epochs)}")

    @property
    def name(self) -> str:
        """Of the table."""
        return self.path.stem

    def curve(self, architecture: Architecture) -> Sequence[Measurement]:
        """One training, read at `budgets`."""
        row = self._row(architecture)
        correct, rate = row["val_correct"], row["seconds"] / row["epochs"]
        told = []
        for budget in self.budgets:
            spent = {"train_s": budget * rate, "train_epochs": budget}
            told.append(Measurement(budget, {"val_accuracy": correct[int(budget) - 1] / self.images, **spent}))
        return told

    def truth(self, architecture: Architecture) -> Mapping[str, float]:
        """At the end of the training."""
        row = self._row(architecture)
        return {"val_accuracy": row["val_correct"][-1] / self.images, "test_accuracy": row["test_acc"] / 100}

    @cached_property
    def best(self) -> Mapping[str, float]:
        """The highest truth of all, metric by metric."""
        return _best([{"val": 100 * r["val_correct"][-1] / self.images, "test": r["test_acc"]}
                      for r in self._rows.values()])  # fmt: skip

    @cached_property
    def _rows(self) -> Mapping[str, Row]:
        return {row["code"]: row for row in pq.read_table(self.path, columns=self._needed).to_pylist()}

    def _row(self, architecture: Architecture) -> Row:
        code = "".join(str(SixEdges.OPS.index(str(architecture.answers[address]))) for address in ADDRESSES)
        if code not in self._rows:
            raise MissingCell(code)
        return self._rows[code]


def open_table(path: str | Path, dataset: str | None = None, fidelities: Sequence[int] = ()) -> Table:
    """The table in a Parquet file, its kind told by its columns.

    Raises:
        DataError: the file cannot be read.
        ConfigError: the columns are those of no known table.
    """
    names = _columns(Path(path))
    if "arch" in names:
        return NasBench201Table(path, dataset or "cifar10", fidelities or (200,))
    if "val_correct" in names:
        return CurveTable(path, fidelities or (100,))
    raise ConfigError(
        f"{path} is no table that raynas knows (its columns: {', '.join(names[:8])}): "
        "write a Python file with a function that returns a raynas.estimators.Table"
    )


def _columns(path: Path) -> list[str]:
    try:
        return list(pq.read_schema(path).names)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as Parquet: {error}") from error


def _best(rows: Sequence[Mapping[str, float | None]]) -> dict[str, float]:
    found = {}
    for metric in ("val", "test"):
        values = [v for row in rows if (v := row[metric]) is not None and math.isfinite(v)]
        if values:
            found[f"{metric}_accuracy"] = max(values) / 100
    return found
