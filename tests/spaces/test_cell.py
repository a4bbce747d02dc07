"""Cells, and the two published DARTS networks."""

from __future__ import annotations

from random import Random

import pytest
import torch

from raynas import spaces
from raynas.cost import cost
from raynas.errors import ConfigError
from raynas.nn import build
from raynas.plan import Task, plan
from raynas.spaces.cell import DARTS_OPS
from raynas.spaces.decide import replay
from raynas.testing.space import SpaceContract

SKIP, SEP3, SEP5, DIL3, DIL5, MAX3 = (
    "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5", "max_pool_3x3"
)  # fmt: skip

# quark0/darts, cnn/genotypes.py: two (op, source) edges a node.
DARTS_V1 = {
    "normal": [(SEP3, 1), (SEP3, 0), (SKIP, 0), (SEP3, 1), (SKIP, 0), (SEP3, 1), (SEP3, 0), (SKIP, 2)],
    "reduce": [(MAX3, 0), (MAX3, 1), (SKIP, 2), (MAX3, 0), (MAX3, 0), (SKIP, 2), (SKIP, 2), ("avg_pool_3x3", 0)],
}
DARTS_V2 = {
    "normal": [(SEP3, 0), (SEP3, 1), (SEP3, 0), (SEP3, 1), (SEP3, 1), (SKIP, 0), (SKIP, 0), (DIL3, 2)],
    "reduce": [(MAX3, 0), (MAX3, 1), (SKIP, 2), (MAX3, 1), (MAX3, 0), (SKIP, 2), (SKIP, 2), (MAX3, 1)],
}


def answers_of(genotype):
    answers = {}
    for cell, edges in genotype.items():
        for node, pair in enumerate(zip(edges[::2], edges[1::2], strict=True)):
            (left, first), (right, second) = sorted(pair, key=lambda edge: edge[1])
            answers[f"{cell}/node{node}/inputs"] = f"{first}+{second}"
            answers[f"{cell}/node{node}/left"], answers[f"{cell}/node{node}/right"] = left, right
    return answers


class TestCells(SpaceContract):
    def make(self):
        return spaces.cells(width=4)

    def small(self):
        return spaces.cells(ops=(SKIP, SEP3), nodes=1, layers=3)


class TestOneCell(SpaceContract):
    built = 4

    def make(self):
        return spaces.cells(layers=1, width=2, nodes=3)

    def small(self):
        return spaces.cells(ops=(SKIP, SEP3), nodes=2, layers=1)


class TestDarts(SpaceContract):
    """The published space; its networks small enough to be built here."""

    built = 4

    def make(self):
        return spaces.darts(layers=5, width=2)

    def small(self):
        return spaces.cells(ops=(SKIP,), nodes=3, layers=3)


class TestImageNet(SpaceContract):
    """Three strides before the cells, drop path on their edges."""

    built = 4

    def make(self):
        return spaces.darts(layers=4, width=2, imagenet=True, drop_path=0.3)

    def small(self):
        return spaces.cells(ops=(SKIP, SEP3), nodes=1, layers=3, imagenet=True)


def test_the_defaults_decide_what_they_always_did():
    """Keys recorded before there were other skeletons."""
    assert [spaces.sample(spaces.cells(), Random(seed)).key for seed in range(3)] == [
        "e5206172235007797478ec24d634e32f",
        "dc60be5bac8ea81efea91663ef3ac12f",
        "f6d019c4532e23da62588fc3dc5de734",
    ]
    assert [spaces.sample(spaces.darts(), Random(seed)).key for seed in range(3)] == [
        "ab7f7ccc29e03a1baff1eac7b38e993c",
        "ede49a798c77e71c803395457dc354dc",
        "fa33e36827b3a9025cf9f653d1e0c0f2",
    ]


def test_darts_has_1e18_architectures():
    assert spaces.count(spaces.darts()) == (1 * 49 * 3 * 49 * 6 * 49 * 10 * 49) ** 2 == 1037664180**2


@pytest.mark.parametrize(("genotype", "params"), [(DARTS_V1, 3_169_414), (DARTS_V2, 3_349_342)], ids=["V1", "V2"])
def test_darts_networks_have_their_published_parameters(genotype, params):
    """20 cells, C = 36, without the auxiliary head: 3.2 M and 3.3 M in the paper."""
    architecture = replay(spaces.darts(), answers_of(genotype))
    assert cost(architecture.graph, Task((3, 32, 32), 10)).params == params


CIFAR10, IMAGENET = Task((3, 32, 32), 10), Task((3, 224, 224), 1000)


class TestAuxiliaryHead:
    def graphs(self, **settings):
        answers = answers_of(DARTS_V2)
        return [replay(spaces.darts(**settings, auxiliary=head), answers).graph for head in (False, True)]

    def test_it_has_the_published_parameters(self):
        without, with_head = [cost(graph, CIFAR10).params for graph in self.graphs()]
        assert with_head - without == 476_426

    def test_on_imagenet_too(self):
        """14 cells, C = 48: DARTS' code, whose head for ImageNet lacks the last batch norm."""
        without, with_head = [cost(graph, IMAGENET).params for graph in self.graphs(layers=14, width=48, imagenet=True)]
        assert without == 4_718_752
        assert with_head - without == (768 * 128 + 256) + 128 * 768 * 4 + (768 + 1) * 1000

    def test_it_reads_the_cell_at_two_thirds(self):
        steps = plan(self.graphs()[1], CIFAR10).steps
        (head,) = [step for step in steps if step.op == "auxiliary"]
        assert steps[head.inputs[0]].shape == (576, 8, 8)
        assert [step.op for step in steps if step.shape == (576, 8, 8)].index("concat") == 0
        assert steps[-1].op == "classifier"
        assert steps[-1].shape == (10,)

    def test_the_key_does_not_see_it(self):
        without, with_head = self.graphs()
        assert without != with_head
        assert without.key == with_head.key

    @pytest.mark.parametrize("imagenet", [False, True])
    @pytest.mark.parametrize("layers", [1, 2, 5])
    def test_training_alone_sees_it(self, layers, imagenet):
        answers = {a: v for a, v in answers_of(DARTS_V2).items() if layers > 1 or a.startswith("normal")}
        space = spaces.darts(layers=layers, width=2, imagenet=imagenet, auxiliary=True)
        task = Task((1, 8, 8), 10)
        network = build(replay(space, answers).graph, task)
        x = torch.randn(2, *task.input_shape)
        logits, head = network(x)
        assert logits.shape == head.shape == (2, 10)
        assert network.eval()(x).shape == (2, 10)


