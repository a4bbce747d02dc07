"""Motifs of motifs, as nested graphs."""

from __future__ import annotations

import json
from random import Random

import pytest

from raynas import spaces
from raynas.cost import cost
from raynas.errors import ConfigError
from raynas.graph import Graph
from raynas.plan import Task, plan
from raynas.spaces.decide import replay
from raynas.spaces.hierarchical import NOTHING, PRIMITIVES
from raynas.testing.space import SpaceContract

TASK = Task((3, 8, 8), 10)


class TestHierarchical(SpaceContract):
    def make(self):
        return spaces.hierarchical(width=4, stages=2)

    def small(self):
        return spaces.hierarchical(motifs=(2, 1), nodes=(2, 3), primitives=PRIMITIVES[:3])


class TestThreeLevelsOfMotifs(SpaceContract):
    built = 4

    def make(self):
        return spaces.hierarchical(motifs=(3, 2, 1), nodes=(3, 3, 3), width=2, stages=1)

    def small(self):
        return spaces.hierarchical(motifs=(2, 2, 1), nodes=(2, 2, 3), primitives=PRIMITIVES[:2], stages=1)


class TestPublished(SpaceContract):
    built = 4

    def make(self):
        return spaces.hierarchical(motifs=(6, 1), nodes=(4, 5), width=2)

    def small(self):
        return spaces.hierarchical(motifs=(1,), nodes=(3,))


def filled(space, **held):
    """Answers where every edge holds nothing but what is given: level2_motif0_edge0to1="identity"."""
    answers = dict.fromkeys(spaces.sample(space, Random(0)).answers, "none")
    return answers | {address.replace("_", "/"): op for address, op in held.items()}


SMALL = spaces.hierarchical(motifs=(2, 1), nodes=(3, 3), stages=1, width=8)


def cell_of(**held):
    return dict(replay(SMALL, filled(SMALL, **held)).graph.motifs)["cell"]


def ops(graph):
    return [node.op for node in graph.nodes]


def test_the_published_space_has_7_to_the_46_architectures():
    assert spaces.count(spaces.hierarchical(motifs=(6, 1), nodes=(4, 5))) == 7**46
    assert spaces.count(spaces.hierarchical(motifs=(3, 2, 1), nodes=(3, 3, 3))) == 7**9 * 4**6 * 3**3


def test_a_motif_is_a_dag_of_motifs():
    cell = cell_of(
        level3_motif0_edge0to1="motif0",
        level3_motif0_edge0to2="motif1",
        level3_motif0_edge1to2="motif0",
        level2_motif0_edge0to2="conv_1x1",
        level2_motif1_edge0to1="max_pool_3x3",
        level2_motif1_edge1to2="depthwise_3x3",
        level2_motif1_edge0to2="identity",
    )
    assert ops(cell) == ["input", "motif", "motif", "motif", "concat", "conv_bn_relu"]
    assert [dict(cell.nodes[i].args)["name"] for i in (1, 2, 3)] == ["motif0", "motif1", "motif0"]
    motifs = dict(cell.motifs)
    assert ops(motifs["motif0"]) == ["input", "conv_bn_relu", "conv_bn_relu"]
    assert sorted(ops(motifs["motif1"])) == [
        "concat", "conv_bn_relu", "depthwise_bn_relu", "identity", "input", "max_pool"
    ]  # fmt: skip


def test_nested_motifs_are_unfolded_at_the_width_of_their_stage():
    space = spaces.hierarchical(motifs=(1, 1), nodes=(2, 2), stages=2, width=8)
    answers = {"level2/motif0/edge0to1": "conv_1x1", "level3/motif0/edge0to1": "motif0"}
    graph = replay(space, answers).graph

    def layer(cin, cout, kernel):
        return cin * cout * kernel**2 + 2 * cout

    def separable(cin, cout):
        return cin * 9 + 2 * cin + layer(cin, cout, 1)

    cells = 3 * layer(8, 8, 1) + 3 * layer(16, 16, 1)
    around = layer(3, 8, 3) + separable(8, 16) + separable(16, 16) + 16 * 10 + 10
    assert cost(graph, TASK).params == cells + around
    steps = plan(graph, TASK).steps
    assert [step.shape for step in steps] == [(3, 8, 8), *[(8, 8, 8)] * 4, *[(16, 4, 4)] * 5, (10,)]


