"""Everything that can be done with a space, written once over `decide`.

Because a space is a program that asks, sampling, replaying, mutating, crossing over, listing neighbours, enumerating
and counting are only different ways of answering.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any, Protocol, TypeGuard, runtime_checkable

from raynas.errors import ArchitectureError, SpaceError
from raynas.graph import Graph
from raynas.ops import Scalar
from raynas.records import Answers, Architecture, Choose, Domain, Options, Real, Space
from raynas.spaces.asking import Answering
from raynas.spaces.domains import beside, redraw, size_of
from raynas.spaces.function import as_space


@runtime_checkable
class Countable(Protocol):
    """A space that knows its size in closed form."""

    def count(self) -> int:
        """How many different answers there are."""


@runtime_checkable
class Editable(Space, Protocol):
    """A space with mutations of its own, which take the place of changing one answer (Real et al. 2017)."""

    @property
    def edits(self) -> tuple[str, ...]:
        """Names of the mutations; each is as likely as the others."""

    def edit(self, answers: Answers, kind: str, rng: Random) -> dict[str, Scalar] | None:
        """The answers after one mutation; None where there is nothing that it could change."""


def editable(space: object) -> TypeGuard[Editable]:
    """Whether a space has mutations of its own; isinstance takes ten times as long, and searches ask at every step."""
    return hasattr(space, "edit") and hasattr(space, "edits")


AnySpace = Space | Callable[[Choose], Any]
"""A space, or a function that is one."""


def _decide(space: AnySpace, choose: Answering) -> Architecture:
    space = as_space(space)
    graph = space.decide(choose)
    if not isinstance(graph, Graph):
        raise SpaceError("*", graph, f"space {space.name!r} must decide a Graph")
    return Architecture(space.name, choose.answers, graph, choose.questions)


def complete(space: AnySpace, answers: Answers, rng: Random) -> Architecture:
    """The architecture that answers decide; what they leave open is drawn, what is never asked is dropped."""
    return _decide(space, Answering(answers, rng))


def sample(space: AnySpace, rng: Random | int) -> Architecture:
    """An architecture with every answer drawn at random, by a generator or a seed."""
    return complete(space, {}, Random(rng) if isinstance(rng, int) else rng)


def replay(space: AnySpace, answers: Answers) -> Architecture:
    """The architecture that recorded answers decide.

    Raises:
        ArchitectureError: an answer is missing, is none of the options, or belongs to no question of the space.
    """
    space = as_space(space)
    choose = Answering(answers, None)
    architecture = _decide(space, choose)
    if len(answers) > len(choose.answers):
        address = next(a for a in answers if a not in choose.answers)
        raise ArchitectureError(address, answers[address], f"space {space.name!r} never asks this")
    return architecture


def flat(answers: Mapping[str, Any], prefix: str = "") -> dict[str, Scalar]:
    """Answers from dicts in dicts, as Ray Tune hands them over: their addresses are the paths joined with "/"."""
    found: dict[str, Scalar] = {}
    for name, value in answers.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}/")
        else:
            found[f"{prefix}{name}"] = value
    return found


def from_json(space: AnySpace, data: Mapping[str, Any]) -> Architecture:
    """The architecture that `Architecture.to_json` told.

    Raises:
        ArchitectureError: the data belongs to another space, or its answers no longer decide the recorded graph.
    """
    space = as_space(space)
    if data.get("space") != space.name:
        raise ArchitectureError("space", data.get("space"), f"the architecture must belong to space {space.name!r}")
    answers = data.get("answers")
    if not isinstance(answers, Mapping):
        raise ArchitectureError("answers", answers, "the answers must be an object, question -> answer")
    architecture = replay(space, answers)
    if "key" in data and architecture.key != data["key"]:
        raise ArchitectureError("key", data["key"], f"space {space.name!r} now decides {architecture.key!r}")
    return architecture


def mutate(space: AnySpace, architecture: Architecture, rng: Random, changes: int = 1) -> Architecture:
    """Changes so many answers to different ones, at once, and asks again only what became reachable.

    An `Editable` space makes so many of its own mutations instead, one after the other.

    Raises:
        SpaceError: no question of the architecture has a second answer, or no mutation changes it.
    """
    if editable(space):
        for _ in range(changes):
            drawn = Edited(space, architecture).draw(rng)
            if drawn is None:
                raise SpaceError("*", space.edits, "no mutation of the space changes the architecture")
            architecture = complete(space, drawn, rng)
        return architecture
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
        if size_of(domain) > 1:
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
            left = self._left = [(a, d) for a, d in self._architecture.questions.items() if size_of(d) > 1]
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


class Edited:
    """The mutations of an `Editable` space, as `Edits` draws changes of answers."""

    __slots__ = ("_architecture", "_space")

    def __init__(self, space: Editable, architecture: Architecture) -> None:
        self._space = space
        self._architecture = architecture

    def draw(self, rng: Random, tries: int = 100) -> dict[str, Scalar] | None:
        """The architecture's answers after a mutation that changes them, or None where so many tries found none."""
        kinds = self._space.edits
        for _ in range(tries):
            answers = self._space.edit(self._architecture.answers, kinds[int(rng.random() * len(kinds))], rng)
            if answers is not None and answers != self._architecture.answers:
                return answers
        return None


def edits_of(space: Space, architecture: Architecture) -> Edits | Edited:
    """The single mutations of an architecture: the space's own where it has some, else changes of one answer."""
    return Edited(space, architecture) if editable(space) else Edits(architecture)


def crossover(space: AnySpace, mother: Architecture, father: Architecture, rng: Random) -> Architecture:
    """Uniform crossover, aligned on addresses: each question of both gets either's answer."""
    mixed = dict(mother.answers)
    for address, value in father.answers.items():
        if address not in mixed or rng.random() < 0.5:
            mixed[address] = value
    return complete(space, mixed, rng)


def neighbours(space: AnySpace, architecture: Architecture, rng: Random) -> Iterator[Architecture]:
    """All architectures that differ in one answer, in order; numbers step a tenth of their range up and down.

    What only becomes reachable by the step is drawn with `rng`.
    """
    for address, domain in architecture.questions.items():
        for value in beside(domain, architecture.answers[address]):
            yield complete(space, {**architecture.answers, address: value}, rng)


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
        self.radices.append(int(size_of(domain)))
        digit = self.digits[position]
        return domain[digit] if isinstance(domain, Options) else domain.low + digit


def enumerate_space(space: AnySpace) -> Iterator[Architecture]:
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


def count(space: AnySpace, limit: int = 1_000_000) -> int:
    """How many different answers a space has: its own count where it has one, else by enumeration.

    Raises:
        SpaceError: there are more than `limit` and the space has no count of its own.
    """
    space = as_space(space)
    if isinstance(space, Countable):
        return space.count()
    found = sum(1 for _ in itertools.islice(enumerate_space(space), limit + 1))
    if found > limit:
        raise SpaceError("*", space.name, f"more than {limit:,} architectures: give the space a `count` method")
    return found
