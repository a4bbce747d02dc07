"""Built networks do what the graph says."""

from __future__ import annotations

import gc

import pytest
import torch
from torch import nn

from raynas.graph import GraphBuilder
from raynas.layers import Conv, FactorizedReduce, Pool, Resize, Zero
from raynas.nn import build
from raynas.nn.modules import module
from raynas.plan import Task

TASK = Task((3, 8, 8), 10)


@pytest.fixture(autouse=True)
def one_thread():
    torch.manual_seed(0)
    torch.set_num_threads(1)


def test_a_network_equals_the_same_written_by_hand():
    g = GraphBuilder()
    x = g.add("conv_bn_relu", g.input(), channels=4, kernel=3)
    y = g.add("sum", x, g.add("relu_conv_bn", x, channels=4, kernel=1))
    ours = build(g.build(g.add("classifier", g.add("concat", y, x))), TASK).eval()

    first, second, last = (ours.steps[name] for name in ("1", "2", "5"))
    images = torch.randn(5, 3, 8, 8)
    a = torch.relu(first[1](first[0](images)))
    b = a + second[2](second[1](torch.relu(a)))
    expected = last[1](torch.cat([b, a], 1).mean((2, 3)))
    assert torch.equal(ours(images), expected)


def test_values_are_let_go_of_after_their_last_use():
    g = GraphBuilder()
    x = g.input()
    for _ in range(30):
        x = g.add("conv_bn_relu", x, channels=4)
    network = build(g.build(g.add("classifier", x)), TASK)
    alive = []

    def count(*_):

        alive.append(sum(type(o) is torch.Tensor and o.shape == (2, 4, 8, 8) for o in gc.get_objects()))

    for block in network.steps.values():
        block.register_forward_hook(count)
    with torch.no_grad():
        network(torch.randn(2, 3, 8, 8))
    assert max(alive) <= 4


@pytest.mark.parametrize("size", [8, 7, 2, 1])
def test_modules_make_the_shapes_that_their_layers_say(size):
    images = torch.randn(2, 4, size, size)
    for layer in (
        Conv(4, 6, (3, 3), 2), Conv(4, 4, (5, 5), 1, 2, 4), Conv(4, 4, (1, 7)), FactorizedReduce(4, 5), Zero(2),
        Pool("max", 3, 2), Pool("avg", 2, 2), Pool("avg", 3, 1), Resize((1, 1)),
    ):  # fmt: skip
        assert module(layer)(images).shape == (2, *layer.out((4, size, size))), layer


def test_factorized_reduce_is_the_published_one():
    layer = module(FactorizedReduce(4, 6))
    images = torch.randn(2, 4, 8, 8)
    expected = torch.cat([layer.even(images), layer.odd(images[:, :, 1:, 1:])], 1)
    assert torch.equal(layer(images), expected)


def test_averages_leave_padding_out():
    images = torch.ones(1, 1, 4, 4)
    assert torch.equal(module(Pool("avg", 3, 1))(images), images)


def test_what_is_no_layer_is_refused():
    with pytest.raises(TypeError, match="no module for"):
        module(nn.ReLU())
