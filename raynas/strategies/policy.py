"""What searches by reinforcement learning share: decisions, rewards, and a proposer that asks a policy.

A policy is a distribution over answers that is learned from scores. Numbers are answered by bins: the policy picks the
bin, chance the number in it.

Results come back late, when the policy is another one already. Each proposal is therefore kept with its probability
under the policy that made it, and the gradient is weighted by the ratio of both (Espeholt et al. 2018, "IMPALA",
https://arxiv.org/abs/1802.01561).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random
from typing import NamedTuple, Protocol, cast

from raynas.errors import ConfigError
from raynas.ops import Scalar
from raynas.records import FAILED, RUNNING, Architecture, Domain, Integer, Options, Proposal, Real, Space, Trial
from raynas.spaces.asking import Answering
from raynas.spaces.checks import check_rate
from raynas.spaces.domains import size_of
from raynas.strategies.fresh import Fresh

BINS = 8
"""Of a range with more numbers than that."""

RESAMPLES = 20
"""Draws of one proposal until chance alone proposes."""

PLAIN = 5
"""So many of them at the policy's own temperature; after them each is by HOTTER further from it."""

HOTTER = 1.25


TRUST = 2.0
"""A result counts at most so much more where its proposal has become more likely since."""


class Decision(NamedTuple):
    """An answer as a policy sees it.

    Attributes:
        address: of the question.
        domain: of the question.
        choice: index of the option or the bin.
    """

    address: str
    domain: Domain
    choice: int


class Experience(NamedTuple):
    """What a policy learns from.

    Attributes:
        decisions: in the order in which they were asked.
        log_probability: of all decisions, under the policy that made them; None: it is not known.
        advantage: how much better than expected it was.
    """

    decisions: Sequence[Decision]
    log_probability: float | None
    advantage: float


class Episode(Protocol):
    """A policy that answers the questions of one architecture."""

    def choose(self, address: str, domain: Domain) -> tuple[int, float]:
        """The index of the option or bin, and the logarithm of its probability."""


class Policy(Protocol):
    """A distribution over answers."""

    def episode(self, rng: Random, temperature: float) -> Episode:
        """A new architecture; probabilities are raised to 1 / temperature."""

    def learn(self, batch: Sequence[Experience]) -> None:
        """Makes what was better than expected more likely."""


def bins_of(domain: Domain) -> int:
    """How many indices a question has."""
    size = size_of(domain)
    return int(size) if isinstance(domain, Options) else int(min(size, BINS))


def index_of(domain: Domain, answer: Scalar) -> int:
    """The index of an answer."""
    if isinstance(domain, Options):
        return domain.index(answer)
    count = bins_of(domain)
    if count == 1:
        return 0
    low, high = _scale(domain)
    number = cast(float, answer)
    place = ((math.log(number) if domain.log else number) - low) / (high - low)
    return min(count - 1, max(0, int(place * count)))


def answer_of(domain: Domain, index: int, rng: Random) -> Scalar:
    """The answer of an index: the option, or a number drawn from the bin."""
    if isinstance(domain, Options):
        return domain[index]
    low, high = _scale(domain)
    number = low + (index + rng.random()) * (high - low) / bins_of(domain)
    number = math.exp(number) if domain.log else number
    number = min(domain.high, max(domain.low, number))
    return int(number) if isinstance(domain, Integer) else number


def _scale(domain: Real | Integer) -> tuple[float, float]:
    """The range that is cut into bins; a whole number n stands for [n, n + 1)."""
    low, high = domain.low, domain.high + isinstance(domain, Integer)
    return (math.log(low), math.log(high)) if domain.log else (low, high)


def pick(shares: Sequence[float], rng: Random) -> tuple[int, float]:
    """An index drawn by its probability, and the logarithm of that."""
    left = rng.random() * math.fsum(shares)
    for index, share in enumerate(shares):
        left -= share
        if left < 0:
            return index, math.log(share)
    index = max(range(len(shares)), key=shares.__getitem__)
    return index, math.log(shares[index])


class Rewards:
    """Scores -> advantages: how much better than the moving average of the same rung.

    Scores of different rungs never meet. A trial that goes on from a rung is rewarded there, among all that reached
    the rung, and again at the next one, among those that reached that.

    Args:
        decay: of the moving average, in [0, 1).
        clip: advantages are in standard deviations, and at most so many; 0: raw differences.
        late: the average is compared before it learns the score; otherwise it is drawn towards the score first,
            which makes all advantages smaller and the first one zero.
    """

    def __init__(self, decay: float, clip: float, late: bool = True) -> None:
        self.decay = decay
        self.clip = clip
        self.late = late
        self._rungs: dict[float, _Average] = {}

    def advantage(self, budget: float, score: float) -> float:
        """Of a score, which the average of its rung then knows. The first of a rung has none."""
        score = min(_LARGEST, max(-_LARGEST, score))  # its square is a number
        before = self._rungs.get(budget)
        after = self._rungs[budget] = (before or _Average(0.0, score, 0.0)).with_score(score, self.decay)
        average = before if self.late else after
        if average is None:
            return 0.0
        difference = score - average.mean
        if not self.clip or not difference:
            return difference
        if not average.variance:  # where all were equal before, the deviation is not known
            return math.copysign(1.0, difference)
        return min(self.clip, max(-self.clip, difference / math.sqrt(average.variance)))


