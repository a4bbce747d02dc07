"""Cells, and the two published DARTS networks."""

from __future__ import annotations

import pytest
from space_contract import SpaceContract

from raynas import spaces
from raynas.cost import cost
from raynas.errors import ConfigError
from raynas.plan import Task, plan
from raynas.spaces.cell import DARTS_OPS
from raynas.spaces.decide import replay

SKIP, SEP3, SEP5, DIL3, DIL5, MAX3 = (
    "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5", "max_pool_3x3"
)  # fmt: skip

# quark0/darts, cnn/genotypes.py: two (op, source) edges a node.
DARTS_V1 = {
    "normal": [(SEP3, 1), (SEP3, 0), (SKIP, 0), (SEP3, 1), (SKIP, 0), (SEP3, 1), (SEP3, 0), (SKIP, 2)],
    "reduce": [(MAX3, 0), (MAX3, 1), (SKIP, 2), (MAX3, 0), (MAX3, 0), (SKIP, 2), (SKIP, 2), ("avg_pool_3x3", 0)],
}
DARTS_V2 = {
    "normal": [(SEP3, 0), (SEP3, 1), (SEP3, 0), (SEP3, 1), (SEP3, 1), (SKIP, 0), (SKIP, 0), (DIL3, 2)],
    "reduce": [(MAX3, 0), (MAX3, 1), (SKIP, 2), (MAX3, 1), (MAX3, 0), (SKIP, 2), (SKIP, 2), (MAX3, 1)],
}


def answers_of(genotype):
    answers = {}
    for cell, edges in genotype.items():
        for node, pair in enumerate(zip(edges[::2], edges[1::2], strict=True)):
            (left, first), (right, second) = sorted(pair, key=lambda edge: edge[1])
            answers[f"{cell}/node{node}/inputs"] = f"{first}+{second}"
            answers[f"{cell}/node{node}/left"], answers[f"{cell}/node{node}/right"] = left, right
    return answers


class TestCells(SpaceContract):
    def make(self):
        return spaces.cells(width=4)

    def small(self):
        return spaces.cells(ops=(SKIP, SEP3), nodes=1, layers=3)


class TestOneCell(SpaceContract):
    built = 4

    def make(self):
        return spaces.cells(layers=1, width=2, nodes=3)

    def small(self):
        return spaces.cells(ops=(SKIP, SEP3), nodes=2, layers=1)


class TestDarts(SpaceContract):
    """The published space; its networks small enough to be built here."""

    built = 4

    def make(self):
        return spaces.darts(layers=5, width=2)

    def small(self):
        return spaces.cells(ops=(SKIP,), nodes=3, layers=3)


def test_darts_has_1e18_architectures():
    assert spaces.count(spaces.darts()) == (1 * 49 * 3 * 49 * 6 * 49 * 10 * 49) ** 2 == 1037664180**2


@pytest.mark.parametrize(("genotype", "params"), [(DARTS_V1, 3_169_414), (DARTS_V2, 3_349_342)], ids=["V1", "V2"])
def test_darts_networks_have_their_published_parameters(genotype, params):
    """20 cells, C = 36, without the auxiliary head: 3.2 M and 3.3 M in the paper."""
    architecture = replay(spaces.darts(), answers_of(genotype))
    assert cost(architecture.graph, Task((3, 32, 32), 10)).params == params


def test_reductions_are_at_one_and_two_thirds():
    assert spaces.darts().reductions == {6, 13}
    assert spaces.cells(layers=3).reductions == {1, 2}
    assert spaces.cells(layers=2).reductions == {1}
    assert spaces.cells(layers=1).reductions == set()


def test_a_reduction_halves_the_image_and_doubles_the_width():
    graph = replay(spaces.darts(), answers_of(DARTS_V2)).graph
    shapes = [step.shape for step in plan(graph, Task((3, 32, 32), 10)).steps if step.op == "concat"]
    assert shapes == [(144, 32, 32)] * 6 + [(288, 16, 16)] * 7 + [(576, 8, 8)] * 7


def test_the_order_of_nodes_in_a_cell_does_not_matter():
    one, other = dict(answers_of(DARTS_V2)), dict(answers_of(DARTS_V2))
    for cell in ("normal", "reduce"):  # nodes 0 and 1 of V2's normal cell are equal: give them different ops, swapped
        for answers, (first, second) in ((one, (SEP5, DIL5)), (other, (DIL5, SEP5))):
            for node, op in ((0, first), (1, second)):
                answers.update({f"{cell}/node{node}/inputs": "0+1", f"{cell}/node{node}/left": op})
                answers[f"{cell}/node{node}/right"] = SKIP
            answers.update({f"{cell}/node3/inputs": "0+1", f"{cell}/node2/inputs": "0+1"})
    space = spaces.darts()
    assert replay(space, one).key == replay(space, other).key
    assert replay(space, one) != replay(space, other)


def test_normal_and_reduction_cell_are_not_mixed_up():
    answers = answers_of(DARTS_V1)
    swapped = {
        address.replace("normal", "x").replace("reduce", "normal").replace("x", "reduce"): value
        for address, value in answers.items()
    }
    space = spaces.darts()
    assert replay(space, answers).key != replay(space, swapped).key


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"ops": ("none",)}, f"ops must be some of {', '.join(DARTS_OPS)}, but got \\('none',\\)"),
        ({"nodes": 0}, "nodes must be at least 1, but got 0"),
        ({"layers": 0}, "layers must be at least 1, but got 0"),
        ({"width": -1}, "width must be at least 1, but got -1"),
        ({"stem": 0}, "stem must be at least 1, but got 0"),
    ],
)
def test_wrong_settings_are_named(settings, told):
    with pytest.raises(ConfigError, match=told):
        spaces.cells(**settings)
