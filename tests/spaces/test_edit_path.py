"""Distances, edit paths and the crossover on them."""

from __future__ import annotations

import itertools
from collections import Counter
from random import Random

import networkx as nx
import pytest
from function_spaces import flat
from hypothesis import given, settings
from hypothesis import strategies as st

from raynas import spaces
from raynas.graph import GraphBuilder
from raynas.records import Architecture
from raynas.spaces.decide import replay
from raynas.spaces.edit_path import Dag, Edit, GraphCoded, applied, dag_of, distance, edit_path, half, path_crossover
from raynas.spaces.function import as_space

NB101 = spaces.nasbench101(width=8)
CHAINS = spaces.skip_chain(2, 6, heights=(1, 3), widths=(3,), filters=(4, 8), strides=(1,))
MANY = settings(max_examples=60, deadline=None, derandomize=True)

seeds = st.integers(0, 2**32)


def random_dag(rng, nodes, labels="abc", ends=False):
    told = [labels[int(rng.random() * len(labels))] for _ in range(nodes)]
    if ends:
        told = ["input", *told, "output"]
    pairs = itertools.combinations(range(len(told)), 2)
    return Dag(tuple(told), frozenset(pair for pair in pairs if rng.random() < 0.4))


def shuffled(dag, rng):
    """The same graph with its nodes in another topological order."""
    left, order = set(range(len(dag.labels))), []
    while left:
        ready = sorted(n for n in left if not any(to == n and source in left for source, to in dag.edges))
        order.append(ready[int(rng.random() * len(ready))])
        left.remove(order[-1])
    place = {node: index for index, node in enumerate(order)}
    return Dag(tuple(dag.labels[n] for n in order), frozenset((place[a], place[b]) for a, b in dag.edges))


def networkx_of(dag):
    graph = nx.DiGraph()
    graph.add_nodes_from((node, {"label": label}) for node, label in enumerate(dag.labels))
    graph.add_edges_from(dag.edges)
    return graph


def same(one, other):
    match = nx.algorithms.isomorphism.categorical_node_match("label", None)
    return nx.is_isomorphic(networkx_of(one), networkx_of(other), node_match=match)


def brute_force(one, other):
    """The fewest edits over all matchings of the smaller graph's nodes."""
    small, large = sorted((one, other), key=lambda dag: len(dag.labels))
    best = 10**9
    for chosen in itertools.permutations(range(len(large.labels)), len(small.labels)):
        relabelled = sum(label != large.labels[match] for label, match in zip(small.labels, chosen, strict=True))
        mapped = {(chosen[a], chosen[b]) for a, b in small.edges}
        nodes = len(large.labels) - len(small.labels)
        best = min(best, relabelled + nodes + len(mapped ^ large.edges))
    return best


