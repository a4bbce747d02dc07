"""What is compared: strategies on a table, at equal cost, over many seeds."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from raynas.bench.source import Coverage, TableSource
from raynas.errors import ConfigError, unknown
from raynas.estimators.tabular import Table, Tabular
from raynas.objectives import Objective
from raynas.records import Checked, Scheduler, Strategy, usable
from raynas.schedulers import Asha
from raynas.spaces.function import as_space

JUDGED = "val_accuracy"
"""The metric that is reported; the first objective."""


@dataclass(frozen=True)
class Budget:
    """What each search may spend.

    Attributes:
        amount: above 0.
        unit: "trainings" (full ones, by epochs, all trials together) or "seconds" (of the virtual clock).
    """

    amount: float
    unit: str = "trainings"

    def __post_init__(self) -> None:
        if not usable(self.amount) or self.amount <= 0:
            raise ConfigError(f"the budget must be a number above 0, but got {self.amount!r}")
        if self.unit not in ("trainings", "seconds"):
            raise unknown("unit of the budget", self.unit, ("trainings", "seconds"))

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Reads "20" (full trainings) or "12000s" (virtual seconds).

        Raises:
            ConfigError: the text is neither.
        """
        match = re.fullmatch(r"\s*(\d+\.?\d*(?:e\d+)?)\s*(s?)\s*", text)
        if not match:
            raise ConfigError(f"a budget is full trainings like 20, or virtual seconds like 12000s, but got {text!r}")
        return cls(float(match[1]), "seconds" if match[2] else "trainings")

    @property
    def seconds(self) -> float:
        """On the virtual clock; infinite where trainings count."""
        return self.amount if self.unit == "seconds" else math.inf

    @property
    def trainings(self) -> float:
        """Full ones; infinite where seconds count."""
        return self.amount if self.unit == "trainings" else math.inf

    def __str__(self) -> str:
        return f"{self.amount:,.10g} {'s' if self.unit == 'seconds' else 'full trainings'}"


@dataclass(frozen=True)
class Benchmark:
    """The settings of a comparison.

    Attributes:
        source: the table.
        strategies: label and settings of each; the first one is the baseline that speed is measured by.
        budget: what each search may spend.
        scheduler: who goes on at each rung; None: every trial gets its full budget.
        objectives: what the strategies are told to optimise; the first is `val_accuracy`.
        workers: trials at once.
        seeds: searches of each strategy, with the seeds 0, 1, ...; strategies meet on equal seeds.
    """

    source: TableSource
    strategies: tuple[tuple[str, Strategy], ...]
    budget: Budget
    scheduler: Scheduler | None = None
    objectives: tuple[Objective, ...] = (Objective(),)
    workers: int = 1
    seeds: int = 30

    def check(self, table: Table, coverage: Coverage) -> None:
        """Raises ConfigError where a setting does not fit the table or the others."""
        labels = [label for label, _ in self.strategies]
        if not labels:
            raise ConfigError("name at least one strategy")
        for label in labels:
            if labels.count(label) > 1:
                raise ConfigError(f"strategies need different labels, but got {label!r} twice: write NEW={label}")
        for name in ("workers", "seeds"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, but got {getattr(self, name)}")
        self._check_objectives(table)
        trials = trials_for(self.budget, table, coverage, self.scheduler, self.workers)
        for label, strategy in self.strategies:
            if isinstance(strategy, Checked):
                try:
                    strategy.check(as_space(table.space), self.objectives, trials)
                except ConfigError as error:
                    raise ConfigError(f"strategy {label}: {error}") from error
        rungs = self.scheduler.rungs if self.scheduler else ()
        if rungs and rungs[-1] > table.budgets[-1]:
            raise ConfigError(
                f"the last rung is at {rungs[-1]:g} epochs, above the table's full training of {table.budgets[-1]:g}"
            )
        one = coverage.seconds[0] if self.budget.unit == "seconds" else coverage.epochs[0] / table.budgets[-1]
        if self.budget.amount < one:
            raise ConfigError(
                f"the budget of {self.budget} is less than one reading of the table costs: {one:.3g} on average"
            )

    def _check_objectives(self, table: Table) -> None:
        metrics = Tabular(table).metrics
        for objective in self.objectives:
            if objective.metric not in metrics:
                raise unknown("objective", objective.metric, metrics)
        if not self.objectives or self.objectives[0] != Objective(JUDGED):
            told = ", ".join(map(str, self.objectives)) or "none"
            raise ConfigError(f"the first objective must be {JUDGED}:max, which the bench reports, but got {told}")


def default_scheduler(table: Table) -> Asha | None:
    """ASHA at the table's lower budgets, where it has some."""
    return Asha(table.budgets[:-1]) if len(table.budgets) > 1 else None


def trials_for(
    budget: Budget, table: Table, coverage: Coverage, scheduler: Scheduler | None = None, workers: int = 1
) -> int:
    """About how many trials a budget buys: the sizes of strategies follow it.

    Args:
        budget: what a search may spend.
        table: whose budgets trials go through.
        coverage: what its readings cost.
        scheduler: one in `eta` goes on from each of its rungs (3, where it does not say).
        workers: seconds pass for all of them at once.
    """
    rungs = scheduler.rungs if scheduler else ()
    eta = float(getattr(scheduler, "eta", 3))
    steps = coverage.seconds if budget.unit == "seconds" else coverage.epochs
    whole = 1.0 if budget.unit == "seconds" else table.budgets[-1]
    going_on = [eta ** -sum(rung < reading for rung in rungs) for reading in table.budgets]
    cost = sum(step * share for step, share in zip(steps, going_on, strict=True)) / whole
    together = workers if budget.unit == "seconds" else 1
    return max(1, round(together * budget.amount / cost / coverage.known))


def sized(
    factory: Callable[..., Any], budget: Budget, table: Table, coverage: Coverage, trials: int, workers: int = 1
) -> Any:
    """A strategy of the catalog with sizes that fit the bench, where its class knows how.

    A class with `for_budget(trainings, fidelities)` chooses its own fidelities of those that the table has; one with
    `for_trials(trials)` is told about how many trials the budget buys (`trials_for`).
    """
    for_budget, for_trials = getattr(factory, "for_budget", None), getattr(factory, "for_trials", None)
    if for_budget:
        trainings = budget.amount
        if budget.unit == "seconds":
            full = table.budgets[-1] * sum(coverage.seconds) / sum(coverage.epochs)
            trainings = workers * budget.amount / full
        return for_budget(trainings, table.budgets)
    return for_trials(trials) if for_trials else factory()


def describe(strategies: Sequence[tuple[str, Strategy]]) -> dict[str, str]:
    """Label -> settings."""
    return {label: repr(strategy) for label, strategy in strategies}
