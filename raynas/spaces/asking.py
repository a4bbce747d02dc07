"""How a space's questions are answered: `Answering` keeps, draws or replays; `Part` asks under a prefix."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar, cast

from raynas.errors import ArchitectureError, SpaceError
from raynas.ops import Scalar
from raynas.records import HYPERPARAMETER, Answers, Choose, Domain, Integer, Real
from raynas.spaces.domains import TEXTS, checked_options, checked_range, contains, draw, told

MAX_QUESTIONS = 10_000
"""A `decide` that asks more is taken for one that never ends."""

T = TypeVar("T", bound=Scalar)


class Answering:
    """A `Choose` that keeps the answers it is given, samples the missing ones and records every question.

    With `rng` None a missing answer is an error: that is a replay.
    """

    __slots__ = ("answers", "asked", "given", "questions", "rng")

    def __init__(self, given: Answers, rng: Random | None) -> None:
        self.given = given
        self.rng = rng
        self.asked = 0
        self.answers: dict[str, Scalar] = {}
        self.questions: dict[str, Domain] = {}

    def __call__(self, address: str, options: Sequence[T]) -> T:
        """One of `options`."""
        try:
            domain = TEXTS.get(options)
        except TypeError:  # a list, or options that are no scalars
            domain = None
        if domain is not None and address not in self.answers:
            value = self.given.get(address)
            if value in domain:  # the usual case, made short
                self.questions[address] = domain
                self.answers[address] = value
                return cast(T, value)
        return cast(T, self._ask(address, domain or checked_options(address, options)))

    def real(self, address: str, low: float, high: float, *, log: bool = False) -> float:
        """A number in [low, high]."""
        return cast(float, self._ask(address, checked_range(address, Real, low, high, log)))

    def integer(self, address: str, low: int, high: int, *, log: bool = False) -> int:
        """A whole number in [low, high]."""
        return cast(int, self._ask(address, checked_range(address, Integer, low, high, log)))

    def at(self, prefix: str) -> Choose:
        """Asks under `prefix/`."""
        return Part(self, prefix)

    def _ask(self, address: str, domain: Domain) -> Scalar:
        self.asked += 1  # repeated questions too: they are how a loop runs on for ever
        if self.asked > MAX_QUESTIONS:
            raise SpaceError(address, self.asked, f"a space asks at most {MAX_QUESTIONS:,} questions")
        if address not in self.answers:
            if type(address) is not str:
                raise SpaceError(address, address, "an address must be a text")
            self.answers[address] = self._answer(address, domain)
            self.questions[address] = domain
        elif self.questions[address] != domain or not contains(domain, self.answers[address]):
            raise SpaceError(address, domain, f"asked before with other options {self.questions[address]!r}")
        return self.answers[address]

    def _answer(self, address: str, domain: Domain) -> Scalar:
        if address in self.given:
            value = self.given[address]
            if contains(domain, value):
                return value
            if self.rng is None:
                raise ArchitectureError(address, value, f"the answer must be one of {told(domain)}")
        elif self.rng is None:
            raise ArchitectureError(address, None, f"the answer is missing; it must be one of {told(domain)}")
        return draw(domain, self.rng)


class Part:
    """Asks the questions of a part of a network under a prefix, so that a part can be in it more than once.

    Hyperparameters keep their address: there is one training.

    Attributes:
        answers: by the part's own addresses.
    """

    __slots__ = ("answers", "choose", "prefix")

    def __init__(self, choose: Choose, prefix: str) -> None:
        self.choose = choose
        self.prefix = f"{prefix}/" if prefix else ""
        self.answers: dict[str, Scalar] = {}

    def __call__(self, address: str, options: Sequence[T]) -> T:
        """One of `options`."""
        answer = self.choose(self._whole(address), options)
        self.answers[address] = answer
        return answer

    def real(self, address: str, low: float, high: float, *, log: bool = False) -> float:
        """A number in [low, high]."""
        self.answers[address] = answer = self.choose.real(self._whole(address), low, high, log=log)
        return answer

    def integer(self, address: str, low: int, high: int, *, log: bool = False) -> int:
        """A whole number in [low, high]."""
        self.answers[address] = answer = self.choose.integer(self._whole(address), low, high, log=log)
        return answer

    def at(self, prefix: str) -> Choose:
        """Asks under both prefixes."""
        return Part(self, prefix)

    def _whole(self, address: str) -> str:
        if type(address) is not str:
            raise SpaceError(address, address, "an address must be a text")
        return address if address.startswith(HYPERPARAMETER) else self.prefix + address
