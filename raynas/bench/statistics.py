"""The statistics of a comparison of searches: each function is a paper's formula.

Shapes: S seeds, K strategies, G points of a grid, R resamples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Array = NDArray[np.float64]


class Band(NamedTuple):
    """A mean and the interval around it, each of shape [G]."""

    mean: Array
    low: Array
    high: Array


class Ranking(NamedTuple):
    """Who is better on average.

    Attributes:
        ranks: mean rank of each strategy [K]; 1 is best.
        p_value: of the Friedman test that all are alike.
        distance: mean ranks that differ by less are not told apart (the critical difference).
    """

    ranks: Array
    p_value: float
    distance: float


def at(times: ArrayLike, values: ArrayLike, grid: ArrayLike) -> Array:
    """What a step function is worth at each point of a grid; NaN before its first step.

    Args:
        times: of the steps, rising; of several at one time the last counts.
        values: from each step on.
        grid: where to read, [G].
    """
    steps = np.searchsorted(np.asarray(times, float), np.asarray(grid, float), side="right")
    return np.concatenate([[math.nan], np.asarray(values, float)])[steps]


def bootstrap(values_SG: ArrayLike, *, level: float = 0.95, resamples: int = 1000, seed: int = 0) -> Band:
    """The mean over seeds and its percentile bootstrap interval.

    Efron 1979, "Bootstrap Methods: Another Look at the Jackknife", https://doi.org/10.1214/aos/1176344552. All points
    of the grid are resampled together. Where a seed has no value there is no mean.

    Args:
        values_SG: a row a seed.
        level: of the interval, in (0, 1).
        resamples: R.
        seed: of the resampling.
    """
    values_SG = np.atleast_2d(np.asarray(values_SG, float))
    seeds = len(values_SG)
    draws_RS = np.random.default_rng(seed).multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples)
    means_RG = draws_RS @ values_SG / seeds
    low, high = np.quantile(means_RG, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return Band(values_SG.mean(axis=0), low, high)


def rank(values_SK: ArrayLike, *, alpha: float = 0.05) -> Ranking:
    """Mean ranks over seeds, the Friedman test, and Nemenyi's critical difference.

    Demšar 2006, "Statistical Comparisons of Classifiers over Multiple Data Sets", section 3.2.2,
    https://jmlr.org/papers/v7/demsar06a.html. Equal values share the mean of their ranks.

    Args:
        values_SK: more is better; at least two strategies.
        alpha: probability that any two alike strategies are told apart.
    """
    values_SK = np.asarray(values_SK, float)
    seeds, strategies = values_SK.shape
    ranks_SK = stats.rankdata(-values_SK, axis=1)
    # Friedman's statistic with the correction for ties; two strategies are enough for it, unlike for scipy's.
    spread = ((ranks_SK - (strategies + 1) / 2) ** 2).sum() / (strategies - 1)
    between = ((ranks_SK.sum(axis=0) - seeds * (strategies + 1) / 2) ** 2).sum()
    p_value = float(stats.chi2.sf(between / spread, strategies - 1)) if spread > 0 else 1.0
    quantile = float(stats.studentized_range.ppf(1 - alpha, strategies, np.inf)) / math.sqrt(2)
    distance = quantile * math.sqrt(strategies * (strategies + 1) / (6 * seeds))
    return Ranking(ranks_SK.mean(axis=0), p_value, distance)


def cliques(ranks: Sequence[float], distance: float) -> list[tuple[int, ...]]:
    """The largest groups of strategies whose mean ranks differ by less than the critical difference.

    Returns:
        Positions in `ranks`, the best first; groups of one are left out.
    """
    order = sorted(range(len(ranks)), key=lambda k: ranks[k])
    found: list[tuple[int, ...]] = []
    for first in range(len(order)):
        group = tuple(k for k in order[first:] if ranks[k] - ranks[order[first]] < distance)
        if len(group) > 1 and not (found and set(group) <= set(found[-1])):
            found.append(group)
    return found


def wilcoxon(a_S: ArrayLike, b_S: ArrayLike) -> float:
    """The p-value of the signed-rank test that paired values differ, two-sided.

    Wilcoxon 1945, "Individual Comparisons by Ranking Methods", https://doi.org/10.2307/3001968; pairs that are equal
    keep their ranks and count for nobody (Pratt 1959, https://doi.org/10.1080/01621459.1959.10501526).

    Args:
        a_S: a value a seed.
        b_S: of the same seeds.
    """
    differences = np.asarray(a_S, float) - np.asarray(b_S, float)
    if not differences.any():
        return 1.0
    return float(stats.wilcoxon(differences, zero_method="pratt").pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number.

    Holm 1979, "A Simple Sequentially Rejective Multiple Test Procedure", https://www.jstor.org/stable/4615733.
    """
    corrected = [1.0] * len(p_values)
    highest = 0.0
    for place, k in enumerate(sorted(range(len(p_values)), key=lambda k: p_values[k])):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[k]))
        corrected[k] = highest
    return corrected


def a12(a: ArrayLike, b: ArrayLike) -> float:
    """The probability that a value of `a` is higher than one of `b`; equal ones count half.

    Vargha & Delaney 2000, "A Critique and Improvement of the CL Common Language Effect Size Statistics of McGraw and
    Wong", https://doi.org/10.3102/10769986025002101. They call 0.56 a small, 0.64 a medium, 0.71 a large effect.
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    higher = stats.rankdata(np.concatenate([a, b]))[: len(a)].sum() - len(a) * (len(a) + 1) / 2
    return float(higher / (len(a) * len(b)))


def effect(a12_value: float) -> str:
    """Vargha and Delaney's word for the size of an effect, in whichever direction."""
    size = abs(a12_value - 0.5)
    return next((word for word, least in (("large", 0.21), ("medium", 0.14), ("small", 0.06)) if size >= least), "none")


def time_to(times: ArrayLike, values: ArrayLike, target: float) -> float:
    """When a step function first is worth at least the target; infinity: never.

    Args:
        times: of the steps, rising.
        values: from each step on.
        target: more is better.
    """
    reached = np.flatnonzero(np.asarray(values, float) >= target)
    return float(np.asarray(times, float)[reached[0]]) if len(reached) else math.inf


def ecdf(times_S: ArrayLike, grid: ArrayLike) -> Array:
    """The share of seeds that reached a target by each point of a grid [G].

    Hansen et al. 2021, "COCO: A Platform for Comparing Continuous Optimizers in a Black-Box Setting", section 4.3,
    https://arxiv.org/abs/1603.08785.

    Args:
        times_S: when each seed did (`time_to`).
        grid: where to read.
    """
    times_S = np.sort(np.asarray(times_S, float))
    return np.searchsorted(times_S, np.asarray(grid, float), side="right") / len(times_S)
