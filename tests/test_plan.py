"""Shape inference, and how branches are fitted to each other."""

from __future__ import annotations

import re

import pytest

from raynas.errors import GraphError
from raynas.graph import STRIDE, WIDTH, GraphBuilder
from raynas.plan import Task, plan

TASK = Task((3, 9, 7), 5)


def planned(write, task=TASK):
    """The plan of the graph that a function writes."""
    g = GraphBuilder()
    return plan(g.build(write(g, g.input())), task)


def ops(network):
    return [step.op for step in network.steps]


def conv(g, x, channels, stride=1):
    return g.add("conv_bn", x, channels=channels, stride=stride)


class TestFitting:
    def test_a_sum_goes_to_the_smallest_image_and_the_most_channels(self):
        network = planned(lambda g, x: g.add("sum", conv(g, x, 8), conv(g, x, 4, stride=2)))
        assert network.steps[-1].shape == (8, 5, 4)
        assert ops(network) == ["input", "conv_bn", "conv_bn", "project", "project", "sum"]
        resized, widened = network.steps[3], network.steps[4]
        assert [layer.params for layer in resized.layers] == [0]
        assert [layer.params for layer in widened.layers] == [4 * 8, 16]

    def test_a_concatenation_goes_to_the_smallest_image(self):
        network = planned(lambda g, x: g.add("concat", conv(g, x, 8), conv(g, x, 4, stride=2), x))
        assert network.steps[-1].shape == (8 + 4 + 3, 5, 4)
        assert sum(layer.params for step in network.steps if step.op == "project" for layer in step.layers) == 0

    def test_height_and_width_are_fitted_each(self):
        def write(g, x):
            tall = g.add("conv", x, channels=2, kernel="1x2", stride=1)  # 9 x 6
            flat = g.add("conv", x, channels=2, kernel="2x1", stride=1)  # 8 x 7
            return g.add("sum", tall, flat)

        assert planned(write).steps[-1].shape == (2, 8, 6)

    def test_what_fits_is_left_alone(self):
        assert ops(planned(lambda g, x: g.add("sum", x, x))) == ["input", "sum"]
        assert ops(planned(lambda g, x: g.add("sum", x))) == ["input", "sum"]

    def test_vectors_are_fitted_by_a_linear_map(self):
        network = planned(lambda g, x: g.add("sum", *[g.add("global_pool", conv(g, x, n)) for n in (4, 6)]))
        assert network.steps[-1].shape == (6,)
        assert [layer.params for layer in network.steps[-2].layers] == [4 * 6 + 6]
        network = planned(lambda g, x: g.add("concat", *[g.add("global_pool", conv(g, x, n)) for n in (4, 6)]))
        assert network.steps[-1].shape == (10,)

    def test_images_and_vectors_are_not_joined(self):
        with pytest.raises(
            GraphError, match=r"step 2 \(sum\): images, series and vectors .* but got \[\(3,\), \(3, 9, 7\)\]"
        ):
            planned(lambda g, x: g.add("sum", g.add("global_pool", x), x))

    def test_zeros_do_not_shape_a_sum(self):
        def write(g, x):
            return g.add("sum", conv(g, x, 4), g.add("zero", conv(g, x, 16), stride=2))

        network = planned(write)
        assert network.steps[-1].shape == (4, 9, 7)
        assert network.steps[-1].inputs == (1,)

    def test_nor_do_identities_and_sums_of_zeros(self):
        def write(g, x):
            zero = g.add("sum", g.add("identity", g.add("zero", x, stride=2)), g.add("zero", x, stride=2))
            return g.add("sum", conv(g, x, 4), zero)

        assert planned(write).steps[-1].shape == (4, 9, 7)

    def test_zeros_fill_channels_of_a_concatenation_but_do_not_shrink_it(self):
        def write(g, x):
            return g.add("concat", x, g.add("zero", conv(g, x, 4), stride=2))

        assert planned(write).steps[-1].shape == (7, 9, 7)

    def test_a_sum_of_zeros_has_a_shape(self):
        network = planned(lambda g, x: g.add("classifier", g.add("sum", g.add("zero", x), g.add("zero", x, stride=2))))
        assert network.steps[-1].shape == (5,)

    @pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 3), (5, 1), (32, 31)])
    def test_any_size_of_image(self, size):
        def write(g, x):
            for stride in (2, 2, 2):
                y = g.add("sep_conv", x, channels=4, kernel=5, stride=stride)
                pools = g.add("max_pool", y), g.add("avg_pool", x, stride=2)
                x = g.add("sum", x, y, *pools, g.add("dil_conv", y, channels=2))
                x = g.add("factorized_reduce", x, channels=4)
            return g.add("classifier", g.add("concat", x, x))

        assert planned(write, Task((1, *size), 3)).steps[-1].shape == (3,)


