"""Chains of layers with branches and skip connections (Elsken et al. 2019, figures 2a and 2b).

Layer i takes the sum of what came before it and, where a skip is chosen, of one earlier layer; it applies one or
several branches, each an op of its own, and sums them. Shapes that do not match are fitted by the plan.

Elsken, Metzen & Hutter 2019, "Neural Architecture Search: A Survey", https://arxiv.org/abs/1808.05377, section 2.
"""

from __future__ import annotations

from dataclasses import dataclass

from raynas.errors import ConfigError
from raynas.graph import Graph, GraphBuilder
from raynas.records import Choose
from raynas.settings import check_types
from raynas.spaces.checks import MOST, check_options, check_span, check_whole, whole

CHAIN_OPS = ("conv_3x3", "conv_5x5", "conv_1x1", "depthwise_3x3", "depthwise_5x5", "max_pool_3x3", "avg_pool_3x3")
"""What a branch may hold."""


@dataclass(frozen=True)
class Chain:
    """The space.

    Attributes:
        min_layers: fewest layers.
        max_layers: most layers.
        ops: what a branch may hold, of CHAIN_OPS.
        widths: channels of a layer.
        branches: most parallel branches of a layer.
        skips: whether layers may also take an earlier layer's output.
        name: as on the command line.
    """

    min_layers: int = 2
    max_layers: int = 6
    ops: tuple[str, ...] = CHAIN_OPS
    widths: tuple[int, ...] = (8, 16, 32, 64)
    branches: int = 2
    skips: bool = True
    name: str = "chain"

    def __post_init__(self) -> None:
        check_types(self)
        wrong = [op for op in self.ops if op not in CHAIN_OPS]
        if wrong or not self.ops:
            raise ConfigError(f"ops must be some of {', '.join(CHAIN_OPS)}, but got {self.ops!r}")
        check_span(self, "min_layers", "max_layers")
        check_options(self, "widths", "whole numbers of at least 1", whole)
        check_whole(self, "branches", most=MOST)

    def decide(self, choose: Choose) -> Graph:
        """Asks for the depth, then layer by layer for width, stride, branches and skip."""
        g = GraphBuilder()
        states = [g.input()]
        depth = choose("layers", tuple(range(self.min_layers, self.max_layers + 1)))
        for layer in range(depth):
            x = states[-1]
            if self.skips and layer >= 2:
                skip = choose(f"layer{layer}/skip", ("none", *(f"layer{i}" for i in range(layer - 1))))
                if skip != "none":
                    x = g.add("sum", x, states[1 + int(skip.removeprefix("layer"))])
            width = choose(f"layer{layer}/width", self.widths)
            stride = choose(f"layer{layer}/stride", (1, 2))
            branches = choose(f"layer{layer}/branches", tuple(range(1, self.branches + 1)))
            outs = [
                _branch(g, choose(f"layer{layer}/branch{branch}", self.ops), x, width, stride)
                for branch in range(branches)
            ]
            states.append(g.add("sum", *outs) if len(outs) > 1 else outs[0])
        return g.build(g.add("classifier", states[-1]))

    def count(self) -> int:
        """Sum over depths of the product over layers."""
        total = 0
        branches = sum(len(self.ops) ** b for b in range(1, self.branches + 1))
        for depth in range(self.min_layers, self.max_layers + 1):
            product = 1
            for layer in range(depth):
                product *= branches * len(self.widths) * 2 * (layer if self.skips and layer >= 2 else 1)
            total += product
        return total


def _branch(g: GraphBuilder, op: str, x: int, width: int, stride: int) -> int:
    kind, _, kernel = op.rpartition("_")
    size = int(kernel[0])
    if kind == "conv":
        return g.add("conv_bn_relu", x, channels=width, kernel=size, stride=stride)
    if kind == "depthwise":
        return g.add("depthwise_conv_bn_relu", x, channels=width, kernel=size, stride=stride)
    return g.add(kind, x, kernel=size, stride=stride)
