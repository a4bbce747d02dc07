"""Repeated cells (Elsken et al. 2019, figure 2c): a normal and a reduction cell are searched and stacked.

The cell is that of DARTS: two inputs (the outputs of the two cells before), `nodes` intermediate nodes that each sum
two edges, and the concatenation of all nodes as output. Liu et al. 2019, "DARTS: Differentiable Architecture Search",
https://arxiv.org/abs/1806.09055, section 2.1 and appendix A.1; with `darts()` sizes the space has 1.08e18 answers.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache

from raynas.errors import ConfigError
from raynas.graph import WIDTH, Graph, GraphBuilder
from raynas.records import Choose

DARTS_OPS = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
"""The primitives of DARTS in their published order, without `none`, which a derived cell never holds."""

Edge = tuple[int, str]  # (source state, op)


@dataclass(frozen=True)
class Cells:
    """The space. The defaults suit small images on a CPU; `darts()` has the published sizes.

    Attributes:
        ops: what an edge may hold, of DARTS_OPS.
        nodes: intermediate nodes of a cell.
        layers: cells of the network; those at 1/3 and 2/3 are reduction cells (half the resolution, twice the width).
        width: channels of a node before the first reduction.
        stem: the stem has `stem * width` channels.
        name: as on the command line.
    """

    ops: tuple[str, ...] = DARTS_OPS
    nodes: int = 2
    layers: int = 3
    width: int = 8
    stem: int = 3
    name: str = "cells"

    def __post_init__(self) -> None:
        wrong = [op for op in self.ops if op not in DARTS_OPS]
        if wrong or not self.ops:
            raise ConfigError(f"ops must be some of {', '.join(DARTS_OPS)}, but got {self.ops!r}")
        for field in ("nodes", "layers", "width", "stem"):
            if getattr(self, field) < 1:
                raise ConfigError(f"{field} must be at least 1, but got {getattr(self, field)}")

    @property
    def reductions(self) -> frozenset[int]:
        """Which layers are reduction cells."""
        return frozenset({self.layers // 3, 2 * self.layers // 3}) - {0} if self.layers > 1 else frozenset()

    def decide(self, choose: Choose) -> Graph:
        """Asks for both cells: per node, which two earlier states it joins and by which op each."""
        normal = self._ask(choose, "normal")
        reduce = self._ask(choose, "reduce") if self.reductions else normal
        skeleton = _skeleton(self.layers, self.width, self.stem, self.reductions)
        if not self.reductions:
            return skeleton.around(normal=_cell(normal, reduction=False))
        return skeleton.around(normal=_cell(normal, reduction=False), reduce=_cell(reduce, reduction=True))

    def _ask(self, choose: Choose, cell: str) -> tuple[tuple[Edge, Edge], ...]:
        genotype = []
        for node in range(self.nodes):
            first, second = choose(f"{cell}/node{node}/inputs", _pairs(node + 2)).split("+")
            edges = [
                (int(source), choose(f"{cell}/node{node}/{side}", self.ops))
                for side, source in (("left", first), ("right", second))
            ]
            genotype.append((edges[0], edges[1]))
        return tuple(genotype)

    def count(self) -> int:
        """Per node, two of the earlier states and an op on each; for both cells."""
        cell = math.prod(math.comb(node + 2, 2) * len(self.ops) ** 2 for node in range(self.nodes))
        return cell ** (2 if self.reductions else 1)


def darts(*, layers: int = 20, width: int = 36) -> Cells:
    """The space of DARTS at its published evaluation size for CIFAR-10."""
    return Cells(nodes=4, layers=layers, width=width, name="darts")


@lru_cache(maxsize=64)
def _pairs(states: int) -> tuple[str, ...]:
    """All unordered pairs of the first `states` states, as "0+1"."""
    return tuple(f"{a}+{b}" for a, b in itertools.combinations(range(states), 2))


@lru_cache(maxsize=4096)
def _cell(genotype: tuple[tuple[Edge, Edge], ...], *, reduction: bool) -> Graph:
    """The motif: states 0 and 1 are the inputs, state n + 2 is node n; a reduction strides on edges from the inputs."""
    g = GraphBuilder()
    states = [g.input(), g.input()]
    for edges in genotype:
        joined = [_edge(g, op, states[source], 2 if reduction and source < 2 else 1) for source, op in edges]
        states.append(g.add("sum", *joined))
    return g.build(g.add("concat", *states[2:]))


def _edge(g: GraphBuilder, op: str, source: int, stride: int) -> int:
    if op == "skip_connect":
        return g.add("identity", source) if stride == 1 else g.add("factorized_reduce", source, channels=WIDTH)
    kind, _, kernel = op.rpartition("_")
    if kind in ("max_pool", "avg_pool"):
        return g.add(kind, source, kernel=3, stride=stride)
    return g.add(kind, source, channels=WIDTH, kernel=int(kernel[0]), stride=stride)


@lru_cache(maxsize=64)
def _skeleton(layers: int, width: int, stem: int, reductions: frozenset[int]) -> Graph:
    """The network around the cells: each cell sees the two before it, brought to its width by 1x1 convolutions."""
    g = GraphBuilder()
    x = g.add("conv_bn", g.input(), channels=stem * width, kernel=3)
    before, last = x, x
    for layer in range(layers):
        reduction = layer in reductions
        width *= 2 if reduction else 1
        if layer - 1 in reductions:  # the cell before halved the resolution, the one before that did not
            left = g.add("factorized_reduce", before, channels=width)
        else:
            left = g.add("relu_conv_bn", before, channels=width, kernel=1)
        right = g.add("relu_conv_bn", last, channels=width, kernel=1)
        cell = g.cell("reduce" if reduction else "normal", left, right, width=width, stride=2 if reduction else 1)
        before, last = last, cell
    return g.build(g.add("classifier", last))
