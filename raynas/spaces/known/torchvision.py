"""The hand-made networks of torchvision: their parameters and outputs are equal to its own, weight for weight."""

from __future__ import annotations

from collections.abc import Mapping

from raynas.ops import Scalar
from raynas.records import Answers, Space
from raynas.spaces.inception import googlenets
from raynas.spaces.mobile import mobilenets_v2, mobilenets_v3
from raynas.spaces.residual import resnets
from raynas.spaces.transformer import vits

GOOGLENET = (
    ((16, 24, 32, 4, 8, 8), (32, 32, 48, 8, 24, 16)),
    (
        (24, 12, 26, 2, 6, 8),
        (20, 14, 28, 3, 8, 8),
        (16, 16, 32, 3, 8, 8),
        (14, 18, 36, 4, 8, 8),
        (32, 20, 40, 4, 16, 16),
    ),
    ((16, 10, 20, 2, 8, 8), (24, 12, 24, 3, 8, 8)),
)
"""Per stage, per module: channels of 1x1, 3x3 (before and after), larger (before and after) and pooled convolution,
as table 1 of the paper lists them, in 64ths of 256, 512 and 1024."""

Rows = tuple[tuple[str, tuple[tuple[int, float, bool], ...]], ...]

MOBILENET_V3_LARGE: Rows = (
    ("relu", ((3, 1, False),)),
    ("relu", ((3, 4, False), (3, 3, False))),
    ("relu", ((5, 3, True), (5, 3, True), (5, 3, True))),
    ("hardswish", ((3, 6, False), (3, 2.5, False), (3, 2.3, False), (3, 2.3, False))),
    ("hardswish", ((3, 6, True), (3, 6, True))),
    ("hardswish", ((5, 6, True), (5, 6, True), (5, 6, True))),
)
"""Per stage the activation, and per block kernel, expansion and squeeze-and-excitation, as table 1 of the paper."""

MOBILENET_V3_SMALL: Rows = (
    ("relu", ((3, 1, True),)),
    ("relu", ((3, 4.5, False), (3, 3.67, False))),
    ("hardswish", ((5, 4, True), (5, 6, True), (5, 6, True))),
    ("hardswish", ((5, 3, True), (5, 3, True))),
    ("hardswish", ((5, 6, True), (5, 6, True), (5, 6, True))),
)
"""The same of table 2."""


def resnet18() -> tuple[Space, Answers]:
    """ResNet-18 (He et al. 2016): 11,689,512 parameters on ImageNet."""
    return resnets(), _resnet("basic", (2, 2, 2, 2))


def resnet50() -> tuple[Space, Answers]:
    """ResNet-50, the stride of its bottlenecks in the 3x3 convolution: 25,557,032 parameters."""
    return resnets(), _resnet("bottleneck", (3, 4, 6, 3))


def googlenet() -> tuple[Space, Answers]:
    """GoogLeNet (Szegedy et al. 2015) with batch norm, 3x3 for 5x5 convolutions and no heads: 6,624,904 parameters."""
    names = ("one", "three_narrow", "three", "large_narrow", "large", "pooled")
    answers: dict[str, Scalar] = {"stem": "googlenet", "stage1/reduction": "max_3x3", "stage2/reduction": "max_2x2"}
    for stage, modules in enumerate(GOOGLENET):
        answers[f"stage{stage}/depth"] = len(modules)
        for index, widths in enumerate(modules):
            module: dict[str, Scalar] = {**dict(zip(names, widths, strict=True)), "kernel": 3, "pool": "max"}
            answers.update(_at(f"stage{stage}/module{index}", module))
    return googlenets(), answers


def mobilenet_v2() -> tuple[Space, Answers]:
    """MobileNetV2 (Sandler et al. 2018): 3,504,872 parameters."""
    depths = (1, 2, 3, 4, 3, 3, 1)
    blocks = [("relu6", ((3, 6 if stage else 1, False),) * depth) for stage, depth in enumerate(depths)]
    return mobilenets_v2(), _mobile(tuple(blocks))


def mobilenet_v3_large() -> tuple[Space, Answers]:
    """MobileNetV3-Large (Howard et al. 2019): 5,483,032 parameters."""
    return mobilenets_v3(), _mobile(MOBILENET_V3_LARGE)


def mobilenet_v3_small() -> tuple[Space, Answers]:
    """MobileNetV3-Small: 2,542,856 parameters."""
    return mobilenets_v3(small=True), _mobile(MOBILENET_V3_SMALL)


def vit_b_16() -> tuple[Space, Answers]:
    """ViT-B on patches of 16 pixels (Dosovitskiy et al. 2021): 86,567,656 parameters."""
    answers: dict[str, Scalar] = {"patch": 16, "width": 768, "depth": 12}
    for block in range(12):
        answers.update(_at(f"block{block}", {"heads": 12, "ratio": 4.0}))
    return vits(), answers


def _at(prefix: str, answers: Mapping[str, Scalar]) -> dict[str, Scalar]:
    return {f"{prefix}/{address}": answer for address, answer in answers.items()}


def _resnet(block: str, depths: tuple[int, ...]) -> dict[str, Scalar]:
    answers: dict[str, Scalar] = {"stem": "7x7_pool"}
    for stage, depth in enumerate(depths):
        bottleneck = {"ratio": 4, "groups": 1} if block == "bottleneck" else {}
        told: dict[str, Scalar] = {"block": block, "depth": depth, "width": 64 * 2**stage, "kernel": 3, **bottleneck}
        answers.update(_at(f"stage{stage}", told))
    return answers


def _mobile(stages: Rows) -> dict[str, Scalar]:
    answers: dict[str, Scalar] = {"multiplier": 1.0}
    for index, (activation, blocks) in enumerate(stages):
        answers.update(_at(f"stage{index}", {"activation": activation, "depth": len(blocks)}))
        for block, (kernel, expansion, squeeze) in enumerate(blocks):
            told: dict[str, Scalar] = {"kernel": kernel, "expansion": expansion, "squeeze": squeeze}
            answers.update(_at(f"stage{index}/block{block}", told))
    return answers
