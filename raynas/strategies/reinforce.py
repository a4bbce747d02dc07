"""REINFORCE with a table: each question has its own distribution, learned from scores.

The policy is that of NATS-Bench: Dong et al. 2021, "NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology
and Size", https://arxiv.org/abs/2009.00437; the rule is that of Williams 1992, "Simple statistical gradient-following
algorithms for connectionist reinforcement learning". Rewards are standardised, the policy is kept from converging too
early by its entropy, and it never proposes a network again. On NAS-Bench-201 it is behind evolution up to 100 trainings
and level with it after 200; the published settings are level with random search there.

Shapes: Q questions met so far, O options of the largest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from raynas.errors import ConfigError
from raynas.objectives import Objectives
from raynas.records import Domain, Space
from raynas.settings import check_types
from raynas.strategies.policy import TRUST, Experience, PolicyProposer, Rewards, bins_of, check_policy, pick


@dataclass(frozen=True)
class Reinforce:
    """A softmax per question, REINFORCE with a moving-average baseline, Adam.

    Attributes:
        learning_rate: of Adam.
        decay: of the moving average that scores are compared with, in [0, 1).
        entropy: weight of the entropy bonus; rewards are in standard deviations.
        clip: most standard deviations of a reward; 0: rewards are not standardised.
        failure: standard deviations below the average that a failed trial counts as; 0: it does not count.
        early: the average learns a score before the score is compared with it, as in the published code.
        repeats: a network may be proposed again, as in the published code.
    """

    learning_rate: float = 0.1
    decay: float = 0.9
    entropy: float = 0.05
    clip: float = 3.0
    failure: float = 1.0
    early: bool = False
    repeats: bool = False

    def __post_init__(self) -> None:
        check_types(self)
        check_policy(self, "learning_rate")
        if not 0 <= self.clip < math.inf:
            raise ConfigError(f"clip must be at least 0, but got {self.clip}")

    @classmethod
    def published(cls, learning_rate: float = 0.01) -> Reinforce:
        """As in the code of NATS-Bench; that of NAS-Bench-201 has a learning rate of 0.5."""
        return cls(learning_rate, entropy=0.0, clip=0.0, failure=0.0, early=True, repeats=True)

    def begin(self, space: Space, objectives: Objectives, seed: int) -> PolicyProposer:
        """A new search; only the first objective counts."""
        rewards = Rewards(self.decay, self.clip, late=not self.early)
        policy = Table(self.learning_rate, self.entropy)
        return PolicyProposer(policy, rewards, space, seed, failure=self.failure, repeats=self.repeats)


class Table:
    """The policy: a row of logits for each question, which may come up at any time.

    Args:
        learning_rate: of Adam.
        entropy: weight of the entropy bonus.
    """

    def __init__(self, learning_rate: float, entropy: float) -> None:
        self.learning_rate = learning_rate
        self.entropy = entropy
        self.steps = 0
        self._rows: dict[tuple[str, type, Domain], int] = {}
        self._logits_QO = np.zeros((0, 0))
        self._moments_2QO = np.zeros((2, 0, 0))
        self._shares: dict[tuple[int, float], list[float]] = {}  # of a row at a temperature, until it changes

    def episode(self, rng: Random, temperature: float) -> TableEpisode:
        """A new architecture."""
        return TableEpisode(self, rng, temperature)

    def row(self, address: str, domain: Domain) -> int:
        """Where the logits of a question are."""
        key = address, type(domain), domain
        if key not in self._rows:
            self._rows[key] = row = len(self._rows)
            count = bins_of(domain)
            more = ((0, 1), (0, max(0, count - self._logits_QO.shape[1])))
            self._logits_QO = np.pad(self._logits_QO, more, constant_values=-np.inf)
            self._logits_QO[row, :count] = 0
            self._moments_2QO = np.pad(self._moments_2QO, ((0, 0), *more))
        return self._rows[key]

    def shares(self, row: int, temperature: float) -> list[float]:
        """The probabilities of a row."""
        found = self._shares.get((row, temperature))
        if found is None:
            logits = self._logits_QO[row]
            found = self._shares[row, temperature] = _softmax(logits[logits > -np.inf] / temperature).tolist()
        return found

    def learn(self, batch: Sequence[Experience]) -> None:
        """One step of Adam (Kingma & Ba 2015) up the gradient of each experience."""
        for experience in batch:
            rows = [self.row(d.address, d.domain) for d in experience.decisions]
            chosen = [d.choice for d in experience.decisions]
            if rows:
                self._step(rows, chosen, experience)

    def _step(self, rows: list[int], chosen: list[int], experience: Experience) -> None:
        """The gradient of ratio * advantage * log p + entropy * H, by the logits."""
        shares = _softmax(self._logits_QO[rows])
        each = np.arange(len(rows))
        logs = np.log(np.maximum(shares, 1e-300))
        weight = experience.advantage
        if experience.log_probability is not None:
            ratio = math.exp(min(0.0, logs[each, chosen].sum() - experience.log_probability - math.log(TRUST)))
            weight *= TRUST * ratio
        gradient = -weight * shares
        gradient[each, chosen] += weight
        spread = -(shares * logs).sum(1, keepdims=True)
        gradient -= self.entropy * shares * (logs + spread)
        whole = np.zeros_like(self._logits_QO)
        whole[rows] = gradient
        self.steps += 1
        first, second = self._moments_2QO
        first += 0.1 * (whole - first)
        second += 0.001 * (whole**2 - second)
        # Equation 2 of Adam: both moments are corrected for their start at zero.
        root = np.sqrt(second / (1 - 0.999**self.steps)) + 1e-8
        self._logits_QO += self.learning_rate * first / (1 - 0.9**self.steps) / root
        self._shares.clear()


class TableEpisode:
    """Answers from the table, each question by itself."""

    def __init__(self, table: Table, rng: Random, temperature: float) -> None:
        self.table = table
        self.rng = rng
        self.temperature = temperature

    def choose(self, address: str, domain: Domain) -> tuple[int, float]:
        """An index, and the logarithm of its probability."""
        return pick(self.table.shares(self.table.row(address, domain), self.temperature), self.rng)


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    raised = np.exp(logits - logits.max(-1, keepdims=True))
    shares: NDArray[np.float64] = raised / raised.sum(-1, keepdims=True)
    return shares
