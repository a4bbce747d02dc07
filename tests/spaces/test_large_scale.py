"""The graphs of Real et al. 2017 and their eleven mutations."""

from __future__ import annotations

import math
from collections import Counter
from random import Random

import pytest

from raynas import spaces
from raynas.cost import cost
from raynas.errors import ConfigError, SpaceError
from raynas.nn import build
from raynas.plan import Task, plan
from raynas.records import FINISHED, Trial
from raynas.spaces.decide import Editable, replay
from raynas.spaces.large_scale import EDITS, KEEP, RESET
from raynas.strategies import RegularizedEvolution
from raynas.testing.space import SpaceContract, examples, seeded

TASK = Task((3, 32, 32), 10)
SPACE = spaces.large_scale()


class TestLargeScale(SpaceContract):
    def make(self):
        return spaces.large_scale(max_length=5, max_channels=8)

    def small(self):
        return spaces.large_scale(
            max_length=2, max_channels=2, max_filter=3, max_stride=1, image_channels=1, tune_lr=False
        )

    @examples(60)
    @seeded
    def test_a_mutation_changes_one_answer(self, seed):
        """A mutation of this space may move all answers behind it; it gives an architecture, and another one."""
        parent = self.draw(seed)
        child = spaces.mutate(self.space, parent, Random(seed))
        assert child.answers != parent.answers
        assert replay(self.space, child.answers) == child

    @examples(20)
    @seeded
    def test_several_changes_at_once(self, seed):
        parent = self.draw(seed)
        child = spaces.mutate(self.space, parent, Random(seed), changes=5)
        assert replay(self.space, child.answers) == child


def conv(channels=4, height=3, width=3, stride=1):
    return {"convolution": True, "channels": channels, "height": height, "width": width, "stride": stride}


IDENTITY = {"convolution": False}


def answers_of(*edges, lr=0.1):
    """Answers of a backbone; an edge may have "active" (true by default) and "skips", the vertices that skip to it."""
    answers = {"train/lr": lr, "length": len(edges)}
    for index, edge in enumerate(edges):
        told = {"active": True, **edge}
        skips = told.pop("skips", ())
        told |= {f"skip{source}": source in skips for source in range(index + told["convolution"])}
        answers |= {f"edge{index}/{name}": value for name, value in told.items()}
    return answers


def skips_of(answers):
    found = [address for address, value in answers.items() if "/skip" in address and value]
    return {(int(a.split("/skip")[1]), int(a.split("/")[0].removeprefix("edge")) + 1) for a in found}


def edited(answers, kind, tries=200, space=SPACE):
    """All that a mutation can make of answers, each replayed."""
    made = [space.edit(answers, kind, Random(seed)) for seed in range(tries)]
    assert all(replay(space, child).answers == child for child in made if child is not None)
    return made


def kinds(answers):
    """The backbone, as a text: a convolution's channels, or i."""
    return " ".join(
        str(answers[f"edge{i}/channels"]) if answers[f"edge{i}/convolution"] else "i" for i in range(answers["length"])
    )


def test_the_space_has_the_mutations_of_the_paper():
    assert isinstance(SPACE, Editable)
    assert len(SPACE.edits) == 11
    assert SPACE.edits[:3] == ("alter_learning_rate", KEEP, RESET)


def test_the_first_individual_is_a_linear_classifier():
    first = replay(SPACE, SPACE.initial())
    assert [step.op for step in plan(first.graph, TASK).steps] == ["input", "classifier"]
    assert cost(first.graph, TASK).params == 3 * 10 + 10
    assert first.hyperparameters == {"lr": 0.1}
    assert replay(spaces.large_scale(tune_lr=False), {"length": 0}).key == first.key


def test_a_vertex_sums_what_skips_to_it_and_fits_it_to_the_primary_edge():
    graph = replay(SPACE, answers_of(conv(8), conv(4, stride=2), {**IDENTITY, "active": False, "skips": [0, 1]})).graph
    steps = plan(graph, TASK).steps
    joined = next(step for step in steps if step.op == "sum")
    assert joined.shape == (4, 16, 16)
    primary, *others = joined.inputs
    assert steps[primary].op == "bn_relu"
    assert [steps[steps[i].inputs[0]].shape for i in others] == [(3, 32, 32), (8, 32, 32)]
    assert sum(layer.params for i in others for layer in steps[i].layers) == 0
    assert cost(graph, TASK).params == 3 * 8 * 9 + 16 + 8 * 4 * 9 + 8 + 4 * 10 + 10


