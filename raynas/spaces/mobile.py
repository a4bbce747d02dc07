"""Mobile networks: stages of inverted bottlenecks with squeeze-and-excitation.

The block: Sandler et al. 2018 (MobileNetV2), https://arxiv.org/abs/1801.04381. Spaces of it: Tan et al. 2019 (MnasNet),
https://arxiv.org/abs/1807.11626; Cai et al. 2019 (ProxylessNAS), https://arxiv.org/abs/1812.00332; Cai et al. 2020
(Once-for-All), https://arxiv.org/abs/1908.09791. Asked are the width of all layers, the resolution, each stage's depth
and activation, and each block's kernel, expansion and squeeze-and-excitation; a `MobileStage` says among what.
`proxylessnas()` has 7^21 = 5.6e17 architectures, `ofa_mobilenetv3()` (9^2 + 9^3 + 9^4)^5 = 2.2e19.

The default has 2 * 144^3 = 6.0e6 architectures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from raynas.errors import ConfigError
from raynas.graph import STRIDE, WIDTH, Graph, GraphBuilder
from raynas.layers import ACTIVATIONS
from raynas.ops import Scalar
from raynas.records import Choose
from raynas.settings import check_types
from raynas.spaces.checks import MOST, check_options, check_rate, check_whole, few, odd, positive, whole

GATES = ("sigmoid", "hardsigmoid")
"""What a squeeze-and-excitation ends with."""


@dataclass(frozen=True)
class MobileStage:
    """What is fixed and what can be chosen in one stage.

    Attributes:
        width: channels that come out of each block, before they are multiplied.
        stride: of the first block.
        depths: blocks.
        kernels: of the depthwise convolution, odd.
        expansions: channels of that convolution over those of the block's input. 0: the block is left out, and where
            it changes shapes a 1x1 convolution is in its place.
        squeezes: whether there is a squeeze-and-excitation.
        activations: of raynas.layers.ACTIVATIONS; one for the whole stage.
    """

    width: int
    stride: int = 1
    depths: tuple[int, ...] = (1, 2)
    kernels: tuple[int, ...] = (3, 5)
    expansions: tuple[float, ...] = (3, 6)
    squeezes: tuple[bool, ...] = (False, True)
    activations: tuple[str, ...] = ("relu6", "hardswish")

    def __post_init__(self) -> None:
        check_whole(self, "width", "stride")
        check_options(self, "depths", f"whole numbers from 1 to {MOST:,}", few)
        check_options(self, "kernels", "odd numbers", odd)
        check_options(self, "expansions", "numbers of at least 0", lambda value: value == 0 or positive(value))
        check_options(self, "squeezes", "of false and true", lambda value: isinstance(value, bool))
        check_options(self, "activations", f"of {', '.join(ACTIVATIONS)}", ACTIVATIONS.__contains__)
        check_types(self)

    def count(self) -> int:
        """A stage of d blocks has (answers of a block) ** d answers, and the activation."""
        built = sum(expansion > 0 for expansion in self.expansions) * len(self.kernels) * len(self.squeezes)
        block = built + (0 in self.expansions)
        return int(len(self.activations) * sum(block**depth for depth in self.depths))


class Style(NamedTuple):
    """What is the same all over a network: the gate of squeeze-and-excitation, and batch norm."""

    gate: str
    eps: float
    momentum: float


class Block(NamedTuple):
    """One block: channels in the middle (0: left out), kernel, squeezed channels, activation."""

    hidden: int
    kernel: int
    squeezed: int
    activation: str


@dataclass(frozen=True)
class Mobile:
    """The space. The defaults suit small images on a CPU.

    Attributes:
        stages: what can be chosen in each.
        multipliers: of all widths; head and dense layer become wider by it, never narrower, as in MobileNetV2.
        resolutions: images are averaged down to so many pixels a side, where they have more; (): this is not asked.
        stem: channels of the first convolution, 3x3.
        stem_stride: its stride.
        head: channels of the last convolution, 1x1; 0: there is none.
        hidden: channels of a dense layer before the classifier; 0: there is none.
        activation: of stem, head and dense layer.
        divisor: widths are rounded to multiples of it.
        gate: of squeeze-and-excitations, of GATES.
        eps: of batch norms.
        momentum: of batch norms, the share of the newest batch.
        dropout: before the classifier.
        name: as on the command line.
    """

    stages: tuple[MobileStage, ...] = (MobileStage(16), MobileStage(24, 2), MobileStage(40, 2))
    multipliers: tuple[float, ...] = (0.5, 1.0)
    resolutions: tuple[int, ...] = ()
    stem: int = 16
    stem_stride: int = 1
    head: int = 128
    hidden: int = 0
    activation: str = "hardswish"
    divisor: int = 8
    gate: str = "hardsigmoid"
    eps: float = 1e-5
    momentum: float = 0.1
    dropout: float = 0.0
    name: str = "mobile"

    def __post_init__(self) -> None:
        check_options(self, "stages", "stages", lambda value: isinstance(value, MobileStage))
        check_options(self, "multipliers", "positive numbers", positive)
        if self.resolutions:
            check_options(self, "resolutions", "whole numbers of at least 1", whole)
        check_whole(self, "stem", "stem_stride", "divisor")
        check_whole(self, "head", "hidden", least=0)
        check_rate(self, "dropout")
        for field, options in (("activation", ACTIVATIONS), ("gate", GATES)):
            if getattr(self, field) not in options:
                raise ConfigError(f"{field} must be one of {', '.join(options)}, but got {getattr(self, field)!r}")
        for field in ("eps", "momentum"):
            if not positive(getattr(self, field)):
                raise ConfigError(f"{field} must be a positive number, but got {getattr(self, field)!r}")
        check_types(self)

    def decide(self, choose: Choose) -> Graph:
        """Asks for width and resolution, then stage by stage and block by block."""
        style = Style(self.gate, self.eps, self.momentum)
        multiplier = choose("multiplier", self.multipliers)
        resolution = choose("resolution", self.resolutions) if self.resolutions else 0
        channels = rounded(self.stem * multiplier, self.divisor)
        stages = {}
        for index, stage in enumerate(self.stages):
            width = rounded(stage.width * multiplier, self.divisor)
            blocks = self._ask(choose.at(f"stage{index}"), stage, channels, width)
            stages[f"stage{index}"] = _stage(blocks, channels, width, stage.stride, style)
            channels = width
        return _skeleton(self, multiplier, resolution).around(**stages)

    def _ask(self, ask: Choose, stage: MobileStage, channels: int, width: int) -> tuple[Block, ...]:
        activation = ask("activation", stage.activations)
        blocks = []
        for index in range(ask("depth", stage.depths)):
            at = f"block{index}/"
            expansion = ask(at + "expansion", stage.expansions)
            if expansion:
                hidden = rounded(channels * expansion, self.divisor)
                kernel = ask(at + "kernel", stage.kernels)
                squeezed = rounded(hidden // 4, self.divisor) if ask(at + "squeeze", stage.squeezes) else 0
                blocks.append(Block(hidden, kernel, squeezed, activation))
            else:
                blocks.append(Block(0, 0, 0, ""))
            channels = width
        return tuple(blocks)

    def count(self) -> int:
        """The product of the stages' counts, multipliers and resolutions."""
        return math.prod(stage.count() for stage in self.stages) * len(self.multipliers) * max(1, len(self.resolutions))


