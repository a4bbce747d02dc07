"""Graphs of convolutions that grow by mutations, from nothing.

Real et al. 2017, "Large-Scale Evolution of Image Classifiers", https://arxiv.org/abs/1703.01041, section 3. Vertices
are activations, either batch norm and ReLU or nothing; edges are convolutions or identities. The primary edges make one
backbone from the image to the classifier, vertex i to vertex i + 1; other edges are identities that skip along it. What
they bring is fitted to the primary edge's shape by nearest pixels and cut or zero channels, and summed.

The space is `Editable`: its mutations are the paper's eleven. The paper starts from `initial()`, a linear classifier;
sampled architectures are backbones of random length instead, with each skip and each number drawn at random. The paper
bounds nothing; here settings bound length, channels, filters and strides, so that every network can be built.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, TypeVar, cast

from raynas.errors import ConfigError, SpaceError
from raynas.graph import Graph, GraphBuilder
from raynas.ops import SUM_LIKE_FIRST, Scalar
from raynas.records import Answers, Choose, Domain, Integer, Options, Real
from raynas.settings import check_types
from raynas.spaces.checks import MOST, check_whole
from raynas.spaces.domains import draw, redraw, size_of

T = TypeVar("T")

KEEP, RESET = "identity", "reset_weights"
"""The mutations that leave the architecture as it is: to train it further, or anew."""

EDITS = (
    "alter_learning_rate", KEEP, RESET, "insert_convolution", "remove_convolution", "alter_stride",
    "alter_number_of_channels", "filter_size", "insert_one_to_one", "add_skip", "remove_skip",
)  # fmt: skip
"""The mutations of the paper, in its order."""

LEARNING_RATE = "train/lr"
FIRST_RATE = 0.1  # of every first individual, section 3.2


@dataclass(frozen=True)
class Edge:
    """A primary edge, and the vertex that it leads to: a convolution, or an identity where there are no channels."""

    active: bool = False
    channels: int = 0
    height: int = 0
    width: int = 0
    stride: int = 0


_NUMBERS = ("channels", "height", "width", "stride")  # of an edge, in its order


@dataclass(frozen=True)
class Genome:
    """An individual.

    Attributes:
        rate: learning rate; None where it is not searched.
        edges: the backbone; edge i leads from vertex i to vertex i + 1.
        skips: (from, to) vertices of further identities.
    """

    rate: float | None
    edges: tuple[Edge, ...] = ()
    skips: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True)
class LargeScale:
    """The space. The bounds suit small images on a CPU.

    Attributes:
        max_length: most edges of the backbone.
        max_channels: most channels of a convolution.
        max_filter: longest side of a filter; sides are odd.
        max_stride: longest stride; strides are powers of 2.
        image_channels: what an inserted convolution has where no other comes before it; the images' in the paper.
        min_lr: smallest learning rate.
        max_lr: largest learning rate.
        tune_lr: whether the learning rate is searched too.
    """

    max_length: int = 8
    max_channels: int = 32
    max_filter: int = 7
    max_stride: int = 4
    image_channels: int = 3
    min_lr: float = 0.001
    max_lr: float = 1.0
    tune_lr: bool = True

    def __post_init__(self) -> None:
        check_types(self)
        check_whole(self, "max_length", "max_filter", most=MOST)
        check_whole(self, "max_channels", "max_stride")
        if not 1 <= self.image_channels <= self.max_channels:
            raise ConfigError(f"image_channels must be in [1, {self.max_channels}], but got {self.image_channels}")
        if not 0 < self.min_lr <= self.max_lr < math.inf:
            raise ConfigError(f"0 < min_lr <= max_lr must hold, but got ({self.min_lr}, {self.max_lr})")

    @property
    def name(self) -> str:
        """As on the command line."""
        return "large_scale"

    @property
    def edits(self) -> tuple[str, ...]:
        """The eleven mutations."""
        return EDITS

    @property
    def filters(self) -> tuple[int, ...]:
        """The sides that filters can have."""
        return tuple(range(1, self.max_filter + 1, 2))

    @property
    def strides(self) -> tuple[int, ...]:
        """The strides that convolutions can have."""
        return tuple(2**power for power in range(self.max_stride.bit_length()))

    def decide(self, choose: Choose) -> Graph:
        """Asks for the learning rate, the length of the backbone, and edge by edge what it is and what skips to it."""
        if self.tune_lr:
            choose.real(LEARNING_RATE, self.min_lr, self.max_lr, log=True)
        g = GraphBuilder()
        vertices = [g.input()]
        for index in range(choose("length", tuple(range(self.max_length + 1)))):
            ask = choose.at(f"edge{index}")
            x = vertices[-1]
            convolution = ask("convolution", (False, True))
            if convolution:
                channels = ask.integer("channels", 1, self.max_channels, log=True)
                height, width = ask("height", self.filters), ask("width", self.filters)
                kernel: int | str = height if height == width else f"{height}x{width}"
                x = g.add("conv", x, channels=channels, kernel=kernel, stride=ask("stride", self.strides))
            skips = [source for source in range(index + convolution) if ask(f"skip{source}", (False, True))]
            if skips:
                x = g.add(SUM_LIKE_FIRST, x, *[vertices[source] for source in skips])
            vertices.append(g.add("bn_relu", x) if ask("active", (False, True)) else x)
        return g.build(g.add("classifier", vertices[-1]))

    def count(self) -> int:
        """Sum over lengths of the product over edges.

        Raises:
            SpaceError: the learning rate is searched too, a real number.
        """
        if self.tune_lr:
            raise SpaceError(LEARNING_RATE, (self.min_lr, self.max_lr), "a real number has no finite list of answers")
        total = product = 1
        convolutions = len(self.filters) ** 2 * len(self.strides) * self.max_channels
        for index in range(self.max_length):
            product *= 2 * (2**index + convolutions * 2 ** (index + 1))
            total += product
        return total

    def initial(self) -> dict[str, Scalar]:
        """The answers of the paper's first individuals: no convolution, learning rate 0.1."""
        return _answers(Genome(min(self.max_lr, max(self.min_lr, FIRST_RATE)) if self.tune_lr else None))

    def edit(self, answers: Answers, kind: str, rng: Random) -> dict[str, Scalar] | None:
        """The answers after one mutation, by its name in EDITS; None where there is nothing that it could change.

        Numbers become others from half to twice the old value, all equally likely; the learning rate so in the
        logarithm. A filter's side can always grow to the next odd number, else 1 would stay 1 for ever.

        Raises:
            SpaceError: there is no such mutation.
        """
        if kind in (KEEP, RESET):
            return dict(answers)
        if kind not in _MUTATIONS:
            raise SpaceError("*", kind, f"the mutation must be one of {', '.join(EDITS)}")
        edited = _MUTATIONS[kind](self, _genome(answers), rng)
        return None if edited is None else _answers(edited)


