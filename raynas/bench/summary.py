"""What the traces of a comparison say: who is better, by how much, how sure, how fast.

Shapes: S seeds, G points of the grid.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from raynas.bench import statistics
from raynas.bench.benchmark import JUDGED, Benchmark, describe
from raynas.bench.play import Trace
from raynas.bench.statistics import Array, Band, Ranking
from raynas.errors import ConfigError
from raynas.estimators.tabular import Table
from raynas.records import FAILED, STOPPED

POINTS = 240
"""Of the grid on which curves are read."""

SHARES = (0.1, 0.25, 0.5, 1.0)
"""Of the budget, at which figures are told."""

ALPHA = 0.05
"""Differences with a smaller probability of arising by chance are called significant."""


@dataclass(frozen=True)
class Standing:
    """How one strategy did. Accuracies are those of the incumbents, in [0, 1].

    Attributes:
        label: of the strategy.
        settings: as Python would write them.
        finals: at the end of the budget, by seed [S].
        tests: the same on test data; NaN where the table does not know.
        curve: mean over seeds and its 95 % interval, on the grid of the summary.
        shares: mean at each of `SHARES` of the budget; NaN where a seed had nothing yet.
        arrivals: when each seed reached the target [S]; infinity: never.
        trials: mean number of trials that had a reading or failed.
        stopped: how many of them were stopped early.
        failed: how many of them failed.
    """

    label: str
    settings: str
    finals: Array
    tests: Array
    curve: Band
    shares: tuple[float, ...]
    arrivals: Array
    trials: float
    stopped: float
    failed: float

    @property
    def mean(self) -> float:
        """Over seeds, at the end."""
        return float(self.finals.mean())

    @property
    def arrived(self) -> float:
        """Share of seeds that reached the target."""
        return float(np.isfinite(self.arrivals).mean())

    @property
    def arrival(self) -> float:
        """When half of the seeds had reached the target; infinity: never."""
        return float(np.sort(self.arrivals)[(len(self.arrivals) - 1) // 2])


@dataclass(frozen=True)
class Pair:
    """Two strategies at the end of the budget.

    Attributes:
        better: label of the one with the higher mean.
        other: label of the other one.
        difference: of their means, at least 0.
        p_value: of the paired Wilcoxon test, corrected for the number of pairs (Holm).
        a12: probability that `better` has the higher value of two random seeds.
    """

    better: str
    other: str
    difference: float
    p_value: float
    a12: float

    @property
    def significant(self) -> bool:
        """Whether chance is an unlikely reason."""
        return self.p_value < ALPHA


@dataclass(frozen=True)
class Summary:
    """All figures of a comparison.

    Attributes:
        benchmark: its settings.
        table: name of the table.
        best: highest accuracy of all architectures; None: unknown.
        known: share of the space that the table knows.
        grid: where the curves are read, in units of the budget.
        target: accuracy to reach, in [0, 1].
        standings: the best mean first.
        ranking: by mean rank, in the order of `standings`; None for one strategy.
        pairs: all of them.
    """

    benchmark: Benchmark
    table: str
    best: float | None
    known: float
    grid: Array
    target: float
    standings: tuple[Standing, ...]
    ranking: Ranking | None
    pairs: tuple[Pair, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain figures; what is not known, and what never happened, is None."""
        made = self.benchmark
        return {
            "table": self.table,
            "budget": {made.budget.unit: made.budget.amount},
            "seeds": made.seeds,
            "workers": made.workers,
            "scheduler": repr(made.scheduler) if made.scheduler else None,
            "objectives": [str(objective) for objective in made.objectives],
            "known": self.known,
            "best_val_accuracy": self.best,
            "target_val_accuracy": self.target,
            "strategies": [self._standing(place) for place in range(len(self.standings))],
            "friedman_p": self.ranking.p_value if self.ranking else None,
            "critical_difference": self.ranking.distance if self.ranking else None,
            "pairs": [
                {
                    "better": p.better, "other": p.other, "difference": p.difference, "p_holm": p.p_value, "a12": p.a12,
                    "effect": statistics.effect(p.a12), "significant": p.significant,
                }
                for p in self.pairs
            ],
        }  # fmt: skip

    def _standing(self, place: int) -> dict[str, Any]:
        s = self.standings[place]
        low, high = s.curve.low[-1], s.curve.high[-1]
        return {
            "label": s.label,
            "settings": s.settings,
            "val_accuracy": _known(s.mean),
            "val_accuracy_sd": _known(s.finals.std()),
            "val_accuracy_95": [_known(low), _known(high)],
            "test_accuracy": _known(s.tests.mean()),
            "test_accuracy_sd": _known(s.tests.std()),
            "val_accuracy_at": {f"{share:g}": _known(value) for share, value in zip(SHARES, s.shares, strict=True)},
            "mean_rank": float(self.ranking.ranks[place]) if self.ranking else None,
            "target_reached": s.arrived,
            "target_reached_by_half_at": _known(s.arrival),
            "trials": s.trials,
            "stopped": s.stopped,
            "failed": s.failed,
        }


