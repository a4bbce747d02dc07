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
from raynas.graph import STRIDE, WIDTH, Graph, GraphBuilder, Node
from raynas.ops import INPUT, SUM, Scalar
from raynas.records import Choose
from raynas.settings import check_types
from raynas.spaces.checks import MOST, check_whole

OPS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""In the benchmark's own order."""

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""(source, target) in the order of the benchmark's strings."""

_STRING = "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|"

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

    def __post_init__(self) -> None:
        check_whole(self, "width")
        check_whole(self, "repeats", most=MOST)
        check_types(self)

    @property
    def name(self) -> str:
        """As on the command line."""
        return "nasbench201"

    def decide(self, choose: Choose) -> Graph:
        """Asks for the six edges."""
        return _network(self.width, self.repeats, tuple([choose(address, OPS) for address in ADDRESSES]))

    def count(self) -> int:
        """5 ops on each of 6 edges."""
        return int(len(OPS) ** len(EDGES))


def _edges(state: int) -> dict[str, Node]:
    """What an edge from the node that sums up a state can be, by the benchmark's name of its op."""
    return {
        "none": Node("zero", (state,)),
        "skip_connect": Node("identity", (state,)),
        "nor_conv_1x1": Node("relu_conv_bn", (state,), (("channels", WIDTH), ("kernel", 1))),
        "nor_conv_3x3": Node("relu_conv_bn", (state,), (("channels", WIDTH), ("kernel", 3))),
        "avg_pool_3x3": Node("avg_pool", (state,)),
    }


# All cells are these ten nodes but for the ops: a search makes many, so the nodes are made once.
_STATE0, _STATE1, _STATE2, _STATE3 = Node(INPUT), Node(SUM, (1,)), Node(SUM, (2, 4)), Node(SUM, (5, 6, 8))
_FROM0, _FROM1, _FROM2 = _edges(0), _edges(3), _edges(7)


@lru_cache(maxsize=15_625)
def _cell(ops: tuple[str, ...]) -> Graph:
    """The cell whose edges hold `ops`, in the order of EDGES."""
    a, b, c, d, e, f = ops
    return Graph(
        (
            _STATE0,
            _FROM0[a],
            _FROM0[b],
            _STATE1,
            _FROM1[c],
            _FROM0[d],
            _FROM1[e],
            _STATE2,
            _FROM2[f],
            _STATE3,
        ),
        output=9,
    )


@lru_cache(maxsize=1)
def residual() -> Graph:
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
    g.define("reduce", residual())
    x = g.add("conv_bn", g.input(), channels=width, kernel=3)
    for stage in range(3):
        if stage:
            x = g.cell("reduce", x, width=width * 2**stage, stride=2)
        for _ in range(repeats):
            x = g.cell("cell", x, width=width * 2**stage)
    return g.build(g.add("classifier", g.add("bn_relu", x)))


@lru_cache(maxsize=15_625)
def _network(width: int, repeats: int, ops: tuple[str, ...]) -> Graph:
    """The network of a cell: searches come back to it, and its key is then known."""
    return _skeleton(width, repeats).around(cell=_cell(ops))


def to_string(answers: Mapping[str, Scalar]) -> str:
    """Answers -> the benchmark's string, `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`."""
    return _STRING.format(*[answers[address] for address in ADDRESSES])


def from_string(text: str) -> dict[str, str]:
    """The benchmark's string -> answers.

    Raises:
        ArchitectureError: wrong number of edges, an unknown op, or an edge from a wrong node.
    """
    ops = re.findall(r"([^|+~]+)~", text)
    if len(ops) != len(ADDRESSES) or _STRING.format(*ops) != text:
        raise ArchitectureError("cell", text, f"a cell reads {_STRING.format(*['op'] * 6)}")
    answers = dict(zip(ADDRESSES, ops, strict=True))
    for address, op in answers.items():
        if op not in OPS:
            raise ArchitectureError(address, op, f"the op must be one of {OPS}")
    return answers
