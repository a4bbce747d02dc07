"""Model-based search: a model of the scores told so far ranks mutations of the best; what ridge and bananas share.

The acquisition is independent Thompson sampling (White, Neiswanger & Savani 2021, "BANANAS", section 5,
https://arxiv.org/abs/1910.11858): a score is drawn for each candidate from the model's mean and spread there, and the
highest draws are proposed. Candidates are mutations of the best architectures, which decides more than the model does
(Schneider et al. 2021, "Mutation is all you need", https://arxiv.org/abs/2107.07343).

Shapes: N architectures told, M candidates, D columns of `Features`.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from functools import lru_cache
from random import Random
from statistics import NormalDist
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from raynas.errors import SpaceError
from raynas.ops import Scalar
from raynas.records import FAILED, Architecture, Proposal, Space, Trial
from raynas.spaces.decide import changed, complete, editable, mutate, sample
from raynas.strategies.features import Encoded, Features, Matrix
from raynas.strategies.fresh import TRIES, Fresh

Vector = NDArray[np.float64]

FAILURE = (-1.0, 0.0)
"""The fitness of a failed trial, below all others."""


class Model(Protocol):
    """A model of scores that says how sure it is."""

    def fit(self, x_ND: Matrix, y_N: Vector, rng: np.random.Generator) -> None:
        """Learns from nothing but these; scores have mean 0 and standard deviation 1 or less."""

    def predict(self, x_MD: Matrix) -> tuple[Vector, Vector]:
        """Mean and standard deviation, [M] each."""


class Settings(Protocol):
    """What `ModelProposer` reads of a strategy; see `RidgeSearch`."""

    @property
    def initial(self) -> int:
        """Random architectures before the first model."""

    @property
    def batch(self) -> int:
        """Proposals a fit."""

    @property
    def top(self) -> int:
        """How many of the best are mutated."""

    @property
    def candidates(self) -> int:
        """How many are ranked."""

    @property
    def explore(self) -> float:
        """Share of candidates that are random."""

    @property
    def patience(self) -> int:
        """So many results without a better one double the model's spread, twice as many treble it."""

    @property
    def history(self) -> int:
        """Most trials that a model learns from."""


class Result(NamedTuple):
    """What is known of a trial. Fitness compares the budget first: scores compare at a common rung alone."""

    fitness: tuple[float, float]
    trial: int
    encoded: Encoded
    architecture: Architecture