def rounded(channels: float, divisor: int) -> int:
    """The nearest multiple of `divisor`, at least one, and no less than 90 % of `channels`: as in all the papers."""
    nearest = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * channels else nearest


def proxylessnas() -> Mobile:
    """The space of ProxylessNAS: 21 blocks, each one of 6 inverted bottlenecks or left out; 7^21 = 5.6e17 answers.

    Sizes are those of the authors' code (mit-han-lab/proxylessnas, search/imagenet_arch_search.py). Where a block
    changes shapes that code has no seventh choice; here it is a 1x1 convolution, which makes the 7^21 that are quoted.
    """
    rows = ((24, 2, 4), (40, 2, 4), (80, 2, 4), (96, 1, 4), (192, 2, 4), (320, 1, 1))
    searched = [MobileStage(w, stride, (n,), (3, 5, 7), (3, 6, 0), (False,), ("relu6",)) for w, stride, n in rows]
    return _as_mobilenet_v2(*searched, eps=1e-3, name="proxylessnas")


def mobilenets_v2() -> Mobile:
    """The space around MobileNetV2 (table 2 of its paper), which is a point of it."""
    rows = ((24, 2), (32, 2), (64, 2), (96, 1), (160, 2), (320, 1))
    searched = [MobileStage(w, stride, (1, 2, 3, 4), (3, 5, 7), (3, 6), activations=("relu6",)) for w, stride in rows]
    return _as_mobilenet_v2(*searched, dropout=0.2, name="mobilenets_v2")


def mobilenets_v3(*, small: bool = False) -> Mobile:
    """The space around MobileNetV3, large or small, which are points of it.

    Howard et al. 2019, https://arxiv.org/abs/1905.02244, tables 1 and 2; batch norms as in torchvision. The odd
    expansions give the widths of those tables.
    """
    large_rows = ((16, 1), (24, 2), (40, 2), (80, 2), (112, 1), (160, 2))
    small_rows = ((16, 2), (24, 2), (40, 2), (48, 1), (96, 2))
    expansions = (1, 2.3, 2.5, 3, 3.67, 4, 4.5, 6)
    return Mobile(
        stages=tuple(
            MobileStage(width, stride, (1, 2, 3, 4), expansions=expansions, activations=("relu", "hardswish"))
            for width, stride in (small_rows if small else large_rows)
        ),
        multipliers=(1.0,),
        stem_stride=2,
        head=576 if small else 960,
        hidden=1024 if small else 1280,
        eps=1e-3,
        momentum=0.01,
        dropout=0.2,
        name="mobilenets_v3_small" if small else "mobilenets_v3",
    )


