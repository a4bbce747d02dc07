"""The genetic algorithm that surveys tell: the best become parents, are mutated or combined, and somebody leaves.

Elsken, Metzen & Hutter 2019, "Neural Architecture Search: A Survey", https://arxiv.org/abs/1808.05377, section 3.
Combining parents half way on their shortest edit path is due to Qiu & Miikkulainen 2023,
https://arxiv.org/abs/2210.14016, who alternate it with mutation.
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
    crossover_or_mutation,
    oldest_leaves,
    size_for,
    tournament,
    worst_leaves,
)

LEAVE = {"oldest": oldest_leaves, "worst": worst_leaves}
"""Who can leave."""


@dataclass(frozen=True)
class Genetic:
    """A tournament picks parents, which are mutated or combined; the worst or the oldest leaves.

    Attributes:
        population: how many there are.
        tournament: how many compete to become a parent, drawn with replacement.
        crossover: probability that two parents are combined; else one is mutated.
        leaves: "worst" or "oldest".
        at_once: most trials under way; the other workers wait. 0: no limit.
    """

    population: int = 30
    tournament: int = 10
    crossover: float = 0.5
    leaves: str = "worst"
    at_once: int = 0

    def __post_init__(self) -> None:
        check_types(self)
        if not 1 <= self.tournament <= self.population:
            raise ConfigError(
                "1 <= tournament <= population must hold, "
                f"but got (tournament={self.tournament}, population={self.population})"
            )
        if not 0 <= self.crossover <= 1:
            raise ConfigError(f"crossover must be in [0, 1], but got {self.crossover}")
        if self.leaves not in LEAVE:
            raise ConfigError(f"leaves must be one of {', '.join(LEAVE)}, but got {self.leaves!r}")
        check_whole(self, "at_once", least=0)

    @classmethod
    def for_trials(cls, trials: int) -> Genetic:
        """Sizes for a search of so many trials, as those of regularized evolution."""
        population = size_for(trials)
        return cls(population, population // 3, at_once=at_once_for(trials))

    def begin(self, space: Space, objectives: Objectives, seed: int) -> Population:
        """A new search; only the first objective counts."""
        return Population(
            space,
            seed,
            initial=self.population,
            choice=tournament(self.tournament),
            variation=crossover_or_mutation(self.crossover),
            survival=LEAVE[self.leaves](self.population),
            at_once=self.at_once,
        )

    def advice(self, workers: int) -> str:
        """See `raynas.records.Advises`."""
        return advice_for(self.population, self.at_once, workers)
