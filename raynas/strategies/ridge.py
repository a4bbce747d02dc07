"""Bootstrapped ridge regression on single and pairwise features: a model-based search that costs milliseconds.

The model is linear in every answer and every pair of answers, so 405 features on NAS-Bench-201; an ensemble of
bootstrap samples says how sure it is. It is fitted in its dual form, by a kernel (see features.py), so that the cost
grows with the trials and not with the features: Saunders, Gammerman & Vovk 1998, "Ridge Regression Learning Algorithm
in Dual Variables". What it proposes is told in surrogate.py.

Shapes: N architectures told, M candidates, D columns of `Features`, B bags.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from raynas.errors import ConfigError
from raynas.objectives import Objectives
from raynas.records import Space
from raynas.settings import check_types
from raynas.spaces.checks import check_whole
from raynas.strategies.features import Matrix, kernel
from raynas.strategies.surrogate import ModelProposer, Vector


@dataclass(frozen=True)
class RidgeSearch:
    """Thompson sampling by bootstrapped ridge regression, among mutations of the best.

    Attributes:
        initial: random architectures before the first model.
        batch: proposals a fit.
        top: how many of the best are mutated.
        candidates: how many are ranked.
        explore: share of candidates that are random, in [0, 1].
        patience: so many results without a better one double the spread that scores are drawn with, twice as many
            treble it: a model that is sure of a poor optimum leaves it.
        bags: bootstrap samples.
        penalty: of the squared weights; features are scaled such that an architecture has length 1.
        history: most trials that a model learns from: the best half, and the youngest.
    """

    initial: int = 10
    batch: int = 5
    top: int = 5
    candidates: int = 200
    explore: float = 0.5
    patience: int = 20
    bags: int = 5
    penalty: float = 0.05
    history: int = 500

    def __post_init__(self) -> None:
        check_whole(self, "initial", "batch", "top", "candidates", "patience", "bags")
        check_whole(self, "history", least=2)
        check_types(self)
        if not 0 <= self.explore <= 1 or not self.penalty > 0:
            raise ConfigError(
                f"0 <= explore <= 1 and penalty > 0 must hold, but got (explore={self.explore}, penalty={self.penalty})"
            )

    def begin(self, space: Space, objectives: Objectives, seed: int) -> ModelProposer:
        """A new search; only the first objective counts."""
        return ModelProposer(self, space, seed, lambda: RidgeEnsemble(self.bags, self.penalty))


class RidgeEnsemble:
    """Ridge regressions on bootstrap samples, with an intercept each.

    Args:
        bags: bootstrap samples.
        penalty: of the squared weights.
    """

    def __init__(self, bags: int = 5, penalty: float = 0.05) -> None:
        self.bags = bags
        self.penalty = penalty
        self._x_ND: Matrix = np.zeros((0, 0))
        self._answers = 1.0
        self._dual_NB: Matrix = np.zeros((0, bags))
        self._intercept_B: Vector = np.zeros(bags)

    def fit(self, x_ND: Matrix, y_N: Vector, rng: np.random.Generator) -> None:
        """Learns; what was learned before is forgotten.

        Args:
            x_ND: vectors of `Features`.
            y_N: scores, of mean 0 and standard deviation 1 or less.
            rng: draws the bootstrap samples.
        """
        count = len(y_N)
        self._x_ND = x_ND
        self._answers = max(1.0, float(np.square(x_ND).sum(1).mean()))
        gram_NN = kernel(x_ND, x_ND, self._answers)
        self._dual_NB = np.zeros((count, self.bags))
        for bag in range(self.bags):
            drawn_N = np.bincount(rng.integers(0, count, count), minlength=count)
            used = np.flatnonzero(drawn_N)
            weight = drawn_N[used]
            mean = float(weight @ y_N[used]) / count
            # Weights w of the squared errors: (K + penalty / w) dual = y.
            system = gram_NN[np.ix_(used, used)] + np.diag(self.penalty / weight)
            self._dual_NB[used, bag] = np.linalg.solve(system, y_N[used] - mean)
            self._intercept_B[bag] = mean

    def predict(self, x_MD: Matrix) -> tuple[Vector, Vector]:
        """Mean and standard deviation over the bags, [M] each; vectors may have columns that fitting did not know."""
        bags_MB = self.bagged(x_MD)
        return bags_MB.mean(1), bags_MB.std(1)

    def bagged(self, x_MD: Matrix) -> Matrix:
        """What each bag predicts, [M, B]."""
        known = self._x_ND.shape[1]
        gram_MN = kernel(x_MD[:, :known], self._x_ND, self._answers)
        return gram_MN @ self._dual_NB + self._intercept_B
