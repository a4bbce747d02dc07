"""The size space of NATS-Bench: 32,768 ways to choose the widths of one network.

Dong et al. 2021, "NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology and Size",
https://arxiv.org/abs/2009.00437, section 3.2. The network is that of NAS-Bench-201 with one cell a stage, the cell with
the best validation accuracy on CIFAR-100; five numbers are the channels of cell, reduction, cell, reduction, cell, in
this order, and the stem has those of the first. Where a cell changes the width, its skip is a 1x1 convolution with
batch norm. (The order and the skip: D-X-Y/AutoDL-Projects, `DynamicShapeTinyNet`, `InferCell`.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from raynas.errors import ArchitectureError
from raynas.graph import WIDTH, Graph, GraphBuilder, Node
from raynas.ops import Scalar
from raynas.records import Choose
from raynas.settings import check_types
from raynas.spaces.checks import MOST, check_options, check_whole, whole
from raynas.spaces.decide import replay
from raynas.spaces.nasbench201 import NasBench201, from_string, residual

CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
"""The cell of all networks, as a string of NAS-Bench-201."""


@dataclass(frozen=True)
class NatsSize:
    """The space. The defaults are the benchmark's.

    Attributes:
        channels: the widths to choose from.
        repeats: cells a stage; the network has `3 * repeats + 2` widths.
    """

    channels: tuple[int, ...] = (8, 16, 24, 32, 40, 48, 56, 64)
    repeats: int = 1

    def __post_init__(self) -> None:
        check_options(self, "channels", "whole numbers of at least 1", whole)
        check_whole(self, "repeats", most=MOST)
        check_types(self)

    @property
    def name(self) -> str:
        """As on the command line."""
        return "nats_size"

    @property
    def addresses(self) -> tuple[str, ...]:
        """The questions: a width each."""
        return tuple(f"width{layer}" for layer in range(3 * self.repeats + 2))

    def decide(self, choose: Choose) -> Graph:
        """Asks for the widths."""
        widths = [choose(address, self.channels) for address in self.addresses]
        same, other = _cells()
        g = GraphBuilder()
        g.define("reduce", residual())
        before = widths[0]
        x = g.add("conv_bn", g.input(), channels=before, kernel=3)
        for layer, width in enumerate(widths):
            if layer in (self.repeats, 2 * self.repeats + 1):
                x = g.cell("reduce", x, width=width, stride=2)
            else:
                name, motif = ("cell", same) if width == before else ("other", other)
                g.define(name, motif)
                x = g.cell(name, x, width=width)
            before = width
        return g.build(g.add("classifier", g.add("bn_relu", x)))

    def count(self) -> int:
        """A width for every layer."""
        return int(len(self.channels) ** len(self.addresses))

    def to_string(self, answers: Mapping[str, Scalar]) -> str:
        """Answers -> the benchmark's string, "8:16:24:32:40"."""
        return ":".join(str(answers[address]) for address in self.addresses)

    def from_string(self, text: str) -> dict[str, int]:
        """The benchmark's string -> answers.

        Raises:
            ArchitectureError: another number of widths, or one that is none of the channels.
        """
        numbers = text.split(":")
        if len(numbers) != len(self.addresses):
            told = ":".join("8" for _ in self.addresses)
            raise ArchitectureError("widths", text, f"there must be {len(self.addresses)} widths, like {told}")
        known = {str(channels): channels for channels in self.channels}
        for address, number in zip(self.addresses, numbers, strict=True):
            if number not in known:
                raise ArchitectureError(address, number, f"the width must be one of {', '.join(known)}")
        return {address: known[number] for address, number in zip(self.addresses, numbers, strict=True)}


@lru_cache(maxsize=1)
def _cells() -> tuple[Graph, Graph]:
    """The cell that keeps the width, and the one that changes it."""
    same = replay(NasBench201(), from_string(CELL)).graph.motif("cell")
    skip = Node("conv_bn", (0,), (("channels", WIDTH), ("kernel", 1)))
    nodes = tuple(skip if node.op == "identity" else node for node in same.nodes)
    return same, Graph(nodes, same.output)
