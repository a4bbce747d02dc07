"""Residual networks, and those of the papers."""

from __future__ import annotations

from random import Random

import pytest

from raynas import spaces
from raynas.cost import cost
from raynas.errors import ArchitectureError, ConfigError
from raynas.plan import Task, plan
from raynas.spaces.decide import replay
from raynas.testing.space import SpaceContract

IMAGENET = Task((3, 224, 224), 1000)


class TestResidual(SpaceContract):
    def make(self):
        return spaces.residual()

    def small(self):
        return spaces.residual(stages=2, factors=(1.0,), stems=("3x3",), depths=(1, 3))


class TestResnets(SpaceContract):
    """The published space; its networks small enough to be built here."""

    built = 4

    def make(self):
        return spaces.residual(2, 32, (1.0,), (2, 3), ("7x7_pool",), kernels=(3,), groups=(1, 32))

    def small(self):
        return self.make()


def answers_of(block, depths, ratio=4, groups=1):
    answers = {"stem": "7x7_pool"}
    for stage, depth in enumerate(depths):
        told = {"block": block, "depth": depth, "width": 64 * 2**stage, "kernel": 3}
        if block == "bottleneck":
            told |= {"ratio": ratio, "groups": groups}
        answers.update({f"stage{stage}/{question}": answer for question, answer in told.items()})
    return answers


@pytest.mark.parametrize(
    ("answers", "params"),
    [
        (answers_of("basic", (2, 2, 2, 2)), 11_689_512),
        (answers_of("basic", (3, 4, 6, 3)), 21_797_672),
        (answers_of("bottleneck", (3, 4, 6, 3)), 25_557_032),
        (answers_of("bottleneck", (3, 4, 23, 3)), 44_549_160),
        (answers_of("bottleneck", (3, 8, 36, 3)), 60_192_808),
        (answers_of("bottleneck", (3, 4, 6, 3), ratio=2, groups=32), 25_028_904),
        (answers_of("bottleneck", (3, 4, 6, 3), ratio=2), 68_883_240),
    ],
    ids=["18", "34", "50", "101", "152", "resnext50_32x4d", "wide_resnet50_2"],
)
def test_published_networks_have_their_parameters(answers, params):
    """torchvision.models.resnet: `num_params` of the weights."""
    assert cost(replay(spaces.resnets(), answers).graph, IMAGENET).params == params


def test_counts():
    assert spaces.count(spaces.residual()) == 2 * 60**3
    assert spaces.count(spaces.resnets()) == (7 * (1 + 2 * 2)) ** 4


def test_stages_halve_the_image_and_the_large_stem_quarters_it():
    graph = replay(spaces.resnets(), answers_of("bottleneck", (3, 4, 6, 3))).graph
    shapes = [step.shape for step in plan(graph, IMAGENET).steps if step.op == "sum"]
    assert shapes == [(256, 56, 56)] * 3 + [(512, 28, 28)] * 4 + [(1024, 14, 14)] * 6 + [(2048, 7, 7)] * 3
    small = replay(spaces.residual(depths=(1,), factors=(1.0,), blocks=("basic",)), _basic("3x3")).graph
    sums = [step.shape for step in plan(small, Task((1, 8, 8), 10)).steps if step.op == "sum"]
    assert sums == [(8, 8, 8), (16, 4, 4), (32, 2, 2)]


def _basic(stem):
    told = {"block": "basic", "depth": 1, "kernel": 3}
    each = {f"stage{s}/{q}": a for s in range(3) for q, a in {**told, "width": 8 * 2**s}.items()}
    return {"stem": stem, **each}


def test_the_input_is_projected_only_where_shapes_change():
    """Stage 0 of ResNet-18 has no projection, stage 0 of ResNet-50 has one: 64 channels become 256."""
    for answers, projections in [
        (answers_of("basic", (2, 2, 2, 2)), 3),
        (answers_of("bottleneck", (3, 4, 6, 3)), 4),
    ]:
        steps = plan(replay(spaces.resnets(), answers).graph, IMAGENET).steps
        shortcuts = [i for step in steps if step.op == "sum" for i in step.inputs[1:] if steps[i].op == "conv_bn"]
        assert len(shortcuts) == projections
        assert not [step for step in steps if step.op == "project"]


def test_every_answer_makes_another_network():
    space = spaces.residual()
    architecture = spaces.sample(space, Random(3))
    keys = [n.key for n in spaces.neighbours(space, architecture, Random(0))]
    assert len({architecture.key, *keys}) == len(keys) + 1


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"stages": 0}, "stages must be a whole number of at least 1, but got 0"),
        ({"width": 2.5}, "width must be a whole number of at least 1, but got 2.5"),
        ({"factors": ()}, r"factors must be one or several different positive numbers, but got \(\)"),
        ({"factors": (1.0, 1.01)}, r"factors must give a stage different widths, but \(1.0, 1.01\) give \(8, 8\)"),
        (
            {"depths": (0, 1)},
            r"depths must be .* whole numbers from 1 to 1,000, but got \(0, 1\)",
        ),
        ({"stems": ("7x7",)}, r"stems must be one or several different of 3x3, 5x5, 7x7_pool, but got \('7x7',\)"),
        ({"blocks": ("dense",)}, r"blocks must be one or several different of basic, bottleneck, but got \('dense',\)"),
        ({"kernels": (3, 3)}, r"kernels must be one or several different odd numbers, but got \(3, 3\)"),
        ({"kernels": (4,)}, "kernels must be one or several different odd numbers"),
        ({"groups": (1, 3)}, "groups must divide .* but got width 8, ratio 4, groups 3"),
    ],
)
def test_wrong_settings_are_named(settings, told):
    with pytest.raises(ConfigError, match=told):
        spaces.residual(**settings)


def test_a_basic_block_has_no_groups():
    assert spaces.residual(blocks=("basic",), groups=(1, 7)).count() == 2 * 12**3
    answers = {**answers_of("basic", (2, 2, 2, 2)), "stage1/groups": 1}
    with pytest.raises(ArchitectureError, match="question 'stage1/groups': space 'resnets' never asks this"):
        replay(spaces.resnets(), answers)