def _genome(answers: Answers) -> Genome:
    rate: Any = answers.get(LEARNING_RATE)
    length: Any = answers["length"]
    edges, skips = [], set()
    for index in range(length):
        told: dict[str, Any] = {name: answers.get(f"edge{index}/{name}") for name in ("active", *_NUMBERS)}
        edges.append(Edge(told["active"], *(told[name] or 0 for name in _NUMBERS)))
        skips |= {(source, index + 1) for source in range(index + 1) if answers.get(f"edge{index}/skip{source}")}
    return Genome(rate, tuple(edges), frozenset(skips))


def _answers(genome: Genome) -> dict[str, Scalar]:
    answers: dict[str, Scalar] = {} if genome.rate is None else {LEARNING_RATE: genome.rate}
    answers["length"] = len(genome.edges)
    for index, edge in enumerate(genome.edges):
        told: dict[str, Scalar] = {"convolution": edge.channels > 0, "active": edge.active}
        if edge.channels:
            told |= {name: getattr(edge, name) for name in _NUMBERS}
        told |= {f"skip{source}": (source, index + 1) in genome.skips for source in _sources(edge, index)}
        answers |= {f"edge{index}/{name}": value for name, value in told.items()}
    return answers


def _sources(edge: Edge, index: int) -> range:
    """The vertices that can skip to where edge `index` leads: not that before it, where the edge is an identity."""
    return range(index + (edge.channels > 0))


def _insert_convolution(space: LargeScale, genome: Genome, rng: Random) -> Genome | None:
    """3x3, stride 1 or 2, as many channels as come in."""
    at = int(rng.random() * (len(genome.edges) + 1))
    channels = next((edge.channels for edge in reversed(genome.edges[:at]) if edge.channels), space.image_channels)
    side = min(3, space.filters[-1])
    return _inserted(space, genome, at, Edge(rng.random() < 0.5, channels, side, side, _any(space.strides[:2], rng)))


