"""Regularized evolution: a tournament picks the parent, one answer is mutated, the oldest dies.

Real et al. 2019, "Regularized Evolution for Image Classifier Architecture Search", Algorithm 1,
https://arxiv.org/abs/1802.01548. It kills the oldest, not the worst.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from raynas.errors import ConfigError
from raynas.objectives import Objectives
from raynas.records import RUNNING, Architecture, Proposal, Space, Trial
from raynas.spaces.decide import Edited, Edits, changed, edits_of
from raynas.strategies.fresh import TRIES, Fresh

PATIENCE = 8
"""Repeats until one more answer is changed at once."""


@dataclass(frozen=True)
class RegularizedEvolution:
    """A tournament picks the parent, one answer is mutated, the oldest dies.

    Attributes:
        population: how many of the youngest trials can be parents (P). 30 with a tournament of 10 found better cells
            of NAS-Bench-201 in 100 to 200 evaluations than 10 with 3, or 100 with 25.
        tournament: how many of them compete to be the parent, drawn with replacement (S).
    """

    population: int = 30
    tournament: int = 10

    def __post_init__(self) -> None:
        if not 1 <= self.tournament <= self.population:
            raise ConfigError(
                "1 <= tournament <= population must hold, "
                f"but got (tournament={self.tournament}, population={self.population})"
            )

    @classmethod
    def for_trials(cls, trials: int) -> RegularizedEvolution:
        """Sizes for a search of so many trials: a quarter of them, at least 10 and at most 100, are the population."""
        population = min(100, max(10, trials // 4))
        return cls(population, max(2, population // 3))

    def begin(self, space: Space, objectives: Objectives, seed: int) -> EvolutionProposer:
        """A new search; only the first objective counts."""
        return EvolutionProposer(self, space, seed)


class Individual(NamedTuple):
    """A member of the population. Fitness compares the budget first: a score at a low rung says less."""

    fitness: tuple[float, float]
    architecture: Architecture
    trial: int
    edits: Edits | Edited


class EvolutionProposer:
    """The state: the population by age, and what was proposed."""

    def __init__(self, settings: RegularizedEvolution, space: Space, seed: int) -> None:
        self.settings = settings
        self.space = space
        self.rng = Random(seed)
        self.fresh = Fresh(space, self.rng)
        self.population: deque[Individual] = deque(maxlen=settings.population)
        self.asked = 0

    def ask(self) -> Proposal:
        """A random architecture until the population is asked for, then a mutated winner of a tournament.

        Raises:
            Exhausted: every architecture of the space was proposed.
        """
        self.asked += 1
        if self.asked <= self.settings.population or not self.population:
            return Proposal(self.fresh.random())
        parent = self._tournament()
        for attempt in range(TRIES):  # where every single change of the parent gives a repeat: two at once, then three
            answers = parent.edits.draw(self.rng)
            if answers is None:
                answers = changed(parent.architecture, self.rng, 2 + attempt // PATIENCE)
            child = self.fresh.complete(answers)
            if child is not None:
                return Proposal(child, parent.trial)
        return Proposal(self.fresh.random())

    def tell(self, trial: Trial) -> None:
        """A finished or stopped trial joins the population and the oldest leaves; a failed one never joins."""
        if trial.status != RUNNING and trial.score is not None:
            fitness = (trial.budget, trial.score)
            edits = edits_of(self.space, trial.architecture)
            self.population.append(Individual(fitness, trial.architecture, trial.id, edits))

    def _tournament(self) -> Individual:
        random, members = self.rng.random, self.population
        size = len(members)
        best = members[int(random() * size)]
        for _ in range(self.settings.tournament - 1):
            rival = members[int(random() * size)]
            if rival.fitness > best.fitness:
                best = rival
        return best
