"""Evolution for several objectives at once: fronts first, then whoever stands alone on his.

Deb, Pratap, Agarwal & Meyarivan 2002, "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II",
https://doi.org/10.1109/4235.996017. Its generations become a steady state, so that no worker waits: whoever comes back
joins, and the last of the last front leaves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from raynas.errors import ConfigError
from raynas.objectives import Constraint, Objectives
from raynas.records import RUNNING, Space, Trial
from raynas.settings import check_types
from raynas.spaces.checks import check_whole
from raynas.strategies.evolution import (
    Population,
    advice_for,
    at_once_for,
    crossover_or_mutation,
    size_for,
    tournament,
    worst_leaves,
)


@dataclass(frozen=True)
class Nsga2:
    """Non-dominated sorting, crowding, binary tournaments, constraint domination.

    Attributes:
        population: how many there are.
        crossover: probability that two parents are combined; else one is mutated.
        constraints: who breaks them is dominated by all who do not, and by those who break them less.
        at_once: most trials under way; the other workers wait. 0: no limit.
    """

    population: int = 30
    crossover: float = 0.5
    constraints: tuple[Constraint, ...] = ()
    at_once: int = 0

    def __post_init__(self) -> None:
        check_types(self)
        check_whole(self, "population", least=2)
        check_whole(self, "at_once", least=0)
        if not 0 <= self.crossover <= 1:
            raise ConfigError(f"crossover must be in [0, 1], but got {self.crossover}")
        if not isinstance(self.constraints, tuple) or not all(isinstance(c, Constraint) for c in self.constraints):
            raise ConfigError(f"constraints must be a tuple of Constraint, but got {self.constraints!r}")

    @classmethod
    def for_trials(cls, trials: int) -> Nsga2:
        """Sizes for a search of so many trials, as those of regularized evolution."""
        return cls(size_for(trials), at_once=at_once_for(trials))

    def begin(self, space: Space, objectives: Objectives, seed: int) -> RankedPopulation:
        """A new search; all objectives count."""
        return RankedPopulation(self, space, seed)

    def advice(self, workers: int) -> str:
        """See `raynas.records.Advises`."""
        return advice_for(self.population, self.at_once, workers)


class Point(NamedTuple):
    """What decides who dominates whom.

    Attributes:
        violation: of the constraints, relative to their bounds; 0 where all hold.
        budget: epochs; scores compare where it is equal, else the longer training dominates.
        scores: more is better.
    """

    violation: float
    budget: float
    scores: tuple[float, ...]


class RankedPopulation(Population):
    """The state: the population, ranked anew whenever somebody joined. Fitness is (-rank, crowding distance)."""

    def __init__(self, settings: Nsga2, space: Space, seed: int) -> None:
        super().__init__(
            space,
            seed,
            initial=settings.population,
            choice=tournament(2),
            variation=crossover_or_mutation(settings.crossover),
            survival=worst_leaves(settings.population),
            at_once=settings.at_once,
        )
        self.settings = settings
        self._points: dict[int, Point] = {}

    def tell(self, trial: Trial) -> None:
        """A trial with scores joins, everybody is ranked, and the last one leaves."""
        if trial.status != RUNNING and trial.scores is not None:
            broken = violation(self.settings.constraints, trial.metrics)
            self._points[trial.id] = Point(broken, trial.budget, trial.scores)
        super().tell(trial)

    def joined(self) -> None:
        """Ranks all, so that the last one leaves."""
        fitness = ranked([self._points[member.trial] for member in self.members])
        for place, value in enumerate(fitness):
            self.members[place] = self.members[place]._replace(fitness=value)
        super().joined()


def violation(constraints: Sequence[Constraint], metrics: Mapping[str, float]) -> float:
    """By how much constraints are broken, each relative to its bound; infinite where a metric is missing."""
    total = 0.0
    for constraint in constraints:
        if not constraint.holds(metrics):
            value = metrics.get(constraint.metric, math.nan)
            distance = abs(value - constraint.bound) / (abs(constraint.bound) or 1.0)
            total += math.inf if math.isnan(distance) else max(distance, 1e-12)  # "<" breaks at the bound itself
    return total


def dominates(one: Point, other: Point) -> bool:
    """Constraint domination (definition 1 of the paper), then the budget, then Pareto's."""
    if one.violation or other.violation:
        return one.violation < other.violation
    if one.budget != other.budget:
        return one.budget > other.budget
    return one.scores != other.scores and all(a >= b for a, b in zip(one.scores, other.scores, strict=True))


def fronts(points: Sequence[Point]) -> list[list[int]]:
    """Places of the points, front by front: no point of a front is dominated by one of it or of a later one."""
    beats: list[list[int]] = [[] for _ in points]
    beaten = [0] * len(points)
    for i, one in enumerate(points):
        for j in range(i):
            if dominates(one, points[j]):
                beats[i].append(j)
                beaten[j] += 1
            elif dominates(points[j], one):
                beats[j].append(i)
                beaten[i] += 1
    found = []
    front = [i for i, count in enumerate(beaten) if not count]
    while front:
        found.append(front)
        following = []
        for i in front:
            for j in beats[i]:
                beaten[j] -= 1
                if not beaten[j]:
                    following.append(j)
        front = sorted(following)
    return found


def crowding(scores: Sequence[tuple[float, ...]]) -> list[float]:
    """The distance between the neighbours of each point on both sides, summed over objectives (section III-B).

    Infinite for the extreme points.
    """
    distances = [0.0] * len(scores)
    for objective in zip(*scores, strict=True):
        order = sorted(range(len(objective)), key=objective.__getitem__)
        spread = objective[order[-1]] - objective[order[0]]
        if spread <= 0:
            continue
        distances[order[0]] = distances[order[-1]] = math.inf
        for before, place, after in zip(order, order[1:], order[2:], strict=False):
            distances[place] += (objective[after] - objective[before]) / spread
    return distances


def ranked(points: Sequence[Point]) -> list[tuple[float, float]]:
    """The fitness of each point: minus the number of its front, then its crowding distance there."""
    fitness = [(0.0, 0.0)] * len(points)
    for rank, front in enumerate(fronts(points)):
        for place, distance in zip(front, crowding([points[i].scores for i in front]), strict=True):
            fitness[place] = (-float(rank), distance)
    return fitness
