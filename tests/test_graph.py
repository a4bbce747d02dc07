"""Graphs as values: JSON, checks, motifs, and what their keys have to do with all of that."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from random import Random

import pytest

import raynas.graph
from raynas import spaces
from raynas.canonical import canonical_key
from raynas.errors import GraphError
from raynas.graph import STRIDE, WIDTH, Graph, GraphBuilder, Node


def block(kernel=3):
    g = GraphBuilder()
    x = g.input()
    return g.build(g.add("sum", x, g.add("relu_conv_bn", x, channels=WIDTH, kernel=kernel, stride=STRIDE)))


def network(*cells, motifs=None, width=8, stride=1):
    """A chain of references to motifs."""
    g = GraphBuilder()
    for name, motif in (motifs or {name: block() for name in cells}).items():
        g.define(name, motif)
    x = g.add("conv_bn", g.input(), channels=width)
    for name in cells:
        x = g.cell(name, x, width=width, stride=stride)
    return g.build(g.add("classifier", x))


class TestValue:
    def test_json_round_trip(self):
        for graph in (network("a", "b"), block(), spaces.sample(spaces.darts(), Random(0)).graph):
            again = Graph.from_json(json.loads(json.dumps(graph.to_json())))
            assert again == graph
            assert hash(again) == hash(graph)
            assert again.key == graph.key

    def test_a_cell_is_stored_once(self):
        """20 cells, 64 references and ops: motifs keep the graph of a large network small."""
        assert len(json.dumps(spaces.sample(spaces.darts(), Random(0)).graph.to_json())) < 8_000

    def test_the_key_is_no_part_of_the_value(self):
        known, unknown = block(), block()
        assert known.key
        assert known == unknown
        assert repr(known) == repr(unknown)
        assert dataclasses.replace(known, output=0).key != known.key
        assert pickle.loads(pickle.dumps(known)).key == copy.copy(known).key == known.key

    def test_is_frozen(self):
        with pytest.raises(dataclasses.FrozenInstanceError):
            block().output = 0

    def test_inputs_are_counted(self):
        g = GraphBuilder()
        g.input()
        assert g.build(g.input()).inputs == 2


class TestMotifs:
    def test_their_names_do_not_matter(self):
        a, b = block(1), block(3)
        one = network("a", "b", motifs={"a": a, "b": b})
        assert one.key == network("z", "y", motifs={"z": a, "y": b}).key
        assert one.key != network("a", "b", motifs={"a": b, "b": a}).key

    def test_equal_ones_are_one(self):
        assert network("a", "a").key == network("a", "b").key
        assert network("a", "b", motifs={"a": block(1), "b": block(3)}).key != network("a", "b").key

    def test_what_no_one_reads_does_not_matter(self):
        plain = network("a")
        assert network("a", motifs={"a": block(), "unused": block(5)}).key == plain.key
        g = GraphBuilder()
        g.define("a", block())
        g.define("0", block(5))  # sorted before "a"
        x = g.add("conv_bn", g.input(), channels=8)
        g.cell("0", x, width=8)  # leads nowhere
        x = g.cell("a", x, width=8)
        assert g.build(g.add("classifier", x)).key == plain.key

    def test_the_order_of_their_nodes_does_not_matter(self):
        g = GraphBuilder()
        x = g.input()
        y = g.add("relu_conv_bn", x, channels=WIDTH, kernel=3, stride=STRIDE)
        other = g.build(g.add("sum", y, g.add("identity", x)))
        assert network("a", motifs={"a": other}).key == network("a").key

    @pytest.mark.parametrize("change", [{"width": 16}, {"stride": 2}])
    def test_width_and_stride_matter(self, change):
        assert network("a").key != network("a", **change).key

    def test_nest(self):
        def outer(kernel):
            g = GraphBuilder()
            g.define("inner", block(kernel))
            return g.build(g.cell("inner", g.input(), width=WIDTH, stride=STRIDE))

        deep = network("a", motifs={"a": outer(3)})
        assert deep.key == network("a", motifs={"a": outer(3)}).key
        assert deep.key != network("a", motifs={"a": outer(5)}).key
        assert Graph.from_json(deep.to_json()) == deep

    def test_a_skeleton_around_them_is_the_same_graph_and_hashed_once(self, monkeypatch):
        skeleton = network("a", "b", motifs={"b": block(5)})
        hashed = []
        monkeypatch.setattr(
            raynas.graph,
            "canonical_key",
            lambda nodes, output: hashed.append(len(nodes)) or canonical_key(nodes, output),
        )
        networks = [skeleton.around(a=block(kernel)) for kernel in (1, 3, 7, 9, 11, 13)]
        keys = [graph.key for graph in networks]
        assert hashed.count(len(skeleton.nodes)) <= 2  # the key of "a" may come before or after that of "b"
        for graph, key in zip(networks, keys, strict=True):
            whole = network("a", "b", motifs=dict(graph.motifs))
            assert whole == graph
            assert whole.key == key

    def test_an_unknown_one_is_named(self):
        graph = network("a", motifs={"b": block()})
        for ask in (graph.check, lambda: graph.motif("a"), lambda: graph.key):
            with pytest.raises(GraphError, match="unknown motif 'a'; known: b"):
                ask()


INPUT = ["input", []]
CONV = ["conv", [0], {"channels": 3}]


class TestDamagedJson:
    @pytest.mark.parametrize(
        ("data", "told"),
        [
            ({}, "KeyError: 'nodes'"),
            ([], "AttributeError"),
            (None, "AttributeError"),
            ({"nodes": [INPUT]}, "KeyError: 'output'"),
            ({"nodes": "abc", "output": 0}, "ValueError"),
            ({"nodes": [], "output": 0}, "output must be one of the 0 nodes"),
            ({"nodes": [INPUT], "output": 1}, "output must be one of the 1 nodes before, but got 1"),
            ({"nodes": [INPUT], "output": -1}, "output must be one of the 1 nodes before, but got -1"),
            ({"nodes": [INPUT], "output": "0"}, "output must be one of the 1 nodes before, but got '0'"),
            ({"nodes": [INPUT], "output": True}, "output must be one of the 1 nodes before, but got True"),
            ({"nodes": [INPUT, ["cnv", [0]]], "output": 0}, "node 1: unknown op 'cnv'; known: activation, "),
            ({"nodes": [INPUT, [["conv"], [0]]], "output": 0}, "node 1: unknown op \\['conv'\\]"),
            ({"nodes": [INPUT, ["conv", [1]]], "output": 0}, "an input must be one of the 1 nodes .* but got 1"),
            ({"nodes": [INPUT, ["conv", [-1]]], "output": 0}, "an input must be one of the 1 nodes .* but got -1"),
            ({"nodes": [INPUT, ["conv", [0.0]]], "output": 0}, "an input must be one of the 1 nodes .* but got 0.0"),
            ({"nodes": [INPUT, ["conv", []]], "output": 0}, "only inputs, and all of them, have no inputs"),
            ({"nodes": [INPUT, ["input", [0]]], "output": 0}, "only inputs, and all of them, have no inputs"),
            ({"nodes": [INPUT, ["sum", [0], {"a": 1}]], "output": 0}, "takes no arguments, but got {'a': 1}"),
            ({"nodes": [INPUT, ["motif", [0], {"name": "a"}]], "output": 0}, "takes \\['name', 'stride', 'width'\\]"),
            ({"nodes": [INPUT, ["conv", [0], {"channels": [3]}]], "output": 0}, "'channels' must be a JSON scalar"),
            ({"nodes": [INPUT, ["conv", [0], {"channels": {}}]], "output": 0}, "'channels' must be a JSON scalar"),
            ({"nodes": [INPUT, CONV, 3], "output": 0}, "TypeError"),
            ({"nodes": [INPUT], "output": 0, "motifs": []}, "AttributeError"),
            ({"nodes": [INPUT], "output": 0, "motifs": {"a": {"nodes": [["x", []]], "output": 0}}}, "unknown op 'x'"),
        ],
    )  # fmt: skip
    def test_is_refused_by_name(self, data, told):
        with pytest.raises(GraphError, match=told):
            Graph.from_json(data)

    def test_a_motif_needs_its_inputs(self):
        g = GraphBuilder()
        x = g.input()
        g.define("a", block())
        g.add("motif", x, x, name="a", width=8, stride=1)
        with pytest.raises(GraphError, match="node 1: motif 'a' has 1 inputs, but got 2"):
            g.build(1).check()


class TestBuilder:
    @pytest.mark.parametrize(
        ("write", "told"),
        [
            (lambda g: g.add("conv_3x3", 0), "node 1: unknown op 'conv_3x3'; known: activation"),
            (lambda g: g.add("conv", 1, channels=3), "node 1 \\(conv\\): an input must be .* but got 1"),
            (lambda g: g.add("conv", "x", channels=3), "node 1 \\(conv\\): an input must be .* but got 'x'"),
            (lambda g: g.add("conv", 0, channels=(3,)), "argument 'channels' must be a JSON scalar, but got \\(3,\\)"),
            (lambda g: g.add("sum"), "node 1 \\(sum\\): only inputs"),
            (lambda g: g.build(1), "output must be one of the 1 nodes before, but got 1"),
            (lambda g: g.build(None), "output must be one of the 1 nodes before, but got None"),
        ],
    )
    def test_nonsense_is_refused_where_it_is_written(self, write, told):
        g = GraphBuilder()
        g.input()
        with pytest.raises(GraphError, match=told):
            write(g)

    def test_arguments_are_sorted(self):
        g = GraphBuilder()
        g.add("conv", g.input(), stride=2, channels=3)
        assert g.build(1).nodes[1] == Node("conv", (0,), (("channels", 3), ("stride", 2)))
