"""Inception networks: stages of modules whose four branches look at different scales side by side.

Szegedy et al. 2015, "Going Deeper with Convolutions", https://arxiv.org/abs/1409.4842, figure 2b and table 1. A module
concatenates a 1x1 convolution, a 3x3 and a larger one, each after a 1x1 convolution that narrows the input, and a
pooling followed by a 1x1 convolution. Asked are the stem, the depth of each stage and the pooling before it, and of
each module all six widths, the larger kernel and the pooling. `googlenets()` is that paper's size.

The default has 2.2e14 architectures; the published network, without its auxiliary heads, has 6,624,904 parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from raynas.errors import ConfigError
from raynas.graph import Graph, GraphBuilder
from raynas.records import Choose
from raynas.settings import check_types
from raynas.spaces.checks import MOST, STAGES, check_options, check_rate, check_whole, few, odd, positive, whole

STEMS = ("3x3", "googlenet")
"""How a network begins: a convolution that keeps the resolution; or a 7x7, a 1x1 and a 3x3 convolution with poolings,
which leave an eighth of it."""

POOLS = ("max", "avg")
"""The poolings of modules, all 3x3."""

REDUCTIONS = ("max_3x3", "max_2x2", "avg_3x3")
"""The poolings between stages, all of stride 2; maxima reach beyond the edge, as torchvision has it."""

UNIT = 64
"""Widths of branches are told in 64ths of their stage's width."""


class Module(NamedTuple):
    """A module: channels of its six convolutions, the larger kernel, the pooling."""

    one: int
    three_narrow: int
    three: int
    large_narrow: int
    large: int
    pooled: int
    kernel: int
    pool: str


