"""Everything that can be done with a space, written once over `decide`.

Because a space is a program that asks, sampling, replaying, mutating, crossing over, listing neighbours, enumerating
and counting are only different ways of answering.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

from raynas.errors import ArchitectureError, SpaceError
from raynas.graph import Graph
from raynas.ops import Scalar
from raynas.records import Answers, Architecture, Choose, Domain, Integer, Options, Real, Space

MAX_QUESTIONS = 10_000
"""A `decide` that asks more is taken for one that never ends."""

T = TypeVar("T", bound=Scalar)


@runtime_checkable
class Countable(Protocol):
    """A space that knows its size in closed form."""

    def count(self) -> int:
        """How many different answers there are."""


@dataclass(frozen=True)
class FunctionSpace:
    """A person's own space: a function that asks and returns a graph."""

    function: Callable[[Choose], Graph]

    @property
    def name(self) -> str:
        """The function's name."""
        return self.function.__name__

    def decide(self, choose: Choose) -> Graph:
        """Calls the function."""
        return self.function(choose)


def as_space(space: Space | Callable[[Choose], Graph]) -> Space:
    """The space itself, or the function wrapped as one.

    Raises:
        SpaceError: it is neither.
    """
    if isinstance(space, Space):
        return space
    if callable(space):
        return FunctionSpace(space)
    raise SpaceError("*", space, "a space is an object with `name` and `decide`, or a function that asks")


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
            domain = _TEXTS.get(options)
        except TypeError:  # a list, or options that are no scalars
            domain = None
        if domain is not None and address not in self.answers:
            value = self.given.get(address)
            if value in domain:  # the usual case, made short
                self.questions[address] = domain
                self.answers[address] = value
                return cast(T, value)
        return cast(T, self._ask(address, domain or _checked(address, options)))

    def real(self, address: str, low: float, high: float, *, log: bool = False) -> float:
        """A number in [low, high]."""
        return cast(float, self._ask(address, _range(address, Real, low, high, log)))

    def integer(self, address: str, low: int, high: int, *, log: bool = False) -> int:
        """A whole number in [low, high]."""
        return cast(int, self._ask(address, _range(address, Integer, low, high, log)))

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
                raise ArchitectureError(address, value, f"the answer must be one of {_told(domain)}")
        elif self.rng is None:
            raise ArchitectureError(address, None, f"the answer is missing; it must be one of {_told(domain)}")
        return draw(domain, self.rng)


_TEXTS: dict[Any, Options] = {}
"""Options found good before; texts alone, since 1, 1.0 and True would be one key."""

_SCALARS = frozenset({str, int, float, bool, type(None)})


def _checked(address: str, options: Sequence[Scalar]) -> Options:
    if isinstance(options, str) or not isinstance(options, Sequence) or not len(options):
        raise SpaceError(address, options, "options must be a list with at least one entry")
    for option in options:
        if type(option) not in _SCALARS or (type(option) is float and not math.isfinite(option)):
            raise SpaceError(address, option, "an option must be a JSON scalar (text, number, true, false, null)")
    if len(set(options)) < len(options):
        raise SpaceError(address, tuple(options), "options must be different from each other")
    domain = Options(options)
    if len(_TEXTS) < 4096 and all(type(o) is str for o in options):
        _TEXTS[tuple(options)] = domain
    return domain


def _range(address: str, kind: type[Real | Integer], low: float, high: float, log: bool) -> Real | Integer:
    rule = "finite numbers" if kind is Real else "whole numbers"
    try:
        domain = Real(float(low), float(high), bool(log)) if kind is Real else Integer(int(low), int(high), bool(log))
        fits = domain[:2] == (low, high) and math.isfinite(domain.high - domain.low)
    except (TypeError, ValueError, OverflowError):
        fits = False
    if not fits:
        raise SpaceError(address, (low, high), f"low and high must be {rule}")
    if domain.low > domain.high or (log and domain.low <= 0):
        raise SpaceError(address, (low, high), f"{'0 < ' if log else ''}low <= high must hold")
    return domain


def _told(domain: Domain) -> str:
    return repr(tuple(domain)) if isinstance(domain, Options) else repr(domain)