class TestMotifs:
    def graph(self):
        inner = GraphBuilder()
        inner_input = inner.input()
        cell = inner.build(inner.add("conv_bn", inner_input, channels=WIDTH, stride=STRIDE))
        outer = GraphBuilder()
        outer.define("cell", cell)
        x = outer.cell("cell", outer.input(), width=WIDTH, stride=STRIDE)
        block = outer.build(outer.cell("cell", x, width=WIDTH))
        g = GraphBuilder()
        g.define("block", block)
        x = g.cell("block", g.input(), width=4, stride=2)
        return g.build(g.cell("block", x, width=8))

    def test_unfold_with_their_width_and_stride_through_all_levels(self):
        steps = plan(self.graph(), TASK).steps
        assert [step.shape for step in steps[1:]] == [(4, 5, 4), (4, 5, 4), (8, 5, 4), (8, 5, 4)]

    def test_steps_are_named_by_their_place(self):
        assert [step.name for step in plan(self.graph(), TASK).steps] == ["input", "1_1_1", "1_2_1", "2_1_1", "2_2_1"]


class TestOutput:
    def test_is_the_last_step_even_where_it_is_the_input(self):
        assert ops(planned(lambda g, x: x)) == ["input"]

    def test_or_an_earlier_node(self):
        network = planned(lambda g, x: (conv(g, x, 4), conv(g, x, 8))[0])
        assert network.steps[-1] == ("output", "identity", (1,), network.steps[-1].layers, (4, 9, 7))

    def test_a_classifier_has_the_classes_of_the_task_or_its_own(self):
        assert planned(lambda g, x: g.add("classifier", x)).steps[-1].shape == (5,)
        assert planned(lambda g, x: g.add("classifier", x, classes=7)).steps[-1].shape == (7,)


class TestRefused:
    def test_several_inputs(self):
        g = GraphBuilder()
        g.input()
        with pytest.raises(GraphError, match="a network must have one input, but this graph has 2"):
            plan(g.build(g.input()), TASK)

    def test_an_op_on_several(self):
        with pytest.raises(GraphError, match="op 'conv_bn' takes one input, but got 2: join them"):
            planned(lambda g, x: g.add("conv_bn", x, x, channels=3))

    def test_an_empty_image(self):
        with pytest.raises(GraphError, match=r"step 1 \(conv\): an output of shape \(3, 0, 0\) is empty"):
            planned(lambda g, x: g.add("conv", x, channels=3, kernel=2), Task((1, 1, 1), 2))

    @pytest.mark.parametrize("channels", [0, -1, 2.0, True, "many", None])
    def test_channels_that_are_no_number_of_them(self, channels):
        told = f"op 'conv_bn': channels must be a whole number of at least 1, but got {channels!r}"
        with pytest.raises(GraphError, match=re.escape(told)):
            planned(lambda g, x: conv(g, x, channels))

    def test_an_argument_that_the_op_does_not_take(self):
        with pytest.raises(
            GraphError, match="op 'conv' takes channels, kernel, stride, groups, bias, but got {'chanels': 3}"
        ):
            planned(lambda g, x: g.add("conv", x, chanels=3))

    @pytest.mark.parametrize("op", ["max_pool", "global_pool", "squeeze_excite"])
    def test_a_vector_where_an_image_is_needed(self, op):
        told = rf"step 2 \({op}\): needs an image or a series, but got an input of shape \(3,\)"
        with pytest.raises(GraphError, match=told):
            planned(lambda g, x: g.add(op, g.add("global_pool", x)))

    def test_an_image_where_tokens_are_needed(self):
        told = r"step 1 \(attention\): needs tokens \(channels, length\), but got an input of shape \(3, 9, 7\)"
        with pytest.raises(GraphError, match=told):
            planned(lambda g, x: g.add("attention", x, heads=1, width=4))

    def test_an_unknown_motif(self):
        with pytest.raises(GraphError, match="unknown motif 'cell'; known: none"):
            planned(lambda g, x: g.cell("cell", x, width=3))
