"""A benchmark table of one's own: every network of a small space trained for real, and strategies compared on it.

    python experiments/digits_table.py digits_table.parquet          # trains 399 networks twice; some minutes
    DIGITS_TABLE=digits_table.parquet raynas bench experiments/digits_table.py:table --strategies random,auto,local \
        --fidelities 1,8 --budget 10 --seeds 100

The networks are narrow convolutions and poolings on the bundled digits: 1,077 images of 8x8 pixels to train on, 360 to
validate with. Each is trained for one epoch and, anew, for eight, the learning rate falling to zero in both.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.progress import track

import raynas as rn
from raynas.errors import ConfigError
from raynas.estimators.tabular import MissingCell
from raynas.spaces.decide import enumerate_space, replay
from raynas.spaces.function import as_space

EPOCHS = (1, 8)
WIDTHS = (2, 8)


def narrow(choose: rn.Choose) -> rn.Graph:
    """One to three layers, each a convolution or a pooling, and a classifier."""
    g = rn.GraphBuilder()
    x = g.input()
    for layer in range(choose("depth", (1, 2, 3))):
        kind = choose(f"layer{layer}/kind", ("conv", "dilated", "pool"))
        if kind == "pool":
            x = g.add("max_pool", x, kernel=3, stride=2)
        elif kind == "conv":
            width = choose(f"layer{layer}/width", WIDTHS)
            x = g.add("conv_bn_relu", x, channels=width, kernel=choose(f"layer{layer}/kernel", (1, 3)))
        else:
            x = g.add("dil_conv", x, channels=choose(f"layer{layer}/width", WIDTHS), kernel=3)
    return g.build(g.add("classifier", x))


class DigitsTable:
    """The table, as `raynas bench` wants one."""

    name = "narrow networks on digits"
    space = as_space(narrow)

    def __init__(self, path: str, fidelities: tuple[float, ...]) -> None:
        if not set(fidelities) <= set(EPOCHS):
            raise ConfigError(f"fidelities must be some of {EPOCHS}, but got {fidelities}")
        self.budgets = fidelities
        self.rows = {row["key"]: row for row in pq.read_table(path).to_pylist()}
        self.best = {"val_accuracy": max(row["val8"] for row in self.rows.values())}

    def curve(self, architecture: rn.Architecture) -> list[rn.Measurement]:
        """Each training is one of its own, so that a longer one costs what the shorter ones did and its own epochs."""
        row, spent, found = self._row(architecture), 0.0, []
        for epochs in self.budgets:
            spent += epochs
            metrics = {"val_accuracy": row[f"val{epochs:g}"], "train_s": spent, "train_epochs": spent}
            found.append(rn.Measurement(epochs, metrics))
        return found

    def truth(self, architecture: rn.Architecture) -> dict[str, float]:
        """After eight epochs."""
        return {"val_accuracy": self._row(architecture)["val8"]}

    def _row(self, architecture: rn.Architecture) -> dict[str, Any]:
        if architecture.key not in self.rows:
            raise MissingCell(architecture.key)
        return self.rows[architecture.key]


def table(fidelities: tuple[float, ...] = EPOCHS) -> DigitsTable:
    """What `raynas bench experiments/digits_table.py:table` asks for."""
    path = os.environ.get("DIGITS_TABLE", "digits_table.parquet")
    if not Path(path).is_file():
        raise ConfigError(f"no table {path}: make it with `python experiments/digits_table.py {path}`")
    return DigitsTable(path, tuple(fidelities))


@lru_cache
def _estimators() -> tuple[dict[int, rn.Train], Any]:
    import torch

    torch.set_num_threads(1)
    estimators = {epochs: rn.Train(rn.data.digits(), epochs=epochs) for epochs in EPOCHS}
    return estimators, estimators[EPOCHS[0]].load()


def row_of(answers: dict[str, Any]) -> dict[str, Any]:
    """Trains one network, once for each number of epochs."""
    estimators, shared = _estimators()
    architecture = replay(narrow, answers)
    row: dict[str, Any] = {"key": architecture.key}
    for epochs, estimator in estimators.items():
        readings = estimator.estimate(architecture, rn.Context(1, seed=int(architecture.key[:6], 16), shared=shared))
        row[f"val{epochs}"] = list(readings)[-1].metrics["val_accuracy"]
    return row


def train(path: Path) -> None:
    networks = {a.key: dict(a.answers) for a in enumerate_space(narrow)}
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        rows = list(track(pool.map(row_of, networks.values(), chunksize=4), "training", total=len(networks)))
    pq.write_table(pa.Table.from_pylist(rows), path)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog=Path(__file__).name
    )
    parser.add_argument("out", type=Path, help="the Parquet file to write")
    train(parser.parse_args(arguments).out)


if __name__ == "__main__":
    main()
