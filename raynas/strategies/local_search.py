"""Local search: climb from the best of some random networks to a network that no neighbour beats, then start anew.

White, Nolen & Savani 2021, "Exploring the Loss Landscape in Neural Architecture Search",
https://arxiv.org/abs/2004.08996: a neighbour differs in one answer, neighbours are tried in random order, and the
climb moves on to the first that is better.

Results may come late: while a neighbour is out, the next one is tried, and once all are out, the next climb begins. A
late one that is better takes its climb up again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from raynas.objectives import Objectives
from raynas.ops import Scalar
from raynas.records import RUNNING, Architecture, Proposal, Space, Trial
from raynas.settings import check_types
from raynas.spaces.checks import check_whole
from raynas.spaces.decide import Edited, editable
from raynas.spaces.domains import beside
from raynas.strategies.fresh import TRIES, Fresh


@dataclass(frozen=True)
class LocalSearch:
    """Moves on to the first better neighbour; at a local optimum it starts anew.

    Attributes:
        initial: random networks that a climb begins with, and the best of which it begins at; 10 in the paper's code.
    """

    initial: int = 10

    def __post_init__(self) -> None:
        check_whole(self, "initial")
        check_types(self)

    @classmethod
    def for_trials(cls, trials: int) -> LocalSearch:
        """A beginning for a search of so many trials: at most a quarter of them."""
        return cls(min(10, max(1, trials // 4)))

    def begin(self, space: Space, objectives: Objectives, seed: int) -> LocalProposer:
        """A new search; only the first objective counts."""
        return LocalProposer(self, space, seed)


class Climb:
    """One climb: how many it began with, where it is, and what is left of that neighbourhood."""

    __slots__ = ("architecture", "fitness", "left", "started", "trial")

    def __init__(self) -> None:
        self.started = 0
        self.fitness: tuple[float, float] | None = None
        self.architecture: Architecture | None = None
        self.trial: int | None = None
        self.left: Iterator[dict[str, Scalar]] = iter(())


class LocalProposer:
    """The state: the climbs that can go on, and which climb each trial under estimation belongs to."""

    def __init__(self, settings: LocalSearch, space: Space, seed: int) -> None:
        self.settings = settings
        self.space = space
        self.rng = Random(seed)
        self.fresh = Fresh(space, self.rng)
        self.open: list[Climb] = []  # those with neighbours left, the oldest first
        self.newest = Climb()
        self._climbs: dict[str, Climb] = {}  # by identity of what is under estimation

    def ask(self) -> Proposal:
        """A random architecture where a climb begins, then a neighbour of where it is.

        Raises:
            Exhausted: every architecture of the space was proposed.
        """
        if self.newest.started >= self.settings.initial:
            while self.open:
                climb = self.open[0]
                for answers in climb.left:
                    neighbour = self.fresh.complete(answers)
                    if neighbour is not None:
                        self._climbs[neighbour.identity] = climb
                        return Proposal(neighbour, climb.trial)
                self.open.pop(0)
            if self.newest.fitness is not None:
                self.newest = Climb()
        found = self.fresh.random()
        self.newest.started += 1
        self._climbs[found.identity] = self.newest
        return Proposal(found)

    def tell(self, trial: Trial) -> None:
        """Whatever is better than where its climb is, that climb moves on to."""
        if trial.status == RUNNING:
            return
        climb = self._climbs.pop(trial.architecture.identity, None)
        if climb is None or trial.score is None:
            return
        fitness = (trial.budget, trial.score)  # a score at a low rung says less
        if climb.fitness is None or fitness > climb.fitness:
            climb.fitness, climb.architecture, climb.trial = fitness, trial.architecture, trial.id
            climb.left = neighbourhood(self.space, trial.architecture, self.rng)
            if climb not in self.open:
                self.open.append(climb)


def neighbourhood(space: Space, architecture: Architecture, rng: Random) -> Iterator[dict[str, Scalar]]:
    """The answers of the neighbours in random order; what only they are asked is left open.

    Numbers step a tenth of their range up and down. An `Editable` space gives so many random mutations of its own.
    """
    if editable(space):
        edited = Edited(space, architecture)
        for _ in range(TRIES):
            answers = edited.draw(rng)
            if answers is None:
                return
            yield answers
        return
    steps = [(a, v) for a, d in architecture.questions.items() for v in beside(d, architecture.answers[a])]
    rng.shuffle(steps)
    for address, value in steps:
        yield {**architecture.answers, address: value}