def summarise(
    benchmark: Benchmark, table: Table, traces: Sequence[Trace], *, target: float | None = None, known: float = 1.0
) -> Summary:
    """The figures.

    Args:
        benchmark: what was played.
        table: on which.
        traces: of `play_all`.
        target: accuracy to reach, in [0, 1]; None: what the first strategy reaches at the end, on average.
        known: share of the space that the table knows.

    Raises:
        ConfigError: a search had no result within the budget.
    """
    by_label: dict[str, list[Trace]] = {label: [] for label, _ in benchmark.strategies}
    for trace in traces:
        by_label[trace.strategy].append(trace)
    for label, played in by_label.items():
        empty = sum(not trace.incumbent or not trace.incumbent[-1] for trace in played)
        if empty:
            raise ConfigError(
                f"{empty} of {len(played)} searches of {label} had no result within {benchmark.budget}: "
                "give a larger budget"
            )
    if target is None:
        target = float(np.mean([trace.val_accuracy[-1] for trace in by_label[benchmark.strategies[0][0]]]))
    grid = _grid(benchmark, traces)
    settings = describe(benchmark.strategies)
    standings = [
        _standing(benchmark, label, settings[label], played, grid, target) for label, played in by_label.items()
    ]
    standings.sort(key=lambda s: -s.mean)  # stable: equal ones as they were named
    finals_SK = np.stack([s.finals for s in standings], axis=1)
    best: Mapping[str, float] = getattr(table, "best", None) or {}
    return Summary(
        benchmark, table.name, best.get(JUDGED), known, grid, target, tuple(standings),
        statistics.rank(finals_SK, alpha=ALPHA) if len(standings) > 1 else None, _pairs(standings),
    )  # fmt: skip


def spent(benchmark: Benchmark, trace: Trace) -> list[float]:
    """When the readings of a search came, in units of the budget."""
    return trace.time_s if benchmark.budget.unit == "seconds" else trace.spent


def _grid(benchmark: Benchmark, traces: Sequence[Trace]) -> Array:
    """From when every search has an incumbent to the end of the budget, in equal ratios."""
    end = benchmark.budget.amount
    firsts = [spent(benchmark, t)[next(i for i, trial in enumerate(t.incumbent) if trial)] for t in traces]
    first = max(*firsts, end / 200)
    return np.geomspace(first, end, POINTS) if first < end else np.array([end])


def _standing(
    benchmark: Benchmark, label: str, settings: str, traces: Sequence[Trace], grid: Array, target: float
) -> Standing:
    end = benchmark.budget.amount
    shares = np.array([share * end for share in SHARES])
    curves_SG = np.stack([statistics.at(spent(benchmark, t), t.val_accuracy, grid * (1 + 1e-9)) for t in traces])
    shares_SG = np.stack([statistics.at(spent(benchmark, t), t.val_accuracy, shares * (1 + 1e-9)) for t in traces])
    failed = [sum(status == FAILED for status in t.status) for t in traces]
    stopped = [sum(status == STOPPED for status in t.status) for t in traces]
    return Standing(
        label, settings,
        np.array([t.val_accuracy[-1] for t in traces]), np.array([t.test_accuracy[-1] for t in traces]),
        statistics.bootstrap(curves_SG), tuple(shares_SG.mean(axis=0).tolist()),
        np.array([statistics.time_to(spent(benchmark, t), t.val_accuracy, target) for t in traces]),
        float(np.mean([len(set(t.trial)) for t in traces])), float(np.mean(stopped)), float(np.mean(failed)),
    )  # fmt: skip


def _pairs(standings: Sequence[Standing]) -> tuple[Pair, ...]:
    pairs = list(itertools.combinations(standings, 2))
    p_values = statistics.holm([statistics.wilcoxon(a.finals, b.finals) for a, b in pairs])
    return tuple(
        Pair(a.label, b.label, a.mean - b.mean, p_value, statistics.a12(a.finals, b.finals))
        for (a, b), p_value in zip(pairs, p_values, strict=True)
    )


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