class TestPaths:
    @MANY
    @given(seeds, st.integers(0, 5), st.integers(0, 5))
    def test_they_are_shortest(self, seed, nodes, others):
        rng = Random(seed)
        one, other = random_dag(rng, nodes), random_dag(rng, others)
        assert len(edit_path(one, other)) == brute_force(one, other)
        assert len(edit_path(other, one)) == brute_force(one, other)

    @settings(max_examples=25, deadline=None, derandomize=True)
    @given(seeds)
    def test_networkx_finds_none_shorter(self, seed):
        rng = Random(seed)
        one, other = random_dag(rng, 4), random_dag(rng, 3)
        judged = nx.graph_edit_distance(
            networkx_of(one), networkx_of(other), node_match=lambda a, b: a["label"] == b["label"]
        )
        assert len(edit_path(one, other)) == judged

    @MANY
    @given(seeds, st.integers(1, 7), st.booleans())
    def test_they_lead_to_the_other(self, seed, nodes, ends):
        rng = Random(seed)
        one, other = random_dag(rng, nodes, ends=ends), random_dag(rng, 8 - nodes, ends=ends)
        made = applied(one, edit_path(one, other))
        assert same(made, other)
        assert all(source < to for source, to in made.edges)
        if ends:
            assert (made.labels[0], made.labels[-1]) == ("input", "output")

    @MANY
    @given(seeds, st.integers(1, 7))
    def test_the_order_of_nodes_does_not_matter(self, seed, nodes):
        rng = Random(seed)
        dag = random_dag(rng, nodes, ends=True)
        assert edit_path(dag, shuffled(dag, rng)) == ()

    def test_inputs_and_outputs_are_never_edited(self):
        rng = Random(0)
        for _ in range(40):
            one, other = random_dag(rng, 3, ends=True), random_dag(rng, 5, ends=True)
            edited = {edit.at[0] for edit in edit_path(one, other) if edit.kind in ("relabel", "delete_node")}
            assert not edited & {0, 4}

    def test_each_kind_of_edit(self):
        chain = Dag(("input", "a", "b", "output"), frozenset({(0, 1), (1, 2), (2, 3)}))
        longer = Dag(("input", "a", "c", "b", "output"), frozenset({(0, 1), (1, 2), (2, 3), (3, 4)}))
        assert set(edit_path(chain, longer)) == {
            Edit("insert_node", (4,), "c"),
            Edit("delete_edge", (1, 2)),
            Edit("insert_edge", (1, 4)),
            Edit("insert_edge", (4, 2)),
        }
        assert {edit.kind for edit in edit_path(longer, chain)} == {"delete_node", "delete_edge", "insert_edge"}
        relabelled = chain._replace(labels=("input", "a", "x", "output"))
        assert edit_path(chain, relabelled) == (Edit("relabel", (2,), "x"),)

    def test_graphs_too_large_to_be_exact_get_a_path_in_bounded_time(self):
        rng = Random(1)
        one = random_dag(rng, 14)
        for other in (shuffled(one, rng), random_dag(rng, 12)):
            assert same(applied(one, edit_path(one, other)), other)

    def test_cycles_are_refused(self):
        dag = Dag(("a", "b"), frozenset({(0, 1)}))
        assert applied(dag, (Edit("insert_edge", (1, 0)),)) is None


class TestHalves:
    @MANY
    @given(seeds, st.integers(1, 6), st.integers(1, 6))
    def test_they_lie_on_a_shortest_path(self, seed, nodes, others):
        rng = Random(seed)
        one, other = random_dag(rng, nodes), random_dag(rng, others)
        edits = edit_path(one, other)
        chosen = half(edits, rng)
        assert len(chosen) == (len(edits) + 1) // 2
        assert Counter(chosen) <= Counter(edits)
        between = applied(one, chosen)
        if between is not None:  # else there is a cycle
            assert len(edit_path(one, between)) == len(chosen)
            assert len(edit_path(between, other)) == len(edits) - len(chosen)

    def test_every_edit_can_be_in_them(self):
        rng = Random(3)
        one, other = random_dag(rng, 3), random_dag(rng, 7)
        edits = edit_path(one, other)
        assert len(edits) > 8
        taken = Counter(edit for seed in range(200) for edit in half(edits, Random(seed)))
        assert set(taken) == set(edits)


@pytest.mark.parametrize("space", [NB101, CHAINS], ids=lambda space: space.name)
class TestCrossover:
    def parents(self, space, seed):
        return spaces.sample(space, Random(seed)), spaces.sample(space, Random(seed + 1))

    def test_dags_tell_architectures(self, space):
        assert isinstance(space, GraphCoded)
        for seed in range(60):
            architecture = spaces.sample(space, Random(seed))
            labels, edges = space.to_dag(architecture.answers)
            again = replay(space, space.from_dag(labels, edges))
            assert again.key == architecture.key
            assert space.to_dag(again.answers) == (labels, edges)

    def test_a_child_is_between_its_parents(self, space):
        changed = 0
        for seed in range(60):
            mother, father = self.parents(space, seed)
            child = path_crossover(space, mother, father, Random(seed))
            assert replay(space, child.answers) == child
            assert child == path_crossover(space, mother, father, Random(seed))
            one, other, new = (Dag(*space.to_dag(a.answers)) for a in (mother, father, child))
            whole = len(edit_path(one, other))
            if space is CHAINS:
                assert len(edit_path(one, new)) == (whole + 1) // 2
                assert len(edit_path(new, other)) == whole // 2
            changed += child.key not in (mother.key, father.key)
        assert changed > 50  # where one edit alone parts them, a child is one of them

    def test_with_itself_it_gives_itself(self, space):
        for seed in range(20):
            mother, _ = self.parents(space, seed)
            assert path_crossover(space, mother, mother, Random(seed)) == mother


