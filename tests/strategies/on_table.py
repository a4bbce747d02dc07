"""Searches on the real table of NAS-Bench-201, where it is there."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest

from raynas import Objective, spaces
from raynas.loop import Loop
from raynas.records import Measurement, Strategy
from raynas.spaces.nasbench201 import to_string

TABLE = Path(__file__).parents[3] / "shared" / "data" / "nasbench201.parquet"


@lru_cache
def accuracies() -> dict[str, float]:
    """Cell -> validation accuracy after 200 epochs on CIFAR-100, in percent."""
    if not TABLE.is_file():
        pytest.skip(f"needs the table {TABLE}, which is not there")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(TABLE, columns=["arch", "cifar100_val200"]).to_pydict()
    return dict(zip(table["arch"], table["cifar100_val200"], strict=True))


def best_of(strategy: Strategy, seed: int, trials: int) -> float:
    """The highest accuracy of so many cells."""
    accuracy = accuracies()
    loop = Loop(spaces.nasbench201(), strategy, [Objective()], seed, trials=trials)
    while trial := loop.next():
        loop.measure(trial.id, Measurement(1, {"val_accuracy": accuracy[to_string(trial.architecture.answers)]}))
        loop.end(trial.id)
    return max(trial.score for trial in loop.trials.values())


def gain(one: Strategy, other: Strategy, *, seeds: int, trials: int) -> float:
    """By how many points one strategy ends ahead of another, on average."""
    return sum(best_of(one, seed, trials) - best_of(other, seed, trials) for seed in range(seeds)) / seeds
