"""Convolutional networks on series and on everything else."""

from __future__ import annotations

import pytest

from raynas import spaces
from raynas.cost import cost
from raynas.errors import ConfigError
from raynas.plan import Task, plan
from raynas.spaces.decide import replay
from raynas.testing.space import TASKS, SpaceContract

SERIES = Task((3, 50), 4)
SPACE = spaces.conv1d()


class TestConvolution1d(SpaceContract):
    tasks = (*TASKS, SERIES, Task((13,), 3))

    def make(self):
        return spaces.conv1d(widths=(4, 8))

    def small(self):
        return spaces.conv1d(
            1, 2, widths=(4,), kernels=(1, 3), dilations=(1, 2), reductions=("none", "stride"), activations=("relu",)
        )


class TestPlainChains(SpaceContract):
    tasks = (SERIES,)
    built = 4

    def make(self):
        return spaces.conv1d(1, 2, kernels=(3,), dilations=(1,), reductions=("max_pool",), residual=False)

    def small(self):
        return self.make()


def answers_of(*blocks, activation="relu", rate=0.0):
    answers = {"blocks": len(blocks), "activation": activation, "rate": rate}
    for number, block in enumerate(blocks):
        told = {"width": 8, "kernel": 3, "dilation": 1, "reduction": "none", "residual": False, **block}
        answers |= {f"block{number}/{name}": value for name, value in told.items()}
    return answers


def steps_of(*blocks, task=SERIES, **shared):
    return plan(replay(SPACE, answers_of(*blocks, **shared)).graph, task).steps


def test_blocks_have_a_width_a_kernel_and_a_way_to_halve_the_length():
    steps = steps_of({"kernel": 9, "reduction": "max_pool"}, {"width": 32, "reduction": "stride"})
    assert [(step.op, step.shape) for step in steps[1:]] == [
        ("series", (3, 50)),
        ("conv_bn_act", (8, 50)),
        ("max_pool", (8, 25)),
        ("conv_bn_act", (32, 13)),
        ("classifier", (4,)),
    ]
    params = 3 * 8 * 9 + 16 + 8 * 32 * 3 + 64 + 32 * 4 + 4
    assert sum(layer.params for step in steps for layer in step.layers) == params


def test_blocks_add_their_input():
    steps = steps_of({"residual": True}, {"residual": True}, {"residual": True, "reduction": "stride"})
    sums = [step for step in steps if step.op == "sum"]
    assert [step.shape for step in sums] == [(8, 50), (8, 50), (8, 25)]
    shorts = [steps[step.inputs[1]] for step in sums]
    assert [short.op for short in shorts] == ["conv_bn", "sum", "conv_bn"]
    assert not any(step.op == "project" for step in steps)


def test_dilations_keep_length_and_parameters():
    near, far = (replay(SPACE, answers_of({}, {"dilation": dilation})).graph for dilation in (1, 4))
    assert near.key != far.key
    assert cost(near, SERIES).params == cost(far, SERIES).params
    assert {step.shape for step in plan(far, SERIES).steps if step.op == "conv_bn_act"} == {(8, 50)}


def test_dropout_is_before_the_classifier():
    ops = [step.op for step in steps_of({}, {}, rate=0.2)]
    assert ops[-3:] == ["global_pool", "dropout", "classifier"]


def test_images_and_tables_become_series():
    assert steps_of({}, {}, task=Task((3, 7, 5), 2))[1].shape == (3, 35)
    assert steps_of({}, {}, task=Task((13,), 2))[1].shape == (1, 13)


def test_the_default_space_has_2e12_answers():
    block = 3 * 3 * 3 * 4 * 2
    assert spaces.count(SPACE) == 4 * (block**2 + block**3 + block**4 + block**5)
    assert spaces.count(SPACE) == pytest.approx(1.89e12, rel=1e-2)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"min_blocks": 0}, "1 <= min_blocks <= max_blocks must hold, but got \\(0, 5\\)"),
        ({"min_blocks": 6}, "must hold, but got \\(6, 5\\)"),
        ({"widths": ()}, "widths must be one or several different whole numbers of at least 1, but got \\(\\)"),
        ({"kernels": (3, 4)}, "kernels must be one or several different odd whole numbers .*, but got \\(3, 4\\)"),
        ({"dilations": (0,)}, "dilations must be one or several different whole numbers of at least 1"),
        ({"reductions": ("mean",)}, "reductions must be one or several different of none, stride, max_pool, avg_pool"),
        ({"activations": ("sine",)}, "activations must be one or several different of relu, .*, but got \\('sine',\\)"),
        ({"rates": (-0.1,)}, "rates must be one or several different numbers in \\[0, 1\\), but got \\(-0.1,\\)"),
    ],
)
def test_wrong_settings_are_named(settings, told):
    with pytest.raises(ConfigError, match=told):
        spaces.conv1d(**settings)