def _insert_one_to_one(space: LargeScale, genome: Genome, rng: Random) -> Genome | None:
    return _inserted(space, genome, int(rng.random() * (len(genome.edges) + 1)), Edge(rng.random() < 0.5))


def _inserted(space: LargeScale, genome: Genome, at: int, edge: Edge) -> Genome | None:
    """The edge leads from vertex `at` to a new one, from which the rest of the backbone goes on."""
    if len(genome.edges) == space.max_length:
        return None
    skips = frozenset((source + (source > at), to + (to > at)) for source, to in genome.skips)
    return replace(genome, edges=(*genome.edges[:at], edge, *genome.edges[at:]), skips=skips)


def _remove_convolution(space: LargeScale, genome: Genome, rng: Random) -> Genome | None:
    """Its vertex becomes the one before; skips that would join a vertex with itself, or twice, go."""
    removable = [index for index, edge in enumerate(genome.edges) if edge.channels]
    if not removable:
        return None
    at = _any(removable, rng)
    edges = (*genome.edges[:at], *genome.edges[at + 1 :])
    moved = {(source - (source > at), to - (to > at)) for source, to in genome.skips}
    skips = frozenset((source, to) for source, to in moved if to and source in _sources(edges[to - 1], to - 1))
    return replace(genome, edges=edges, skips=skips)


def _alter_learning_rate(space: LargeScale, genome: Genome, rng: Random) -> Genome | None:
    if genome.rate is None or space.min_lr == space.max_lr:
        return None
    near = Real(max(space.min_lr, genome.rate / 2), min(space.max_lr, genome.rate * 2), log=True)
    return replace(genome, rate=cast(float, draw(near, rng)))


def _alter_stride(space: LargeScale, genome: Genome, rng: Random) -> Genome | None:
    return _altered(genome, ("stride",), lambda now: Options(s for s in space.strides if now <= 2 * s <= 4 * now), rng)


def _alter_number_of_channels(space: LargeScale, genome: Genome, rng: Random) -> Genome | None:
    return _altered(genome, ("channels",), lambda now: Integer(-(-now // 2), min(space.max_channels, 2 * now)), rng)


def _filter_size(space: LargeScale, genome: Genome, rng: Random) -> Genome | None:
    def near(now: int) -> Domain:
        return Options(side for side in space.filters if now <= 2 * side <= 2 * max(2 * now, now + 2))

    return _altered(genome, ("height", "width"), near, rng)


def _altered(genome: Genome, names: tuple[str, ...], near: Callable[[int], Domain], rng: Random) -> Genome | None:
    """One of these numbers of one convolution becomes another that is near it."""
    found = [
        (index, name, near(getattr(edge, name)))
        for index, edge in enumerate(genome.edges)
        for name in names
        if edge.channels
    ]
    found = [(index, name, domain) for index, name, domain in found if size_of(domain) > 1]
    if not found:
        return None
    index, name, domain = _any(found, rng)
    edge = genome.edges[index]
    fresh: Any = redraw(domain, getattr(edge, name), rng)
    edges = (*genome.edges[:index], replace(edge, **{name: fresh}), *genome.edges[index + 1 :])
    return replace(genome, edges=edges)


def _add_skip(space: LargeScale, genome: Genome, rng: Random) -> Genome | None:
    pairs = [(source, i + 1) for i, edge in enumerate(genome.edges) for source in _sources(edge, i)]
    free = [pair for pair in pairs if pair not in genome.skips]
    return replace(genome, skips=genome.skips | {_any(free, rng)}) if free else None


def _remove_skip(space: LargeScale, genome: Genome, rng: Random) -> Genome | None:
    return replace(genome, skips=genome.skips - {_any(sorted(genome.skips), rng)}) if genome.skips else None


def _any(options: Sequence[T], rng: Random) -> T:
    return options[int(rng.random() * len(options))]


_MUTATIONS: Mapping[str, Callable[[LargeScale, Genome, Random], Genome | None]] = {
    "alter_learning_rate": _alter_learning_rate,
    "insert_convolution": _insert_convolution,
    "remove_convolution": _remove_convolution,
    "alter_stride": _alter_stride,
    "alter_number_of_channels": _alter_number_of_channels,
    "filter_size": _filter_size,
    "insert_one_to_one": _insert_one_to_one,
    "add_skip": _add_skip,
    "remove_skip": _remove_skip,
}
