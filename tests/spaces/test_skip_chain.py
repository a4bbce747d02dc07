"""Chains with anchors, and the three repairs of Zoph & Le."""

from __future__ import annotations

import math

import pytest

from raynas import spaces
from raynas.cost import cost
from raynas.errors import ConfigError
from raynas.plan import Task, plan
from raynas.spaces.decide import replay
from raynas.testing.space import SpaceContract


class TestSkipChain(SpaceContract):
    def make(self):
        return spaces.skip_chain(filters=(4, 8))

    def small(self):
        return spaces.skip_chain(1, 3, heights=(1, 3), widths=(1,), filters=(4,), strides=(1,))


class TestFixedDepthWithStrides(SpaceContract):
    built = 6

    def make(self):
        return spaces.skip_chain(4, 4, heights=(1, 3), filters=(2, 3), strides=(1, 2, 3))

    def small(self):
        return spaces.skip_chain(2, 2, heights=(3,), widths=(1, 3), filters=(4,), strides=(1, 2))


def layer(number, feeding=(), height=3, width=3, filters=8, strides=None):
    answers = {"height": height, "width": width, "filters": filters}
    if strides:
        answers |= {"stride_height": strides[0], "stride_width": strides[1]}
    answers |= {f"from{earlier}": earlier in feeding for earlier in range(number)}
    return {f"layer{number}/{name}": answer for name, answer in answers.items()}


def steps_of(*layers, strides=(1,)):
    space = spaces.skip_chain(len(layers), len(layers), strides=strides)
    answers = {}
    for number, settings in enumerate(layers):
        answers |= layer(number, **settings)
    return plan(replay(space, answers).graph, Task((3, 32, 32), 10)).steps


def convolutions(steps):
    """For each layer the shape that it takes."""
    return [steps[step.inputs[0]].shape for step in steps if step.op == "conv_bn_relu"]


def test_a_chain():
    steps = steps_of({}, {"feeding": [0], "filters": 12}, {"feeding": [1], "filters": 16})
    assert [step.op for step in steps] == ["input", *["conv_bn_relu"] * 3, "classifier"]
    assert convolutions(steps) == [(3, 32, 32), (8, 32, 32), (12, 32, 32)]


def test_a_layer_that_nothing_feeds_takes_the_image_and_loose_ends_are_concatenated():
    steps = steps_of({}, {"filters": 12}, {"feeding": [0], "filters": 16})
    assert convolutions(steps) == [(3, 32, 32), (3, 32, 32), (8, 32, 32)]
    assert steps[-2].op == "concat"
    assert steps[-2].shape == (12 + 16, 32, 32)
    assert steps[-2].inputs == (2, 3)  # layer 0 was consumed


def test_inputs_are_concatenated_in_depth():
    steps = steps_of({}, {"feeding": [0], "filters": 12}, {"feeding": [0, 1]})
    assert convolutions(steps)[2] == (8 + 12, 32, 32)


def test_small_inputs_are_padded_with_zeros():
    steps = steps_of(
        {"strides": (1, 1)}, {"feeding": [0], "strides": (2, 1)}, {"feeding": [0, 1], "strides": (1, 2)}, strides=(1, 2)
    )
    assert convolutions(steps) == [(3, 32, 32), (8, 32, 32), (16, 32, 32)]
    (padded,) = [step for step in steps if step.op == "project"]
    assert steps[padded.inputs[0]].shape == (8, 16, 32)
    assert padded.shape == (8, 32, 32)
    assert sum(one.params for one in padded.layers) == 0
    assert steps[-2].shape == (8, 32, 16)


def test_filters_have_a_height_and_a_width():
    space = spaces.skip_chain(1, 1)
    tall = {**layer(0, height=5, width=1, strides=(1, 2))}
    graph = replay(space, tall).graph
    assert dict(graph.nodes[1].args) == {"channels": 8, "kernel": "5x1", "stride": "1x2"}
    assert cost(graph, Task((3, 32, 32), 10)).params == 3 * 8 * 5 + 16 + 8 * 10 + 10
    square = replay(space, {**tall, "layer0/width": 5, "layer0/stride_width": 1}).graph
    assert dict(square.nodes[1].args) == {"channels": 8, "kernel": 5, "stride": 1}


def test_the_order_of_layers_does_not_matter():
    space = spaces.skip_chain(3, 3, strides=(1,))
    one = {**layer(0, filters=8), **layer(1, filters=12), **layer(2, feeding=[0, 1])}
    other = {**layer(0, filters=12), **layer(1, filters=8), **layer(2, feeding=[0, 1])}
    assert replay(space, one).key == replay(space, other).key
    assert replay(space, one).key != replay(space, {**one, "layer2/from0": False}).key


def test_the_published_space_has_5e58_architectures():
    space = spaces.zoph_le()
    assert spaces.count(space) == 64**15 * 2 ** (15 * 14 // 2)
    assert spaces.count(space) == pytest.approx(5.02e58, rel=1e-3)
    assert spaces.count(spaces.zoph_le(layers=20, strides=True)) == (64 * 9) ** 20 * 2**190


def test_counts_add_up_over_depths():
    everything = spaces.skip_chain(2, 4, strides=(1,))
    each = [spaces.skip_chain(depth, depth, strides=(1,)) for depth in (2, 3, 4)]
    assert spaces.count(everything) == sum(map(spaces.count, each))
    assert spaces.count(each[0]) == math.prod([64, 64 * 2])


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"min_layers": 0}, "1 <= min_layers <= max_layers must hold, but got \\(0, 5\\)"),
        ({"min_layers": 6}, "must hold, but got \\(6, 5\\)"),
        ({"heights": ()}, "heights must be one or several different odd whole numbers of at least 1, but got \\(\\)"),
        ({"widths": (1, 2)}, "widths must be one or several different odd whole numbers .*, but got \\(1, 2\\)"),
        ({"filters": (0, 8)}, "filters must be one or several different whole numbers .*, but got \\(0, 8\\)"),
        ({"strides": (1, 1)}, "strides must be one or several different whole numbers .*, but got \\(1, 1\\)"),
    ],
)
def test_wrong_settings_are_named(settings, told):
    with pytest.raises(ConfigError, match=told):
        spaces.skip_chain(**settings)
