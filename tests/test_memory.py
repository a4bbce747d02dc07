"""Predicted memory beside what torch's allocator really hands out."""

from __future__ import annotations

import gc
from itertools import accumulate
from random import Random
from statistics import median

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from raynas import spaces
from raynas.graph import GraphBuilder
from raynas.memory import inference_memory, training_memory
from raynas.nn.build import Network
from raynas.plan import Task, plan

TASK = Task((3, 16, 16), 10)


def planned(write, task=TASK):
    g = GraphBuilder()
    return plan(g.build(write(g, g.input())), task)


def peak(run):
    """Bytes that are held at most while it runs, above what was held before."""
    gc.collect()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        run()
    return max(accumulate(e.nbytes() for e in profiled.profiler.kineto_results.events() if e.name() == "[memory]"))


def measured_training(network, batch_size):
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    x, y = torch.randn(batch_size, *TASK.input_shape), torch.zeros(batch_size, dtype=torch.long)

    def step():
        loss = torch.nn.functional.cross_entropy(network(x), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    step()
    return peak(step) + 12 * sum(p.numel() for p in network.parameters()) + 4 * x.numel()


@pytest.mark.parametrize(
    "space",
    [spaces.cells(), spaces.nasbench201(width=8, repeats=1), spaces.darts(layers=3, width=4)],
    ids=lambda space: space.name,
)
def test_training_memory_is_within_a_fifth_on_the_median(space):
    torch.set_num_threads(1)
    ratios = []
    for seed in range(5):
        network = plan(spaces.sample(space, Random(seed)).graph, TASK)
        ratios.append(training_memory(network, 32) / measured_training(Network(network), 32))
    assert 0.8 < median(ratios) < 1.2


def test_one_layer_by_hand():
    """Weights three times (themselves, momentum, gradient); for their gradients the input, and the logits' own."""
    network = planned(lambda g, x: g.add("classifier", g.add("flatten", x)))
    weights = 768 * 10 + 10
    assert training_memory(network, 5) == 4 * (3 * weights + 5 * (768 + 10))
    assert training_memory(network, 5, moments=2) == 4 * (4 * weights + 5 * (768 + 10))
    assert inference_memory(network, 5) == 4 * (weights + 5 * (768 + 10))


def relu(g, x):
    return g.add("activation", x, kind="relu")


def test_inference_lets_go_of_what_is_no_longer_read():
    deep = planned(lambda g, x: relu(g, relu(g, relu(g, x))))
    assert inference_memory(deep) == 4 * 2 * 768
    skip = planned(lambda g, x: g.add("concat", relu(g, relu(g, x)), x))
    assert inference_memory(skip) == 4 * (768 + 768 + 2 * 768)


def test_a_bigger_batch_takes_more_and_weights_do_not_grow():
    network = plan(spaces.sample(spaces.cells(), Random(0)).graph, TASK)
    small, large = training_memory(network, 16), training_memory(network, 32)
    assert small < large < 2 * small
    assert inference_memory(network, 16) < small


def test_dead_branches_and_zeros_keep_nothing():
    def alone(g, x):
        return g.add("classifier", x)

    def beside_a_dead_branch(g, x):
        g.add("batch_norm", x)
        return g.add("classifier", x)

    def through_a_zero(g, x):
        y = g.add("zero", g.add("conv_bn", x, channels=16))
        return g.add("classifier", g.add("concat", x, y))

    with_branch = training_memory(planned(beside_a_dead_branch), 8)
    assert with_branch - training_memory(planned(alone), 8) <= 4 * (3 * 6 + 8 * 768)  # its weights, and its value once
    network = planned(through_a_zero)
    assert training_memory(network, 8) == pytest.approx(measured_training(Network(network), 8), rel=0.35)
