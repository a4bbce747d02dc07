"""Shape inference and fitting; costs."""

from __future__ import annotations

import pytest

from raynas.cost import cost
from raynas.errors import GraphError
from raynas.graph import STRIDE, WIDTH, Graph, GraphBuilder
from raynas.ops import OPS, expand
from raynas.plan import Task, plan

TASK = Task((3, 8, 8), 10)


def network(write):
    """The graph that `write(g, input)` ends with a classifier."""
    g = GraphBuilder()
    return g.build(g.add("classifier", write(g, g.input())))


def shapes(graph, task=TASK):
    return [(step.op, step.shape) for step in plan(graph, task).steps]


def test_shapes_follow_the_ops():
    def write(g, x):
        x = g.add("conv_bn_relu", x, channels=4, kernel=3)
        x = g.add("max_pool", x, kernel=2, stride=2)
        return g.add("sep_conv", x, channels=6, stride=2)

    assert shapes(network(write)) == [
        ("input", (3, 8, 8)), ("conv_bn_relu", (4, 8, 8)), ("max_pool", (4, 4, 4)), ("sep_conv", (6, 2, 2)),
        ("classifier", (10,)),
    ]  # fmt: skip


def test_a_sum_fits_resolution_and_channels():
    def write(g, x):
        big = g.add("conv_bn", x, channels=4)
        small = g.add("conv_bn", x, channels=6, stride=2)
        return g.add("sum", big, small)

    assert shapes(network(write))[3:5] == [("project", (6, 4, 4)), ("sum", (6, 4, 4))]


def test_a_concatenation_fits_resolution_alone():
    def write(g, x):
        return g.add("concat", g.add("conv_bn", x, channels=4), g.add("conv_bn", x, channels=6, stride=2))

    assert shapes(network(write))[3:5] == [("project", (4, 4, 4)), ("concat", (10, 4, 4))]


def test_zeros_do_not_shape_a_sum_and_vanish_from_it():
    def write(g, x):
        return g.add("sum", g.add("conv_bn", x, channels=4), g.add("zero", x, stride=2))

    found = plan(network(write), TASK).steps
    assert [s.op for s in found].count("project") == 0
    assert next(s for s in found if s.op == "sum").shape == (4, 8, 8)


def test_a_network_of_zeros_still_answers():
    assert shapes(network(lambda g, x: g.add("sum", g.add("zero", x), g.add("zero", x))))[-1] == ("classifier", (10,))


def test_motifs_are_unfolded_with_their_width_and_stride():
    inner = GraphBuilder()
    x = inner.input()
    motif = inner.build(inner.add("conv_bn", x, channels=WIDTH, stride=STRIDE))

    def write(g, x):
        g.define("cell", motif)
        return g.cell("cell", g.cell("cell", x, width=4), width=8, stride=2)

    found = plan(network(write), TASK).steps
    assert [s.shape for s in found[1:3]] == [(4, 8, 8), (8, 4, 4)]
    assert len({s.name for s in found}) == len(found)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (7, 5), (1, 9)])
def test_small_and_odd_images_fit(size):
    def write(g, x):
        states = [x]
        for stride in (2, 1, 2, 2):
            states.append(g.add("sep_conv", states[-1], channels=4, kernel=5, stride=stride))
            states.append(g.add("factorized_reduce", states[-1], channels=4))
            states.append(g.add("avg_pool", states[-1], kernel=3, stride=2))
        return g.add("sum", *states)

    assert shapes(network(write), Task((2, *size), 3))[-1] == ("classifier", (3,))


def test_the_output_is_the_last_step_whatever_follows_it_in_the_graph():
    g = GraphBuilder()
    x = g.input()
    out = g.add("classifier", x)
    g.add("conv_bn", x, channels=4)
    assert plan(g.build(out), TASK).steps[-1].shape == (10,)


def test_what_cannot_be_planned():
    g = GraphBuilder()
    with pytest.raises(GraphError, match="must have one input, but this graph has 2"):
        plan(g.build(g.add("sum", g.input(), g.input())), TASK)
    with pytest.raises(GraphError, match=r"op 'conv_bn' takes channels, kernel, stride, but got .*filters"):
        plan(network(lambda g, x: g.add("conv_bn", x, filters=3)), TASK)
    with pytest.raises(GraphError, match="takes one input, but got 2"):
        plan(network(lambda g, x: g.add("conv_bn", x, x, channels=3)), TASK)
    with pytest.raises(GraphError, match="images and vectors cannot be joined"):
        plan(network(lambda g, x: g.add("sum", x, g.add("global_pool", x))), TASK)
    with pytest.raises(GraphError, match="needs an image, but got a vector of 3 channels"):
        plan(network(lambda g, x: g.add("max_pool", g.add("global_pool", x))), TASK)
    with pytest.raises(GraphError, match="channels must be a whole number of at least 1, but got 'many'"):
        plan(network(lambda g, x: g.add("conv_bn", x, channels="many")), TASK)
    with pytest.raises(GraphError, match="HEIGHTxWIDTH, but got '3by3'"):
        plan(network(lambda g, x: g.add("conv_bn", x, channels=4, kernel="3by3")), TASK)
    with pytest.raises(GraphError, match="unknown op 'convolution'"):
        expand("convolution", (3, 8, 8), {})


def test_costs_of_a_network_counted_by_hand():
    def write(g, x):
        return g.add("conv_bn", x, channels=4, kernel=3, stride=2)

    found = cost(network(write), TASK)
    assert found.params == 4 * 3 * 9 + 2 * 4 + 4 * 10 + 10
    assert found.flops == 4 * 3 * 9 * 4 * 4 + 4 * 10 + 10
    assert found.metrics() == {"params_m": found.params / 1e6, "flops_m": found.flops / 1e6}


def test_every_op_is_in_the_table_under_its_own_name():
    assert all(name == op.__name__ and op.__doc__ for name, op in OPS.items())


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({}, "this is no graph"),
        ({"nodes": [["input", []]], "output": 1}, "output must be one of"),
        ({"nodes": [["input", []], ["conv_bn", [1]]], "output": 1}, "must be one of the 1 nodes before, but got 1"),
        ({"nodes": [["input", []], ["conf", [0]]], "output": 1}, "unknown op 'conf'"),
        ({"nodes": [["input", []], ["motif", [0], {"name": "c", "width": 1, "stride": 1}]], "output": 1}, "'c'"),
        ({"nodes": [["conv_bn", []]], "output": 0}, "have no inputs"),
    ],
)
def test_json_that_is_no_graph(data, says):
    with pytest.raises(GraphError, match=says):
        Graph.from_json(data)