class TestDropPath:
    def plan(self, rate):
        return plan(replay(spaces.darts(drop_path=rate), answers_of(DARTS_V2)).graph, CIFAR10).steps

    def test_it_follows_every_edge_but_identities(self):
        """18 normal cells with two identities among eight edges; 2 reductions with three, on states inside."""
        dropped = [step for step in self.plan(0.2) if step.op == "drop_path"]
        assert len(dropped) == 18 * (8 - 2) + 2 * (8 - 3)
        assert {layer.rate for step in dropped for layer in step.layers} == {0.2}

    def test_a_skip_that_halves_the_resolution_is_no_identity(self):
        answers = answers_of({**DARTS_V2, "reduce": [(SKIP, 0), (SKIP, 1)] * 4})
        graph = replay(spaces.darts(drop_path=0.2), answers).graph
        steps = plan(graph, CIFAR10).steps
        assert sum(step.op == "drop_path" for step in steps) == 18 * (8 - 2) + 2 * 8
        assert steps[-1].op == "classifier"

    def test_at_rate_0_there_is_none(self):
        assert not [step for step in self.plan(0.0) if step.op == "drop_path"]
        assert cost(replay(spaces.darts(drop_path=0.2), answers_of(DARTS_V2)).graph, CIFAR10).params == 3_349_342


def test_imagenet_is_halved_three_times_before_the_cells():
    graph = replay(spaces.darts(layers=14, width=48, imagenet=True), answers_of(DARTS_V2)).graph
    steps = plan(graph, IMAGENET).steps
    assert [step.shape for step in steps[:4]] == [(3, 224, 224), (24, 112, 112), (48, 56, 56), (48, 28, 28)]
    assert [step.op for step in steps[4:6]] == ["factorized_reduce", "relu_conv_bn"]
    assert [step.shape for step in steps if step.op == "concat"][-1] == (768, 7, 7)


def test_reductions_are_at_one_and_two_thirds():
    assert spaces.darts().reductions == {6, 13}
    assert spaces.cells(layers=3).reductions == {1, 2}
    assert spaces.cells(layers=2).reductions == {1}
    assert spaces.cells(layers=1).reductions == set()


def test_a_reduction_halves_the_image_and_doubles_the_width():
    graph = replay(spaces.darts(), answers_of(DARTS_V2)).graph
    shapes = [step.shape for step in plan(graph, Task((3, 32, 32), 10)).steps if step.op == "concat"]
    assert shapes == [(144, 32, 32)] * 6 + [(288, 16, 16)] * 7 + [(576, 8, 8)] * 7


def test_the_order_of_nodes_in_a_cell_does_not_matter():
    one, other = dict(answers_of(DARTS_V2)), dict(answers_of(DARTS_V2))
    for cell in ("normal", "reduce"):  # nodes 0 and 1 of V2's normal cell are equal: give them different ops, swapped
        for answers, (first, second) in ((one, (SEP5, DIL5)), (other, (DIL5, SEP5))):
            for node, op in ((0, first), (1, second)):
                answers.update({f"{cell}/node{node}/inputs": "0+1", f"{cell}/node{node}/left": op})
                answers[f"{cell}/node{node}/right"] = SKIP
            answers.update({f"{cell}/node3/inputs": "0+1", f"{cell}/node2/inputs": "0+1"})
    space = spaces.darts()
    assert replay(space, one).key == replay(space, other).key
    assert replay(space, one) != replay(space, other)


def test_normal_and_reduction_cell_are_not_mixed_up():
    answers = answers_of(DARTS_V1)
    swapped = {
        address.replace("normal", "x").replace("reduce", "normal").replace("x", "reduce"): value
        for address, value in answers.items()
    }
    space = spaces.darts()
    assert replay(space, answers).key != replay(space, swapped).key


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"ops": ("none",)}, f"ops must be one or several different ops of {', '.join(DARTS_OPS)}, but got"),
        ({"ops": ()}, "ops must be one or several different ops of"),
        ({"ops": (SKIP, SKIP)}, "ops must be one or several different ops of"),
        ({"nodes": 0}, "nodes must be a whole number of at least 1, but got 0"),
        ({"layers": 0}, "layers must be a whole number of at least 1, but got 0"),
        ({"width": -1}, "width must be a whole number of at least 1, but got -1"),
        ({"stem": 0}, "stem must be a whole number of at least 1, but got 0"),
        ({"imagenet": True, "width": 1}, "width must be at least 2 where imagenet is true, but got 1"),
        ({"drop_path": 1.0}, r"drop_path must be a number in \[0, 1\), but got 1.0"),
        ({"drop_path": -0.1}, r"drop_path must be a number in \[0, 1\), but got -0.1"),
    ],
)
def test_wrong_settings_are_named(settings, told):
    with pytest.raises(ConfigError, match=told):
        spaces.cells(**settings)
