"""Residual networks: stages of blocks whose outputs are added to their inputs.

He et al. 2016, "Deep Residual Learning for Image Recognition", https://arxiv.org/abs/1512.03385, section 3.3 and
table 1. Asked are the stem and each stage's block, depth, width and kernel; of bottlenecks also how narrow they are and
in how many groups they convolve (Xie et al. 2017, ResNeXt, https://arxiv.org/abs/1611.05431; Zagoruyko & Komodakis
2016, wide networks, https://arxiv.org/abs/1605.07146). A bottleneck's stride is in its middle convolution, as
torchvision has it. `resnets()` holds the published networks.

The default has 2 * 60^3 = 432,000 architectures.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from raynas.errors import ConfigError
from raynas.graph import STRIDE, WIDTH, Graph, GraphBuilder
from raynas.ops import MOTIF
from raynas.records import Choose
from raynas.settings import check_types
from raynas.spaces.checks import MOST, STAGES, check_options, check_whole, few, odd, positive, whole

STEMS = ("3x3", "5x5", "7x7_pool")
"""How a network begins: a convolution that keeps the resolution; or one of stride 2 and a max pooling, which leave a
quarter of it."""

BLOCKS = ("basic", "bottleneck")
"""Two convolutions; or three, the first and last 1x1, with four times the stage's width as output."""

EXPANSION = 4


class Block(NamedTuple):
    """What all blocks of a stage are.

    Attributes:
        kind: one of BLOCKS.
        width: channels that come out.
        inner: channels of a bottleneck's middle convolution.
        kernel: of both convolutions of a basic block, and of the middle one of a bottleneck.
        groups: of the middle convolution of a bottleneck.
    """

    kind: str
    width: int
    inner: int
    kernel: int
    groups: int


