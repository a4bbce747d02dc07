"""The space of NAS-Bench-101 against what its authors published of cells, hashes and parameters."""

from __future__ import annotations

import itertools
from random import Random

import numpy as np
import pytest

from raynas import spaces
from raynas.cost import cost
from raynas.errors import ArchitectureError, ConfigError
from raynas.nn import build
from raynas.plan import Task, plan
from raynas.spaces.decide import replay
from raynas.spaces.nasbench101 import MAX_EDGES, OPS, Cell, channels, from_matrix, nasbench_hash, to_matrix
from raynas.testing.space import SpaceContract

CONV3, CONV1, POOL = OPS
CIFAR10 = Task((3, 32, 32), 10)
PUBLISHED = spaces.nasbench101(width=128, modules=3)


def matrix_of(size, *edges):
    return [[int((i, j) in edges) for j in range(size)] for i in range(size)]


# google-research/nasbench, NASBench.ipynb: the cell that is queried, and what the table holds in its place.
INCEPTION = (
    matrix_of(7, (0, 1), (0, 2), (0, 3), (0, 5), (1, 6), (2, 6), (3, 4), (4, 6), (5, 6)),
    ["input", CONV1, CONV3, CONV3, CONV3, POOL, "output"],
)
INCEPTION_IN_TABLE = (
    matrix_of(7, (0, 1), (0, 2), (0, 3), (0, 4), (1, 6), (2, 6), (3, 6), (4, 5), (5, 6)),
    ["input", CONV3, CONV1, POOL, CONV3, CONV3, "output"],
)
# The first cell of the table by its hash, as the benchmark's files hold it.
FIRST = (
    matrix_of(7, (0, 1), (0, 4), (0, 5), (1, 2), (2, 3), (2, 6), (3, 5), (4, 5), (5, 6)),
    ["input", CONV3, POOL, CONV3, CONV3, CONV1, "output"],
)


class TestNasBench101(SpaceContract):
    def make(self):
        return spaces.nasbench101(width=8)

    def small(self):
        return spaces.nasbench101(width=4, vertices=4)


class TestSmallCells(SpaceContract):
    built = 4

    def make(self):
        return spaces.nasbench101(width=3, modules=2, vertices=4)

    def small(self):
        return spaces.nasbench101(width=1, vertices=3)


def test_published_size():
    assert spaces.count(spaces.nasbench101()) == 2**21 * 3**5 == 509_607_936


@pytest.mark.parametrize(
    ("cell", "params"), [(INCEPTION, 2_694_282), (FIRST, 8_555_530)], ids=["inception", "first of the table"]
)
def test_parameters_are_those_of_the_table(cell, params):
    graph = replay(PUBLISHED, from_matrix(*cell)).graph
    assert cost(graph, CIFAR10).params == params


def test_a_built_network_has_them_too():
    network = build(replay(PUBLISHED, from_matrix(*INCEPTION)).graph, CIFAR10)
    assert sum(p.numel() for p in network.parameters()) == 2_694_282


def test_the_skeleton():
    """A stem, three stacks of three modules, widths doubled where the resolution is halved."""
    steps = plan(replay(PUBLISHED, from_matrix([[0, 1], [0, 0]], ["input", "output"])).graph, CIFAR10).steps
    assert [step.shape for step in steps[1:-1]] == (
        [(128, 32, 32)] * 4 + [(128, 16, 16)] + [(256, 16, 16)] * 3 + [(256, 8, 8)] + [(512, 8, 8)] * 3
    )