def ofa_mobilenetv3(*, resolutions: tuple[int, ...] = (), multiplier: float = 1.0) -> Mobile:
    """The space of Once-for-All around MobileNetV3: (9^2 + 9^3 + 9^4)^5 = 2.2e19 answers.

    Sizes are those of the authors' code (mit-han-lab/once-for-all, ofa_mbv3.py); its `feature_mix` has no bias.

    Args:
        resolutions: the paper's are `tuple(range(128, 225, 4))`, 25 of them.
        multiplier: of all widths; the published supernets have 1.0 and 1.2.
    """
    relu, hardswish = ("relu",), ("hardswish",)
    rows = (
        (24, 2, False, relu),
        (40, 2, True, relu),
        (80, 2, False, hardswish),
        (112, 1, True, hardswish),
        (160, 2, True, hardswish),
    )
    searched = [MobileStage(w, stride, (2, 3, 4), (3, 5, 7), (3, 4, 6), (se,), act) for w, stride, se, act in rows]
    return Mobile(
        stages=(_first("relu"), *searched),
        multipliers=(multiplier,),
        resolutions=resolutions,
        stem_stride=2,
        head=960,
        hidden=1280,
        dropout=0.1,
        name="ofa_mobilenetv3",
    )


def _as_mobilenet_v2(*stages: MobileStage, name: str, eps: float = 1e-5, dropout: float = 0.0) -> Mobile:
    """A space with the ends of MobileNetV2."""
    return Mobile(
        stages=(_first("relu6"), *stages),
        multipliers=(1.0,),
        stem=32,
        stem_stride=2,
        head=1280,
        activation="relu6",
        eps=eps,
        dropout=dropout,
        name=name,
    )


def _first(activation: str) -> MobileStage:
    """The block after the stem, which no paper searches."""
    return MobileStage(16, 1, (1,), (3,), (1,), (False,), (activation,))


@lru_cache(maxsize=4096)
def _block(block: Block, style: Style, *, keeps: bool) -> Graph | None:
    """The motif of a block, or None where it is left out and keeps the shape."""
    g = GraphBuilder()
    x = g.input()
    eps, momentum = style.eps, style.momentum
    if block.hidden:
        y = g.add(
            "inverted_bottleneck", x, channels=WIDTH, hidden=block.hidden, kernel=block.kernel, stride=STRIDE,
            squeezed=block.squeezed, activation=block.activation, gate=style.gate, eps=eps, momentum=momentum,
        )  # fmt: skip
        return g.build(g.add("sum", x, y) if keeps else y)
    if keeps:
        return None
    return g.build(g.add("conv_bn", x, channels=WIDTH, kernel=1, stride=STRIDE, eps=eps, momentum=momentum))


@lru_cache(maxsize=4096)
def _stage(blocks: tuple[Block, ...], channels: int, width: int, stride: int, style: Style) -> Graph:
    """The motif: blocks one after the other; those that keep the shape add their input."""
    g = GraphBuilder()
    x = g.input()
    for index, block in enumerate(blocks):
        strides = 1 if index else stride
        motif = _block(block, style, keeps=strides == 1 and channels == width)
        if motif:
            g.define(f"block{index}", motif)
            x = g.cell(f"block{index}", x, width=width, stride=strides)
        channels = width
    return g.build(x)


@lru_cache(maxsize=256)
def _skeleton(space: Mobile, multiplier: float, resolution: int) -> Graph:
    """The network around the stages."""
    g = GraphBuilder()
    x = g.input()
    if resolution:
        x = g.add("resize", x, size=resolution)
    norm: dict[str, Scalar] = {"activation": space.activation, "eps": space.eps, "momentum": space.momentum}
    stem = rounded(space.stem * multiplier, space.divisor)
    x = g.add("conv_bn_act", x, channels=stem, kernel=3, stride=space.stem_stride, **norm)
    for index, stage in enumerate(space.stages):
        x = g.cell(f"stage{index}", x, width=rounded(stage.width * multiplier, space.divisor), stride=stage.stride)
    wider = max(1.0, multiplier)
    if space.head:
        x = g.add("conv_bn_act", x, channels=rounded(space.head * wider, space.divisor), kernel=1, **norm)
    x = g.add("global_pool", x)
    if space.hidden:
        x = g.add("dense", x, channels=rounded(space.hidden * wider, space.divisor), activation=space.activation)
    if space.dropout:
        x = g.add("dropout", x, rate=space.dropout)
    return g.build(g.add("classifier", x))
