"""What all cell spaces share: how cells are stacked into a network, and what the edges of a cell can hold.

Each cell sees the outputs of the two cells before it, brought to its width by 1x1 convolutions; two reduction cells
halve the resolution and double the width. Zoph et al. 2018, "Learning Transferable Architectures for Scalable Image
Recognition", https://arxiv.org/abs/1707.07012, figure 2; in the form of Liu et al. 2019, "DARTS: Differentiable
Architecture Search", https://arxiv.org/abs/1806.09055, appendix A, whose parameter counts it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from raynas.errors import ConfigError
from raynas.graph import WIDTH, Graph, GraphBuilder
from raynas.settings import check_types
from raynas.spaces.checks import MOST, check_rate, check_whole

SKIP = "skip_connect"

EDGE_OPS: Mapping[str, tuple[str, int]] = {
    "max_pool_3x3": ("max_pool", 3),
    "max_pool_5x5": ("max_pool", 5),
    "max_pool_7x7": ("max_pool", 7),
    "avg_pool_3x3": ("avg_pool", 3),
    "conv_1x1": ("relu_conv_bn", 1),
    "conv_3x3": ("relu_conv_bn", 3),
    "conv_3x1_1x3": ("factorized_conv", 3),
    "conv_7x1_1x7": ("factorized_conv", 7),
    "sep_conv_3x3": ("sep_conv", 3),
    "sep_conv_5x5": ("sep_conv", 5),
    "sep_conv_7x7": ("sep_conv", 7),
    "dil_conv_3x3": ("dil_conv", 3),
    "dil_conv_5x5": ("dil_conv", 5),
}
"""Name in the literature -> op and kernel; SKIP beside these is the identity."""


@dataclass(frozen=True)
class Stack:
    """Settings of a network of stacked cells. The defaults suit small images on a CPU.

    Attributes:
        layers: cells of the network; those at 1/3 and 2/3 are reduction cells (half the resolution, twice the width).
            3 N + 2 cells are N normal cells before, between and after two reductions, the count of Zoph et al.
        width: channels of a node before the first reduction.
        stem: the 3x3 convolution before the cells has `stem * width` channels.
        imagenet: three 3x3 convolutions of stride 2 take its place, the last with `width` channels; then `stem` says
            nothing, and the first cell gets inputs of two resolutions.
        auxiliary: a second classifier on the cell at 2/3, which training alone sees; no part of the canonical key.
        drop_path: rate at which training drops an edge's output, in [0, 1); identities are spared.
    """

    layers: int = 3
    width: int = 8
    stem: int = 3
    imagenet: bool = False
    auxiliary: bool = False
    drop_path: float = 0.0

    def __post_init__(self) -> None:
        check_types(self)
        check_whole(self, "layers", most=MOST)
        check_whole(self, "width", "stem")
        check_rate(self, "drop_path")
        if self.imagenet and self.width < 2:
            raise ConfigError(f"width must be at least 2 where imagenet is true, but got {self.width}")

    @property
    def reductions(self) -> frozenset[int]:
        """Which layers are reduction cells."""
        return frozenset({self.layers // 3, 2 * self.layers // 3}) - {0} if self.layers > 1 else frozenset()

    def around(self, normal: Graph, reduce: Graph | None) -> Graph:
        """The network of these cells.

        Args:
            normal: the normal cell, with two inputs.
            reduce: the reduction cell; None where there are no reductions.
        """
        skeleton = _skeleton(self.layers, self.width, self.stem, self.reductions, self.imagenet, self.auxiliary)
        return skeleton.around(normal=normal) if reduce is None else skeleton.around(normal=normal, reduce=reduce)


def edge(g: GraphBuilder, op: str, source: int, *, stride: int, drop_path: float, project: bool = False) -> int:
    """Adds what an edge computes to a cell and returns its node.

    Args:
        g: the cell.
        op: SKIP or one of EDGE_OPS.
        source: the node it leaves.
        stride: 1, or 2 in a reduction cell on edges from the cell's inputs.
        drop_path: as in `Stack`.
        project: the source may have more channels than the cell's width, the edge's output must not.
    """
    if op == SKIP and stride == 1 and not project:
        return g.add("identity", source)
    kind, kernel = EDGE_OPS.get(op, ("identity", 1))
    if kind == "identity" and stride > 1:
        x = g.add("factorized_reduce", source, channels=WIDTH)
    elif kind in ("identity", "max_pool", "avg_pool"):
        x = source if kind == "identity" else g.add(kind, source, kernel=kernel, stride=stride)
        x = g.add("relu_conv_bn", x, channels=WIDTH, kernel=1) if project else x
    else:
        x = g.add(kind, source, channels=WIDTH, kernel=kernel, stride=stride)
    return g.add("drop_path", x, rate=drop_path) if drop_path else x


@lru_cache(maxsize=64)
def _skeleton(layers: int, width: int, stem: int, reductions: frozenset[int], imagenet: bool, auxiliary: bool) -> Graph:
    """The network around the cells."""
    g = GraphBuilder()
    if imagenet:
        x = g.add("conv_bn_relu", g.input(), channels=width // 2, kernel=3, stride=2)
        before = g.add("conv_bn", x, channels=width, kernel=3, stride=2)
        last = g.add("relu_conv_bn", before, channels=width, kernel=3, stride=2)
    else:
        before = last = g.add("conv_bn", g.input(), channels=stem * width, kernel=3)
    halved = imagenet  # whether `before` has twice the resolution of `last`
    for layer in range(layers):
        reduction = layer in reductions
        width *= 2 if reduction else 1
        if halved:
            left = g.add("factorized_reduce", before, channels=width)
        else:
            left = g.add("relu_conv_bn", before, channels=width, kernel=1)
        right = g.add("relu_conv_bn", last, channels=width, kernel=1)
        cell = g.cell("reduce" if reduction else "normal", left, right, width=width, stride=2 if reduction else 1)
        if auxiliary and layer == 2 * layers // 3:
            g.add("auxiliary", cell, imagenet=imagenet)
        before, last, halved = last, cell, reduction
    return g.build(g.add("classifier", last))
