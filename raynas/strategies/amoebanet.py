"""Regularized evolution as it found AmoebaNet-A.

Real et al. 2019, "Regularized Evolution for Image Classifier Architecture Search", https://arxiv.org/abs/1802.01548:
a population of 100, tournaments of 25, 20,000 networks. Its mutation that changes nothing, one in twenty, is left out:
it would train a network again.
"""

from __future__ import annotations

from raynas.strategies.regularized_evolution import RegularizedEvolution


def amoebanet() -> RegularizedEvolution:
    """P = 100, S = 25."""
    return RegularizedEvolution(population=100, tournament=25)
