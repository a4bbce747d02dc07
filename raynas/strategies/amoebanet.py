"""Regularized evolution as it found AmoebaNet-A.

Real et al. 2019, "Regularized Evolution for Image Classifier Architecture Search", https://arxiv.org/abs/1802.01548:
a population of 100, tournaments of 25, 20,000 networks. Its mutation that changes nothing, one in twenty, is left out:
it would train a network again.
"""

from __future__ import annotations

from dataclasses import dataclass

from raynas.strategies.evolution import at_once_for, size_for
from raynas.strategies.regularized_evolution import RegularizedEvolution


@dataclass(frozen=True)
class AmoebaNet(RegularizedEvolution):
    """Regularized evolution with the sizes that found AmoebaNet-A: P = 100, S = 25, less where trials are few."""

    population: int = 100
    tournament: int = 25

    @classmethod
    def for_trials(cls, trials: int) -> AmoebaNet:
        """The paper's sizes from 400 trials on; below that a quarter of the trials, and a quarter of those compete."""
        population = size_for(trials)
        return cls(population, population // 4, at_once_for(trials))