_LARGEST = 1e100


class _Average(NamedTuple):
    """Moments that forget: the weight of a score falls by a factor with each one after it."""

    weight: float
    mean: float
    variance: float

    def with_score(self, score: float, decay: float) -> _Average:
        weight = decay * self.weight + 1 - decay
        share = (1 - decay) / weight
        away = score - self.mean
        return _Average(weight, self.mean + share * away, (1 - share) * (self.variance + share * away**2))


class _Told(NamedTuple):
    """A proposal that was made."""

    decisions: tuple[Decision, ...]
    log_probability: float


class _Choosing(Answering):
    """Answers as a policy does, and keeps the decisions."""

    __slots__ = ("decisions", "draw", "episode", "log_probability")

    def __init__(self, episode: Episode, rng: Random) -> None:
        super().__init__({}, None)
        self.episode = episode
        self.draw = rng
        self.decisions: list[Decision] = []
        self.log_probability = 0.0

    def _answer(self, address: str, domain: Domain) -> Scalar:
        index = 0
        if bins_of(domain) > 1:
            index, log_probability = self.episode.choose(address, domain)
            self.decisions.append(Decision(address, domain, index))
            self.log_probability += log_probability
        return answer_of(domain, index, self.draw)


class PolicyProposer:
    """The state: the policy, the rewards, and the proposals that have no result yet.

    Args:
        policy: what proposes and learns.
        rewards: what makes advantages of scores.
        space: what is searched.
        seed: of the search.
        batch: results from which the policy learns at once.
        failure: the advantage of a failed trial is minus this; 0: nothing is learned from it.
        repeats: a network may be proposed again.
    """

    def __init__(
        self,
        policy: Policy,
        rewards: Rewards,
        space: Space,
        seed: int,
        *,
        batch: int = 1,
        failure: float = 1.0,
        repeats: bool = False,
    ) -> None:
        self.policy = policy
        self.rewards = rewards
        self.space = space
        self.rng = Random(seed)
        self.fresh = Fresh(space, self.rng)
        self.batch = batch
        self.failure = failure
        self.repeats = repeats
        self._open: dict[str, list[_Told]] = {}  # by identity: proposals whose trial has told nothing yet
        self._known: dict[int, tuple[_Told | None, float]] = {}  # running trials: proposal, last budget
        self._batch: list[Experience] = []

    def ask(self) -> Proposal:
        """What the policy draws; where it draws repeats alone, it is drawn from further and further off it.

        Raises:
            Exhausted: every architecture of the space was proposed.
        """
        for attempt in range(RESAMPLES):
            temperature = HOTTER ** max(0, attempt + 1 - PLAIN)
            choose = _Choosing(self.policy.episode(self.rng, temperature), self.rng)
            graph = self.space.decide(choose)
            drawn = Architecture(self.space.name, choose.answers, graph, choose.questions)
            if self.fresh.take(drawn) or self.repeats:
                return self._propose(drawn, _Told(tuple(choose.decisions), choose.log_probability))
        chance = self.fresh.random()
        decisions = decisions_of(chance)
        return self._propose(chance, _Told(decisions, -sum(math.log(bins_of(d.domain)) for d in decisions)))

    def tell(self, trial: Trial) -> None:
        """The policy learns at each rung, and at the end from what is new then."""
        told, budget = self._known.get(trial.id) or (self._pop(trial.architecture.identity), 0.0)
        if trial.score is not None and trial.budget > budget:
            budget = trial.budget
            self._learn(trial, told, self.rewards.advantage(budget, trial.score))
        elif trial.status == FAILED and self.failure:
            self._learn(trial, told, -self.failure)
        if trial.status == RUNNING:
            self._known[trial.id] = told, budget
        else:
            self._known.pop(trial.id, None)

    def _propose(self, architecture: Architecture, told: _Told) -> Proposal:
        self._open.setdefault(architecture.identity, []).append(told)
        return Proposal(architecture)

    def _pop(self, identity: str) -> _Told | None:
        """The oldest proposal of a network that has no result; None: it came from elsewhere."""
        waiting = self._open.get(identity)
        if not waiting:
            return None
        told = waiting.pop(0)
        if not waiting:
            del self._open[identity]
        return told

    def _learn(self, trial: Trial, told: _Told | None, advantage: float) -> None:
        decisions = told.decisions if told else decisions_of(trial.architecture)
        self._batch.append(Experience(decisions, told.log_probability if told else None, advantage))
        if len(self._batch) >= self.batch:
            self.policy.learn(self._batch)
            self._batch = []


def decisions_of(architecture: Architecture) -> tuple[Decision, ...]:
    """The decisions that give an architecture."""
    answers, questions = architecture.answers, architecture.questions
    return tuple([Decision(a, d, index_of(d, answers[a])) for a, d in questions.items() if bins_of(d) > 1])


def check_policy(settings: object, *positive: str) -> None:
    """Checks the settings that searches by reinforcement learning share.

    Raises:
        ConfigError: one is out of its range.
    """
    check_rate(settings, "decay")
    for name in positive:
        if not 0 < getattr(settings, name) < math.inf:
            raise ConfigError(f"{name} must be positive, but got {getattr(settings, name)}")
    for name in ("entropy", "failure"):
        if not 0 <= getattr(settings, name) < math.inf:
            raise ConfigError(f"{name} must be at least 0, but got {getattr(settings, name)}")
