"""Mobile networks, and the published spaces of them."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from raynas import spaces
from raynas.catalog import from_json, to_json, with_settings
from raynas.cost import cost
from raynas.errors import ArchitectureError, ConfigError
from raynas.plan import Task, plan
from raynas.spaces import MobileStage
from raynas.spaces.mobile import rounded
from raynas.testing.space import SpaceContract

IMAGENET = Task((3, 224, 224), 1000)


class TestMobile(SpaceContract):
    def make(self):
        return spaces.mobile()

    def small(self):
        one = MobileStage(8, 2, expansions=(0, 1, 6), squeezes=(True,), activations=("relu",))
        return spaces.mobile((MobileStage(8, depths=(1,)), one), resolutions=(4, 6))


class TestProxylessNas(SpaceContract):
    """The published space; its networks small enough to be built here."""

    built = 6

    def make(self):
        space = spaces.proxylessnas()
        stages = tuple(replace(stage, width=8 * i + 8) for i, stage in enumerate(space.stages))
        return replace(space, stages=stages, stem=8, head=32)

    def small(self):
        space = spaces.proxylessnas()
        return replace(space, stages=(space.stages[0], replace(space.stages[1], depths=(3,))))


class TestOnceForAll(SpaceContract):
    """The published space with its resolutions; its networks small enough to be built here."""

    built = 4

    def make(self):
        space = spaces.ofa_mobilenetv3(resolutions=(4, 6, 8))
        return replace(space, stages=tuple(replace(s, width=8) for s in space.stages), stem=8, head=32, hidden=16)

    def small(self):
        space = spaces.ofa_mobilenetv3(resolutions=(4, 6, 8))
        return replace(space, stages=(space.stages[0], replace(space.stages[1], depths=(1, 2))))


def test_published_counts():
    assert spaces.count(spaces.mobile()) == 2 * (2 * (8 + 64)) ** 3
    assert spaces.count(spaces.proxylessnas()) == 7**21 == 558_545_864_083_284_007
    every = spaces.count(spaces.ofa_mobilenetv3())
    assert every == (9**2 + 9**3 + 9**4) ** 5 == pytest.approx(2.18e19, rel=0.01)
    assert spaces.count(spaces.ofa_mobilenetv3(resolutions=tuple(range(128, 225, 4)))) == 25 * every


def ofa(depth, kernel, expansion, **more):
    """The network of Once-for-All that is alike everywhere."""
    answers = {"multiplier": more.pop("multiplier", 1.0), **more}
    activations = ("relu", "relu", "relu", "hardswish", "hardswish", "hardswish")
    squeezes = (False, False, True, False, True, True)
    for stage, (activation, squeeze) in enumerate(zip(activations, squeezes, strict=True)):
        answers |= {f"stage{stage}/activation": activation, f"stage{stage}/depth": depth if stage else 1}
        for block in range(depth if stage else 1):
            at = f"stage{stage}/block{block}"
            answers |= {f"{at}/kernel": kernel if stage else 3, f"{at}/expansion": expansion if stage else 1}
            answers[f"{at}/squeeze"] = squeeze
    return answers


def test_the_largest_network_of_once_for_all():
    """Counted by hand from the widths of ofa_mbv3.py."""
    network = spaces.replay(spaces.ofa_mobilenetv3(), ofa(4, 7, 6)).graph
    params = 3 * 16 * 9 + 32  # stem
    params += 16 * 9 + 32 + 16 * 16 + 32  # first block
    cin = 16
    for width, squeeze in ((24, False), (40, True), (80, False), (112, True), (160, True)):
        for _ in range(4):
            hidden = 6 * cin
            params += cin * hidden + 2 * hidden + 49 * hidden + 2 * hidden + hidden * width + 2 * width
            if squeeze:
                narrow = rounded(hidden // 4, 8)
                params += 2 * hidden * narrow + hidden + narrow
            cin = width
    params += 160 * 960 + 2 * 960 + 960 * 1280 + 1280 + 1280 * 1000 + 1000
    assert cost(network, IMAGENET).params == params


def test_resolution_is_what_the_network_sees():
    space = spaces.ofa_mobilenetv3(resolutions=(128, 224))
    for resolution, first in ((128, 128), (224, 224)):
        steps = plan(spaces.replay(space, ofa(2, 3, 3, resolution=resolution)).graph, IMAGENET).steps
        assert [step.shape for step in steps[1:3]] == [(3, first, first), (16, first // 2, first // 2)]
    steps = plan(spaces.replay(space, ofa(2, 3, 3, resolution=128)).graph, Task((1, 200, 100), 10)).steps
    assert steps[1].shape == (1, 128, 100)  # an image is never made larger
    with pytest.raises(ArchitectureError, match="question 'resolution': space 'ofa_mobilenetv3' never asks this"):
        spaces.replay(spaces.ofa_mobilenetv3(), ofa(2, 3, 3, resolution=128))


def test_a_block_left_out_is_its_input_or_a_projection():
    """A stage of ProxylessNAS with all four blocks left out is one 1x1 convolution."""
    space = spaces.proxylessnas()
    answers = dict(spaces.sample(space, Random(0)).answers)
    for block in range(4):
        at = f"stage1/block{block}"
        answers[f"{at}/expansion"] = 0
        answers.pop(f"{at}/kernel", None)
        answers.pop(f"{at}/squeeze", None)
    steps = plan(spaces.replay(space, answers).graph, IMAGENET).steps
    assert [step.op for step in steps[1:4]] == ["conv_bn_act", "inverted_bottleneck", "conv_bn"]
    assert [step.shape for step in steps[2:4]] == [(16, 112, 112), (24, 56, 56)]


def test_blocks_that_keep_the_shape_add_their_input():
    steps = plan(spaces.known("mobilenet_v2").graph, IMAGENET).steps
    assert sum(step.op == "sum" for step in steps) == 10
    assert not [step for step in steps if step.op == "project"]


def test_widths_are_rounded_as_in_the_papers():
    """To a multiple of 8, but never by more than a tenth downwards."""
    assert [rounded(channels, 8) for channels in (1, 11, 12, 16, 19, 20, 26.0, 35, 184.0)] == [
        8, 16, 16, 16, 24, 24, 24, 32, 184
    ]  # fmt: skip
    answers = ofa(2, 3, 3, multiplier=1.2)
    steps = plan(spaces.replay(spaces.ofa_mobilenetv3(multiplier=1.2), answers).graph, IMAGENET).steps
    assert steps[1].shape == (24, 112, 112)
    assert [step.shape for step in steps if step.op == "sum"][-1] == (192, 7, 7)
    assert steps[-3].shape == (1536,)


def test_every_answer_makes_another_network():
    space = spaces.mobile(resolutions=(6, 8))
    architecture = spaces.sample(space, Random(3))
    keys = [n.key for n in spaces.neighbours(space, architecture, Random(0))]
    assert len({architecture.key, *keys}) == len(keys) + 1


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"stages": ()}, r"stages must be one or several different stages, but got \(\)"),
        ({"stages": (16,)}, r"stages must be one or several different stages, but got \(16,\)"),
        ({"multipliers": (0,)}, r"multipliers must be one or several different positive numbers, but got \(0,\)"),
        ({"resolutions": (8, 8)}, "resolutions must be one or several different whole numbers of at least 1"),
        ({"stem": 0}, "stem must be a whole number of at least 1, but got 0"),
        ({"head": -1}, "head must be a whole number of at least 0, but got -1"),
        ({"divisor": 0}, "divisor must be a whole number of at least 1, but got 0"),
        ({"activation": "selu"}, "activation must be one of relu, .*, but got 'selu'"),
        ({"gate": "relu"}, "gate must be one of sigmoid, hardsigmoid, but got 'relu'"),
        ({"momentum": 0}, "momentum must be a positive number, but got 0"),
        ({"dropout": -0.1}, r"dropout must be a number in \[0, 1\), but got -0.1"),
    ],
)
def test_wrong_settings_are_named(settings, told):
    with pytest.raises(ConfigError, match=told):
        spaces.mobile(**settings)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"width": 0}, "width must be a whole number of at least 1, but got 0"),
        ({"stride": 1.5}, "stride must be a whole number of at least 1, but got 1.5"),
        ({"depths": (0,)}, "depths must be one or several different whole numbers from 1 to 1,000"),
        ({"kernels": (2,)}, r"kernels must be one or several different odd numbers, but got \(2,\)"),
        ({"expansions": (-1,)}, "expansions must be one or several different numbers of at least 0"),
        ({"squeezes": (0.25,)}, r"squeezes must be one or several different of false and true, but got \(0.25,\)"),
        ({"activations": ("swish",)}, "activations must be one or several different of relu, relu6"),
    ],
)
def test_wrong_stages_are_named(settings, told):
    with pytest.raises(ConfigError, match=told):
        MobileStage(**{"width": 8, **settings})


def test_stages_can_be_told_on_the_command_line():
    space = with_settings(
        spaces.mobile(), {"stages": '[{"type": "MobileStage", "width": 16, "kernels": [3, 7]}]'}, "space"
    )
    assert space == spaces.mobile((MobileStage(16, kernels=(3, 7)),))
    assert from_json(to_json(space)) == space
    with pytest.raises(ConfigError, match="unknown setting of MobileStage 'kernel'; did you mean 'kernels'"):
        with_settings(spaces.mobile(), {"stages": '[{"type": "MobileStage", "width": 16, "kernel": 3}]'}, "space")