@dataclass(frozen=True)
class Residual:
    """The space. The defaults suit small images on a CPU.

    Attributes:
        stages: how many; all but the first halve the resolution.
        width: channels of the stem; stage i has `width * 2**i` times one of `factors`.
        factors: see `width`.
        depths: blocks of a stage.
        stems: of STEMS.
        blocks: of BLOCKS.
        kernels: of the convolutions, odd.
        ratios: channels that come out of a bottleneck, over those of its middle convolution.
        groups: of that convolution.
        name: as on the command line.
    """

    stages: int = 3
    width: int = 8
    factors: tuple[float, ...] = (1.0, 1.5, 2.0)
    depths: tuple[int, ...] = (1, 2)
    stems: tuple[str, ...] = ("3x3", "5x5")
    blocks: tuple[str, ...] = BLOCKS
    kernels: tuple[int, ...] = (3, 5)
    ratios: tuple[int, ...] = (4, 2)
    groups: tuple[int, ...] = (1, 4)
    name: str = "residual"

    def __post_init__(self) -> None:
        check_whole(self, "stages", most=STAGES)
        check_whole(self, "width")
        check_options(self, "factors", "positive numbers", positive)
        check_options(self, "depths", f"whole numbers from 1 to {MOST:,}", few)
        check_options(self, "stems", f"of {', '.join(STEMS)}", STEMS.__contains__)
        check_options(self, "blocks", f"of {', '.join(BLOCKS)}", BLOCKS.__contains__)
        check_options(self, "kernels", "odd numbers", odd)
        check_options(self, "ratios", "whole numbers of at least 1", whole)
        check_options(self, "groups", "whole numbers of at least 1", whole)
        check_types(self)
        for stage in range(self.stages):
            widths = self.widths(stage)
            if min(widths) < 1 or len(set(widths)) < len(widths):
                raise ConfigError(f"factors must give a stage different widths, but {self.factors} give {widths}")
            wrong = [
                (width, ratio, groups)
                for width in widths
                for ratio in self.ratios
                for groups in self.groups
                if EXPANSION * width % (ratio * groups)
            ]
            if wrong and "bottleneck" in self.blocks:
                told = "width {}, ratio {}, groups {}".format(*wrong[0])
                raise ConfigError(f"groups must divide the {EXPANSION} * width / ratio of bottlenecks, but got {told}")

    def widths(self, stage: int) -> tuple[int, ...]:
        """The widths that a stage can have."""
        return tuple(round(self.width * 2**stage * factor) for factor in self.factors)

    def decide(self, choose: Choose) -> Graph:
        """Asks for the stem, then stage by stage."""
        stem = choose("stem", self.stems)
        stages = {}
        channels = self.width
        for index in range(self.stages):
            ask = choose.at(f"stage{index}")
            kind = ask("block", self.blocks)
            depth = ask("depth", self.depths)
            width = ask("width", self.widths(index))
            kernel = ask("kernel", self.kernels)
            if kind == "bottleneck":
                out = EXPANSION * width
                block = Block(kind, out, out // ask("ratio", self.ratios), kernel, ask("groups", self.groups))
            else:
                block = Block(kind, width, width, kernel, 1)
            stages[f"stage{index}"] = _stage(block, depth, project=index > 0 or channels != block.width)
            channels = block.width
        return _skeleton(stem, self.width, self.stages).around(**stages)

    def count(self) -> int:
        """The product over stages of depths, widths, kernels and blocks; of bottlenecks also ratios and groups."""
        kinds = {"basic": 1, "bottleneck": len(self.ratios) * len(self.groups)}
        stage = len(self.depths) * len(self.factors) * len(self.kernels) * sum(kinds[kind] for kind in self.blocks)
        return int(len(self.stems) * stage**self.stages)


def resnets() -> Residual:
    """The space of the published ImageNet networks: ResNet-18 to -152, wide ones and ResNeXt are points of it.

    The depths are those of table 1 of the paper; ratio 2 is a wide network, with 32 groups a ResNeXt 32x4d.
    """
    return Residual(
        stages=4,
        width=64,
        factors=(1.0,),
        depths=(2, 3, 4, 6, 8, 23, 36),
        stems=("7x7_pool",),
        kernels=(3,),
        groups=(1, 32),
        name="resnets",
    )


@lru_cache(maxsize=256)
def _block(block: Block, *, project: bool) -> Graph:
    """The motif: convolutions beside the input, which a 1x1 convolution projects where shapes change."""
    g = GraphBuilder()
    x = g.input()
    if block.kind == "bottleneck":
        y = g.add("conv_bn_act", x, channels=block.inner, kernel=1)
        inner, kernel, groups = block.inner, block.kernel, block.groups
        y = g.add("conv_bn_act", y, channels=inner, kernel=kernel, stride=STRIDE, groups=groups)
        y = g.add("conv_bn", y, channels=WIDTH, kernel=1)
    else:
        y = g.add("conv_bn_act", x, channels=WIDTH, kernel=block.kernel, stride=STRIDE)
        y = g.add("conv_bn", y, channels=WIDTH, kernel=block.kernel)
    short = g.add("conv_bn", x, channels=WIDTH, kernel=1, stride=STRIDE) if project else x
    return g.build(g.add("activation", g.add("sum", y, short), kind="relu"))


@lru_cache(maxsize=4096)
def _stage(block: Block, depth: int, *, project: bool) -> Graph:
    """The motif: the first block may change shapes, the others keep them."""
    g = GraphBuilder()
    g.define("first", _block(block, project=project))
    x = g.add(MOTIF, g.input(), name="first", width=block.width, stride=STRIDE)
    if depth > 1:
        g.define("next", _block(block, project=False))
    for _ in range(depth - 1):
        x = g.cell("next", x, width=block.width)
    return g.build(x)


@lru_cache(maxsize=64)
def _skeleton(stem: str, width: int, stages: int) -> Graph:
    """The network around the stages."""
    g = GraphBuilder()
    pool = stem.endswith("_pool")
    x = g.add("conv_bn_act", g.input(), channels=width, kernel=int(stem[0]), stride=2 if pool else 1)
    if pool:
        x = g.add("max_pool", x, kernel=3, stride=2)
    for stage in range(stages):
        x = g.cell(f"stage{stage}", x, width=width * 2**stage, stride=2 if stage else 1)
    return g.build(g.add("classifier", x))
