"""The key is exact: the judge is an independent rewriting of graphs and networkx's isomorphism."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from collections import defaultdict
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isomorphism import same_network

from raynas import spaces
from raynas.graph import Graph, GraphBuilder, Node
from raynas.spaces.decide import enumerate_space

SEEDS = st.integers(0, 2**32)
CONVS = ("conv_1", "conv_3")
ANYTHING = (*CONVS, "pool", "identity", "zero", "sum", "sum", "concat")


def random_graph(seed, vocabulary, size):
    """A random DAG over its last few nodes, so that branches meet and twins appear."""
    rng = Random(seed)
    g = GraphBuilder()
    nodes = [g.input()]
    alive = [True]
    for _ in range(size):
        op = rng.choice(vocabulary)
        x, y = (rng.randrange(max(0, len(nodes) - 4), len(nodes)) for _ in range(2))
        if op == "sum":
            nodes.append(g.add("sum", *{nodes[x], nodes[y]} if rng.random() < 0.7 else (nodes[x], nodes[y])))
            alive.append(alive[x] or alive[y])
        elif op == "concat" and alive[x] and alive[y]:  # a convolution follows, so order cannot matter
            nodes.append(g.add("conv", g.add("concat", nodes[x], nodes[y]), channels=8, kernel=1))
            alive.append(True)
        elif op == "pool":
            nodes.append(g.add("max_pool", nodes[x], kernel=3))
            alive.append(alive[x])
        elif op in CONVS:
            nodes.append(g.add("conv", nodes[x], channels=8, kernel=int(op[-1])))
            alive.append(alive[x])
        else:
            nodes.append(g.add("zero" if op == "zero" else "identity", nodes[x]))
            alive.append(alive[x] and op != "zero")
    return g.build(g.add("sum", *nodes[-2:]))


def relabelled(graph, rng):
    """The same graph with its nodes in another topological order and its sums in another order."""
    waiting = set(range(len(graph.nodes)))
    place, nodes = {}, []
    while waiting:
        index = rng.choice([i for i in sorted(waiting) if all(j in place for j in graph.nodes[i].inputs)])
        waiting.remove(index)
        op, inputs, args = graph.nodes[index]
        inputs = [place[j] for j in inputs]
        if op in ("sum", "concat"):
            rng.shuffle(inputs)
        place[index] = len(nodes)
        nodes.append(Node(op, tuple(inputs), args))
    return Graph(tuple(nodes), place[graph.output])


class TestRelabelling:
    @settings(max_examples=300, deadline=None, derandomize=True)
    @given(
        SEEDS, st.integers(1, 14), st.sampled_from([ANYTHING, ("conv_1", "sum"), ("conv_1", "pool", "sum", "concat")])
    )
    def test_the_order_of_nodes_does_not_matter(self, seed, size, vocabulary):
        graph = random_graph(seed, vocabulary, size)
        assert relabelled(graph, Random(seed)).key == graph.key

    def test_nor_does_it_where_everything_is_alike(self):
        rng = Random(0)
        for graph in (chains(4, 3, uses=2), circle(7), circle(4, 4), everyone_but_one(5)):
            for _ in range(10):
                assert relabelled(graph, rng).key == graph.key

    def test_many_random_ones(self):
        """R30: 10,000 relabellings."""
        for seed in range(1000):
            rng = Random(seed)
            graph = random_graph(seed, ("conv_1", "conv_3", "pool", "sum", "sum"), 9)
            assert {relabelled(graph, rng).key for _ in range(10)} == {graph.key}


def disagreements(graphs):
    """Pairs of graphs that key and judge see differently, and how many pairs were judged and were equal."""
    wrong, judged, equal = [], 0, 0
    by_size = defaultdict(list)
    for graph in graphs:
        by_size[sum(node.op == "conv" for node in graph.nodes)].append(graph)
    for group in by_size.values():
        for one, other in itertools.combinations(group, 2):
            same = same_network(one, other)
            judged += 1
            equal += same
            if same != (one.key == other.key):
                wrong.append((one, other))
    return wrong, judged, equal


class TestAgainstIsomorphism:
    @pytest.mark.parametrize(
        ("vocabulary", "size"),
        [
            (("conv_1",), 4),
            (("conv_1", "sum"), 7),
            (("conv_1", "conv_3", "sum"), 6),
            (("conv_1", "pool", "sum"), 7),
            (("conv_1", "pool", "concat"), 5),
            (ANYTHING, 7),
        ],
        ids=lambda v: "-".join(dict.fromkeys(v)) if isinstance(v, tuple) else str(v),
    )
    def test_no_false_merge_and_no_false_split(self, vocabulary, size):
        graphs = [random_graph(seed, vocabulary, size) for seed in range(60)]
        wrong, judged, equal = disagreements(graphs)
        assert not wrong
        assert judged > 100
        assert equal > 0

    def test_all_networks_of_three_convolutions(self):
        """Every way in which three equal convolutions and the output can each sum up what came before."""
        graphs = list(all_networks(3))
        classes = []
        for graph in graphs:
            if not any(same_network(graph, known) for known in classes):
                classes.append(graph)
        assert len(graphs) == 1 * 3 * 7 * 15
        assert len({graph.key for graph in graphs}) == len(classes)
        assert not disagreements(Random(0).sample(graphs, 40))[0]

    def test_all_networks_of_four_convolutions(self):
        assert len({graph.key for graph in all_networks(4)}) == 2071  # the judge says so too, in 20 s


class TestAtFullSize:
    def test_ten_thousand_relabellings(self):
        rng = Random(0)
        for seed in range(1000):
            graph = random_graph(
                seed, ANYTHING if seed % 2 else ("conv_1", "conv_3", "pool", "sum", "sum"), 4 + seed % 11
            )
            assert {relabelled(graph, rng).key for _ in range(10)} == {graph.key}

    def test_five_thousand_pairs_before_the_judge(self):
        judged = equal = 0
        for vocabulary in (ANYTHING, (*CONVS, "pool", "sum", "sum"), ("conv_1", "sum"), (*CONVS, "concat", "sum")):
            for size in (4, 5, 6, 7):
                graphs = [random_graph(seed, vocabulary, size) for seed in range(1000, 1075)]
                wrong, pairs, same = disagreements(graphs)
                assert not wrong
                judged, equal = judged + pairs, equal + same
        assert judged >= 5000
        assert equal >= 100


def all_networks(convolutions):
    subsets = [
        [s for n in range(1, size + 1) for s in itertools.combinations(range(size), n)]
        for size in range(1, convolutions + 2)
    ]
    for sums in itertools.product(*subsets):
        g = GraphBuilder()
        nodes = [g.input()]
        for chosen in sums:
            x = g.add("sum", *[nodes[i] for i in chosen])
            nodes.append(conv(g, x) if len(nodes) <= convolutions else x)
        yield g.build(nodes[-1])


def written(write):
    """The graph that a function writes."""
    g = GraphBuilder()
    return g.build(write(g, g.input()))


def conv(g, x, channels=8, **args):
    return g.add("conv", x, channels=channels, **args)


class TestMeaning:
    """What counts as the same network."""

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (lambda g, x: g.add("identity", conv(g, x)), conv),
            (lambda g, x: g.add("sum", conv(g, x)), conv),
            (lambda g, x: g.add("sum", conv(g, x), g.add("zero", x)), conv),
            (lambda g, x: (conv(g, x), conv(g, x))[0], conv),
            (lambda g, x: conv(g, g.add("zero", x)), lambda g, x: g.add("zero", conv(g, x))),
            (
                lambda g, x: g.add("sum", conv(g, x), g.add("sum", x, x)),
                lambda g, x: g.add("sum", x, g.add("sum", x, conv(g, x))),
            ),
            (
                lambda g, x: g.add("concat", g.add("max_pool", x), g.add("max_pool", x)),
                lambda g, x: g.add("concat", *[g.add("max_pool", x)] * 2),
            ),
            (lambda g, x: conv(g, x, kernel=3, stride=True), lambda g, x: conv(g, x, stride=1.0, kernel=3)),
            (lambda g, x: g.add("identity", x), lambda g, x: x),
            (
                lambda g, x: conv(g, g.add("concat", x, conv(g, x))),
                lambda g, x: conv(g, g.add("concat", conv(g, x), x)),
            ),
        ],
        ids=[
            "identity", "sum of one", "zero in a sum", "dead branch", "op of zero", "nested sums", "shared pool",
            "True is 1", "input as output", "concatenation has no order",
        ],
    )  # fmt: skip
    def test_equal(self, one, other):
        assert written(one).key == written(other).key

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (lambda g, x: g.add("sum", x, x), lambda g, x: x),
            (lambda g, x: g.add("zero", x), lambda g, x: x),
            (lambda g, x: conv(g, x, 8), lambda g, x: conv(g, x, 9)),
            (lambda g, x: conv(g, x, kernel="3x1"), lambda g, x: conv(g, x, kernel="1x3")),
            (lambda g, x: g.add("sum", conv(g, x), conv(g, x)), lambda g, x: g.add("sum", *[conv(g, x)] * 2)),
            (lambda g, x: g.add("concat", x, conv(g, x)), lambda g, x: g.add("sum", x, conv(g, x))),
            (
                lambda g, x: g.add("dropout", g.add("dropout", x, rate=0.5), rate=0.5),
                lambda g, x: g.add("dropout", x, rate=0.5),
            ),
            (
                lambda g, x: conv(g, g.add("concat", x, g.add("zero", conv(g, x, 8)))),
                lambda g, x: conv(g, g.add("concat", x, g.add("zero", conv(g, x, 9)))),
            ),
            (lambda g, x: conv(g, g.add("concat", x, g.add("zero", conv(g, x)))), lambda g, x: conv(g, x)),
        ],
        ids=[
            "twice is not once", "zero is not its input", "widths", "kernels", "own weights", "concat is no sum",
            "two masks", "a zero fills channels", "a zero in a concatenation stays",
        ],
    )  # fmt: skip
    def test_different(self, one, other):
        assert written(one).key != written(other).key

    def test_a_zero_in_a_concatenation_is_only_its_channels(self):
        def zero_of(kernel):
            return written(lambda g, x: conv(g, g.add("concat", x, g.add("zero", conv(g, x, kernel=kernel)))))

        assert zero_of(1).key == zero_of(3).key

    def test_concatenations_that_a_sum_lines_up_keep_their_order(self):
        def lined_up(swap):
            def write(g, x):
                a, b, c, d = conv(g, x, kernel=1), g.add("max_pool", x), conv(g, x, kernel=5), g.add("avg_pool", x)
                one = g.add("concat", a, b)
                return conv(g, g.add("sum", one, g.add("bn_relu", g.add("concat", *((d, c) if swap else (c, d))))))

            return written(write)

        assert lined_up(swap=False).key != lined_up(swap=True).key

    def test_concatenations_that_are_cut_keep_their_order(self):
        def cut(swap):
            def write(g, x):
                pools = [g.add("max_pool", x), g.add("avg_pool", x)]
                joined = g.add("concat", *(reversed(pools) if swap else pools))
                return conv(g, g.add("take_channels", g.add("activation", joined, kind="relu"), channels=3))

            return written(write)

        assert cut(swap=False).key != cut(swap=True).key

    def test_sums_count_how_often_a_term_is_there(self):
        def nested(*shape):
            def write(g, x):
                x = conv(g, x)
                return g.add("sum", *[g.add("sum", *[x] * many) for many in shape])

            return written(write).key

        assert nested(3, 2) == nested(1, 4) == nested(1, 1, 3) == nested(5)
        assert len({nested(n) for n in range(1, 6)}) == 5

    def test_inputs_are_told_apart(self):
        def write(swap):
            g = GraphBuilder()
            a, b = g.input(), g.input()
            return g.build(g.add("sum", conv(g, b if swap else a, 8), conv(g, a if swap else b, 9)))

        assert write(swap=False).key != write(swap=True).key

    def test_who_shares_what_is_told_apart(self):
        """The same tree unfolds from all: only sharing distinguishes them."""

        def write(*pairs):
            g = GraphBuilder()
            x = g.input()
            twins = [conv(g, x) for _ in range(4)]
            return g.build(g.add("sum", *[conv(g, g.add("sum", twins[i], twins[j])) for i, j in pairs]))

        circle, pairs = ((0, 1), (1, 2), (2, 3), (3, 0)), ((0, 1), (0, 1), (2, 3), (2, 3))
        star, once = ((0, 1), (0, 2), (0, 3), (0, 3)), ((0, 1), (2, 3), (0, 1), (2, 3))
        assert len({write(*p).key for p in (circle, pairs, star)}) == 3
        assert write(*pairs).key == write(*once).key


def chains(many, depth, uses=1):
    """Parallel chains of the same convolutions, their sum used several times."""
    g = GraphBuilder()
    x = g.input()
    ends = []
    for _ in range(many):
        ends.append(x)
        for _ in range(depth):
            ends[-1] = conv(g, ends[-1])
    total = g.add("sum", *ends)
    return g.build(g.add("sum", *[conv(g, total, kernel=1) for _ in range(uses)]))


def circle(*lengths):
    """Convolutions in circles: each of the second layer sums two neighbours of the first."""
    g = GraphBuilder()
    x = g.input()
    outs = []
    for length in lengths:
        first = [conv(g, x) for _ in range(length)]
        outs += [conv(g, g.add("sum", first[i], first[(i + 1) % length])) for i in range(length)]
    return g.build(g.add("sum", *outs))


def everyone_but_one(many):
    g = GraphBuilder()
    x = g.input()
    first = [conv(g, x) for _ in range(many)]
    return g.build(g.add("sum", *[conv(g, g.add("sum", *first[:i], *first[i + 1 :])) for i in range(many)]))


class TestSymmetricGraphs:
    def test_circles_of_one_size_are_told_from_two_of_half(self):
        assert circle(8).key != circle(4, 4).key
        assert circle(6).key != circle(3, 3).key

    def test_chains_are_counted(self):
        assert len({chains(many, 2, uses).key for many in (1, 2, 3, 8) for uses in (1, 2)}) == 8

    @pytest.mark.parametrize(
        "graph",
        [chains(8, 5), chains(8, 5, uses=3), chains(64, 3, uses=2), circle(12), circle(6, 6), everyone_but_one(8)],
        ids=["8 chains", "8 chains, thrice used", "64 chains", "circle", "two circles", "everyone but one"],
    )
    def test_is_fast(self, graph):
        start = time.perf_counter()
        assert len(graph.key) == 32
        assert time.perf_counter() - start < 1.0

    def test_a_wide_residual_network(self):
        """32 equal branches a block, as in ResNeXt, each block reading the sum of the one before."""
        g = GraphBuilder()
        x = g.input()
        for _ in range(4):
            x = g.add("sum", x, *[conv(g, x) for _ in range(32)])
        start = time.perf_counter()
        assert len(g.build(x).key) == 32
        assert time.perf_counter() - start < 1.0

    @pytest.mark.parametrize("reach", [2, 60])
    def test_sums_of_sums(self, reach):
        """Where everything is skipped, a term is there 2^59 times."""
        g = GraphBuilder()
        nodes = [g.input(), conv(g, 0)]
        for _ in range(60):
            nodes.append(g.add("sum", *nodes[-reach:]))
        start = time.perf_counter()
        assert len(g.build(nodes[-1]).key) == 32
        assert time.perf_counter() - start < 1.0

    def test_is_deep(self):
        g = GraphBuilder()
        x = g.input()
        for _ in range(3000):
            x = g.add("sum", conv(g, x), conv(g, x))
        assert len(g.build(x).key) == 32


TELL_KEYS = """
from raynas.graph import GraphBuilder
g = GraphBuilder()
x = g.input()
four = [g.add("conv", x, channels=8) for _ in range(4)]
circle = g.add("sum", *[g.add("conv", g.add("sum", four[i], four[(i + 1) % 4]), channels=8) for i in range(4)])
print(*[g.build(output).key for output in (x, four[0], g.add("concat", x, *four[:2]), circle)])
"""


@pytest.mark.parametrize("hash_seed", ["0", "4242"])
def test_keys_are_the_same_on_every_machine(hash_seed):
    command = [sys.executable, "-c", TELL_KEYS]
    told = subprocess.run(command, env={"PYTHONHASHSEED": hash_seed}, check=True, capture_output=True, text=True).stdout
    assert told.split() == [
        "3165ec1d6de7ed4b3131cc98462f8c38",
        "ac58114bc61c42e43d3a1081a80ecb3c",
        "7ab2fcafb941f9fea19b4f107f647391",
        "bf37818df661b787185b9eaaba347249",
    ]


def test_nasbench201_has_5260_networks():
    """What an exact canonicaliser finds; the published 6,466 is a string function that both splits and merges."""
    assert len({architecture.key for architecture in enumerate_space(spaces.NasBench201(width=4, repeats=1))}) == 5260