def test_an_edge_that_leads_nowhere_is_left_out():
    alone = {"level3_motif0_edge0to2": "motif0", "level2_motif0_edge0to2": "sep_conv_3x3"}
    into_nothing = {"level2_motif0_edge0to1": "conv_1x1"}
    out_of_nothing = {"level2_motif0_edge1to2": "conv_1x1"}
    holding_nothing = {"level3_motif0_edge0to1": "motif1", "level3_motif0_edge1to2": "motif0"}
    expected = cell_of(**alone)
    for more in (into_nothing, out_of_nothing, holding_nothing):
        assert cell_of(**alone, **more) == expected
    assert cell_of(**alone, **into_nothing, **out_of_nothing) != expected


def test_no_way_through_is_zero():
    assert cell_of(level3_motif0_edge0to2="motif0", level2_motif0_edge0to1="conv_1x1") == NOTHING
    assert cell_of() == NOTHING
    assert cost(replay(SMALL, filled(SMALL)).graph, TASK).params > 0


HELD = {
    "level3_motif0_edge0to1": "motif0",
    "level3_motif0_edge1to2": "motif1",
    "level2_motif0_edge0to2": "conv_1x1",
    "level2_motif1_edge0to2": "sep_conv_3x3",
}


class TestKeys:
    def key(self, **held):
        return replay(SMALL, filled(SMALL, **held)).key

    def test_the_numbers_of_motifs_do_not_matter(self):
        names = {"motif0": "motif1", "motif1": "motif0"}
        renamed = {}
        for address, op in HELD.items():
            level, motif, edge = address.split("_")
            renamed[f"{level}_{names[motif] if level == 'level2' else motif}_{edge}"] = names.get(op, op)
        assert self.key(**renamed) == self.key(**HELD)

    def test_which_motif_is_where_matters(self):
        swapped = {**HELD, "level3_motif0_edge0to1": "motif1", "level3_motif0_edge1to2": "motif0"}
        same = {**HELD, "level3_motif0_edge1to2": "motif0"}
        assert len({self.key(**HELD), self.key(**swapped), self.key(**same)}) == 3

    def test_a_motif_that_is_not_used_does_not_matter(self):
        used = {**HELD, "level3_motif0_edge1to2": "motif0"}
        assert self.key(**used) == self.key(**{**used, "level2_motif1_edge0to2": "identity"})

    def test_nested_motifs_survive_json(self):
        graph = replay(SMALL, filled(SMALL, **HELD)).graph
        again = Graph.from_json(json.loads(json.dumps(graph.to_json())))
        assert again == graph
        assert again.key == graph.key


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"motifs": ()}, "motifs must be positive and end with 1, the cell, but got \\(\\)"),
        ({"motifs": (1, 2)}, "must be positive and end with 1, the cell, but got \\(1, 2\\)"),
        ({"motifs": (0, 1)}, "must be positive and end with 1, the cell, but got \\(0, 1\\)"),
        ({"nodes": (3,)}, "nodes must be at least 2 for each of the 2 levels of motifs, but got \\(3,\\)"),
        ({"nodes": (1, 3)}, "at least 2 for each of the 2 levels of motifs, but got \\(1, 3\\)"),
        ({"primitives": ("none",)}, "primitives must be some of identity, .*, but got \\('none',\\)"),
        ({"primitives": ()}, "primitives must be some of identity, .*, but got \\(\\)"),
        ({"stages": 0}, "stages must be a whole number of at least 1, but got 0"),
        ({"width": 2.5}, "width must be a whole number of at least 1, but got 2.5"),
    ],
)
def test_wrong_settings_are_named(settings, told):
    with pytest.raises(ConfigError, match=told):
        spaces.hierarchical(**settings)
