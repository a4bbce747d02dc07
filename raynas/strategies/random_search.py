"""Random search: the baseline that every strategy must beat.

Li & Talwalkar 2019, "Random Search and Reproducibility for Neural Architecture Search",
https://arxiv.org/abs/1902.07638.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from raynas.objectives import Objectives
from raynas.records import Proposal, Space, Trial
from raynas.strategies.fresh import Fresh


@dataclass(frozen=True)
class RandomSearch:
    """Draws every answer at random and never proposes the same network twice."""

    def begin(self, space: Space, objectives: Objectives, seed: int) -> RandomProposer:
        """A new search."""
        return RandomProposer(space, seed)


class RandomProposer:
    """The state: what was proposed."""

    def __init__(self, space: Space, seed: int) -> None:
        self.fresh = Fresh(space, Random(seed))

    def ask(self) -> Proposal:
        """A new random architecture.

        Raises:
            Exhausted: every architecture of the space was proposed.
        """
        return Proposal(self.fresh.random())

    def tell(self, trial: Trial) -> None:
        """Results change nothing."""
