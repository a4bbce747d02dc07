"""Inception networks, and GoogLeNet."""

from __future__ import annotations

from random import Random

import pytest

from raynas import spaces
from raynas.errors import ArchitectureError, ConfigError
from raynas.plan import Task, plan
from raynas.spaces.decide import replay
from raynas.testing.space import SpaceContract

ONE = {
    "ones": (16,), "threes": (16,), "larges": (4, 8), "pooleds": (8,), "three_narrows": (8,), "large_narrows": (2,)
}  # fmt: skip


class TestInception(SpaceContract):
    def make(self):
        return spaces.inception()

    def small(self):
        return spaces.inception(**ONE, kernels=(3,), pools=("max",))


class TestLargeStem(SpaceContract):
    """The published stem, and one stage more."""

    built = 4

    def make(self):
        return spaces.inception(stages=3, depths=(1, 3), stems=("googlenet",), dropout=0.1)

    def small(self):
        return spaces.inception(1, **ONE, stems=("3x3", "googlenet"))


def test_counts():
    module = 3**6 * 2 * 2
    assert spaces.count(spaces.inception()) == (module + module**2) ** 2 * 3
    googlenet = 5 * 8 * 4 * 2 * 8 * 4 * 2 * 2
    assert spaces.count(spaces.googlenets()) == sum(googlenet**d for d in range(1, 6)) ** 3 * 3**2


def test_googlenet_has_the_shapes_of_its_table():
    """Table 1 of the paper; torchvision's poolings reach beyond the edge, which gives its sizes."""
    graph = spaces.known("googlenet").graph
    shapes = [step.shape for step in plan(graph, Task((3, 224, 224), 1000)).steps if step.op == "concat"]
    assert shapes == [
        (256, 28, 28),
        (480, 28, 28),
        *[(512, 14, 14)] * 3,
        (528, 14, 14),
        *[(832, 14, 14), (832, 7, 7)],
        (1024, 7, 7),
    ]


def test_widths_are_64ths_of_the_stage():
    answers = {
        "stem": "3x3", "stage0/depth": 1, "stage0/module0/one": 32, "stage0/module0/three_narrow": 8,
        "stage0/module0/three": 48, "stage0/module0/large_narrow": 2, "stage0/module0/large": 4,
        "stage0/module0/pooled": 16, "stage0/module0/kernel": 5, "stage0/module0/pool": "avg",
    }  # fmt: skip
    for width in (32, 128):
        space = spaces.inception(1, width)
        steps = plan(replay(space, answers).graph, Task((3, 7, 5), 2)).steps
        (concat,) = [step for step in steps if step.op == "concat"]
        assert [steps[i].shape for i in concat.inputs] == [
            (width * share // 64, 7, 5) for share in (32, 48, 4, 16)
        ]  # fmt: skip
        assert steps[concat.inputs[2]].layers[0].kernel == (5, 5)


def test_every_answer_makes_another_network():
    space = spaces.inception()
    architecture = spaces.sample(space, Random(3))
    keys = [n.key for n in spaces.neighbours(space, architecture, Random(0))]
    assert len({architecture.key, *keys}) == len(keys) + 1


def test_answers_are_64ths():
    answers = {**spaces.known("googlenet").answers, "stage0/module0/one": 64}
    with pytest.raises(ArchitectureError, match=r"'stage0/module0/one': the answer must be one of \(14, 16, 20"):
        replay(spaces.googlenets(), answers)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"stages": 0}, "stages must be a whole number of at least 1, but got 0"),
        ({"width": 2}, r"ones, in 64ths of width 2, must be different, but make \[0, 0, 1\]"),
        ({"threes": (1.5,)}, "threes must be one or several different whole numbers of at least 1"),
        ({"larges": (4, 5)}, r"larges, in 64ths of width 32, must be different, but make \[2, 2\]"),
        ({"depths": ()}, r"depths must be one or several different whole numbers from 1 to 1,000, but got \(\)"),
        ({"kernels": (2,)}, r"kernels must be one or several different odd numbers, but got \(2,\)"),
        ({"pools": ("min",)}, r"pools must be one or several different of max, avg, but got \('min',\)"),
        ({"reductions": ("max",)}, "reductions must be one or several different of max_3x3, max_2x2, avg_3x3"),
        ({"stems": ("7x7",)}, r"stems must be one or several different of 3x3, googlenet, but got \('7x7',\)"),
        ({"dropout": 1.0}, r"dropout must be a number in \[0, 1\), but got 1.0"),
        ({"eps": 0}, "eps must be a positive number, but got 0"),
    ],
)
def test_wrong_settings_are_named(settings, told):
    with pytest.raises(ConfigError, match=told):
        spaces.inception(**settings)