class ModelProposer:
    """The state: results by trial, proposals in waiting.

    Args:
        settings: of the strategy.
        space: what is searched.
        seed: of the search.
        model: makes what learns; a fit forgets the one before.
    """

    def __init__(self, settings: Settings, space: Space, seed: int, model: Callable[[], Model]) -> None:
        self.settings = settings
        self.space = space
        self.rng = Random(seed)
        self.numpy_rng = np.random.default_rng(seed)
        self.fresh = Fresh(space, self.rng)
        self.features = Features()
        self.model = model
        self.results: dict[int, Result] = {}
        self.asked = 0
        self._waiting: deque[Proposal] = deque()
        self._highest = FAILURE
        self._stale = 0  # results since the last one that was the best

    def ask(self) -> Proposal:
        """A random architecture until there are `initial` of them, then what the model ranks highest.

        Raises:
            Exhausted: every architecture of the space was proposed.
        """
        self.asked += 1
        if not self._waiting and self.asked > self.settings.initial and self._highest > FAILURE:
            self._waiting.extend(self._plan())
        return self._waiting.popleft() if self._waiting else Proposal(self.fresh.random())

    def tell(self, trial: Trial) -> None:
        """A score counts at once, at rungs too. A failed trial ranks below all others and is never mutated."""
        if trial.score is not None:
            fitness = (trial.budget, trial.score)
        elif trial.status == FAILED:
            fitness = FAILURE
        else:
            return
        self._stale = 0 if fitness > self._highest else self._stale + 1
        self._highest = max(self._highest, fitness)
        known = self.results.get(trial.id)
        encoded = known.encoded if known else self.features.encode(trial.architecture)
        self.results[trial.id] = Result(fitness, trial.id, encoded, trial.architecture)

    def _best(self, count: int) -> list[Result]:
        return heapq.nlargest(count, self.results.values())

    def _plan(self) -> list[Proposal]:
        """The proposals of one fit: the highest draws that are new."""
        candidates = self._candidates()
        if not candidates:
            return []
        encoded = [self.features.encode(architecture) for _, architecture in candidates]
        told = self._evidence()
        model = self.model()
        scores = normal_scores([r.fitness for r in told])
        model.fit(self.features.matrix([r.encoded for r in told]), scores, self.numpy_rng)
        mean, spread = model.predict(self.features.matrix(encoded))
        spread = spread * (1 + self._stale / self.settings.patience)
        draws = mean + spread * self.numpy_rng.standard_normal(len(candidates))
        planned: list[Proposal] = []
        for index in np.argsort(-draws, kind="stable"):
            parent, architecture = candidates[index]
            if self.fresh.take(architecture):
                planned.append(Proposal(architecture, parent))
                if len(planned) == self.settings.batch:
                    break
        return planned

    def _evidence(self) -> list[Result]:
        """The results to learn from: all, or the best half and the youngest where they are too many."""
        limit = self.settings.history
        if len(self.results) <= limit:
            return list(self.results.values())
        best = self._best(limit // 2)
        taken = {r.trial for r in best}
        young = [r for r in list(self.results.values())[-limit:] if r.trial not in taken]
        return best + young[len(best) - limit :]

    def _candidates(self) -> list[tuple[int | None, Architecture]]:
        """Parents' trials and architectures: one or two changes from the best, and some random ones."""
        best = [r for r in self._best(self.settings.top) if r.fitness > FAILURE]
        if not best:
            return []  # whoever scored at a rung failed later
        random = round(self.settings.candidates * self.settings.explore)
        mutated = self.settings.candidates - random
        found: list[tuple[int | None, Architecture]] = []
        for _ in range(mutated + TRIES):
            if len(found) == mutated:
                break
            parent = best[int(self.rng.random() * len(best))]
            child = self._near(parent.architecture)
            if child is not None:
                found.append((parent.trial, child))
        for _ in range(random):
            other = sample(self.space, self.rng)
            if not self.fresh.knows(other.answers):
                found.append((None, other))
        return found

    def _near(self, parent: Architecture) -> Architecture | None:
        """One or two changes away, or two answers exchanged; None where it is a known repeat or cannot be changed.

        An exchange reaches at once what two changes reach through worse architectures: a skip on another edge.
        """
        changes = 1 + int(3 * self.rng.random())
        if editable(self.space):
            try:
                return mutate(self.space, parent, self.rng, min(2, changes))
            except SpaceError:
                return None
        answers = changed(parent, self.rng, changes) if changes < 3 else exchanged(parent, self.rng)
        return None if self.fresh.knows(answers) else complete(self.space, answers, self.rng)


def exchanged(architecture: Architecture, rng: Random) -> dict[str, Scalar]:
    """The answers with two exchanged, of questions with the same options; one changed where ten tries find none."""
    addresses, answers = list(architecture.questions), architecture.answers
    for _ in range(10):
        one, other = (addresses[int(rng.random() * len(addresses))] for _ in range(2))
        if answers[one] != answers[other] and architecture.questions[one] == architecture.questions[other]:
            return {**answers, one: answers[other], other: answers[one]}
    return changed(architecture, rng, 1)


def normal_scores(fitness: Sequence[Any]) -> Vector:
    """Fitness -> its rank, as the quantile of a normal distribution; equal ones share their mean rank, [N].

    Ranks need no common scale of the rungs, and a network that did not learn at all is no outlier.
    """
    order = sorted(range(len(fitness)), key=lambda i: fitness[i])
    quantiles = _quantiles(len(fitness))
    found = np.empty(len(fitness))
    first = 0
    while first < len(order):
        last = first
        while last + 1 < len(order) and fitness[order[last + 1]] == fitness[order[first]]:
            last += 1
        found[order[first : last + 1]] = quantiles[first : last + 1].mean()
        first = last + 1
    return found


@lru_cache(maxsize=4096)
def _quantiles(count: int) -> Vector:
    normal = NormalDist()
    return np.array([normal.inv_cdf((rank + 0.5) / count) for rank in range(count)])
