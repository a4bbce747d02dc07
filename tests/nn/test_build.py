"""Graphs become the networks that their plans describe."""

from __future__ import annotations

import pickle
import weakref
from random import Random

import pytest
import torch
from random_graphs import random_network
from torch import nn
from torch.nn import functional as F

from raynas import spaces
from raynas.graph import GraphBuilder
from raynas.nn import Network, build
from raynas.plan import Task, plan

TASKS = [Task((1, 8, 8), 3), Task((3, 7, 5), 2), Task((2, 1, 1), 2), Task((1, 2, 3), 2), Task((1, 1, 9), 4)]


def written(write, task=TASKS[0]):
    g = GraphBuilder()
    return build(g.build(write(g, g.input())), task)


@pytest.mark.parametrize("seed", range(100))
def test_every_step_has_the_predicted_shape(seed):
    graph, task = random_network(seed), TASKS[seed % len(TASKS)]
    network = build(graph, task)
    shapes = {}
    for name, step in network.steps.items():
        step.register_forward_hook(lambda _, x, y, name=name: shapes.update({name: tuple(y.shape)}))
    logits = network(torch.randn(2, *task.input_shape))
    assert logits.shape == (2, task.classes)
    assert shapes == {step.name: (2, *step.shape) for step in plan(graph, task).steps if step.layers}
    logits.sum().backward()


def test_computes_what_the_graph_says():
    def write(g, x):
        a, b = g.add("conv", x, channels=4), g.add("conv", x, channels=4, kernel=1)
        both = g.add("sum", a, b, a)
        return g.add("classifier", g.add("concat", both, g.add("max_pool", x), g.add("zero", x)))

    network = written(write)
    x = torch.randn(2, 1, 8, 8)
    a = F.conv2d(x, network.steps["1"].weight, padding=1)
    b = F.conv2d(x, network.steps["2"].weight)
    joined = torch.cat([a + b + a, F.max_pool2d(x, 3, 1, 1), torch.zeros_like(x)], 1)
    expected = network.steps["7"][1](joined.mean((2, 3)))
    torch.testing.assert_close(network(x), expected)


def test_the_input_is_left_as_it_is():
    network = written(lambda g, x: g.add("sum", x, x))
    x = torch.ones(2, 1, 8, 8)
    assert torch.equal(network(x), torch.full((2, 1, 8, 8), 2.0))
    assert torch.equal(x, torch.ones(2, 1, 8, 8))


def test_an_output_that_is_not_last_is_answered():
    network = written(lambda g, x: (g.add("identity", x), g.add("conv", x, channels=5))[0])
    x = torch.randn(2, 1, 8, 8)
    assert torch.equal(network(x), x)


def test_values_are_let_go_after_their_last_use():
    """A chain holds two values at a time, however deep it is."""

    def chain(g, x):
        for _ in range(6):
            x = g.add("bn_relu", g.add("avg_pool", x))
        return x

    network = written(chain).eval()
    alive, most = weakref.WeakSet(), 0

    def watch(module, inputs, output):
        nonlocal most
        alive.add(output)
        most = max(most, len(alive))

    for step in network.steps.values():
        step.register_forward_hook(watch)
    with torch.no_grad():
        network(torch.randn(1, 1, 8, 8))
    assert most <= 3


def test_one_seed_gives_one_network():
    graph = spaces.sample(spaces.cells(), Random(0)).graph
    networks = []
    for _ in range(2):
        torch.manual_seed(7)
        networks.append(build(graph, TASKS[0]))
    one, other = (n.state_dict() for n in networks)
    assert list(one) == list(other)
    assert all(torch.equal(one[name], other[name]) for name in one)
    again = build(graph, TASKS[0])
    again.load_state_dict(one)
    x = torch.randn(2, 1, 8, 8)
    assert torch.equal(again.eval()(x), networks[0].eval()(x))


def test_survives_pickling():
    network = build(spaces.sample(spaces.chain(), Random(0)).graph, TASKS[0]).eval()
    x = torch.randn(2, 1, 8, 8)
    assert torch.equal(pickle.loads(pickle.dumps(network))(x), network(x))


def test_is_a_module_that_knows_its_plan():
    graph = spaces.sample(spaces.cells(), Random(0)).graph
    network = build(graph, TASKS[0])
    assert isinstance(network, nn.Module)
    assert isinstance(network, Network)
    assert network.plan == plan(graph, TASKS[0])
