"""Vision transformers."""

from __future__ import annotations

import pytest

from raynas import spaces
from raynas.cost import cost
from raynas.errors import ConfigError
from raynas.plan import Task, plan
from raynas.spaces.decide import replay
from raynas.testing.space import SpaceContract


class TestTransformer(SpaceContract):
    def make(self):
        return spaces.transformer()

    def small(self):
        return spaces.transformer(patches=(2,), depths=(1, 2), heads=(1, 2), ratios=(1.0, 2.0))


class TestClassToken(SpaceContract):
    """The answer comes from a token of its own; heads together are wider than a token."""

    def make(self):
        return spaces.transformer(class_token=True, head_width=16, dropout=0.1)

    def small(self):
        return spaces.transformer(patches=(2, 4), depths=(1, 3), heads=(2,), ratios=(1.5,), class_token=True)


def test_counts():
    assert spaces.count(spaces.transformer()) == 2 * 3 * (9 + 81 + 729)
    tiny = 3 * sum(4**depth for depth in (12, 13, 14))
    assert spaces.count(spaces.autoformer()) == tiny
    assert spaces.count(spaces.autoformer("small")) == 3 * sum(9**depth for depth in (12, 13, 14))
    assert spaces.count(spaces.autoformer("base")) == 3 * sum(9**depth for depth in (14, 15, 16))


def test_autoformer_tiny_has_the_size_of_its_paper():
    """5.7 M parameters for AutoFormer-T in table 3; the supernet's smallest and largest lie around it."""
    found = []
    for width, depth, heads, ratio in ((192, 12, 3, 3.5), (240, 14, 4, 4.0)):
        answers = {"patch": 16, "width": width, "depth": depth}
        answers |= {f"block{i}/{q}": v for i in range(depth) for q, v in (("heads", heads), ("ratio", ratio))}
        graph = replay(spaces.autoformer(), answers).graph
        found.append(cost(graph, Task((3, 224, 224), 1000)).params / 1e6)
    assert found[0] < 5.7 < found[1] < 11


def test_tokens_are_patches():
    answers = {"patch": 4, "width": 16, "depth": 1, "block0/heads": 2, "block0/ratio": 2.0}
    shapes = [step.shape for step in plan(replay(spaces.transformer(), answers).graph, Task((3, 32, 32), 10)).steps]
    assert shapes == [(3, 32, 32), *[(16, 64)] * 7, (10,)]


def test_a_series_is_cut_into_patches_too():
    architecture = spaces.sample(spaces.transformer(), 0)
    assert plan(architecture.graph, Task((3, 50), 4)).steps[-1].shape == (4,)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"patches": ()}, "patches must be one or several different whole numbers of at least 1, but got"),
        ({"widths": (16, 0)}, "widths must be one or several different whole numbers"),
        ({"ratios": (0.0,)}, "ratios must be one or several different positive numbers"),
        ({"head_width": 0}, "head_width must be a whole number of at least 1, but got 0"),
        ({"dropout": 1}, "dropout must be a number in .0, 1., but got 1"),
    ],
)
def test_bad_settings_are_refused(settings, told):
    with pytest.raises(ConfigError, match=told):
        spaces.transformer(**settings)


def test_an_unknown_size_is_refused():
    with pytest.raises(ConfigError, match="size must be one of tiny, small, base, but got 'huge'"):
        spaces.autoformer("huge")