def test_filters_have_a_height_and_a_width():
    graph = replay(SPACE, answers_of(conv(8, height=1, width=7))).graph
    assert dict(graph.nodes[1].args) == {"channels": 8, "kernel": "1x7", "stride": 1}


class TestMutations:
    @pytest.mark.parametrize("kind", [KEEP, RESET])
    def test_nothing_changes_in_the_graph(self, kind):
        answers = answers_of(conv(), conv())
        assert edited(answers, kind, 3) == [answers] * 3

    def test_learning_rates_are_halved_or_doubled_at_most_in_the_logarithm(self):
        answers = answers_of(conv(), lr=0.1)
        made = edited(answers, "alter_learning_rate", 400)
        rates = [child["train/lr"] for child in made]
        assert all({**child, "train/lr": 0.1} == answers for child in made)
        assert 0.05 <= min(rates) < 0.055
        assert 0.18 < max(rates) <= 0.2
        assert sum(math.log(rate / 0.1) for rate in rates) / 400 == pytest.approx(0, abs=0.06)
        assert max(child["train/lr"] for child in edited(answers_of(lr=1.0), "alter_learning_rate")) <= 1.0
        assert edited({"length": 0}, "alter_learning_rate", 2, spaces.large_scale(tune_lr=False)) == [None] * 2

    def test_convolutions_are_inserted_anywhere_with_the_channels_that_come_in(self):
        made = edited(answers_of(conv(8), conv(5)), "insert_convolution")
        assert set(map(kinds, made)) == {"3 8 5", "8 8 5", "8 5 5"}
        first = [child for child in made if kinds(child) == "3 8 5"]
        assert {child["edge0/stride"] for child in first} == {1, 2}
        assert {child["edge0/active"] for child in first} == {True, False}
        assert {(child["edge0/height"], child["edge0/width"]) for child in made} == {(3, 3)}

    def test_skips_move_with_what_is_inserted(self):
        answers = answers_of(conv(8, stride=1), {**conv(5), "skips": [0, 1]}, {**conv(6), "skips": [1]})
        moved = {kinds(child): skips_of(child) for child in edited(answers, "insert_one_to_one")}
        assert moved == {
            "i 8 5 6": {(0, 3), (2, 3), (2, 4)},
            "8 i 5 6": {(0, 3), (1, 3), (1, 4)},
            "8 5 i 6": {(0, 2), (1, 2), (1, 4)},
            "8 5 6 i": {(0, 2), (1, 2), (1, 3)},
        }

    def test_convolutions_are_removed_and_skips_that_lead_nowhere_with_them(self):
        answers = answers_of(conv(8), {**conv(5), "skips": [0, 1]}, IDENTITY, {**conv(6), "skips": [1, 2]})
        moved = {kinds(child): skips_of(child) for child in edited(answers, "remove_convolution")}
        assert moved == {
            "5 i 6": {(0, 1), (0, 3), (1, 3)},
            "8 i 6": {(0, 1), (1, 3)},
            "8 5 i": {(0, 2), (1, 2), (1, 3)},
        }

    def test_a_skip_beside_an_identity_is_dropped(self):
        answers = answers_of(conv(8), IDENTITY, {**conv(6), "skips": [1]})
        removed = {kinds(child): skips_of(child) for child in edited(answers, "remove_convolution")}
        assert removed == {"i 6": {(0, 2)}, "8 i": set()}

    def test_strides_are_powers_of_two(self):
        of = {now: set() for now in (1, 2, 4)}
        for now, seen in of.items():
            seen.update(
                child["edge1/stride"] for child in edited(answers_of(IDENTITY, conv(stride=now)), "alter_stride")
            )
        assert of == {1: {2}, 2: {1, 4}, 4: {2}}

    def test_channels_are_from_half_to_twice_as_many(self):
        made = edited(answers_of(conv(10)), "alter_number_of_channels", 600)
        found = Counter(child["edge0/channels"] for child in made)
        assert set(found) == set(range(5, 21)) - {10}
        assert min(found.values()) > 20
        assert max(child["edge0/channels"] for child in edited(answers_of(conv(30)), "alter_number_of_channels")) == 32

    def test_filters_change_one_odd_side(self):
        made = edited(answers_of(conv(height=1, width=5)), "filter_size", 300)
        assert {(child["edge0/height"], child["edge0/width"]) for child in made} == {(3, 5), (1, 3), (1, 7)}

    def test_identities_are_inserted(self):
        made = edited(answers_of(conv(8)), "insert_one_to_one")
        assert set(map(kinds, made)) == {"i 8", "8 i"}
        assert {child["edge0/active"] for child in made if kinds(child) == "i 8"} == {True, False}

    def test_skips_are_added_where_no_identity_is(self):
        answers = answers_of(conv(8), {**IDENTITY, "skips": [0]})
        assert {frozenset(skips_of(child)) for child in edited(answers, "add_skip")} == {frozenset({(0, 1), (0, 2)})}
        full = answers_of(IDENTITY, {**IDENTITY, "skips": [0]})
        assert edited(full, "add_skip", 3) == [None] * 3

    def test_skips_are_removed(self):
        answers = answers_of({**conv(8), "skips": [0]}, {**IDENTITY, "skips": [0]})
        assert {frozenset(skips_of(child)) for child in edited(answers, "remove_skip")} == {
            frozenset({(0, 1)}), frozenset({(0, 2)})
        }  # fmt: skip

    @pytest.mark.parametrize(
        "kind",
        ["remove_convolution", "alter_stride", "alter_number_of_channels", "filter_size", "add_skip", "remove_skip"],
    )
    def test_where_there_is_nothing_to_change_nothing_is_made(self, kind):
        assert edited(SPACE.initial(), kind, 2) == [None] * 2

    def test_the_backbone_is_bounded(self):
        longest = answers_of(*[IDENTITY] * SPACE.max_length)
        assert edited(longest, "insert_convolution", 2) == edited(longest, "insert_one_to_one", 2) == [None] * 2

    def test_an_unknown_one_is_refused(self):
        with pytest.raises(SpaceError, match="the mutation must be one of alter_learning_rate, .*but got 'grow'"):
            SPACE.edit(SPACE.initial(), "grow", Random(0))

    def test_three_hundred_in_a_row_from_nothing(self):
        space, rng = spaces.large_scale(max_length=6, max_channels=12), Random(0)
        individual = replay(space, space.initial())
        reached = Counter()
        for number in range(300):
            kind = EDITS[int(rng.random() * len(EDITS))]
            answers = space.edit(individual.answers, kind, rng)
            if answers is not None:
                individual = replay(space, answers)
                reached[kind] += 1
            if number % 15 == 0:
                task = TestLargeScale.tasks[number // 15 % 4]
                network = build(individual.graph, task)
                assert sum(p.numel() for p in network.parameters()) == cost(individual.graph, task).params
        assert set(reached) == set(EDITS)

    def test_evolution_uses_them(self):
        """What it derives from a parent is one mutation away."""
        space = spaces.large_scale(max_length=4, max_channels=4, tune_lr=False)
        proposer = RegularizedEvolution(2, 1).begin(space, None, 0)
        parents = {}
        for number in range(12):
            proposal = proposer.ask()
            if proposal.parent is not None:
                parent, child = parents[proposal.parent].answers, proposal.architecture.answers
                one_edit = [space.edit(parent, kind, Random(seed)) for kind in EDITS for seed in range(200)]
                assert child in one_edit
            parents[number] = proposal.architecture
            proposer.tell(Trial(number, proposal.architecture, status=FINISHED, scores=(number,)))


def test_a_searched_learning_rate_cannot_be_counted():
    with pytest.raises(SpaceError, match="'train/lr': a real number has no finite list of answers"):
        spaces.count(SPACE)
    fixed = spaces.large_scale(max_length=1, max_channels=5, max_filter=3, max_stride=2, tune_lr=False)
    assert spaces.count(fixed) == 1 + 2 * (1 + 2 * 4 * 2 * 5)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"max_length": 0}, "max_length must be a whole number of at least 1, but got 0"),
        ({"max_channels": 0}, "max_channels must be a whole number of at least 1, but got 0"),
        ({"max_filter": 0}, "max_filter must be a whole number of at least 1, but got 0"),
        ({"max_stride": 0}, "max_stride must be a whole number of at least 1, but got 0"),
        ({"image_channels": 33}, "image_channels must be in \\[1, 32\\], but got 33"),
        ({"min_lr": 0.0}, "0 < min_lr <= max_lr must hold, but got \\(0.0, 1.0\\)"),
        ({"min_lr": 2.0}, "must hold, but got \\(2.0, 1.0\\)"),
    ],
)
def test_wrong_settings_are_named(settings, told):
    with pytest.raises(ConfigError, match=told):
        spaces.large_scale(**settings)
