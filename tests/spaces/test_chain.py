from __future__ import annotations

from random import Random

import pytest

from raynas import spaces
from raynas.errors import ConfigError
from raynas.spaces.decide import replay
from raynas.testing.space import SpaceContract


class TestChain(SpaceContract):
    def make(self):
        return spaces.chain(widths=(4, 8))

    def small(self):
        return spaces.chain(min_layers=1, max_layers=3, ops=("conv_3x3", "max_pool_3x3"), widths=(4,), branches=2)


class TestChainWithoutSkips(SpaceContract):
    built = 4

    def make(self):
        return spaces.chain(min_layers=3, max_layers=3, widths=(4,), branches=1, skips=False)

    def small(self):
        return spaces.chain(min_layers=1, max_layers=2, widths=(4, 8), branches=1, skips=False)


def layer(number, first, second):
    answers = {"width": 8, "stride": 1, "branches": 2, "branch0": first, "branch1": second}
    return {f"layer{number}/{name}": answer for name, answer in answers.items()}


def test_skips_and_branches_are_sums():
    space = spaces.chain(min_layers=3, max_layers=3)
    answers = {"layers": 3}
    for number in range(3):
        answers |= layer(number, "conv_3x3", "avg_pool_3x3")
    joined = replay(space, {**answers, "layer2/skip": "layer0"})
    alone = replay(space, {**answers, "layer2/skip": "none"})
    assert sum(node.op == "sum" for node in joined.graph.nodes) == 4
    assert sum(node.op == "sum" for node in alone.graph.nodes) == 3
    assert joined.key != alone.key


def test_the_order_of_branches_does_not_matter():
    space = spaces.chain(min_layers=1, max_layers=1)
    one = replay(space, {"layers": 1, **layer(0, "conv_3x3", "conv_5x5")})
    other = replay(space, {"layers": 1, **layer(0, "conv_5x5", "conv_3x3")})
    assert one.key == other.key


def test_the_default_is_large():
    assert spaces.count(spaces.chain()) > 10**15
    assert spaces.count(spaces.chain(min_layers=2, max_layers=2, branches=1, skips=False)) == (7 * 4 * 2) ** 2


def test_a_skip_reaches_back_over_at_least_one_layer():
    space = spaces.chain(min_layers=4, max_layers=4)
    questions = spaces.sample(space, Random(0)).questions
    assert "layer1/skip" not in questions
    assert questions["layer3/skip"] == ("none", "layer0", "layer1")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"ops": ("conv_7x7",)}, "ops must be some of conv_3x3, .*but got \\('conv_7x7',\\)"),
        ({"ops": ()}, "ops must be some of .*but got \\(\\)"),
        ({"min_layers": 3, "max_layers": 2}, "min_layers <= max_layers must hold, but got \\(3, 2\\)"),
        ({"min_layers": 0}, "1 <= min_layers .*but got \\(0, 6\\)"),
        ({"widths": ()}, "widths must be one or several different whole numbers of at least 1, but got \\(\\)"),
        ({"widths": (8, 0)}, "widths must be one or several different whole numbers of at least 1, but got \\(8, 0\\)"),
        ({"branches": 0}, "branches must be a whole number of at least 1, but got 0"),
    ],
)
def test_wrong_settings_are_named(settings, told):
    with pytest.raises(ConfigError, match=told):
        spaces.chain(**settings)
