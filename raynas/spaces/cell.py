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

from raynas.graph import Graph, GraphBuilder
from raynas.records import Choose
from raynas.spaces.checks import MOST, check_options, check_whole
from raynas.spaces.stack import Stack, edge

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
class Cells(Stack):
    """The space. The defaults suit small images on a CPU; `darts()` has the published sizes.

    Attributes:
        ops: what an edge may hold, of DARTS_OPS.
        nodes: intermediate nodes of a cell.
        name: as on the command line.
    """

    ops: tuple[str, ...] = DARTS_OPS
    nodes: int = 2
    name: str = "cells"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self, "ops", f"ops of {', '.join(DARTS_OPS)}", DARTS_OPS.__contains__)
        check_whole(self, "nodes", most=MOST)

    def decide(self, choose: Choose) -> Graph:
        """Asks for both cells: per node, which two earlier states it joins and by which op each."""
        normal = _cell(self._ask(choose, "normal"), reduction=False, drop_path=self.drop_path)
        if not self.reductions:
            return self.around(normal, None)
        return self.around(normal, _cell(self._ask(choose, "reduce"), reduction=True, drop_path=self.drop_path))

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


def darts(
    *, layers: int = 20, width: int = 36, imagenet: bool = False, auxiliary: bool = False, drop_path: float = 0.0
) -> Cells:
    """The space of DARTS at its published evaluation size for CIFAR-10.

    The published networks were trained with `auxiliary` and, on CIFAR-10, `drop_path=0.2`; for ImageNet they have
    `layers=14, width=48, imagenet=True`.
    """
    return Cells(
        nodes=4, layers=layers, width=width, imagenet=imagenet, auxiliary=auxiliary, drop_path=drop_path, name="darts"
    )


@lru_cache(maxsize=64)
def _pairs(states: int) -> tuple[str, ...]:
    """All unordered pairs of the first `states` states, as "0+1"."""
    return tuple(f"{a}+{b}" for a, b in itertools.combinations(range(states), 2))


@lru_cache(maxsize=4096)
def _cell(genotype: tuple[tuple[Edge, Edge], ...], *, reduction: bool, drop_path: float) -> Graph:
    """The motif: states 0 and 1 are the inputs, state n + 2 is node n; a reduction strides on edges from the inputs."""
    g = GraphBuilder()
    states = [g.input(), g.input()]
    for edges in genotype:
        joined = [
            edge(g, op, states[source], stride=2 if reduction and source < 2 else 1, drop_path=drop_path)
            for source, op in edges
        ]
        states.append(g.add("sum", *joined))
    return g.build(g.add("concat", *states[2:]))
