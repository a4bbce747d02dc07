"""NASNet and AmoebaNet: their published sizes, and what concatenating blocks mean."""

from __future__ import annotations

from random import Random

import pytest

from raynas import spaces
from raynas.cost import cost
from raynas.errors import ArchitectureError, ConfigError
from raynas.plan import Task, plan
from raynas.spaces.decide import replay
from raynas.spaces.nasnet import AMOEBANET_OPS, NASNET_OPS
from raynas.testing.space import SpaceContract

SKIP, SEP3, AVG3 = "skip_connect", "sep_conv_3x3", "avg_pool_3x3"
CIFAR10 = Task((3, 32, 32), 10)


class TestNasNet(SpaceContract):
    def make(self):
        return spaces.nasnet(width=4)

    def small(self):
        return spaces.nasnet(ops=(SKIP, SEP3), blocks=1, layers=3)


class TestNasNetOfPublishedShape(SpaceContract):
    """Five blocks, several cells between the reductions, three strides before them."""

    built = 4

    def make(self):
        return spaces.nasnet(blocks=5, layers=5, width=2, imagenet=True, drop_path=0.2)

    def small(self):
        return spaces.nasnet(ops=(SKIP,), blocks=2, layers=1)


class TestAmoebaNet(SpaceContract):
    built = 4

    def make(self):
        return spaces.amoebanet(width=4, blocks=5, layers=2)

    def small(self):
        return spaces.nasnet(ops=(SKIP, SEP3), blocks=2, layers=1, concat=False)


def test_published_sizes():
    """13 and 8 ops, five blocks, two cells: 5.2e36 and 3.1e29."""
    nasnet, amoebanet = spaces.nasnet(blocks=5, layers=20), spaces.amoebanet(blocks=5, layers=20)
    assert spaces.count(nasnet) == ((2 * 3 * 4 * 5 * 6) ** 2 * 13**10 * 2**5) ** 2
    assert spaces.count(amoebanet) == ((2 * 3 * 4 * 5 * 6) ** 2 * 8**10) ** 2
    assert f"{spaces.count(nasnet):.1e} {spaces.count(amoebanet):.1e}" == "5.2e+36 3.1e+29"


def test_ops_are_those_of_the_papers():
    assert (len(NASNET_OPS), len(AMOEBANET_OPS)) == (13, 8)
    assert set(AMOEBANET_OPS) < set(NASNET_OPS)


def block(number, left, right, join="add", cell="normal"):
    """Answers of one block; left and right are (state, op)."""
    here = f"{cell}/block{number}"
    return {
        f"{here}/left/input": str(left[0]),
        f"{here}/left/op": left[1],
        f"{here}/right/input": str(right[0]),
        f"{here}/right/op": right[1],
        f"{here}/join": join,
    }


def one_cell(*blocks, **settings):
    """A network of one cell with 4 channels, and its steps."""
    space = spaces.nasnet(blocks=len(blocks), layers=1, width=4, **settings)
    answers = {}
    for number, told in enumerate(blocks):
        answers.update(block(number, *told))
    graph = replay(space, answers).graph
    return graph, plan(graph, CIFAR10).steps


def output_of(steps):
    """What the classifier reads."""
    return steps[steps[-1].inputs[0]]


@pytest.mark.parametrize("op", NASNET_OPS)
@pytest.mark.parametrize("imagenet", [False, True])
def test_every_op_works_everywhere(op, imagenet):
    """From both inputs, from a block that adds and from one that concatenates, in both cells, on small images."""
    space = spaces.nasnet(ops=(op,), layers=3, width=4, imagenet=imagenet)
    answers = {}
    for cell in ("normal", "reduce"):
        answers.update(block(0, (0, op), (1, op), "concat", cell))
        answers.update(block(1, (2, op), (1, op), "add", cell))
        answers.update(block(2, (3, op), (2, op), "concat", cell))
    graph = replay(space, answers).graph
    for task in (Task((1, 8, 8)), Task((3, 7, 5)), CIFAR10):
        assert plan(graph, task).steps[-1].shape == (10,)


def test_all_blocks_that_no_block_reads_are_the_output():
    _, steps = one_cell(((0, SEP3), (1, SEP3)), ((2, SEP3), (2, AVG3)), ((0, SEP3), (0, SEP3)))
    last = output_of(steps)
    assert (last.op, last.shape) == ("concat", (8, 32, 32))
    assert [steps[i].op for i in last.inputs] == ["sum", "sum"]


