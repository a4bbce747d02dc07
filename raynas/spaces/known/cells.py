"""Published cells: DARTS, PC-DARTS, NASNet-A and AmoebaNet-A, as DARTS' code lists and evaluates them.

The genotypes are those of https://github.com/quark0/darts/blob/master/cnn/genotypes.py and, for PC-DARTS, of
https://github.com/yuhuixu1993/PC-DARTS/blob/master/genotypes.py. Parameters are told without the auxiliary head, for
CIFAR-10 with 20 cells and C = 36. Of NASNet-A and AmoebaNet-A it is the size in DARTS' network: the first authors'
own networks have other stems and widths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from raynas.records import Answers, Space
from raynas.spaces.cell import darts
from raynas.spaces.nasnet import NasNet, amoebanet

SKIP, MAX3, AVG3 = "skip_connect", "max_pool_3x3", "avg_pool_3x3"
SEP3, SEP5, SEP7, DIL3, DIL5 = "sep_conv_3x3", "sep_conv_5x5", "sep_conv_7x7", "dil_conv_3x3", "dil_conv_5x5"
CONV7 = "conv_7x1_1x7"

Genotype = Mapping[str, Sequence[tuple[str, int]]]  # cell -> two edges a node, each (op, source state)


def darts_v1() -> tuple[Space, Answers]:
    """DARTS, first order (Liu et al. 2019): 3,169,414 parameters."""
    return darts(), answers_of(
        {
            "normal": [(SEP3, 1), (SEP3, 0), (SKIP, 0), (SEP3, 1), (SKIP, 0), (SEP3, 1), (SEP3, 0), (SKIP, 2)],
            "reduce": [(MAX3, 0), (MAX3, 1), (SKIP, 2), (MAX3, 0), (MAX3, 0), (SKIP, 2), (SKIP, 2), (AVG3, 0)],
        }
    )


def darts_v2() -> tuple[Space, Answers]:
    """DARTS, second order: 3,349,342 parameters; 4,718,752 on ImageNet with 14 cells and C = 48."""
    return darts(), answers_of(
        {
            "normal": [(SEP3, 0), (SEP3, 1), (SEP3, 0), (SEP3, 1), (SEP3, 1), (SKIP, 0), (SKIP, 0), (DIL3, 2)],
            "reduce": [(MAX3, 0), (MAX3, 1), (SKIP, 2), (MAX3, 1), (MAX3, 0), (SKIP, 2), (SKIP, 2), (MAX3, 1)],
        }
    )


def pc_darts() -> tuple[Space, Answers]:
    """PC-DARTS as found on CIFAR-10 (Xu et al. 2020, https://arxiv.org/abs/1907.05737): 3,634,678 parameters."""
    return darts(), answers_of(
        {
            "normal": [(SEP3, 1), (SKIP, 0), (SEP3, 0), (DIL3, 1), (SEP5, 0), (SEP3, 1), (AVG3, 0), (DIL3, 1)],
            "reduce": [(SEP5, 1), (MAX3, 0), (SEP5, 1), (SEP5, 2), (SEP3, 0), (SEP3, 3), (SEP3, 1), (SEP3, 2)],
        }
    )


def pc_darts_imagenet() -> tuple[Space, Answers]:
    """PC-DARTS as found on ImageNet, 14 cells, C = 48: 5,342,464 parameters, 5.3 M in the paper."""
    return darts(layers=14, width=48, imagenet=True), answers_of(
        {
            "normal": [(SKIP, 1), (SEP3, 0), (SEP3, 0), (SKIP, 1), (SEP3, 1), (SEP3, 3), (SEP3, 1), (DIL5, 4)],
            "reduce": [(SEP3, 0), (SKIP, 1), (DIL5, 2), (MAX3, 1), (SEP3, 2), (SEP3, 1), (SEP5, 0), (SEP3, 3)],
        }
    )


def nasnet_a() -> tuple[Space, Answers]:
    """NASNet-A (Zoph et al. 2018): 3,830,950 parameters."""
    return NasNet(blocks=5, layers=20, width=36), blocks_of(
        {
            "normal": [
                (SEP5, 1), (SEP3, 0), (SEP5, 0), (SEP3, 0), (AVG3, 1), (SKIP, 0), (AVG3, 0), (AVG3, 0), (SEP3, 1),
                (SKIP, 1),
            ],
            "reduce": [
                (SEP5, 1), (SEP7, 0), (MAX3, 1), (SEP7, 0), (AVG3, 1), (SEP5, 0), (SKIP, 3), (AVG3, 2), (SEP3, 2),
                (MAX3, 1),
            ],
        },
        join={"join": "add"},
    )  # fmt: skip


def amoebanet_a() -> tuple[Space, Answers]:
    """AmoebaNet-A (Real et al. 2019): 3,145,078 parameters."""
    return amoebanet(blocks=5, layers=20, width=36), blocks_of(
        {
            "normal": [
                (AVG3, 0), (MAX3, 1), (SEP3, 0), (SEP5, 2), (SEP3, 0), (AVG3, 3), (SEP3, 1), (SKIP, 1), (SKIP, 0),
                (AVG3, 1),
            ],
            "reduce": [
                (AVG3, 0), (SEP3, 1), (MAX3, 0), (SEP7, 2), (SEP7, 0), (AVG3, 1), (MAX3, 0), (MAX3, 1), (CONV7, 0),
                (SEP3, 5),
            ],
        },
        join={},
    )  # fmt: skip


def answers_of(genotype: Genotype) -> dict[str, str]:
    """A genotype, as the papers and their code write it, as answers of `Cells`."""
    answers = {}
    for cell, edges in genotype.items():
        for node, pair in enumerate(zip(edges[::2], edges[1::2], strict=True)):
            (left, first), (right, second) = sorted(pair, key=lambda edge: edge[1])
            answers[f"{cell}/node{node}/inputs"] = f"{first}+{second}"
            answers[f"{cell}/node{node}/left"], answers[f"{cell}/node{node}/right"] = left, right
    return answers


def blocks_of(genotype: Genotype, join: Mapping[str, str]) -> dict[str, str]:
    """A genotype as answers of `NasNet`, where each block is also asked what `join` answers."""
    answers = {}
    for cell, edges in genotype.items():
        for index, (op, source) in enumerate(edges):
            side = f"{cell}/block{index // 2}/{'right' if index % 2 else 'left'}"
            answers[f"{side}/input"], answers[f"{side}/op"] = str(source), op
        for block in range(len(edges) // 2):
            answers.update({f"{cell}/block{block}/{question}": answer for question, answer in join.items()})
    return answers
