"""Fully connected networks on tables and on everything else."""

from __future__ import annotations

import pytest

from raynas import spaces
from raynas.cost import cost
from raynas.errors import ConfigError
from raynas.plan import Task, plan
from raynas.spaces.decide import replay
from raynas.testing.space import TASKS, SpaceContract

TABLE = Task((13,), 3)
SPACE = spaces.mlp()


class TestMlp(SpaceContract):
    tasks = (*TASKS, TABLE, Task((3, 50), 4))

    def make(self):
        return spaces.mlp(widths=(4, 8, 16))

    def small(self):
        return spaces.mlp(max_layers=3, widths=(2, 4), activations=("relu",), rates=(0.0, 0.5), norms=("none",))


class TestFunnel(SpaceContract):
    tasks = (TABLE,)
    built = 6

    def make(self):
        return spaces.mlp(2, 3, shapes=("funnel",), residual=False)

    def small(self):
        return self.make()


def answers_of(depth, shape="free", *, activation="relu", rate=0.0, norm="none", **more):
    told = {"layers": depth, "activation": activation, "rate": rate, "norm": norm, "shape": shape}
    return told | {address.replace("_", "/"): value for address, value in more.items()}


def dense_of(answers, task=TABLE):
    graph = replay(SPACE, answers).graph
    return [step.shape for step in plan(graph, task).steps if step.op == "dense"]


def test_a_funnel_falls_evenly_to_the_narrowest():
    assert dense_of(answers_of(4, "funnel", width=128, residual=False)) == [(128,), (91,), (53,), (16,)]
    assert dense_of(answers_of(1, "funnel", width=128)) == [(128,)]
    assert dense_of(answers_of(3, "funnel", width=16, residual=False)) == [(16,)] * 3


def test_a_free_network_has_a_width_for_every_layer():
    answers = answers_of(2, layer0_width=16, layer1_width=128, layer1_residual=False)
    assert dense_of(answers) == [(16,), (128,)]
    graph = replay(SPACE, answers).graph
    assert cost(graph, TABLE).params == 13 * 16 + 16 + 16 * 128 + 128 + 128 * 3 + 3


def test_layers_add_their_input_mapped_where_widths_differ():
    plain = answers_of(2, layer0_width=32, layer1_width=32, layer1_residual=False)
    added = {**plain, "layer1/residual": True}
    mapped = {**added, "layer1/width": 16}
    params = [cost(replay(SPACE, answers).graph, TABLE).params for answers in (plain, added, mapped)]
    assert params[0] == params[1] == (13 + 1) * 32 + (32 + 1) * 32 + (32 + 1) * 3
    assert params[2] == (13 + 1) * 32 + (32 + 1) * 16 + 32 * 16 + (16 + 1) * 3
    assert replay(SPACE, plain).key != replay(SPACE, added).key
    assert dense_of(mapped) == [(32,), (16,)]


def test_dropout_and_norms_are_in_every_layer():
    graph = replay(
        SPACE, answers_of(2, rate=0.3, norm="layer_norm", layer0_width=16, layer1_width=16, layer1_residual=True)
    ).graph
    assert [node.op for node in graph.nodes] == [
        "input", "flatten", "layer_norm", "dense", "layer_norm", "dense", "sum", "classifier"
    ]  # fmt: skip
    assert [dict(node.args)["rate"] for node in graph.nodes if node.op == "dense"] == [0.3, 0.3]


def test_images_are_flattened():
    answers = answers_of(1, layer0_width=16)
    assert cost(replay(SPACE, answers).graph, Task((3, 7, 5), 2)).params == 105 * 16 + 16 + 16 * 2 + 2


def test_the_default_space_has_42624_answers():
    assert spaces.count(SPACE) == 18 * (4 * (1 + 2 * 3) + 4 + 16 * 2 + 64 * 4 + 256 * 8) == 42_624


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"min_layers": 0}, "1 <= min_layers <= max_layers must hold, but got \\(0, 4\\)"),
        ({"min_layers": 5}, "must hold, but got \\(5, 4\\)"),
        ({"shapes": ("cone",)}, "shapes must be one or several different of funnel, free, but got \\('cone',\\)"),
        ({"widths": (0,)}, "widths must be one or several different whole numbers of at least 1, but got \\(0,\\)"),
        ({"activations": ("sine",)}, "activations must be one or several different of relu, .*, but got \\('sine',\\)"),
        ({"rates": (0.5, 1.0)}, "rates must be one or several different numbers in \\[0, 1\\), but got \\(0.5, 1.0\\)"),
        ({"norms": ()}, "norms must be one or several different of none, layer_norm, but got \\(\\)"),
    ],
)
def test_wrong_settings_are_named(settings, told):
    with pytest.raises(ConfigError, match=told):
        spaces.mlp(**settings)
