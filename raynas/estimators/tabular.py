"""Tables of results that somebody paid for already, as an estimator: a reading costs a look-up.

A `Table` is what a benchmark needs to know: its space, the learning curve of each architecture, and what counts in the
end. Anybody's table takes part by having these five members.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from raynas.errors import ConfigError, RaynasError
from raynas.plan import Task
from raynas.records import Architecture, Context, Measurement, Space, usable

METRICS = ("val_accuracy", "train_s", "train_epochs")
"""What every reading of a table holds; a table with more says so by a member `metrics`."""


class MissingCell(RaynasError, KeyError):
    """The table has no (usable) entry for an architecture: a failed trial."""

    def __str__(self) -> str:
        return f"the table has no result for architecture {self.args[0]}"


@runtime_checkable
class Table(Protocol):
    """Results of training, for a whole space or a part of it.

    Two more members are optional: `metrics`, the names of all metrics of a reading where they are more than
    `METRICS`; and `best`, a mapping like that of `truth`: the highest of all architectures, metric by metric. Without
    it regrets cannot be told, and accuracies are shown instead.
    """

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
        """Readings, one at each of `budgets`.

        The metrics of each are `val_accuracy` in [0, 1], and what was spent on the architecture up to here: `train_s`
        and `train_epochs` (more than the budget where a longer training starts from the beginning). A reading that is
        not a number fails the trial, once its costs are paid.

        Raises:
            MissingCell: there is no entry; the trial fails and costs nothing.
        """

    def truth(self, architecture: Architecture) -> Mapping[str, float]:
        """What an architecture with a curve is worth, which no search sees: `val_accuracy` in [0, 1].

        Where it is known, `test_accuracy` too.

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

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that every reading holds."""
        return tuple(getattr(self.table, "metrics", METRICS))

    @property
    def budget(self) -> float:
        """Epochs of a full training."""
        return self.table.budgets[-1]

    def check(self) -> None:
        """Raises ConfigError where the table's budgets are no rising numbers above 0."""
        budgets = tuple(self.table.budgets)
        rising = all(a < b for a, b in zip((0.0, *budgets), budgets, strict=False)) if _numbers(budgets) else False
        if not budgets or not rising:
            raise ConfigError(f"the budgets of table {self.table.name!r} must be rising and above 0, but got {budgets}")

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


def _numbers(values: Sequence[object]) -> bool:
    return all(usable(value) for value in values)