def contains(domain: Domain, value: Scalar) -> bool:
    """Whether `value` answers a question of that domain."""
    if isinstance(domain, Options):
        return value in domain and type(domain[domain.index(value)]) is type(value)  # True is no 1
    wanted = float if isinstance(domain, Real) else int
    return type(value) is wanted and domain.low <= value <= domain.high


def draw(domain: Domain, rng: Random) -> Scalar:
    """A random answer, uniform (in the logarithm for log domains)."""
    if isinstance(domain, Options):
        return domain[int(rng.random() * len(domain))]
    low, high = domain.low, domain.high
    if isinstance(domain, Real):
        if domain.log:
            return min(high, max(low, math.exp(math.log(low) + rng.random() * (math.log(high) - math.log(low)))))
        return low + rng.random() * (high - low)
    if domain.log:
        value = math.exp(math.log(low) + rng.random() * (math.log(high + 1) - math.log(low)))
        return min(int(high), max(int(low), int(value)))
    return int(low) + int(rng.random() * (high - low + 1))


def redraw(domain: Domain, value: Scalar, rng: Random) -> Scalar:
    """A random answer other than `value`; the domain must have more than one."""
    if isinstance(domain, Options):
        other = int(rng.random() * (len(domain) - 1))
        return domain[other + (other >= domain.index(value))]
    for _ in range(100):
        fresh = draw(domain, rng)
        if fresh != value:
            return fresh
    return value


def _decide(space: Space, choose: Answering) -> Architecture:
    graph = space.decide(choose)
    if not isinstance(graph, Graph):
        raise SpaceError("*", graph, f"space {space.name!r} must decide a Graph")
    return Architecture(space.name, choose.answers, graph, choose.questions)


def complete(space: Space, answers: Answers, rng: Random) -> Architecture:
    """The architecture that answers decide; what they leave open is drawn, what is never asked is dropped."""
    return _decide(space, Answering(answers, rng))


def sample(space: Space, rng: Random) -> Architecture:
    """An architecture with every answer drawn at random."""
    return complete(space, {}, rng)


def replay(space: Space, answers: Answers) -> Architecture:
    """The architecture that recorded answers decide.

    Raises:
        ArchitectureError: an answer is missing, is none of the options, or belongs to no question of the space.
    """
    choose = Answering(answers, None)
    architecture = _decide(space, choose)
    if len(answers) > len(choose.answers):
        address = next(a for a in answers if a not in choose.answers)
        raise ArchitectureError(address, answers[address], f"space {space.name!r} never asks this")
    return architecture


def from_json(space: Space, data: Mapping[str, Any]) -> Architecture:
    """The architecture that `Architecture.to_json` told.

    Raises:
        ArchitectureError: the data belongs to another space, or its answers no longer decide the recorded graph.
    """
    if data.get("space") != space.name:
        raise ArchitectureError("space", data.get("space"), f"the architecture must belong to space {space.name!r}")
    answers = data.get("answers")
    if not isinstance(answers, Mapping):
        raise ArchitectureError("answers", answers, "the answers must be an object, question -> answer")
    architecture = replay(space, answers)
    if "key" in data and architecture.key != data["key"]:
        raise ArchitectureError("key", data["key"], f"space {space.name!r} now decides {architecture.key!r}")
    return architecture


def mutate(space: Space, architecture: Architecture, rng: Random, changes: int = 1) -> Architecture:
    """Changes so many answers to different ones, at once, and asks again only what became reachable.

    Raises:
        SpaceError: no question of the architecture has a second answer.
    """
    answers = changed(architecture, rng, changes)
    if answers == architecture.answers:
        raise SpaceError("*", answers, "mutation needs a question with at least two options")
    return complete(space, answers, rng)


def changed(architecture: Architecture, rng: Random, changes: int) -> dict[str, Scalar]:
    """The architecture's answers, so many of them different: as many as can be, where that is fewer."""
    answers = dict(architecture.answers)
    left = list(architecture.questions)
    while left and changes:
        address = left.pop(int(rng.random() * len(left)))
        domain = architecture.questions[address]
        if _size(domain) > 1:
            answers[address] = redraw(domain, answers[address], rng)
            changes -= 1
    return answers


