"""Any strategy, and after it the finals: the best that were stopped early are trained in full, and so judged.

A short training is a good filter and a poor judge (see promotion.py), and asynchronous halving stops some of the best
because they came early or late. `Auto` has finals of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from raynas.errors import ConfigError, Exhausted
from raynas.objectives import Objectives
from raynas.records import RUNNING, STOPPED, Proposal, Proposer, Space, Strategy, Trial
from raynas.settings import check_types
from raynas.spaces.checks import check_whole
from raynas.strategies.regularized_evolution import RegularizedEvolution


@dataclass(frozen=True)
class Finals:
    """A strategy, and then full trainings of its best stopped trials.

    Attributes:
        search: who proposes first.
        trials: so many times. The finals begin with what is known then, while the last of these may still run.
        finalists: how many are trained in full; further proposals are those of `search` again.
    """

    search: Strategy = field(default_factory=RegularizedEvolution)
    trials: int = 36
    finalists: int = 4

    def __post_init__(self) -> None:
        check_whole(self, "trials", "finalists")
        if isinstance(self.search, type) or not isinstance(self.search, Strategy):
            raise ConfigError(f"search must be a strategy, but got {self.search!r}")
        check_types(self)

    def begin(self, space: Space, objectives: Objectives, seed: int) -> FinalsProposer:
        """A new search; finalists are told by the first objective."""
        return FinalsProposer(self, self.search.begin(space, objectives, seed))


class FinalsProposer:
    """The state: who was stopped and is no finalist yet."""

    def __init__(self, settings: Finals, search: Proposer) -> None:
        self.settings = settings
        self.search = search
        self.asked = 0
        self.finalists: set[str] = set()
        self._stopped: dict[int, Trial] = {}

    def ask(self) -> Proposal | None:
        """What the strategy proposes, or in its time the next finalist.

        Raises:
            Exhausted: the strategy has nothing left, and nobody is left for the finals.
        """
        due = self.asked >= self.settings.trials
        if due and len(self.finalists) < self.settings.finalists and self._stopped:
            return self._finalist()
        try:
            proposal = self.search.ask()
        except Exhausted:
            if self._stopped and len(self.finalists) < self.settings.finalists:
                return self._finalist()
            raise
        self.asked += proposal is not None
        return proposal

    def tell(self, trial: Trial) -> None:
        """The strategy hears of all trials but finals, whose architectures it has heard of."""
        if trial.architecture.identity in self.finalists:
            return
        if not trial.id and self.asked:
            self.asked -= 1  # it broke a constraint and took no trial
        if trial.status == STOPPED and trial.score is not None:
            self._stopped[trial.id] = trial
        elif trial.status != RUNNING:
            self._stopped.pop(trial.id, None)
        self.search.tell(trial)

    def _finalist(self) -> Proposal:
        """The best of the highest rung: scores of different rungs never meet."""
        best = max(self._stopped.values(), key=lambda trial: (trial.budget, trial.score or 0.0, -trial.id))
        del self._stopped[best.id]
        self.finalists.add(best.architecture.identity)
        return Proposal(best.architecture, best.id, math.inf)
