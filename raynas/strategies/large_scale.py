"""Large-scale evolution: of two individuals drawn at random, the worse is killed and the better has a child.

Real et al. 2017, "Large-Scale Evolution of Image Classifiers", https://arxiv.org/abs/1703.01041, section 3.1. There a
thousand individuals begin as the same linear classifier (`initial()` of the space); here, where a network is not tried
twice, as that one and single mutations of it, and in a space that has no first individual as random ones.

Mutations that leave the network as it is ("identity" and "reset_weights" of raynas/spaces/large_scale.py) propose it
again, with its trial as the parent: for estimators that inherit weights, to train on; for all others, to train anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Protocol, runtime_checkable

from raynas.objectives import Objectives
from raynas.ops import Scalar
from raynas.records import Proposal, Space
from raynas.settings import check_types
from raynas.spaces.checks import check_whole
from raynas.spaces.decide import Editable, complete, editable, edits_of
from raynas.strategies.evolution import Choice, Individual, Members, Population, mutated, pair, size_for
from raynas.strategies.fresh import TRIES


@runtime_checkable
class Rooted(Protocol):
    """A space with a first individual, from which evolution begins."""

    def initial(self) -> dict[str, Scalar]:
        """The answers of that individual."""


@dataclass(frozen=True)
class LargeScaleEvolution:
    """Pairwise tournaments: the worse leaves, the better is copied and mutated.

    Attributes:
        population: individuals that live; 1000 in the paper. Fewer trials than that would all be first individuals.
        again: whether mutations that leave a network as it is propose it again.
    """

    population: int = 20
    again: bool = True

    def __post_init__(self) -> None:
        check_whole(self, "population", least=2)
        check_types(self)

    @classmethod
    def for_trials(cls, trials: int) -> LargeScaleEvolution:
        """A population for a search of so many trials: a quarter of them, at least 10 and at most 100."""
        return cls(size_for(trials))

    def begin(self, space: Space, objectives: Objectives, seed: int) -> LargeScalePopulation:
        """A new search; only the first objective counts."""
        return LargeScalePopulation(self, space, seed)


class LargeScalePopulation(Population):
    """The state: who lives. Nobody is killed while fewer live than should, because their children are under way."""

    def __init__(self, settings: LargeScaleEvolution, space: Space, seed: int) -> None:
        super().__init__(
            space, seed, initial=settings.population, choice=_fitter, variation=self._reproduce, survival=_nobody
        )
        self.settings = settings

    def beginning(self) -> Proposal:
        """The first individual of the space, then mutations of it; random ones where it has none."""
        if not isinstance(self.space, Rooted):
            return super().beginning()
        root = complete(self.space, self.space.initial(), Random(0))
        if self.fresh.take(root):
            return Proposal(root)
        edits = edits_of(self.space, root)
        for _ in range(TRIES):
            answers = edits.draw(self.rng)
            child = self.fresh.complete(answers) if answers is not None else None
            if child is not None:
                return Proposal(child)
        return super().beginning()

    def _reproduce(self, population: Population, choose: Choice) -> Proposal | None:
        better = self.members[0]
        if len(self.members) > 1:
            better, worse = pair(self.members, self.rng)
            if len(self.members) >= self.settings.population:
                self.members.remove(worse)
        if self.settings.again and editable(self.space) and self._stays(self.space, better):
            return Proposal(better.architecture, better.trial)
        return mutated(self, better)

    def _stays(self, space: Editable, individual: Individual) -> bool:
        """Whether the mutation that is drawn is one of those that leave an individual as it is."""
        answers = dict(individual.architecture.answers)
        kind = space.edits[int(self.rng.random() * len(space.edits))]
        return space.edit(answers, kind, self.rng) == answers


def _fitter(members: Members, rng: Random) -> Individual:
    return pair(members, rng)[0]


def _nobody(members: Members, rng: Random) -> None:
    """Who leaves, leaves when a child is made."""
