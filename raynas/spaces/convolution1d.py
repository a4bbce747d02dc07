"""Convolutional networks for series; images are read pixel by pixel, tables as series of one channel.

Blocks of a convolution, batch norm and an activation, each with a width, a kernel, a dilation, a way to halve the
length and perhaps a residual connection, closed by global pooling: the ingredients of the strong baselines of Wang, Yan
& Oates 2017, "Time Series Classification from Scratch with Deep Neural Networks", https://arxiv.org/abs/1611.06455,
and, with dilations, of Bai, Kolter & Koltun 2018, https://arxiv.org/abs/1803.01271. The default space has 1.9e12
answers.
"""

from __future__ import annotations

from dataclasses import dataclass

from raynas.graph import Graph, GraphBuilder
from raynas.layers import ACTIVATIONS
from raynas.records import Choose
from raynas.settings import check_types
from raynas.spaces.checks import check_options, check_span, odd, probability, whole

REDUCTIONS = ("none", "stride", "max_pool", "avg_pool")
"""How a block can halve the length: not, by its convolution, or by pooling after it."""


@dataclass(frozen=True)
class Convolution1d:
    """The space.

    Attributes:
        min_blocks: fewest blocks.
        max_blocks: most blocks.
        widths: channels of a block.
        kernels: lengths of a filter, odd.
        dilations: distances between the positions that a filter sees.
        reductions: of REDUCTIONS.
        activations: of all blocks; names of raynas.layers.ACTIVATIONS.
        rates: of dropout before the classifier; 0: none.
        residual: whether blocks may add their input to their output, by a 1x1 convolution if their shapes differ.
    """

    min_blocks: int = 2
    max_blocks: int = 5
    widths: tuple[int, ...] = (8, 16, 32)
    kernels: tuple[int, ...] = (3, 5, 9)
    dilations: tuple[int, ...] = (1, 2, 4)
    reductions: tuple[str, ...] = REDUCTIONS
    activations: tuple[str, ...] = ("relu", "gelu")
    rates: tuple[float, ...] = (0.0, 0.2)
    residual: bool = True

    def __post_init__(self) -> None:
        check_types(self)
        check_span(self, "min_blocks", "max_blocks")
        check_options(self, "widths", "whole numbers of at least 1", whole)
        check_options(self, "kernels", "odd whole numbers of at least 1", odd)
        check_options(self, "dilations", "whole numbers of at least 1", whole)
        check_options(self, "reductions", f"of {', '.join(REDUCTIONS)}", REDUCTIONS.__contains__)
        check_options(self, "activations", f"of {', '.join(ACTIVATIONS)}", ACTIVATIONS.__contains__)
        check_options(self, "rates", "numbers in [0, 1)", probability)

    @property
    def name(self) -> str:
        """As on the command line."""
        return "conv1d"

    def decide(self, choose: Choose) -> Graph:
        """Asks for what all blocks share, then block by block."""
        blocks = choose("blocks", tuple(range(self.min_blocks, self.max_blocks + 1)))
        activation, rate = choose("activation", self.activations), choose("rate", self.rates)
        g = GraphBuilder()
        x = g.add("series", g.input())
        before = 0  # channels; the data's are not known here
        for block in range(blocks):
            ask = choose.at(f"block{block}")
            width, kernel, dilation = ask("width", self.widths), ask("kernel", self.kernels), 1
            if kernel > 1:
                dilation = ask("dilation", self.dilations)
            reduction = ask("reduction", self.reductions)
            stride = 2 if reduction == "stride" else 1
            y = g.add(
                "conv_bn_act", x, channels=width, kernel=kernel, dilation=dilation, stride=stride, activation=activation
            )
            if self.residual and ask("residual", (False, True)):
                same = width == before and stride == 1
                y = g.add("sum", y, x if same else g.add("conv_bn", x, channels=width, kernel=1, stride=stride))
            x = g.add(reduction, y, kernel=3, stride=2) if reduction in ("max_pool", "avg_pool") else y
            before = width
        if rate:
            x = g.add("dropout", g.add("global_pool", x), rate=rate)
        return g.build(g.add("classifier", x))

    def count(self) -> int:
        """Sum over the number of blocks."""
        filters = sum(len(self.dilations) if kernel > 1 else 1 for kernel in self.kernels)
        block = len(self.widths) * filters * len(self.reductions) * (2 if self.residual else 1)
        networks = sum(block**blocks for blocks in range(self.min_blocks, self.max_blocks + 1))
        return int(networks * len(self.activations) * len(self.rates))
