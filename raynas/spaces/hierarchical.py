"""Motifs made of motifs made of layers: a hierarchical cell.

Liu et al. 2018, "Hierarchical Representations for Efficient Architecture Search", https://arxiv.org/abs/1711.00436,
section 2. A motif of level l is a small DAG whose edges hold motifs of level l - 1 or nothing; those of level 1 are the
primitive layers. The one motif of the highest level is the cell, which is repeated in a fixed network. A node
concatenates its incoming edges; a 1x1 convolution brings the last node of a motif back to the motif's width, so that
nesting does not multiply channels (an addition of this file). What does not lie on a way from the first node of a motif
to the last is left out.

With the published sizes, `motifs=(6, 1), nodes=(4, 5)`, the space has 7^46 = 7.5e38 answers.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache

from raynas.errors import ConfigError
from raynas.graph import WIDTH, Graph, GraphBuilder, Node
from raynas.ops import CONCAT, INPUT, MOTIF
from raynas.records import Choose
from raynas.settings import check_types
from raynas.spaces.checks import MOST, STAGES, check_whole, few

PRIMITIVES = ("identity", "conv_1x1", "depthwise_3x3", "sep_conv_3x3", "max_pool_3x3", "avg_pool_3x3")
"""The motifs of level 1, as in the paper's section 4.1."""

NONE = "none"

Motif = Graph | None  # None: no way leads from its first node to its last


@dataclass(frozen=True)
class Hierarchical:
    """The space. The defaults suit small images on a CPU; the paper searched with width 16, trained with 64 and 2.

    Attributes:
        motifs: how many motifs there are of level 2, of level 3 and so on; one of the highest, the cell.
        nodes: of a motif of each of these levels, the first and the last among them.
        primitives: the motifs of level 1, of PRIMITIVES.
        stages: parts of the network; between them the resolution is halved and the width doubled.
        repeats: cells a stage, each followed by a separable convolution.
        width: channels of the first stage.
    """

    motifs: tuple[int, ...] = (3, 1)
    nodes: tuple[int, ...] = (3, 4)
    primitives: tuple[str, ...] = PRIMITIVES
    stages: int = 3
    repeats: int = 1
    width: int = 8

    def __post_init__(self) -> None:
        check_whole(self, "stages", most=STAGES)
        check_whole(self, "repeats", most=MOST)
        check_whole(self, "width")
        check_types(self)
        if not self.motifs or self.motifs[-1] != 1 or not all(map(few, self.motifs)):
            raise ConfigError(f"motifs must be positive and end with 1, the cell, but got {self.motifs!r}")
        if len(self.nodes) != len(self.motifs) or any(not few(n) or n < 2 for n in self.nodes):
            told = f"at least 2 for each of the {len(self.motifs)} levels of motifs"
            raise ConfigError(f"nodes must be {told}, but got {self.nodes!r}")
        if not self.primitives or not set(self.primitives) <= set(PRIMITIVES):
            raise ConfigError(f"primitives must be some of {', '.join(PRIMITIVES)}, but got {self.primitives!r}")

    @property
    def name(self) -> str:
        """As on the command line."""
        return "hierarchical"

    def options(self, level: int) -> tuple[str, ...]:
        """What an edge of a motif of that level, 2 or higher, can hold."""
        if level == 2:
            return (NONE, *self.primitives)
        return (NONE, *(f"motif{index}" for index in range(self.motifs[level - 3])))

    def decide(self, choose: Choose) -> Graph:
        """Asks level by level and motif by motif for what each edge holds."""
        parts: tuple[Motif, ...] = ()
        for level, (motifs, nodes) in enumerate(zip(self.motifs, self.nodes, strict=True), start=2):
            options = self.options(level)
            parts = tuple(
                _motif(nodes, tuple([choose(address, options) for address in _addresses(level, index, nodes)]), parts)
                for index in range(motifs)
            )
        return _skeleton(self.stages, self.repeats, self.width).around(cell=parts[0] or NOTHING)

    def count(self) -> int:
        """Product over levels of the options of all edges of all motifs."""
        total = 1
        for level, (motifs, nodes) in enumerate(zip(self.motifs, self.nodes, strict=True), start=2):
            total *= len(self.options(level)) ** (motifs * nodes * (nodes - 1) // 2)
        return total


NOTHING = Graph((Node(INPUT), Node("zero", (0,))), 1)
"""The cell where no way leads through."""


@lru_cache(maxsize=1024)
def _addresses(level: int, motif: int, nodes: int) -> tuple[str, ...]:
    """The edges of a motif in order: all into node 1, all into node 2 and so on."""
    return tuple(f"level{level}/motif{motif}/edge{source}to{to}" for source, to in _edges(nodes))


def _edges(nodes: int) -> list[tuple[int, int]]:
    return sorted(itertools.combinations(range(nodes), 2), key=lambda edge: edge[::-1])


@lru_cache(maxsize=16_384)
def _motif(nodes: int, held: tuple[str, ...], parts: tuple[Motif, ...]) -> Motif:
    """The motif whose edges hold `held`: primitives, or the motifs of the level below, which are `parts`."""
    named: dict[str, Motif] = {f"motif{index}": part for index, part in enumerate(parts)}
    dead = {NONE, *(name for name, part in named.items() if part is None)}
    edges = [(edge, op) for edge, op in zip(_edges(nodes), held, strict=True) if op not in dead]
    reached = {0}
    for (source, to), _ in edges:
        if source in reached:
            reached.add(to)
    useful = {nodes - 1}
    for (source, to), _ in reversed(edges):
        if to in useful:
            useful.add(source)
    if nodes - 1 not in reached:
        return None
    g = GraphBuilder()
    values = {0: g.input()}
    for node in range(1, nodes):
        incoming = [(source, op) for (source, to), op in edges if to == node and source in reached]
        if node in reached & useful:
            outs = [_apply(g, op, values[source], named) for source, op in incoming]
            values[node] = g.add(CONCAT, *outs) if len(outs) > 1 else outs[0]
    return g.build(g.add("conv_bn_relu", values[nodes - 1], channels=WIDTH, kernel=1))


def _apply(g: GraphBuilder, op: str, x: int, named: dict[str, Motif]) -> int:
    part = named.get(op)
    if part is not None:
        g.define(op, part)
        return g.add(MOTIF, x, name=op, width=WIDTH, stride=1)
    if op == "identity":
        return g.add("identity", x)
    if op == "conv_1x1":
        return g.add("conv_bn_relu", x, channels=WIDTH, kernel=1)
    if op == "depthwise_3x3":
        return g.add("depthwise_bn_relu", x)
    if op == "sep_conv_3x3":
        return g.add("depthwise_conv_bn_relu", x, channels=WIDTH)
    return g.add(op.removesuffix("_3x3"), x)


@lru_cache(maxsize=64)
def _skeleton(stages: int, repeats: int, width: int) -> Graph:
    """The network around the cells: the last separable convolution of a stage leads over to the next."""
    g = GraphBuilder()
    x = g.add("conv_bn_relu", g.input(), channels=width)
    for stage in range(stages):
        for repeat in range(repeats):
            x = g.cell("cell", x, width=width)
            over = repeat == repeats - 1 and stage < stages - 1
            width *= 2 if over else 1
            x = g.add("depthwise_conv_bn_relu", x, channels=width, stride=2 if over else 1)
    return g.build(g.add("classifier", x))
