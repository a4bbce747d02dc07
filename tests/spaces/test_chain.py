"""Chains with branches and skip connections."""

from __future__ import annotations

import pytest
from space_contract import SpaceContract

import raynas
from raynas.errors import ConfigError
from raynas.spaces.decide import count, replay


class TestChain(SpaceContract):
    code = "chain()"

    def make(self):
        return raynas.spaces.chain()

    def small(self):
        return raynas.spaces.chain(
            min_layers=1, max_layers=3, ops=("conv_3x3", "max_pool_3x3"), widths=(4,), branches=1
        )


def test_skips_and_branches_are_sums():
    space = raynas.spaces.chain(min_layers=3, max_layers=3)
    answers = {"layers": 3}
    for layer in range(3):
        answers |= {f"layer{layer}/width": 8, f"layer{layer}/stride": 1, f"layer{layer}/branches": 2}
        answers |= {f"layer{layer}/branch0": "conv_3x3", f"layer{layer}/branch1": "avg_pool_3x3"}
    joined = replay(space, answers | {"layer2/skip": "layer0"})
    alone = replay(space, answers | {"layer2/skip": "none"})
    assert sum(node.op == "sum" for node in joined.graph.nodes) == 4
    assert sum(node.op == "sum" for node in alone.graph.nodes) == 3
    assert joined.key != alone.key


def test_equal_branches_in_another_order_are_equal_networks():
    space = raynas.spaces.chain(min_layers=1, max_layers=1)
    answers = {"layers": 1, "layer0/width": 8, "layer0/stride": 1, "layer0/branches": 2}
    one = replay(space, answers | {"layer0/branch0": "conv_3x3", "layer0/branch1": "conv_5x5"})
    other = replay(space, answers | {"layer0/branch0": "conv_5x5", "layer0/branch1": "conv_3x3"})
    assert one.key == other.key


def test_without_skips_the_count_is_a_plain_product():
    space = raynas.spaces.chain(min_layers=2, max_layers=2, branches=1, skips=False)
    assert count(space) == (7 * 4 * 2) ** 2


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"ops": ("conv_9x9",)}, "ops must be some of"),
        ({"ops": ()}, "ops must be some of"),
        ({"min_layers": 5, "max_layers": 4}, r"but got \(5, 4\)"),
        ({"widths": ()}, "widths must be positive"),
        ({"branches": 0}, "branches must be at least 1, but got 0"),
    ],
)
def test_settings_that_make_no_space(settings, says):
    with pytest.raises(ConfigError, match=says):
        raynas.spaces.chain(**settings)
