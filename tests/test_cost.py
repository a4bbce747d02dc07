"""Parameters and multiply-adds, against what torch does when the network runs."""

from __future__ import annotations

import pytest
from random_graphs import random_network

from raynas.cost import Cost, cost
from raynas.graph import GraphBuilder
from raynas.memory import training_memory
from raynas.nn import build
from raynas.plan import Task
from raynas.testing.multiply_adds import multiply_adds

TASKS = [Task((1, 8, 8), 3), Task((3, 7, 5), 2), Task((2, 1, 1), 2), Task((1, 1, 9), 4)]


@pytest.mark.parametrize("seed", range(60))
def test_equals_what_runs(seed):
    graph, task = random_network(seed), TASKS[seed % len(TASKS)]
    network = build(graph, task)
    params = sum(p.numel() for p in network.parameters())
    assert cost(graph, task) == Cost(params, multiply_adds(network, task), training_memory(network.plan, 64))


def test_a_network_by_hand():
    g = GraphBuilder()
    x = g.add("conv_bn_relu", g.input(), channels=8, kernel=3, stride=2)
    graph = g.build(g.add("classifier", x))
    conv, linear = 3 * 8 * 9, 8 * 10 + 10
    found = cost(graph, Task((3, 32, 32), 10))
    assert (found.params, found.flops) == (conv + 16 + linear, conv * 16 * 16 + linear)


def test_is_told_in_millions():
    assert Cost(1_500_000, 2_000, 3_000_000).metrics() == {"params_m": 1.5, "flops_m": 0.002, "memory_mb": 3.0}
