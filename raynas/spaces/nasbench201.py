"""The topology space of NAS-Bench-201: 15,625 cells of four nodes, each of six edges one of five ops.

Dong & Yang 2020, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search",
https://arxiv.org/abs/2001.00326. Node j sums its incoming edges; the cell's output is node 3. The network: a 3x3
convolution, three stages of `repeats` cells with widths C, 2C, 4C, a residual block of stride 2 between stages.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from raynas.errors import ArchitectureError
from raynas.graph import STRIDE, WIDTH, Graph, GraphBuilder
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
        return len(OPS) ** len(EDGES)


@lru_cache(maxsize=20_000)
def _cell(ops: tuple[str, ...]) -> Graph:
    """The cell whose edges hold `ops`, in the order of EDGES."""
    g = GraphBuilder()
    states = [g.input()]
    incoming: dict[int, list[int]] = {1: [], 2: [], 3: []}
    for (source, target), op in zip(EDGES, ops, strict=True):
        while len(states) <= source:
            states.append(g.add("sum", *incoming[len(states)]))
        x = states[source]
        if op == "nor_conv_1x1":
            edge = g.add("relu_conv_bn", x, channels=WIDTH, kernel=1)
        elif op == "nor_conv_3x3":
            edge = g.add("relu_conv_bn", x, channels=WIDTH, kernel=3)
        elif op == "avg_pool_3x3":
            edge = g.add("avg_pool", x)
        else:
            edge = g.add("zero" if op == "none" else "identity", x)
        incoming[target].append(edge)
    return g.build(g.add("sum", *incoming[3]))


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


def to_string(answers: dict[str, str]) -> str:
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
    groups = [re.findall(r"([^|+~]+)~(\d)", node) for node in text.split("+")]
    edges = [edge for group in groups for edge in group]
    rebuilt = "+".join("|" + "|".join(f"{op}~{source}" for op, source in group) + "|" for group in groups)
    if rebuilt != text or [(int(s), t + 1) for t, group in enumerate(groups) for _, s in group] != sorted(
        EDGES, key=lambda edge: (edge[1], edge[0])
    ):
        raise ArchitectureError("cell", text, "a cell reads |op~0|+|op~0|op~1|+|op~0|op~1|op~2|")
    for address, (op, _) in zip(ADDRESSES, edges, strict=True):
        if op not in OPS:
            raise ArchitectureError(address, op, f"the op must be one of {OPS}")
    return {address: op for address, (op, _) in zip(ADDRESSES, edges, strict=True)}
