"""Tables of results that somebody paid for already, as an estimator: a reading costs a look-up.

A `Table` is what a benchmark needs to know: its space, the learning curve of each architecture, and what counts in the
end. Anybody's table takes part by having these four members.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

from raynas.errors import ConfigError, RaynasError
from raynas.plan import Task
from raynas.records import Architecture, Context, Measurement, Space


class MissingCell(RaynasError, KeyError):
    """The table has no (usable) entry for an architecture: a failed trial."""

    def __str__(self) -> str:
        return f"the table has no result for architecture {self.args[0]}"


@runtime_checkable
class Table(Protocol):
    """Results of training, for a whole space or a part of it."""

    @property
    def name(self) -> str:
        """Of the table and the data set, for titles."""

    @property
    def space(self) -> Space:
        """What was trained."""

    @property
    def budgets(self) -> tuple[float, ...]:
        """Rising; the last one is the full training, in epochs."""

    def curve(self, architecture: Architecture) -> Sequence[Measurement]:
        """Readings by rising budget.

        The metrics of each are `val_accuracy` in [0, 1], and what was spent on the architecture up to here: `train_s`
        and `train_epochs` (more than the budget where a longer training starts from the beginning).

        Raises:
            MissingCell: there is no entry.
        """

    def truth(self, architecture: Architecture) -> Mapping[str, float]:
        """What an architecture is worth, which no search sees: `val_accuracy` and `test_accuracy` in [0, 1].

        Raises:
            MissingCell: there is no entry.
        """


@dataclass(frozen=True)
class Tabular:
    """An estimator that looks up.

    Attributes:
        table: where.
    """

    table: Table

    metrics: ClassVar[tuple[str, ...]] = ("val_accuracy", "train_s", "train_epochs")

    @property
    def budget(self) -> float:
        """Epochs of a full training."""
        return self.table.budgets[-1]

    def check(self) -> None:
        """Raises ConfigError where the table has no budget."""
        if not self.table.budgets:
            raise ConfigError(f"table {self.table.name} has no budgets")

    def load(self) -> Any:
        """Nothing besides the table."""

    def task(self, shared: Any) -> Task:
        """Of images like those of CIFAR; for static metrics."""
        return Task()

    def estimate(self, architecture: Architecture, context: Context) -> Iterator[Measurement]:
        """Yields the curve.

        Raises:
            MissingCell: the table has no entry.
        """
        yield from self.table.curve(architecture)
