"""The loop that all kinds of evolution share: a population, and what is done to it when asked and when told.

A random beginning; then a variation makes a child of parents that a parent choice picks; who has come back joins; and a
survival rule says who leaves. Everything is asynchronous: children are made of whoever is in the population now.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from raynas.records import RUNNING, Architecture, Proposal, Space, Trial
from raynas.spaces.decide import Edited, Edits, edits_of
from raynas.strategies.fresh import Fresh

Fitness = tuple[float, float]
"""Compared by the first number, then by the second; more is better."""


def size_for(trials: int) -> int:
    """The population for so many trials: a quarter of them, at least 10 and at most 100."""
    return min(100, max(10, trials // 4))


def at_once_for(trials: int) -> int:
    """How many of so many trials should be under way at most: an eighth of them, or 8 where that is less."""
    return max(8, trials // 8)


def advice_for(population: int, at_once: int, workers: int) -> str:
    """A warning where workers will wait, or are more than half the population; else nothing."""
    if 0 < at_once < workers:
        return (
            f"evolution keeps {at_once} of {workers} workers busy: with more at once it learns too late what "
            "it tried; more trials, or --set strategy.at_once=0, use them all"
        )
    if 2 * workers > population:
        return (
            f"{workers} workers are more than half the population of {population}: "
            "many children are made before their parents' rivals are in; a larger population needs more trials"
        )
    return ""


class Individual(NamedTuple):
    """A member of the population. Fitness compares the budget first: a score at a low rung says less."""

    fitness: Fitness
    architecture: Architecture
    trial: int
    edits: Edits | Edited


Members = deque[Individual]
"""By age, the oldest first."""

Choice = Callable[[Members, Random], Individual]
"""Picks a parent."""

Survival = Callable[[Members, Random], None]
"""Takes out of the population who leaves, after somebody joined."""

Variation = Callable[["Population", Choice], Proposal | None]
"""Makes a child that is new, of parents that it chooses; None where it found none."""


class Population:
    """The running state of an evolution.

    Args:
        space: what is searched.
        seed: of everything random.
        initial: so many random architectures are asked for, before any child is.
        choice: who becomes a parent.
        variation: what becomes of parents.
        survival: who leaves.
        at_once: most proposals without a result; 0: no limit.

    Attributes:
        members: those who may become parents, by age.
        fresh: what was proposed.
        asked: how often.
    """

    def __init__(
        self,
        space: Space,
        seed: int,
        *,
        initial: int,
        choice: Choice,
        variation: Variation,
        survival: Survival,
        at_once: int = 0,
    ) -> None:
        self.space = space
        self.rng = Random(seed)
        self.fresh = Fresh(space, self.rng)
        self.members: Members = deque()
        self.asked = 0
        self._initial = initial
        self._choice = choice
        self._variation = variation
        self._survival = survival
        self._at_once = at_once
        self._running = 0

    def ask(self) -> Proposal | None:
        """A random architecture at the beginning, then a child, or a random one where no child is new.

        Returns:
            None where as many are under way as may be at once.

        Raises:
            Exhausted: every architecture of the space was proposed.
        """
        if 0 < self._at_once <= self._running:
            return None
        self.asked += 1
        if self.asked > self._initial and self.members:
            proposal = self._variation(self, self._choice) or Proposal(self.fresh.random())
        else:
            proposal = self.beginning()
        self._running += 1
        return proposal

    def beginning(self) -> Proposal:
        """One of the first: a random architecture."""
        return Proposal(self.fresh.random())

    def tell(self, trial: Trial) -> None:
        """A finished or stopped trial joins, and who is to leave leaves; a failed one never joins."""
        if trial.status == RUNNING:
            return
        self._running -= 1
        if trial.scores is not None:
            edits = edits_of(self.space, trial.architecture)
            self.members.append(Individual((trial.budget, trial.score or 0.0), trial.architecture, trial.id, edits))
            self.joined()

    def joined(self) -> None:
        """Who is to leave leaves, now that somebody joined."""
        self._survival(self.members, self.rng)