@dataclass(frozen=True)
class Inception:
    """The space. The defaults suit small images on a CPU.

    Attributes:
        stages: how many; before all but the first a pooling halves the resolution.
        width: stage i has `width * 2**i`; all branches' widths are in 64ths of it.
        depths: modules of a stage.
        ones: widths of the 1x1 convolution.
        threes: of the 3x3 convolution.
        larges: of the larger convolution.
        pooleds: of the convolution after the pooling.
        three_narrows: of the convolution before the 3x3.
        large_narrows: of the convolution before the larger one.
        kernels: of the larger convolution, odd; the paper's is 5, torchvision's 3.
        pools: of modules, of POOLS.
        reductions: between stages, of REDUCTIONS.
        stems: of STEMS.
        eps: of batch norms; 1e-3 in torchvision.
        dropout: before the classifier.
        name: as on the command line.
    """

    stages: int = 2
    width: int = 32
    depths: tuple[int, ...] = (1, 2)
    ones: tuple[int, ...] = (8, 16, 32)
    threes: tuple[int, ...] = (16, 32, 48)
    larges: tuple[int, ...] = (4, 8, 16)
    pooleds: tuple[int, ...] = (4, 8, 16)
    three_narrows: tuple[int, ...] = (8, 16, 24)
    large_narrows: tuple[int, ...] = (2, 4, 8)
    kernels: tuple[int, ...] = (3, 5)
    pools: tuple[str, ...] = POOLS
    reductions: tuple[str, ...] = REDUCTIONS
    stems: tuple[str, ...] = ("3x3",)
    eps: float = 1e-3
    dropout: float = 0.0
    name: str = "inception"

    def __post_init__(self) -> None:
        check_whole(self, "stages", most=STAGES)
        check_whole(self, "width")
        for field in ("ones", "threes", "larges", "pooleds", "three_narrows", "large_narrows"):
            check_options(self, field, "whole numbers of at least 1", whole)
            widths = [self.width * share // UNIT for share in getattr(self, field)]
            if min(widths) < 1 or len(set(widths)) < len(widths):
                raise ConfigError(f"{field}, in 64ths of width {self.width}, must be different, but make {widths}")
        check_options(self, "depths", f"whole numbers from 1 to {MOST:,}", few)
        check_options(self, "kernels", "odd numbers", odd)
        check_options(self, "pools", f"of {', '.join(POOLS)}", POOLS.__contains__)
        check_options(self, "reductions", f"of {', '.join(REDUCTIONS)}", REDUCTIONS.__contains__)
        check_options(self, "stems", f"of {', '.join(STEMS)}", STEMS.__contains__)
        check_rate(self, "dropout")
        if not positive(self.eps):
            raise ConfigError(f"eps must be a positive number, but got {self.eps!r}")
        check_types(self)

    def decide(self, choose: Choose) -> Graph:
        """Asks for the stem, then stage by stage and module by module."""
        stem = choose("stem", self.stems)
        stages = {}
        for index in range(self.stages):
            ask = choose.at(f"stage{index}")
            reduction = ask("reduction", self.reductions) if index else ""
            width = self.width * 2**index
            modules = tuple(self._module(ask.at(f"module{m}"), width) for m in range(ask("depth", self.depths)))
            stages[f"stage{index}"] = _stage(modules, reduction, width, self.eps)
        return _skeleton(stem, self.width, self.stages, self.eps, self.dropout).around(**stages)

    def _module(self, ask: Choose, width: int) -> Module:
        return Module(
            width * ask("one", self.ones) // UNIT,
            width * ask("three_narrow", self.three_narrows) // UNIT,
            width * ask("three", self.threes) // UNIT,
            width * ask("large_narrow", self.large_narrows) // UNIT,
            width * ask("large", self.larges) // UNIT,
            width * ask("pooled", self.pooleds) // UNIT,
            ask("kernel", self.kernels),
            ask("pool", self.pools),
        )

    def count(self) -> int:
        """A stage of d modules has (answers of a module) ** d answers, and the pooling before it."""
        module = len(self.kernels) * len(self.pools)
        for options in (self.ones, self.threes, self.larges, self.pooleds, self.three_narrows, self.large_narrows):
            module *= len(options)
        stage = sum(module**depth for depth in self.depths)
        return int(len(self.stems) * stage**self.stages * len(self.reductions) ** (self.stages - 1))


def googlenets() -> Inception:
    """The space at the size of GoogLeNet, whose widths (table 1) are among the options."""
    return Inception(
        stages=3,
        width=256,
        depths=(1, 2, 3, 4, 5),
        ones=(14, 16, 20, 24, 32),
        threes=(20, 24, 26, 28, 32, 36, 40, 48),
        larges=(6, 8, 16, 24),
        pooleds=(8, 16),
        three_narrows=(10, 12, 14, 16, 18, 20, 24, 32),
        large_narrows=(2, 3, 4, 8),
        stems=("googlenet",),
        dropout=0.2,
        name="googlenets",
    )


@lru_cache(maxsize=16384)
def _module(m: Module, eps: float) -> Graph:
    """The motif: four branches side by side."""
    g = GraphBuilder()
    x = g.input()
    one = g.add("conv_bn_act", x, channels=m.one, kernel=1, eps=eps)
    narrow = g.add("conv_bn_act", x, channels=m.three_narrow, kernel=1, eps=eps)
    three = g.add("conv_bn_act", narrow, channels=m.three, kernel=3, eps=eps)
    narrow = g.add("conv_bn_act", x, channels=m.large_narrow, kernel=1, eps=eps)
    large = g.add("conv_bn_act", narrow, channels=m.large, kernel=m.kernel, eps=eps)
    pooled = g.add("conv_bn_act", g.add(f"{m.pool}_pool", x, kernel=3), channels=m.pooled, kernel=1, eps=eps)
    return g.build(g.add("concat", one, three, large, pooled))


@lru_cache(maxsize=4096)
def _stage(modules: tuple[Module, ...], reduction: str, width: int, eps: float) -> Graph:
    """The motif: a pooling, and modules one after the other."""
    g = GraphBuilder()
    x = g.input()
    if reduction:
        kind, _, kernel = reduction.partition("_")
        ceil = {"ceil": True} if kind == "max" else {}
        x = g.add(f"{kind}_pool", x, kernel=int(kernel[0]), stride=2, **ceil)
    for index, module in enumerate(modules):
        g.define(f"module{index}", _module(module, eps))
        x = g.cell(f"module{index}", x, width=width)
    return g.build(x)


@lru_cache(maxsize=64)
def _skeleton(stem: str, width: int, stages: int, eps: float, dropout: float) -> Graph:
    """The network around the stages."""
    g = GraphBuilder()
    x = g.input()
    if stem == "googlenet":
        narrow, wide = max(1, width // 4), max(1, 3 * width // 4)
        x = g.add("conv_bn_act", x, channels=narrow, kernel=7, stride=2, eps=eps)
        x = g.add("max_pool", x, kernel=3, stride=2, ceil=True)
        x = g.add("conv_bn_act", x, channels=narrow, kernel=1, eps=eps)
        x = g.add("conv_bn_act", x, channels=wide, kernel=3, eps=eps)
        x = g.add("max_pool", x, kernel=3, stride=2, ceil=True)
    else:
        x = g.add("conv_bn_act", x, channels=width, kernel=3, eps=eps)
    for stage in range(stages):
        x = g.cell(f"stage{stage}", x, width=width * 2**stage)
    if dropout:
        x = g.add("dropout", g.add("global_pool", x), rate=dropout)
    return g.build(g.add("classifier", x))
