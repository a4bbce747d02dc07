"""A recurrent network proposes architectures and learns from their scores by REINFORCE.

Zoph & Le 2017, "Neural Architecture Search with Reinforcement Learning", https://arxiv.org/abs/1611.01578. The rule is
Williams' with a moving average as the baseline; which earlier layers feed a layer is decided by the paper's anchor
points in spaces that ask so (`skip_chain`). Other than there, the reward is the score in standard deviations and not
its cube, and no network is proposed twice. See recurrent.py for the LSTM and policy.py for results that come late.
"""

from __future__ import annotations

from dataclasses import dataclass

from raynas.objectives import Objectives
from raynas.records import Space
from raynas.settings import check_types
from raynas.spaces.checks import check_whole
from raynas.strategies.policy import PolicyProposer, Rewards, check_policy


@dataclass(frozen=True)
class Controller:
    """An LSTM over the decisions, REINFORCE, a moving-average baseline.

    Attributes:
        hidden: units of a layer of the LSTM.
        layers: of the LSTM.
        learning_rate: of Adam.
        batch: results from which it learns at once (m of the paper, where each of K replicas collects so many).
        decay: of the moving average that scores are compared with, in [0, 1).
        entropy: weight of the entropy bonus of a question; rewards are in standard deviations.
        clip: most standard deviations of a reward.
        failure: standard deviations below the average that a failed trial counts as; 0: it does not count.
    """

    hidden: int = 35
    layers: int = 2
    learning_rate: float = 0.01
    batch: int = 1
    decay: float = 0.9
    entropy: float = 0.1
    clip: float = 3.0
    failure: float = 1.0

    def __post_init__(self) -> None:
        check_types(self)
        check_whole(self, "hidden", "layers", "batch")
        check_policy(self, "learning_rate", "clip")

    @classmethod
    def published(cls) -> Controller:
        """The paper's settings, made for 12,800 trainings."""
        return cls(learning_rate=0.0006, batch=8, decay=0.95, entropy=0.0)

    def begin(self, space: Space, objectives: Objectives, seed: int) -> PolicyProposer:
        """A new search; only the first objective counts."""
        from raynas.strategies.recurrent import Learning, RecurrentPolicy

        learning = Learning(self.learning_rate, self.entropy)
        policy = RecurrentPolicy(self.hidden, self.layers, learning, seed)
        rewards = Rewards(self.decay, self.clip)
        return PolicyProposer(policy, rewards, space, seed, batch=self.batch, failure=self.failure)
