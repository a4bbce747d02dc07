"""Never the same twice: what every strategy uses to propose only what was not proposed before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from raynas.errors import Exhausted, SpaceError
from raynas.ops import Scalar
from raynas.records import Answers, Architecture, Space
from raynas.spaces.decide import complete, enumerate_space, sample

TRIES = 50
"""Attempts at a fresh architecture before a strategy does something else."""

SWEEP = 200_000
"""A space is swept for what is left, once sampling keeps finding repeats, up to so many architectures."""


class Fresh:
    """The architectures proposed so far, by identity, and a source of new ones."""

    def __init__(self, space: Space, rng: Random) -> None:
        self.space = space
        self.rng = rng
        self.seen: set[str] = set()
        self._answered: set[tuple[Scalar, ...]] = set()
        self._left: Iterator[Architecture] | None = None

    def take(self, candidate: Architecture) -> bool:
        """Whether the candidate is new; it is remembered."""
        self._answered.add(_told(candidate.answers))
        known = len(self.seen)
        self.seen.add(candidate.identity)
        return len(self.seen) > known

    def knows(self, answers: Answers) -> bool:
        """Whether an architecture with just these answers was proposed, told without building its graph."""
        return _told(answers) in self._answered

    def complete(self, answers: Answers) -> Architecture | None:
        """The architecture that answers decide (see `decide.complete`), or None where it was proposed before."""
        if self.knows(answers):
            return None  # known to be a repeat without building its graph
        candidate = complete(self.space, answers, self.rng)
        return candidate if self.take(candidate) else None

    def first(self, candidates: Callable[[], Architecture], tries: int = TRIES) -> Architecture | None:
        """The first new one of `tries` candidates, or None."""
        for _ in range(tries):
            candidate = candidates()
            if self.take(candidate):
                return candidate
        return None

    def random(self) -> Architecture:
        """A new random architecture.

        Raises:
            Exhausted: there is none left.
        """
        if self._left is None:
            found = self.first(lambda: sample(self.space, self.rng), TRIES * 4)
            if found is not None:
                return found
            # Sampling finds repeats alone: walk the space in order from here on.
            self._left = enumerate_space(self.space)
        try:
            for _, candidate in zip(range(SWEEP), self._left, strict=False):
                if self.take(candidate):
                    return candidate
        except SpaceError as error:
            raise Exhausted(self.space.name, len(self.seen)) from error
        raise Exhausted(self.space.name, len(self.seen))


def _told(answers: Answers) -> tuple[Scalar, ...]:
    return (*answers, *answers.values())