def test_a_block_that_concatenates_has_twice_the_channels():
    _, steps = one_cell(((0, SEP3), (1, SKIP), "concat"))
    assert output_of(steps).shape == (8, 32, 32)


@pytest.mark.parametrize(
    ("op", "reads"), [(SKIP, ["relu_conv_bn"]), (AVG3, ["avg_pool", "relu_conv_bn"]), (SEP3, ["sep_conv"])]
)
def test_what_reads_such_a_block_has_the_cells_width_again(op, reads):
    """Skips and pools by a 1x1 convolution; no fitting by the plan is needed."""
    _, steps = one_cell(((0, SKIP), (1, SKIP), "concat"), ((2, op), (0, SKIP)))
    assert output_of(steps).shape == (4, 32, 32)
    ops = [step.op for step in steps]
    assert ops[ops.index("concat") + 1 : ops.index("sum")] == [*reads, "identity"]
    assert "project" not in ops


def test_drop_path_spares_identities_alone():
    _, steps = one_cell(((0, SKIP), (1, AVG3), "concat"), ((2, SKIP), (0, SEP3)), drop_path=0.1)
    dropped = [steps[step.inputs[0]].op for step in steps if step.op == "drop_path"]
    assert dropped == ["avg_pool", "relu_conv_bn", "sep_conv"]


def test_a_state_may_be_picked_twice():
    twice, _ = one_cell(((0, SEP3), (0, SEP3)))
    once, _ = one_cell(((0, SEP3), (0, SKIP)))
    assert twice.key != once.key


def test_left_and_right_do_not_matter():
    one, _ = one_cell(((0, SEP3), (1, AVG3)), ((2, SKIP), (1, SEP3), "concat"))
    other, _ = one_cell(((1, AVG3), (0, SEP3)), ((1, SEP3), (2, SKIP), "concat"))
    assert one != other
    assert one.key == other.key


def test_adding_and_concatenating_are_not_the_same():
    added, _ = one_cell(((0, SEP3), (1, AVG3)))
    joined, _ = one_cell(((0, SEP3), (1, AVG3), "concat"))
    assert added.key != joined.key


def test_the_auxiliary_head_is_that_of_darts():
    with_head = spaces.nasnet(layers=5, auxiliary=True)
    answers = spaces.sample(with_head, Random(0)).answers
    without = replay(spaces.nasnet(layers=5), answers).graph
    graph = replay(with_head, answers).graph
    assert graph.key == without.key
    assert cost(graph, CIFAR10).params > cost(without, CIFAR10).params
    assert plan(graph, CIFAR10).steps[-1].op == "classifier"


def test_an_amoebanet_block_never_concatenates():
    answers = spaces.sample(spaces.amoebanet(), Random(0)).answers
    assert not [address for address in answers if address.endswith("join")]
    with pytest.raises(ArchitectureError, match="never asks this"):
        replay(spaces.amoebanet(), {**answers, "normal/block0/join": "concat"})


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"ops": ("dil_conv_5x5",)}, f"ops must be one or several different ops of {', '.join(NASNET_OPS)}, but got"),
        ({"blocks": 0}, "blocks must be a whole number of at least 1, but got 0"),
        ({"layers": 0}, "layers must be a whole number of at least 1, but got 0"),
        ({"drop_path": 2}, r"drop_path must be a number in \[0, 1\), but got 2"),
    ],
)
def test_wrong_settings_are_named(settings, told):
    with pytest.raises(ConfigError, match=told):
        spaces.nasnet(**settings)


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ({"normal/block0/left/input": "2"}, r"'normal/block0/left/input': the answer must be one of \('0', '1'\)"),
        ({"normal/block0/left/op": "conv_9x9"}, "'normal/block0/left/op': the answer must be one of"),
        ({"normal/block0/join": "mean"}, r"'normal/block0/join': the answer must be one of \('add', 'concat'\)"),
    ],
)
def test_wrong_answers_are_named(answers, told):
    good = block(0, (0, SKIP), (1, SKIP))
    with pytest.raises(ArchitectureError, match=told):
        replay(spaces.nasnet(blocks=1, layers=1), {**good, **answers})
