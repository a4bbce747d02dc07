"""Published cells: DARTS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from raynas.records import Answers, Space
from raynas.spaces.cell import darts

SKIP, MAX3, AVG3 = "skip_connect", "max_pool_3x3", "avg_pool_3x3"
SEP3, SEP5, DIL3, DIL5 = "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"

Genotype = Mapping[str, Sequence[tuple[str, int]]]  # cell -> two edges a node, each (op, source state)


def darts_v1() -> tuple[Space, Answers]:
    """DARTS, first order (Liu et al. 2019): 20 cells, C = 36; 3,169,414 parameters on CIFAR-10."""
    return darts(), answers_of(
        {
            "normal": [(SEP3, 1), (SEP3, 0), (SKIP, 0), (SEP3, 1), (SKIP, 0), (SEP3, 1), (SEP3, 0), (SKIP, 2)],
            "reduce": [(MAX3, 0), (MAX3, 1), (SKIP, 2), (MAX3, 0), (MAX3, 0), (SKIP, 2), (SKIP, 2), (AVG3, 0)],
        }
    )


def darts_v2() -> tuple[Space, Answers]:
    """DARTS, second order: 3,349,342 parameters on CIFAR-10."""
    return darts(), answers_of(
        {
            "normal": [(SEP3, 0), (SEP3, 1), (SEP3, 0), (SEP3, 1), (SEP3, 1), (SKIP, 0), (SKIP, 0), (DIL3, 2)],
            "reduce": [(MAX3, 0), (MAX3, 1), (SKIP, 2), (MAX3, 1), (MAX3, 0), (SKIP, 2), (SKIP, 2), (MAX3, 1)],
        }
    )


def answers_of(genotype: Genotype) -> dict[str, str]:
    """A genotype, as the papers and their code write it, as answers of `Cells`."""
    answers = {}
    for cell, edges in genotype.items():
        for node, pair in enumerate(zip(edges[::2], edges[1::2], strict=True)):
            (left, first), (right, second) = sorted(pair, key=lambda edge: edge[1])
            answers[f"{cell}/node{node}/inputs"] = f"{first}+{second}"
            answers[f"{cell}/node{node}/left"], answers[f"{cell}/node{node}/right"] = left, right
    return answers