@pytest.mark.parametrize(
    ("edges", "ops", "width", "expected"),
    [
        ([(0, 1), (1, 2), (2, 3)], 2, 16, (16, 16)),
        ([(0, 1), (0, 2), (1, 3), (2, 3)], 2, 8, (4, 4)),
        ([(0, 1), (0, 2), (1, 3), (2, 3)], 2, 15, (8, 7)),
        ([(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4)], 3, 8, (3, 3, 2)),
        ([(0, 1), (1, 2), (1, 3), (2, 4), (3, 4)], 3, 9, (5, 5, 4)),
        ([(0, 1), (0, 3), (1, 2), (1, 4), (2, 3), (3, 4)], 3, 15, (8, 7, 7)),
        ([(0, 1), (0, 2), (1, 3), (2, 3), (3, 4)], 3, 16, (16, 16, 16)),
        ([(0, 1)], 0, 5, ()),
    ],
)
def test_channels_are_split_as_the_benchmark_does(edges, ops, width, expected):
    """The cases of its model_builder_test.py."""
    assert channels(Cell(tuple(edges), (CONV3,) * ops), width) == expected


def test_wider_sources_lose_their_last_channel():
    """Two vertices feed the output of 9 channels, 5 and 4; the first feeds the second."""
    cell = matrix_of(4, (0, 1), (1, 2), (1, 3), (2, 3)), ["input", CONV3, CONV3, "output"]
    answers = from_matrix(*cell)
    steps = plan(replay(spaces.nasbench101(width=9), answers).graph, CIFAR10).steps
    taken = [step for step in steps if step.op == "take_channels"]
    assert [(steps[step.inputs[0]].shape[0], step.shape[0]) for step in taken] == [(5, 4)]  # 18 and 36 are even
    assert not [step for step in steps if step.op == "project"]


class TestHash:
    @pytest.mark.parametrize(
        ("cell", "expected"),
        [
            (INCEPTION, "28cfc7874f6d200472e1a9dcd8650aa0"),
            (INCEPTION_IN_TABLE, "28cfc7874f6d200472e1a9dcd8650aa0"),
            (FIRST, "00005c142e6f48ac74fdcf73e3439874"),
        ],
    )
    def test_is_that_of_the_table(self, cell, expected):
        assert nasbench_hash(*cell) == expected

    def test_knows_isomorphic_cells(self):
        """From the benchmark's graph_util_test.py: the same chain beside a vertex, in three orders."""
        cells = [
            (matrix_of(5, (0, 1), (0, 2), (1, 4), (2, 3), (3, 4)), (CONV3, CONV1, POOL)),
            (matrix_of(5, (0, 1), (0, 3), (1, 2), (2, 4), (3, 4)), (CONV1, POOL, CONV3)),
            (matrix_of(5, (0, 1), (0, 2), (1, 3), (2, 4), (3, 4)), (CONV1, CONV3, POOL)),
        ]
        assert len({nasbench_hash(matrix, ["input", *ops, "output"]) for matrix, ops in cells}) == 1
        assert len({to_matrix(from_matrix(matrix, ["input", *ops, "output"]))[1][1] for matrix, ops in cells}) == 1
        assert len({replay(PUBLISHED, from_matrix(m, ["", *ops, ""])).key for m, ops in cells}) == 1

    def test_tells_chains_of_other_order_apart(self):
        chain = matrix_of(5, (0, 1), (1, 2), (2, 3), (3, 4))
        assert len({nasbench_hash(chain, ["", *ops, ""]) for ops in itertools.permutations(OPS)}) == 6

    def test_does_not_see_what_is_pruned(self):
        dangling = matrix_of(5, (0, 1), (1, 4), (0, 2), (3, 4)), ["input", CONV3, CONV1, POOL, "output"]
        assert nasbench_hash(*dangling) == nasbench_hash(matrix_of(3, (0, 1), (1, 2)), ["input", CONV3, "output"])


