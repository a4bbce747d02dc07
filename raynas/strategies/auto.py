"""The default: many first looks guided by a model, and the full training only for what looked best.

Level by level, each of fewer and longer trainings. The first level is a search of its own: it begins with random
architectures, a part of them the larger ones of a pool (the number of weights is the free proxy that is hardest to
beat, but chosen hard it misleads: Abdelfattah et al. 2021, https://arxiv.org/abs/2101.08134), and goes on with
`RidgeSearch`. Every further level trains the best of the level before anew, with a schedule of its own length: the end
of a short training tells more than the beginning of a long one. Once there are some long trainings, who is the best of
the level before is told by them too (promotion.py).
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from raynas.cost import cost
from raynas.errors import ConfigError, Exhausted, GraphError
from raynas.objectives import Objectives
from raynas.ops import CODE
from raynas.plan import Task
from raynas.records import RUNNING, Architecture, Proposal, Space, Trial
from raynas.settings import check_types
from raynas.spaces.checks import check_whole
from raynas.spaces.decide import sample
from raynas.strategies.promotion import expected
from raynas.strategies.ridge import RidgeSearch


@dataclass(frozen=True)
class Auto:
    """Model-guided first looks, then longer and longer trainings of the best.

    Attributes:
        levels: (epochs, trials) of each level, epochs rising; 0 epochs: to the full budget.
        warm: first looks at the largest of a pool.
        pool: of so many random architectures.
        search: of the other first looks.
    """

    levels: tuple[tuple[float, int], ...] = ((1, 34), (3, 4), (0, 2))
    warm: int = 10
    pool: int = 100
    search: RidgeSearch = field(default_factory=RidgeSearch)

    def __post_init__(self) -> None:
        check_types(self)
        epochs = [level[0] or math.inf for level in self.levels]
        if not self.levels or any(a >= b for a, b in zip((0, *epochs), epochs, strict=False)):
            raise ConfigError(f"levels must be (epochs, trials) with rising epochs, but got {self.levels!r}")
        if min(trials for _, trials in self.levels) < 1:
            raise ConfigError(f"each of levels needs at least one trial, but got {self.levels!r}")
        check_whole(self, "pool")
        check_whole(self, "warm", least=0)
        if self.warm > self.pool:
            raise ConfigError(f"warm must be at most pool, but got (warm={self.warm}, pool={self.pool})")

    @classmethod
    def for_search(cls, trials: int, epochs: float) -> Auto:
        """Levels for so many trials of at most so many epochs: a sixteenth, a quarter, and all of them."""
        short = sorted({max(1.0, epochs // 16), max(1.0, epochs // 4)} - {float(epochs)})
        last = max(1, round(0.05 * trials))
        middle = max(1, round(0.15 * trials)) if len(short) > 1 else 0
        first = trials - last - middle
        if not short or first < 2 * (last + middle):
            return cls(((0, trials),), *_beginning(trials))
        counts = [first, middle] if middle else [first]
        return cls((*zip(short, counts, strict=True), (0, last)), *_beginning(first))

    @classmethod
    def for_budget(cls, trainings: float, fidelities: tuple[float, ...]) -> Auto:
        """Levels that cost so many full trainings, where a level is one of the fidelities (epochs, rising).

        A longer training counts with what a shorter one of the same architecture costs before it.
        """
        full = fidelities[-1]
        if len(fidelities) == 1:
            trials = max(1, int(trainings))
            return cls(((0, trials),), *_beginning(trials))
        first = min(0.7, max(0.45, 7 / trainings))  # more first looks than that find little more
        middle = [(1 - first) / 3 / (len(fidelities) - 2)] * (len(fidelities) - 2) if len(fidelities) > 2 else []
        shares = [first, *middle, 1 - first - sum(middle)]
        counts = [max(1, round(share * trainings * full / e)) for share, e in zip(shares, fidelities, strict=True)]
        levels = [(e if e < full else 0, n) for e, n in zip(fidelities, counts, strict=True)]
        return cls(tuple(levels), *_beginning(counts[0]))

    def begin(self, space: Space, objectives: Objectives, seed: int) -> AutoProposer:
        """A new search; only the first objective counts."""
        return AutoProposer(self, space, objectives, seed)


def _beginning(trials: int) -> tuple[int, int, RidgeSearch]:
    """Warm starts, their pool, and how the other first looks begin: a third of few, ten and ten of many."""
    initial = min(20, max(2, trials // 3))
    return initial // 2, 10 * max(1, initial // 2), RidgeSearch(initial=initial - initial // 2)


class AutoProposer:
    """The state: who was asked at which level, and what came back."""

    def __init__(self, settings: Auto, space: Space, objectives: Objectives, seed: int) -> None:
        self.settings = settings
        self.space = space
        self.search = settings.search.begin(space, objectives, seed)
        self.warm: deque[Architecture] | None = None
        self.asked = [0] * len(settings.levels)
        self.told: list[dict[int, Trial]] = [{} for _ in settings.levels]  # level -> trial -> what it scored
        self.promoted: set[int] = set()
        self.running = [0] * len(settings.levels)
        self._level: dict[str, int] = {}  # identity -> the level of its latest training

    def ask(self) -> Proposal | None:
        """The next first look, or the next training of a level above.

        Returns:
            None where a level waits for the one below.

        Raises:
            Exhausted: every architecture was looked at, and whoever scored was trained in full.
        """
        levels = self.settings.levels
        for level, (_, trials) in enumerate(levels):
            if self.asked[level] < trials:
                if level and (self.running[level - 1] or self.running[level] >= self._enough(level)):
                    return None  # the best may be among those that run below; those that run here tell who is next
                proposal = self._promote(level) if level else self._look()
                if proposal is not None:
                    return self._sent(proposal, level)
        if any(self.running) and len(levels) > 1:
            return None  # what comes after the plan would take the place of what was planned, where budgets are shared
        for level in range(len(levels) - 1, 0, -1):  # more trials than planned: whoever was not promoted yet
            proposal = self._promote(level)
            if proposal is not None:
                return self._sent(proposal, level)
        proposal = self._look()
        if proposal is not None:
            return self._sent(proposal, 0)
        raise Exhausted(self.space.name, len(self._level))

    def tell(self, trial: Trial) -> None:
        """A trial that ended without a failure has a score at its level; the search hears of first looks."""
        if trial.status == RUNNING:
            return
        level = self._level[trial.architecture.identity]
        self.running[level] -= 1
        if not trial.id:
            self.asked[level] -= 1  # it broke a constraint and took no trial
        if not level:
            self.search.tell(trial)
        if trial.score is not None:
            self.told[level][trial.id] = trial

    def _sent(self, proposal: Proposal, level: int) -> Proposal:
        self.asked[level] += 1
        self.running[level] += 1
        self._level[proposal.architecture.identity] = level
        return proposal._replace(budget=self.settings.levels[level][0] or math.inf)

    def _promote(self, level: int) -> Proposal | None:
        """Who of the level below was not promoted yet and should do best here; by its score there, at first."""
        short = list(self.told[level - 1].values())
        left = [trial for trial in short if trial.id not in self.promoted]
        if not left:
            return None
        here = {trial.architecture.identity: trial for trial in self.told[level].values()}
        both = [(t, here[t.architecture.identity]) for t in short if t.architecture.identity in here]
        if len(both) < self._enough(level):
            both = []
        worth = expected(left, short, both, self.search.features)
        best = left[max(range(len(left)), key=lambda i: (worth[i], -left[i].id))]
        self.promoted.add(best.id)
        return Proposal(best.architecture, best.id)

    def _enough(self, level: int) -> int:
        """So many trainings of a level tell who else should have one."""
        return max(3, math.ceil(self.settings.levels[level][1] / 3))

    def _look(self) -> Proposal | None:
        """An architecture that was never looked at; None: there is none left."""
        if self.warm is None:
            self.warm = deque(self._large())
        if self.warm:
            return Proposal(self.warm.popleft())
        try:
            return self.search.ask()
        except Exhausted:
            return None

    def _large(self) -> list[Architecture]:
        """The largest of a pool of random architectures; none where only running a person's code would tell."""
        if not self.settings.warm:
            return []
        rng = self.search.rng
        pool = {a.identity: a for a in (sample(self.space, rng) for _ in range(self.settings.pool))}
        sizes = {identity: _params(architecture) for identity, architecture in pool.items()}
        if None in sizes.values():
            return []
        order = sorted(pool, key=lambda identity: (-(sizes[identity] or 0), identity))
        return [pool[i] for i in order[: self.settings.warm] if self.search.fresh.take(pool[i])]


def _params(architecture: Architecture) -> int | None:
    """How many weights the network has for small images; None where only running code would tell."""
    graph = architecture.graph
    if any(node.op == CODE for node in graph.nodes):
        return None
    try:
        return cost(graph, Task()).params
    except GraphError:
        return None
