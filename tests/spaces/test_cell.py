"""DARTS-style cells."""

from __future__ import annotations

import pytest
from space_contract import SpaceContract

import raynas
from raynas.cost import cost
from raynas.errors import ConfigError
from raynas.plan import Task
from raynas.spaces.decide import count, replay

# The published genotypes of Liu et al. 2019 (arXiv 1806.09055), as (op, source state), two edges a node.
V1 = {
    "normal": [
        ("sep_conv_3x3", 1), ("sep_conv_3x3", 0), ("skip_connect", 0), ("sep_conv_3x3", 1),
        ("skip_connect", 0), ("sep_conv_3x3", 1), ("sep_conv_3x3", 0), ("skip_connect", 2),
    ],
    "reduce": [
        ("max_pool_3x3", 0), ("max_pool_3x3", 1), ("skip_connect", 2), ("max_pool_3x3", 0),
        ("max_pool_3x3", 0), ("skip_connect", 2), ("skip_connect", 2), ("avg_pool_3x3", 0),
    ],
}  # fmt: skip
V2 = {
    "normal": [
        ("sep_conv_3x3", 0), ("sep_conv_3x3", 1), ("sep_conv_3x3", 0), ("sep_conv_3x3", 1),
        ("sep_conv_3x3", 1), ("skip_connect", 0), ("skip_connect", 0), ("dil_conv_3x3", 2),
    ],
    "reduce": [
        ("max_pool_3x3", 0), ("max_pool_3x3", 1), ("skip_connect", 2), ("max_pool_3x3", 1),
        ("max_pool_3x3", 0), ("skip_connect", 2), ("skip_connect", 2), ("max_pool_3x3", 1),
    ],
}  # fmt: skip


def answers_of(genotype):
    answers = {}
    for cell, edges in genotype.items():
        for node in range(4):
            (left, a), (right, b) = sorted(edges[2 * node : 2 * node + 2], key=lambda edge: edge[1])
            answers |= {
                f"{cell}/node{node}/inputs": f"{a}+{b}", f"{cell}/node{node}/left": left,
                f"{cell}/node{node}/right": right,
            }  # fmt: skip
    return answers


class TestCells(SpaceContract):
    code = "cells()"

    def make(self):
        return raynas.spaces.cells()

    def small(self):
        return raynas.spaces.cells(ops=("skip_connect", "sep_conv_3x3", "max_pool_3x3"), nodes=1, width=4)


class TestDarts(SpaceContract):
    code = "darts()"

    def make(self):
        return raynas.spaces.darts()

    def small(self):
        return raynas.spaces.cells(ops=("skip_connect", "dil_conv_5x5"), nodes=2, layers=6, width=4)


@pytest.mark.parametrize(("genotype", "params"), [(V1, 3_169_414), (V2, 3_349_342)], ids=["V1", "V2"])
def test_the_published_networks_have_their_published_parameters(genotype, params):
    architecture = replay(raynas.spaces.darts(), answers_of(genotype))
    assert cost(architecture.graph, Task((3, 32, 32), 10)).params == params


def test_the_published_space_has_its_published_size():
    assert f"{count(raynas.spaces.darts()):.4g}" == "1.077e+18"
    one_cell = raynas.spaces.cells(nodes=4, layers=1)
    assert f"{count(one_cell):.5g}" == "1.0377e+09"


def test_equal_cells_in_another_order_of_nodes_are_equal_networks():
    space = raynas.spaces.cells(nodes=2, layers=1)
    node = {"left": "sep_conv_3x3", "right": "max_pool_3x3", "inputs": "0+1"}
    other = {"left": "dil_conv_3x3", "right": "sep_conv_5x5", "inputs": "0+1"}
    one = {f"normal/node0/{k}": v for k, v in node.items()} | {f"normal/node1/{k}": v for k, v in other.items()}
    two = {f"normal/node1/{k}": v for k, v in node.items()} | {f"normal/node0/{k}": v for k, v in other.items()}
    assert replay(space, one).key == replay(space, two).key


@pytest.mark.parametrize(("layers", "reductions"), [(1, set()), (2, {1}), (3, {1, 2}), (8, {2, 5}), (20, {6, 13})])
def test_reductions_are_at_thirds(layers, reductions):
    assert raynas.spaces.cells(layers=layers).reductions == reductions


def test_reductions_halve_the_image_and_double_the_width():
    from raynas.plan import plan

    architecture = replay(raynas.spaces.darts(), answers_of(V2))
    shapes = [step.shape for step in plan(architecture.graph, Task((3, 32, 32), 10)).steps if step.op == "concat"]
    assert shapes == [(144, 32, 32)] * 6 + [(288, 16, 16)] * 7 + [(576, 8, 8)] * 7


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"ops": ("none",)}, "ops must be some of"), ({"nodes": 0}, "nodes must be at least 1"), ({"width": 0}, "width")],
)
def test_settings_that_make_no_space(settings, says):
    with pytest.raises(ConfigError, match=says):
        raynas.spaces.cells(**settings)
