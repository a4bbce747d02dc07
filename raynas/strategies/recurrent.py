"""The policy of an LSTM that answers one question after the other; it needs torch, and is loaded by who needs it.

Zoph & Le 2017, "Neural Architecture Search with Reinforcement Learning", https://arxiv.org/abs/1611.01578, section 3:
each answer is embedded and is the input of the next step; a softmax on the hidden state gives the next one, with the
same weights in all layers (`layer3/width`, `layer4/width`). Where a question asks whether an earlier part feeds a later
one (`layer3/from1`), the answer is a sigmoid of both parts' hidden states, as for the paper's anchor points. Each
question also has a bias of its own, which the paper does not have: hidden states are too alike at first to tell layers
apart, and hundreds of trainings instead of its 12,800 would end before they do.

Spaces that are functions ask while torch makes all tensors on the device "meta"; here each says that it is on the CPU.

Shapes: B architectures that were asked the same questions, H hidden units, O options of a question.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import NamedTuple

import torch
from torch import Tensor

from raynas.records import Domain, Options
from raynas.strategies.policy import TRUST, Decision, Experience, bins_of, pick

ANCHOR = re.compile(r"(?P<part>.*?)(?P<this>\d+)/from(?P<other>\d+)")
"""The address of a question that asks whether an earlier part feeds this one."""

DIGITS = re.compile(r"\d+")
"""Questions whose addresses differ in these alone share their weights, but for the bias."""


class Learning(NamedTuple):
    """How the policy learns.

    Attributes:
        rate: of Adam.
        entropy: weight of the entropy bonus, per question.
        clip: of PPO's ratio; 0: REINFORCE.
        epochs: steps of Adam on each batch.
    """

    rate: float
    entropy: float
    clip: float = 0.0
    epochs: int = 1


class RecurrentPolicy:
    """The LSTM, whose parts for a question are made when it is first asked.

    Args:
        hidden: units of a layer (H).
        layers: of the LSTM.
        learning: how it learns.
        seed: of its first weights.
        spread: they are uniform in [-spread, spread].
    """

    def __init__(self, hidden: int, layers: int, learning: Learning, seed: int, spread: float = 0.08) -> None:
        self.hidden = hidden
        self.layers = layers
        self.learning = learning
        self.spread = spread
        self.steps = 0
        self._generator = torch.Generator().manual_seed(seed)
        self._weights: dict[str, Tensor] = {}
        self._moments: dict[str, tuple[Tensor, Tensor]] = {}

    def episode(self, rng: Random, temperature: float) -> RecurrentEpisode:
        """A new architecture."""
        return RecurrentEpisode(self, rng, temperature)

    def weight(self, name: str, *shape: int) -> Tensor:
        """A parameter, drawn when it is first needed."""
        if name not in self._weights:
            drawn = torch.rand(shape, generator=self._generator, dtype=torch.float64, device="cpu")
            self._weights[name] = ((2 * drawn - 1) * self.spread).requires_grad_()
            self._moments[name] = (
                torch.zeros(shape, dtype=torch.float64, device="cpu"),
                torch.zeros(shape, dtype=torch.float64, device="cpu"),
            )
        return self._weights[name]

    def learn(self, batch: Sequence[Experience]) -> None:
        """Adam, up the policy gradient of a batch."""
        groups: dict[tuple[str, ...], list[Experience]] = {}
        for experience in batch:
            if experience.decisions:
                groups.setdefault(tuple([d.address for d in experience.decisions]), []).append(experience)
        if not groups:
            return
        with one_thread():
            for _ in range(self.learning.epochs):
                losses = [self._loss(group) for group in groups.values()]
                torch.stack(losses).sum().div(len(batch)).backward()  # type: ignore[no-untyped-call]
                self._step()

    def _loss(self, group: Sequence[Experience]) -> Tensor:
        """Minus what a group of experiences, asked the same questions, wants more of."""
        log_B, entropy_B = self.evaluate([experience.decisions for experience in group])
        advantage_B = torch.tensor([experience.advantage for experience in group], dtype=torch.float64, device="cpu")
        before_B = log_B.detach().clone()
        for row, experience in enumerate(group):
            if experience.log_probability is not None:
                before_B[row] = experience.log_probability
        ratio_B = torch.exp((log_B - before_B).clamp(max=20.0))
        if self.learning.clip:  # Schulman et al. 2017, equation 7
            low, high = 1 - self.learning.clip, 1 + self.learning.clip
            gain_B = torch.minimum(ratio_B * advantage_B, ratio_B.clamp(low, high) * advantage_B)
        else:
            gain_B = ratio_B.detach().clamp(max=TRUST) * advantage_B * log_B
        return -(gain_B + self.learning.entropy * entropy_B).sum()

    def evaluate(self, made: Sequence[Sequence[Decision]]) -> tuple[Tensor, Tensor]:
        """Log-probability and entropy of decisions on the same questions, both summed over questions, [B] each."""
        walk = Walk(self, len(made))
        log_B, entropy_B = (
            torch.zeros(len(made), dtype=torch.float64, device="cpu"),
            torch.zeros(len(made), dtype=torch.float64, device="cpu"),
        )
        for asked in zip(*made, strict=True):
            logs_BO = torch.log_softmax(walk.logits(asked[0].address, asked[0].domain), 1)
            choice_B = torch.tensor([decision.choice for decision in asked], device="cpu")
            log_B = log_B + logs_BO.gather(1, choice_B[:, None])[:, 0]
            entropy_B = entropy_B - (logs_BO.exp() * logs_BO).sum(1)
            walk.take(choice_B)
        return log_B, entropy_B

    @torch.no_grad()
    def _step(self) -> None:
        """Adam (Kingma & Ba 2015, algorithm 1) on all weights that have a gradient."""
        self.steps += 1
        for name, weight in self._weights.items():
            if weight.grad is None:
                continue
            first, second = self._moments[name]
            first.lerp_(weight.grad, 0.1)
            second.lerp_(weight.grad.square(), 0.001)
            root = (second / (1 - 0.999**self.steps)).sqrt_().add_(1e-8)
            weight.addcdiv_(first, root, value=-self.learning.rate / (1 - 0.9**self.steps))
            weight.grad = None


class Walk:
    """One pass of the LSTM over the questions of B architectures.

    Args:
        policy: whose weights.
        batch: how many architectures (B).
    """

    def __init__(self, policy: RecurrentPolicy, batch: int) -> None:
        self.policy = policy
        self.batch = batch
        self._states = [(self._zeros(), self._zeros()) for _ in range(policy.layers)]
        self._input_BH = policy.weight("start", policy.hidden).expand(batch, -1)
        self._parts: dict[str, Tensor] = {}  # the last hidden state of each part
        self._anchor = ""  # the part whose anchor is being asked
        self._fed: list[tuple[Tensor, Tensor]] = []  # its answers so far, and the hidden states of what it was asked of
        self._take: Callable[[Tensor], None] = _nothing

    def logits(self, address: str, domain: Domain) -> Tensor:
        """Of the next question, [B, O]."""
        found = ANCHOR.fullmatch(address) if domain == Options((False, True)) else None
        if found and found["part"] + found["other"] in self._parts:
            logit_B = self._anchored(found["part"] + found["this"], found["part"] + found["other"])
            logit_B = logit_B + self.policy.weight(f"bias {address}", 1)
            return torch.stack((torch.zeros_like(logit_B), logit_B), 1)
        self._leave_anchor()
        state_BH = self._forward()
        if "/" in address:
            self._parts[address.rpartition("/")[0]] = state_BH
        size, hidden = bins_of(domain), self.policy.hidden
        kind = f"{DIGITS.sub('#', address)} {size}"
        embedding_OH = self.policy.weight(f"embedding {kind}", size, hidden)

        def take(choice_B: Tensor) -> None:
            self._input_BH = embedding_OH[choice_B]

        self._take = take
        weight_OH = self.policy.weight(f"softmax {kind}", size, hidden)
        return state_BH @ weight_OH.T + self.policy.weight(f"bias {address} {size}", size)

    def take(self, choice_B: Tensor) -> None:
        """The answers to the question whose logits were asked for last."""
        self._take(choice_B)

    def _anchored(self, this: str, other: str) -> Tensor:
        """P(other feeds this) = sigmoid(v tanh(W_previous h_other + W_current h_this)): what is in the sigmoid."""
        if self._anchor != this:
            self._leave_anchor()
            self._anchor, self._parts[this] = this, self._forward()
        hidden, other_BH = self.policy.hidden, self._parts[other]
        previous_HH = self.policy.weight("anchor previous", hidden, hidden)
        current_HH = self.policy.weight("anchor current", hidden, hidden)
        mixed_BH = torch.tanh(other_BH @ previous_HH + self._parts[this] @ current_HH)
        logit_B = mixed_BH @ self.policy.weight("anchor", hidden)

        def take(choice_B: Tensor) -> None:
            self._fed.append((choice_B.to(torch.float64)[:, None], other_BH))

        self._take = take
        return logit_B

    def _leave_anchor(self) -> None:
        """What fed a part is the next input: the mean of the hidden states, zeros where nothing did."""
        if self._anchor:
            fed_B1 = torch.stack([answer for answer, _ in self._fed]).sum(0).clamp(min=1)
            self._input_BH = torch.stack([answer * state for answer, state in self._fed]).sum(0) / fed_B1
            self._anchor, self._fed = "", []

    def _forward(self) -> Tensor:
        """One step of the LSTM (Hochreiter & Schmidhuber 1997, with forget gates); the last layer's hidden state."""
        x_BH, hidden = self._input_BH, self.policy.hidden
        for layer, (state_BH, cell_BH) in enumerate(self._states):
            weight = self.policy.weight(f"lstm{layer} input", hidden, 4 * hidden)
            again = self.policy.weight(f"lstm{layer} state", hidden, 4 * hidden)
            gates = torch.addmm(self.policy.weight(f"lstm{layer} bias", 4 * hidden), x_BH, weight) + state_BH @ again
            enter, keep, show = torch.sigmoid(gates[:, : 3 * hidden]).chunk(3, 1)
            cell_BH = keep * cell_BH + enter * torch.tanh(gates[:, 3 * hidden :])
            x_BH = show * torch.tanh(cell_BH)
            self._states[layer] = x_BH, cell_BH
        return x_BH

    def _zeros(self) -> Tensor:
        return torch.zeros(self.batch, self.policy.hidden, dtype=torch.float64, device="cpu")


class RecurrentEpisode:
    """Answers from one pass of the LSTM."""

    def __init__(self, policy: RecurrentPolicy, rng: Random, temperature: float) -> None:
        self.rng = rng
        self.temperature = temperature
        with torch.no_grad():
            self.walk = Walk(policy, 1)

    @torch.no_grad()
    def choose(self, address: str, domain: Domain) -> tuple[int, float]:
        """An index, and the logarithm of its probability."""
        with one_thread():
            logits = self.walk.logits(address, domain)[0] / self.temperature
            index, log_probability = pick(torch.softmax(logits, 0).tolist(), self.rng)
            self.walk.take(torch.tensor([index], device="cpu"))
        return index, log_probability


@contextmanager
def one_thread() -> Iterator[None]:
    """torch with one thread: sums then have one order, and their last digits are the same everywhere."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _nothing(choice_B: Tensor) -> None:
    """Before the first question there is no answer to take."""