def test_children_of_a_network_told_in_another_order_are_that_network():
    """The permutation problem: a crossover by addresses makes another network of two equal ones."""
    layers = {f"layer{i}/{n}": v for i in range(3) for n, v in (("height", 1), ("width", 3))}
    base = {"layers": 3, **layers, "layer1/from0": False, "layer2/from0": True, "layer2/from1": False}
    one = replay(CHAINS, {**base, "layer0/filters": 4, "layer1/filters": 8, "layer2/filters": 8})
    swapped = {**base, "layer0/filters": 8, "layer1/filters": 4, "layer2/from0": False, "layer2/from1": True}
    other = replay(CHAINS, {**swapped, "layer2/filters": 8})
    assert one.key == other.key
    assert {path_crossover(CHAINS, one, other, Random(seed)).key for seed in range(20)} == {one.key}
    assert {spaces.crossover(CHAINS, one, other, Random(seed)).key for seed in range(20)} - {one.key}


def test_hyperparameters_are_either_parents():
    class Tuned:
        name = "tuned"

        def decide(self, choose):
            choose.real("train/lr", 0.01, 1.0)
            return CHAINS.decide(choose)

        def to_dag(self, answers):
            return CHAINS.to_dag(answers)

        def from_dag(self, labels, edges):
            return CHAINS.from_dag(labels, edges)

    space = Tuned()
    mother, father = (spaces.sample(space, Random(seed)) for seed in (0, 1))
    rates = {path_crossover(space, mother, father, Random(seed)).hyperparameters["lr"] for seed in range(20)}
    assert rates == {mother.hyperparameters["lr"], father.hyperparameters["lr"]}
    twins = {
        path_crossover(space, mother, replay(space, {**mother.answers, "train/lr": 0.5}), Random(s)) for s in range(9)
    }
    assert {twin.hyperparameters["lr"] for twin in twins} == {mother.hyperparameters["lr"], 0.5}
    assert {twin.key for twin in twins} == {mother.key}


def test_other_spaces_cross_over_by_addresses():
    space = as_space(flat)
    mother, father = (spaces.sample(space, Random(seed)) for seed in (0, 1))
    for seed in range(10):
        assert path_crossover(space, mother, father, Random(seed)) == spaces.crossover(
            space, mother, father, Random(seed)
        )


def test_a_space_that_takes_no_half_falls_back():
    class Picky(type(CHAINS)):
        def from_dag(self, labels, edges):
            return None

    space = Picky(2, 6, (1, 3), (3,), (4, 8), (1,))
    mother, father = (spaces.sample(space, Random(seed)) for seed in (0, 1))
    child = path_crossover(space, mother, father, Random(0))
    assert replay(space, child.answers) == child


class TestDistance:
    def test_it_counts_questions_that_differ(self):
        space = as_space(flat)
        one = replay(space, {f"width{i}": 1 for i in range(4)})
        other = replay(space, {**one.answers, "width0": 2, "width3": 3})
        assert distance(one, one) == 0
        assert distance(one, other) == distance(other, one) == 2

    def test_it_counts_questions_that_only_one_is_asked(self):
        def made(answers):
            return Architecture("any", answers, None, {})

        assert distance(made({"a": 1}), made({"a": 1, "b": 2, "c": 3})) == 2
        assert distance(made({"a": 1, "d": 2}), made({"a": 2, "b": 2})) == 3


def test_graphs_have_paths_too():
    def graph(kernel, *, skip):
        g = GraphBuilder()
        x = g.input()
        y = g.add("conv_bn_relu", x, channels=8, kernel=kernel)
        return g.build(g.add("classifier", g.add("concat", y, x) if skip else y))

    one, other = dag_of(graph(3, skip=False)), dag_of(graph(5, skip=True))
    assert one.labels == ("input", "conv_bn_relu channels=8 kernel=3", "classifier")
    assert Counter(edit.kind for edit in edit_path(one, other)) == {
        "relabel": 1, "insert_node": 1, "insert_edge": 2
    }  # fmt: skip


def test_motifs_are_labelled_with_what_they_are():
    space = spaces.nasbench201(width=4, repeats=1)
    one, other = (spaces.sample(space, Random(seed)) for seed in (0, 1))
    edits = edit_path(dag_of(one.graph), dag_of(other.graph))
    assert [edit.kind for edit in edits] == ["relabel"] * 3
    assert edit_path(dag_of(one.graph), dag_of(one.graph)) == ()
