"""The size space of NATS-Bench."""

from __future__ import annotations

import pytest

from raynas import spaces
from raynas.cost import cost
from raynas.errors import ArchitectureError, ConfigError
from raynas.plan import Task, plan
from raynas.spaces.decide import replay
from raynas.spaces.nasbench201 import from_string
from raynas.spaces.nats_size import CELL
from raynas.testing.space import SpaceContract

CIFAR10 = Task((3, 32, 32), 10)
SPACE = spaces.nats_size()


class TestNatsSize(SpaceContract):
    def make(self):
        return spaces.nats_size(channels=(2, 4, 6))

    def small(self):
        return self.make()


class TestTwoCellsAStage(SpaceContract):
    built = 4

    def make(self):
        return spaces.nats_size(channels=(2, 4), repeats=2)

    def small(self):
        return self.make()


def graph_of(text):
    return replay(SPACE, SPACE.from_string(text)).graph


def test_there_are_32768_sizes():
    assert spaces.count(SPACE) == 8**5 == 32_768


def test_doubled_widths_are_a_network_of_nas_bench_201():
    of_201 = replay(spaces.nasbench201(width=16, repeats=1), from_string(CELL)).graph
    assert graph_of("16:16:16:16:16").key != of_201.key
    assert graph_of("16:32:32:64:64").key == of_201.key
    assert cost(graph_of("16:32:32:64:64"), CIFAR10) == cost(of_201, CIFAR10)


def test_the_numbers_are_cell_reduction_cell_reduction_cell():
    steps = plan(graph_of("8:16:24:32:40"), CIFAR10).steps
    assert [step.shape for step in steps[:2]] == [(3, 32, 32), (8, 32, 32)]
    sums = [step.shape for step in steps if step.op == "sum"]
    assert [shape for shape, following in zip(sums, [*sums[1:], None], strict=True) if shape != following] == [
        (8, 32, 32), (16, 16, 16), (24, 16, 16), (32, 8, 8), (40, 8, 8)
    ]  # fmt: skip


def conv(cin, cout, kernel=3):
    return cin * cout * kernel**2 + 2 * cout


def cell(cin, cout):
    """Two 3x3 convolutions and a skip from the input, and three convolutions of the inner nodes."""
    return 2 * conv(cin, cout) + 3 * conv(cout, cout) + (0 if cin == cout else conv(cin, cout, 1))


def reduction(cin, cout):
    return conv(cin, cout) + conv(cout, cout) + cin * cout


@pytest.mark.parametrize("widths", [(8, 16, 24, 32, 40), (64, 8, 8, 48, 16), (64, 64, 64, 64, 64)], ids=str)
def test_parameters(widths):
    a, b, c, d, e = widths
    layers = conv(3, a) + cell(a, a) + reduction(a, b) + cell(b, c) + reduction(c, d) + cell(d, e)
    expected = layers + 2 * e + 10 * e + 10  # batch norm and classifier
    assert cost(graph_of(":".join(map(str, widths))), CIFAR10).params == expected


class TestStrings:
    def test_round_trip(self):
        assert SPACE.from_string("8:16:24:32:40") == {
            "width0": 8, "width1": 16, "width2": 24, "width3": 32, "width4": 40
        }  # fmt: skip
        for text in ("8:16:24:32:40", "64:8:64:8:64"):
            assert SPACE.to_string(SPACE.from_string(text)) == text

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("", "question 'widths': there must be 5 widths, like 8:8:8:8:8, but got ''"),
            ("8:16:24:32", "question 'widths': there must be 5 widths"),
            ("8:16:24:32:40:48", "question 'widths': there must be 5 widths"),
            ("8:16:24:32:41", "question 'width4': the width must be one of 8, 16, .*, but got '41'"),
            ("8:016:24:32:40", "question 'width1': the width must be one of 8, 16, .*, but got '016'"),
            ("8:16:x:32:40", "question 'width2': .*, but got 'x'"),
        ],
    )
    def test_what_is_no_size_is_refused(self, text, told):
        with pytest.raises(ArchitectureError, match=told):
            SPACE.from_string(text)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"channels": ()}, "channels must be one or several different whole numbers of at least 1, but got \\(\\)"),
        ({"channels": (0, 8)}, "channels must be .*, but got \\(0, 8\\)"),
        ({"repeats": 0}, "repeats must be a whole number of at least 1, but got 0"),
    ],
)
def test_wrong_settings_are_named(settings, told):
    with pytest.raises(ConfigError, match=told):
        spaces.nats_size(**settings)
