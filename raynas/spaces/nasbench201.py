"""The topology space of NAS-Bench-201: 15,625 cells of four nodes, each of six edges one of five ops.

Dong & Yang 2020, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search",
https://arxiv.org/abs/2001.00326. Node j sums its incoming edges; the cell's output is node 3. The network: a 3x3
convolution, three stages of `repeats` cells with widths C, 2C, 4C, a residual block of stride 2 between stages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from raynas.errors import ArchitectureError
from raynas.graph import STRIDE, WIDTH, Args, Graph, GraphBuilder, Node
from raynas.ops import INPUT, SUM, Scalar
from raynas.records import Choose

OPS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""In the benchmark's own order."""

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""(source, target) in the order of the benchmark's strings."""

ADDRESSES = tuple(f"edge{source}to{target}" for source, target in EDGES)


@dataclass(frozen=True)
class NasBench201:
    """The space.

    Attributes:
        width: channels of the first stage (C; the benchmark's is 16).
        repeats: cells a stage (N; the benchmark's is 5).
    """

    width: int = 16
    repeats: int = 5

    @property
    def name(self) -> str:
        """As on the command line."""
        return "nasbench201"

    def decide(self, choose: Choose) -> Graph:
        """Asks for the six edges."""
        cell = _cell(tuple([choose(address, OPS) for address in ADDRESSES]))
        skeleton = _skeleton(self.width, self.repeats)
        return Graph(skeleton.nodes, skeleton.output, (("cell", cell), ("reduce", _residual())))

    def count(self) -> int:
        """5 ops on each of 6 edges."""
        return int(len(OPS) ** len(EDGES))


_NODE: dict[str, tuple[str, Args]] = {
    "none": ("zero", ()),
    "skip_connect": ("identity", ()),
    "nor_conv_1x1": ("relu_conv_bn", (("channels", WIDTH), ("kernel", 1))),
    "nor_conv_3x3": ("relu_conv_bn", (("channels", WIDTH), ("kernel", 3))),
    "avg_pool_3x3": ("avg_pool", ()),
}
"""The benchmark's ops as nodes of a graph."""


@lru_cache(maxsize=15_625)
def _cell(ops: tuple[str, ...]) -> Graph:
    """The cell whose edges hold `ops`, in the order of EDGES."""
    nodes, states, edge = [Node(INPUT)], [0], 0
    for target in (1, 2, 3):
        first = len(nodes)
        for source in range(target):
            op, args = _NODE[ops[edge]]
            nodes.append(Node(op, (states[source],), args))
            edge += 1
        states.append(len(nodes))
        nodes.append(Node(SUM, tuple(range(first, len(nodes)))))
    return Graph(tuple(nodes), states[3])


@lru_cache(maxsize=1)
def _residual() -> Graph:
    """The residual block between stages: two 3x3 convolutions beside an averaged 1x1 convolution."""
    g = GraphBuilder()
    x = g.input()
    y = g.add("relu_conv_bn", x, channels=WIDTH, kernel=3, stride=STRIDE)
    y = g.add("relu_conv_bn", y, channels=WIDTH, kernel=3)
    short = g.add("conv", g.add("avg_pool", x, kernel=2, stride=STRIDE), channels=WIDTH, kernel=1)
    return g.build(g.add("sum", short, y))


@lru_cache(maxsize=64)
def _skeleton(width: int, repeats: int) -> Graph:
    """The network around the cells."""
    g = GraphBuilder()
    x = g.add("conv_bn", g.input(), channels=width, kernel=3)
    for stage in range(3):
        if stage:
            x = g.cell("reduce", x, width=width * 2**stage, stride=2)
        for _ in range(repeats):
            x = g.cell("cell", x, width=width * 2**stage)
    return g.build(g.add("classifier", g.add("bn_relu", x)))


def to_string(answers: Mapping[str, Scalar]) -> str:
    """Answers -> the benchmark's string, `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`."""
    nodes = []
    for node in (1, 2, 3):
        ops = [f"{answers[a]}~{s}" for a, (s, t) in zip(ADDRESSES, EDGES, strict=True) if t == node]
        nodes.append("|" + "|".join(ops) + "|")
    return "+".join(nodes)


def from_string(text: str) -> dict[str, str]:
    """The benchmark's string -> answers.

    Raises:
        ArchitectureError: wrong number of edges, an unknown op, or an edge from a wrong node.
    """
    edges = re.findall(r"([^|+~]+)~(\d)", text)
    answers = {address: op for address, (op, _) in zip(ADDRESSES, edges, strict=False)}
    for address, op in answers.items():
        if op not in OPS:
            raise ArchitectureError(address, op, f"the op must be one of {OPS}")
    if len(answers) < len(ADDRESSES) or to_string(answers) != text:
        raise ArchitectureError("cell", text, "a cell reads |op~0|+|op~0|op~1|+|op~0|op~1|op~2|")
    return answers
