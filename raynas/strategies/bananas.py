"""BANANAS: an ensemble of small neural networks predicts scores; what it draws highest is proposed.

White, Neiswanger & Savani 2021, "BANANAS: Bayesian Optimization with Neural Architectures for Neural Architecture
Search", https://arxiv.org/abs/1910.11858, algorithm 1: feed-forward networks that differ in their first weights, told
architectures as vectors, independent Thompson sampling over mutations of the best. What it proposes is told in
surrogate.py. Architectures are told by their answers (features.py) and not by the paths of a cell, so that it works on
every space; networks learn ranks of scores and not accuracies. They are NumPy, all members of the ensemble at once.

Shapes: N architectures told, M candidates, D columns of `Features`, E members, H units of a layer, S a mini-batch.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from raynas.errors import ConfigError
from raynas.objectives import Objectives
from raynas.records import Space
from raynas.settings import check_types
from raynas.spaces.checks import check_whole
from raynas.strategies.features import Matrix
from raynas.strategies.surrogate import ModelProposer, Vector

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Bananas:
    """Thompson sampling by an ensemble of neural networks, among mutations of the best.

    Attributes:
        initial: random architectures before the first model.
        batch: proposals a fit (k of the paper).
        top: how many of the best are mutated.
        candidates: how many are ranked.
        explore: share of candidates that are random, in [0, 1].
        patience: so many results without a better one double the spread that scores are drawn with.
        members: networks of the ensemble.
        layers: hidden layers of a network.
        hidden: units of a layer.
        learning_rate: of Adam.
        epochs: passes over the results, each fit from new weights.
        minibatch: results a step.
        history: most trials that a model learns from: the best half, and the youngest.
    """

    initial: int = 10
    batch: int = 5
    top: int = 5
    candidates: int = 200
    explore: float = 0.5
    patience: int = 20
    members: int = 5
    layers: int = 2
    hidden: int = 20
    learning_rate: float = 0.01
    epochs: int = 60
    minibatch: int = 32
    history: int = 500

    def __post_init__(self) -> None:
        check_whole(self, "initial", "batch", "top", "candidates", "patience", "layers", "hidden", "epochs")
        check_whole(self, "members", "minibatch", "history", least=2)
        check_types(self)
        if not 0 <= self.explore <= 1 or not 0 < self.learning_rate < math.inf:
            raise ConfigError(
                "0 <= explore <= 1 and learning_rate > 0 must hold, "
                f"but got (explore={self.explore}, learning_rate={self.learning_rate})"
            )

    @classmethod
    def published(cls) -> Bananas:
        """The paper's: networks of ten layers of 20 units, 150 epochs, mutations of the best one alone."""
        return cls(batch=10, top=1, candidates=100, explore=0.0, layers=10, epochs=150)

    def begin(self, space: Space, objectives: Objectives, seed: int) -> ModelProposer:
        """A new search; only the first objective counts."""
        return ModelProposer(self, space, seed, lambda: NetworkEnsemble(self))


class NetworkEnsemble:
    """Feed-forward networks with ReLU, trained by Adam on the absolute error.

    Args:
        settings: members, layers, hidden, learning_rate, epochs, minibatch.
    """

    def __init__(self, settings: Bananas) -> None:
        self.settings = settings
        self._weights: list[Array] = []  # of each layer, [E, inputs + 1, outputs]; the last row is the bias
        self._columns = 0

    def fit(self, x_ND: Matrix, y_N: Vector, rng: np.random.Generator) -> None:
        """Learns from new weights; what was learned before is forgotten.

        Args:
            x_ND: vectors of `Features`.
            y_N: scores, of mean 0 and standard deviation 1 or less.
            rng: draws the first weights, and for each member the order of the results.
        """
        s = self.settings
        self._columns = x_ND.shape[1]
        sizes = [self._columns, *[s.hidden] * s.layers, 1]
        self._weights = [
            np.concatenate(
                (
                    rng.standard_normal((s.members, inputs, outputs)) * math.sqrt(2 / max(1, inputs)),
                    np.zeros((s.members, 1, outputs)),
                ),
                axis=1,
            )
            for inputs, outputs in itertools.pairwise(sizes)
        ]
        first = [np.zeros_like(w) for w in self._weights]
        second = [np.zeros_like(w) for w in self._weights]
        step = 0
        for _ in range(s.epochs):
            order_EN = rng.permuted(np.tile(np.arange(len(y_N)), (s.members, 1)), axis=1)
            for start in range(0, len(y_N), s.minibatch):
                taken_ES = order_EN[:, start : start + s.minibatch]
                step += 1
                rate = s.learning_rate * math.sqrt(1 - 0.99**step) / (1 - 0.9**step)
                for layer, gradient in enumerate(self._gradients(x_ND[taken_ES], y_N[taken_ES])):
                    first[layer] += 0.1 * (gradient - first[layer])
                    second[layer] += 0.01 * (gradient**2 - second[layer])
                    self._weights[layer] -= rate * first[layer] / (np.sqrt(second[layer]) + 1e-8)

    def predict(self, x_MD: Matrix) -> tuple[Vector, Vector]:
        """Mean and standard deviation over the members, [M] each; columns that fitting did not know tell nothing."""
        known_EMD = np.broadcast_to(x_MD[:, : self._columns], (self.settings.members, len(x_MD), self._columns))
        predicted_EM = self._forward(known_EMD)[-1][:, :, 0]
        return predicted_EM.mean(0), predicted_EM.std(0)

    def _forward(self, x_ESD: Array) -> list[Array]:
        """The input of each layer, and the output."""
        values = [x_ESD]
        for layer, weight in enumerate(self._weights):
            x = values[-1] @ weight[:, :-1] + weight[:, -1:]
            values.append(np.maximum(x, 0) if layer < len(self._weights) - 1 else x)
        return values

    def _gradients(self, x_ESD: Array, y_ES: Array) -> list[Array]:
        """Of the mean absolute error, by the weights of each layer."""
        values = self._forward(x_ESD)
        back = np.sign(values[-1] - y_ES[:, :, None]) / y_ES.shape[1]
        found: list[Array] = []
        for layer in range(len(self._weights) - 1, -1, -1):
            weight = self._weights[layer]
            gradient = np.empty_like(weight)
            np.matmul(values[layer].transpose(0, 2, 1), back, out=gradient[:, :-1])
            back.sum(axis=1, keepdims=True, out=gradient[:, -1:])
            found.append(gradient)
            if layer:
                back = (back @ weight[:, :-1].transpose(0, 2, 1)) * (values[layer] > 0)
        return found[::-1]