class TestMatrices:
    def test_cells_are_in_the_order_of_the_table(self):
        assert to_matrix(from_matrix(*INCEPTION)) == INCEPTION_IN_TABLE
        assert to_matrix(from_matrix(*FIRST)) == FIRST

    def test_numpy_is_welcome(self):
        assert from_matrix(np.array(INCEPTION[0]), INCEPTION[1]) == from_matrix(*INCEPTION)

    def test_answers_of_a_small_cell_leave_the_other_vertices_alone(self):
        answers = from_matrix(matrix_of(3, (0, 1), (1, 2)), ["input", POOL, "output"])
        assert [address for address, answer in answers.items() if answer is True] == ["edge0to1", "edge1to6"]
        assert answers["op1"] == POOL
        assert to_matrix(answers) == (matrix_of(3, (0, 1), (1, 2)), ["input", POOL, "output"])

    def test_every_answer_decides_a_valid_cell(self):
        rng = Random(0)
        sizes = set()
        for _ in range(300):
            answers = spaces.sample(spaces.nasbench101(), rng).answers
            matrix, ops = to_matrix(answers)
            again = from_matrix(matrix, ops)  # raises where the cell is none of the benchmark
            assert to_matrix(again) == (matrix, ops)
            assert replay(PUBLISHED, again).key == replay(PUBLISHED, answers).key
            sizes.add(len(ops))
        assert sizes == {2, 3, 4, 5, 6, 7}

    def test_a_valid_cell_is_left_as_it_is(self):
        """Seven vertices, nine edges on paths, and others that are pruned away."""
        rng = Random(1)
        for _ in range(200):
            order = [0, *sorted(rng.sample(range(1, 6), 3)), 6]
            edges = set(itertools.pairwise(order)) | {(0, order[2]), (order[1], 6)}
            matrix = matrix_of(7, *edges)
            ops = ["input", *[rng.choice(OPS) for _ in range(5)], "output"]
            assert nasbench_hash(*to_matrix(from_matrix(matrix, ops))) == nasbench_hash(matrix, ops)


class TestRepair:
    def answers(self, *edges):
        told = {f"edge{i}to{j}": (i, j) in edges for j in range(1, 7) for i in range(j)}
        return {**told, **{f"op{vertex}": CONV3 for vertex in range(1, 6)}}

    def test_where_there_is_no_path_input_and_output_are_joined(self):
        for edges in ([], [(0, 1), (1, 2), (3, 6)]):
            assert to_matrix(self.answers(*edges)) == ([[0, 1], [0, 0]], ["input", "output"])

    def test_the_longest_edges_are_dropped_first(self):
        everything = itertools.combinations(range(7), 2)
        matrix, _ = to_matrix(self.answers(*everything))
        assert sum(map(sum, matrix)) == MAX_EDGES
        assert len(matrix) == 7
        kept = {(i, i + 1) for i in range(6)} | {(2, 4), (3, 5), (4, 6)}
        assert to_matrix(self.answers(*kept))[0] == matrix

    def test_an_edge_that_is_the_only_path_is_spared(self):
        """Five vertices between, each fed by the input and feeding the output: ten edges, two of each vertex."""
        edges = [(0, vertex) for vertex in range(1, 6)] + [(vertex, 6) for vertex in range(1, 6)]
        matrix, _ = to_matrix(self.answers(*edges))
        assert len(matrix) == 6
        assert sum(map(sum, matrix)) == 8

    def test_the_repaired_cell_is_what_is_built(self):
        everything = self.answers(*itertools.combinations(range(7), 2))
        repaired = from_matrix(*to_matrix(everything))
        assert replay(PUBLISHED, everything).graph == replay(PUBLISHED, repaired).graph


def cells_up_to(vertices):
    """The different cells of all answers."""
    pairs = [(i, j) for j in range(1, vertices) for i in range(j)]
    found = set()
    for bits in itertools.product((False, True), repeat=len(pairs)):
        edges = {f"edge{i}to{j}": bit for (i, j), bit in zip(pairs, bits, strict=True)}
        for ops in itertools.product(OPS, repeat=vertices - 2):
            matrix, told = to_matrix({**edges, **{f"op{vertex}": op for vertex, op in enumerate(ops, 1)}})
            found.add((tuple(map(tuple, matrix)), tuple(told)))
    return found


