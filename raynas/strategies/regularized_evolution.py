"""Regularized evolution: a tournament picks the parent, one answer is mutated, the oldest dies.

Real et al. 2019, "Regularized Evolution for Image Classifier Architecture Search", Algorithm 1,
https://arxiv.org/abs/1802.01548. It kills the oldest, not the worst.
"""

from __future__ import annotations

from dataclasses import dataclass

from raynas.errors import ConfigError
from raynas.objectives import Objectives
from raynas.records import Space
from raynas.settings import check_types
from raynas.spaces.checks import check_whole
from raynas.strategies.evolution import (
    Population,
    advice_for,
    at_once_for,
    mutation,
    oldest_leaves,
    size_for,
    tournament,
)


@dataclass(frozen=True)
class RegularizedEvolution:
    """A tournament picks the parent, one answer is mutated, the oldest dies.

    Attributes:
        population: how many of the youngest trials can be parents (P). 30 with a tournament of 10 found better cells
            of NAS-Bench-201 in 100 to 200 evaluations than 10 with 3, or 100 with 25.
        tournament: how many of them compete to be the parent, drawn with replacement (S).
        at_once: most trials under way; the other workers wait. 0: no limit. Who asks for many children before the
            first results are in searches at random: of 200 cells of NAS-Bench-201, the best was on average 0.7 points
            of CIFAR-100 worse with 64 workers than with one, and 0.1 points with 25 of them at work.
    """

    population: int = 30
    tournament: int = 10
    at_once: int = 0

    def __post_init__(self) -> None:
        check_types(self)
        if not 1 <= self.tournament <= self.population:
            raise ConfigError(
                "1 <= tournament <= population must hold, "
                f"but got (tournament={self.tournament}, population={self.population})"
            )
        check_whole(self, "at_once", least=0)

    @classmethod
    def for_trials(cls, trials: int) -> RegularizedEvolution:
        """Sizes for a search of so many trials: a quarter of them, at least 10 and at most 100, are the population.

        At most an eighth of the trials, or 8 where that is less, are under way at once.
        """
        population = size_for(trials)
        return cls(population, population // 3, at_once_for(trials))

    def begin(self, space: Space, objectives: Objectives, seed: int) -> Population:
        """A new search; only the first objective counts."""
        return Population(
            space,
            seed,
            initial=self.population,
            choice=tournament(self.tournament),
            variation=mutation,
            survival=oldest_leaves(self.population),
            at_once=self.at_once,
        )

    def advice(self, workers: int) -> str:
        """See `raynas.records.Advises`."""
        return advice_for(self.population, self.at_once, workers)
