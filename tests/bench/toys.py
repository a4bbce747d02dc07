"""A table that is quick to search, and comparisons on it."""

from __future__ import annotations

from dataclasses import dataclass

from fakes import merit

from raynas.bench import Benchmark, Budget, TableSource
from raynas.estimators.tabular import MissingCell
from raynas.records import Measurement
from raynas.schedulers import Asha
from raynas.spaces import nasbench201
from raynas.strategies import RandomSearch, RegularizedEvolution

STRATEGIES = (("random", RandomSearch()), ("evolution", RegularizedEvolution(10, 3)))

FILE = """
from toys import Toy

def table(dataset="one", fidelities=(1, 4)):
    return Toy(tuple(float(f) for f in fidelities), name=f"toy {dataset}")
"""
"""A person's file; `toys` must be importable."""


@dataclass(frozen=True)
class Toy:
    """The merit of a cell; readings before the end say less. Cells of a merit below `known` are missing."""

    budgets: tuple[float, ...] = (4.0,)
    name: str = "toy"
    known: float = 0.0
    seconds: float = 10.0
    space = nasbench201()

    def curve(self, architecture):
        value = merit(architecture)
        if value < self.known:
            raise MissingCell(architecture.key)
        return [
            Measurement(b, {"val_accuracy": value * (0.5 + b / 8), "train_s": self.seconds * b, "train_epochs": b})
            for b in self.budgets
        ]

    def truth(self, architecture):
        return {"val_accuracy": merit(architecture), "test_accuracy": merit(architecture) / 2}

    best = {"val_accuracy": 1.0, "test_accuracy": 0.5}  # noqa: RUF012


def comparison(path="toys.py", **changes):
    """A small comparison."""
    made = {"source": TableSource(str(path)), "strategies": STRATEGIES, "budget": Budget(20), "seeds": 5}
    return Benchmark(**(made | changes))


def halved():
    """With early stopping."""
    return {"scheduler": Asha((1.0,), 2)}
