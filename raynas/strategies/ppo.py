"""A recurrent network proposes architectures and learns from their scores by proximal policy optimisation.

Zoph, Vasudevan, Shlens & Le 2018, "Learning Transferable Architectures for Scalable Image Recognition" (NASNet),
https://arxiv.org/abs/1707.07012, appendix A.2; Schulman et al. 2017, "Proximal Policy Optimization Algorithms",
https://arxiv.org/abs/1707.06347. PPO bounds how far a batch moves the policy, so each batch is used several times.
"""

from __future__ import annotations

from dataclasses import dataclass

from raynas.objectives import Objectives
from raynas.records import Space
from raynas.settings import check_types
from raynas.spaces.checks import check_whole
from raynas.strategies.policy import PolicyProposer, Rewards, check_policy


@dataclass(frozen=True)
class Ppo:
    """An LSTM over the decisions, PPO, a moving-average baseline.

    Attributes:
        hidden: units of the LSTM, which has one layer.
        learning_rate: of Adam.
        batch: results from which it learns at once.
        epochs: steps on each batch.
        ratio: PPO's clip (epsilon): probabilities that changed by more than this share are not changed further.
        decay: of the moving average that scores are compared with, in [0, 1).
        entropy: weight of the entropy bonus of a question; rewards are in standard deviations.
        clip: most standard deviations of a reward.
        failure: standard deviations below the average that a failed trial counts as; 0: it does not count.
    """

    hidden: int = 100
    learning_rate: float = 0.01
    batch: int = 8
    epochs: int = 4
    ratio: float = 0.2
    decay: float = 0.95
    entropy: float = 0.05
    clip: float = 3.0
    failure: float = 1.0

    def __post_init__(self) -> None:
        check_types(self)
        check_whole(self, "hidden", "batch", "epochs")
        check_policy(self, "learning_rate", "ratio", "clip")

    @classmethod
    def published(cls) -> Ppo:
        """The settings of NASNet, made for 20,000 trainings."""
        return cls(learning_rate=0.00035, batch=20, epochs=1, entropy=0.00001)

    def begin(self, space: Space, objectives: Objectives, seed: int) -> PolicyProposer:
        """A new search; only the first objective counts."""
        from raynas.strategies.recurrent import Learning, RecurrentPolicy

        learning = Learning(self.learning_rate, self.entropy, self.ratio, self.epochs)
        policy = RecurrentPolicy(self.hidden, 1, learning, seed)
        rewards = Rewards(self.decay, self.clip)
        return PolicyProposer(policy, rewards, space, seed, batch=self.batch, failure=self.failure)