class Edits:
    """The single changes of one architecture, each drawn once: the question uniformly, then its new answer.

    Questions with many answers (numbers) never run out.
    """

    __slots__ = ("_architecture", "_left")

    def __init__(self, architecture: Architecture) -> None:
        self._architecture = architecture
        self._left: list[tuple[str, Domain | list[Scalar]]] | None = None  # most architectures never become parents

    def draw(self, rng: Random) -> dict[str, Scalar] | None:
        """The architecture's answers with one changed to what was not drawn before, or None where none is left."""
        left = self._left
        if left is None:
            left = self._left = [(a, d) for a, d in self._architecture.questions.items() if _size(d) > 1]
        if not left:
            return None
        index = int(rng.random() * len(left))
        address, values = left[index]
        answers = dict(self._architecture.answers)
        if isinstance(values, Options):
            values = [o for o in values if o != answers[address]]
            left[index] = (address, values)
        if isinstance(values, list):
            at = int(rng.random() * len(values))
            values[at], values[-1] = values[-1], values[at]
            answers[address] = values.pop()
            if not values:
                left[index] = left[-1]
                left.pop()
        else:
            answers[address] = redraw(values, answers[address], rng)
        return answers


def crossover(space: Space, mother: Architecture, father: Architecture, rng: Random) -> Architecture:
    """Uniform crossover, aligned on addresses: each question of both gets either's answer."""
    mixed = dict(mother.answers)
    for address, value in father.answers.items():
        if address not in mixed or rng.random() < 0.5:
            mixed[address] = value
    return complete(space, mixed, rng)


def neighbours(space: Space, architecture: Architecture, rng: Random) -> Iterator[Architecture]:
    """All architectures that differ in one answer, in order; numbers step a tenth of their range up and down.

    What only becomes reachable by the step is drawn with `rng`.
    """
    for address, domain in architecture.questions.items():
        for value in _others(domain, architecture.answers[address]):
            yield complete(space, {**architecture.answers, address: value}, rng)


def _size(domain: Domain) -> float:
    if isinstance(domain, Options):
        return len(domain)
    if isinstance(domain, Integer):
        return domain.high - domain.low + 1
    return math.inf if domain.high > domain.low else 1


def _others(domain: Domain, value: Scalar) -> list[Scalar]:
    if isinstance(domain, Options):
        return [o for o in domain if o != value]
    number, low, high = cast(float, value), domain.low, domain.high
    if domain.log:
        step = (high / low) ** 0.1
        steps: list[float] = [number / step, number * step]
    else:
        steps = [number - (high - low) / 10, number + (high - low) / 10]
    if isinstance(domain, Integer):
        steps = [min(number - 1, round(steps[0])), max(number + 1, round(steps[1]))]
    return [s for s in (max(low, steps[0]), min(high, steps[1])) if s != number]


class _Odometer(Answering):
    """Answers the i-th question with its `digits[i]`-th option, the first where digits run out."""

    __slots__ = ("digits", "radices")

    def __init__(self, digits: list[int]) -> None:
        super().__init__({}, None)
        self.digits = digits
        self.radices: list[int] = []

    def _answer(self, address: str, domain: Domain) -> Scalar:
        if isinstance(domain, Real):
            raise SpaceError(address, domain, "a real number has no finite list of answers")
        position = len(self.radices)
        if position == len(self.digits):
            self.digits.append(0)
        self.radices.append(int(_size(domain)))
        digit = self.digits[position]
        return domain[digit] if isinstance(domain, Options) else domain.low + digit


def enumerate_space(space: Space) -> Iterator[Architecture]:
    """Every architecture, in the order of the questions and their options.

    Raises:
        SpaceError: a question asks for a real number.
    """
    digits: list[int] = []
    while True:
        choose = _Odometer(digits)
        yield _decide(space, choose)
        digits = digits[: len(choose.radices)]
        while digits and digits[-1] + 1 == choose.radices[len(digits) - 1]:
            digits.pop()
        if not digits:
            return
        digits[-1] += 1


def count(space: Space, limit: int = 1_000_000) -> int:
    """How many different answers a space has: its own count where it has one, else by enumeration.

    Raises:
        SpaceError: there are more than `limit` and the space has no count of its own.
    """
    if isinstance(space, Countable):
        return space.count()
    found = sum(1 for _ in itertools.islice(enumerate_space(space), limit + 1))
    if found > limit:
        raise SpaceError("*", space.name, f"more than {limit:,} architectures: give the space a `count` method")
    return found