@pytest.mark.parametrize(("vertices", "cells"), [(3, 7), (4, 91), (5, 2_532)])
def test_there_are_as_many_different_cells_as_in_the_benchmark(vertices, cells):
    """1, 6, 84, 2,441, 62,010 and 359,082 cells have 2 to 7 vertices: 423,624 together."""
    found = cells_up_to(vertices)
    assert len(found) == cells
    assert len({nasbench_hash(*cell) for cell in found}) == cells


def full_cells(vertices):
    """All cells of just so many vertices, in all orders of the vertices."""
    pairs = [(i, j) for j in range(1, vertices) for i in range(j)]
    for number in range(1, MAX_EDGES + 1):
        for edges in itertools.combinations(pairs, number):
            sources, targets = {i for i, _ in edges}, {j for _, j in edges}
            if sources == set(range(vertices - 1)) and targets == set(range(1, vertices)):
                for ops in itertools.product(OPS, repeat=vertices - 2):
                    yield matrix_of(vertices, *edges), ["input", *ops, "output"]


@pytest.mark.long
def test_there_are_423624_cells():
    cells, hashes = set(), set()
    for vertices in range(2, 8):
        for cell in full_cells(vertices):
            matrix, ops = to_matrix(from_matrix(*cell))
            told = bytes([*itertools.chain(*matrix), *map(OPS.index, ops[1:-1])])
            if told not in cells:
                cells.add(told)
                hashes.add(nasbench_hash(*cell))
    assert len(cells) == len(hashes) == 423_624


GOOD = ["input", CONV3, "output"]


@pytest.mark.parametrize(
    ("matrix", "ops", "told"),
    [
        ([[0, 1], [0, 0], [0, 0]], GOOD, "'matrix': the matrix must be square, of 2 to 7 vertices"),
        ([[0]], ["input"], "'matrix': the matrix must be square, of 2 to 7 vertices"),
        (matrix_of(8, (0, 7)), ["", *[CONV3] * 6, ""], "'matrix': the matrix must be square, of 2 to 7 vertices"),
        ([[0, 2, 0], [0, 0, 1], [0, 0, 0]], GOOD, "'matrix': entries must be 0 or 1"),
        (matrix_of(3, (0, 1), (1, 2), (2, 1)), GOOD, "'matrix': the matrix must be upper triangular"),
        (matrix_of(3, (0, 1), (1, 1), (1, 2)), GOOD, "'matrix': the matrix must be upper triangular"),
        (matrix_of(3, (0, 1)), GOOD, "'matrix': there must be a path from the first vertex to the last"),
        (
            matrix_of(5, *itertools.combinations(range(5), 2)),
            ["", CONV3, CONV1, POOL, ""],
            "'matrix': there must be at most 9 edges",
        ),
        (matrix_of(3, (0, 1), (1, 2)), ["input", "output"], "'ops': there must be 3 labels, one a vertex"),
        (matrix_of(3, (0, 1), (1, 2)), ["", "conv5x5-bn-relu", ""], "'op1': the op must be one of .*conv5x5-bn-relu"),
    ],
)
def test_what_is_no_cell_is_refused(matrix, ops, told):
    for function in (from_matrix, nasbench_hash):
        with pytest.raises(ArchitectureError, match=told):
            function(matrix, ops)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"width": 4}, "width must be at least 5, a channel for each vertex, but got 4"),
        ({"width": 0}, "width must be a whole number of at least 1, but got 0"),
        ({"modules": 0}, "modules must be a whole number of at least 1, but got 0"),
        ({"vertices": 2}, "vertices must be a whole number of at least 3, but got 2"),
        ({"vertices": 8}, "vertices must be at most 7, but got 8"),
    ],
)
def test_wrong_settings_are_named(settings, told):
    with pytest.raises(ConfigError, match=told):
        spaces.nasbench101(**settings)
