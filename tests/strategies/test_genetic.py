from __future__ import annotations

from random import Random

import pytest

from raynas import Genetic, spaces
from raynas.errors import ConfigError
from raynas.spaces.decide import sample
from raynas.spaces.edit_path import distance
from raynas.strategies.evolution import Individual, oldest_leaves, pair, worst_leaves
from raynas.testing.strategy import SCORE, Session, StrategyContract, ended

LARGE = spaces.darts()


class TestGenetic(StrategyContract):
    def make(self):
        return Genetic(population=6, tournament=3)

    def test_sizes_for_a_number_of_trials(self):
        assert Genetic.for_trials(200) == Genetic(50, 16, at_once=25)
        assert Genetic.for_trials(1).population == 10

    def test_warns_of_too_many_workers(self):
        assert Genetic.for_trials(200).advice(25) == ""
        assert "keeps 25 of 64 workers busy" in Genetic.for_trials(200).advice(64)
        assert "more than half the population of 30" in Genetic().advice(16)

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"population": 5, "tournament": 6}, "1 <= tournament <= population must hold"),
            ({"crossover": 1.1}, r"crossover must be in \[0, 1\], but got 1.1"),
            ({"crossover": float("nan")}, r"crossover must be in \[0, 1\], but got nan"),
            ({"leaves": "best"}, "leaves must be one of oldest, worst, but got 'best'"),
            ({"at_once": -1}, "at_once must be a whole number of at least 0"),
        ],
    )
    def test_bad_settings(self, settings, message):
        with pytest.raises(ConfigError, match=message):
            Genetic(**settings)

    def test_a_combined_child_answers_like_one_parent_or_the_other(self):
        session = Session(Genetic(10, 3, crossover=1.0).begin(LARGE, SCORE, 0))
        first = [session.step().architecture for _ in range(10)]
        combined = 0
        for number in range(11, 51):
            proposal = session.ask()
            mother = first[proposal.parent - 1]
            between = any(_is_between(proposal.architecture, mother, father) for father in first if father != mother)
            combined += between and distance(proposal.architecture, mother) > 1
            session.tell(ended(number, proposal, score=-1.0))  # worse than all: it leaves again
        assert combined > 24  # where both tournaments have one winner, it is mutated

    def test_without_crossover_one_answer_changes(self):
        session = Session(Genetic(10, 3, crossover=0.0).begin(LARGE, SCORE, 0))
        proposals = [session.step() for _ in range(40)]
        for child in proposals[10:]:
            parent = proposals[child.parent - 1].architecture.answers
            assert sum(child.architecture.answers.get(a) != v for a, v in parent.items()) == 1

    @pytest.mark.parametrize(("leaves", "stays"), [("worst", True), ("oldest", False)])
    def test_who_leaves(self, leaves, stays):
        """A first trial that beats all others stays where the worst leave, and goes where the oldest do."""
        session = Session(Genetic(6, 6, leaves=leaves).begin(LARGE, SCORE, 0))
        for number in range(1, 101):
            session.tell(ended(number, session.ask(), score=1 / number))
        parents = {proposal.parent for proposal in session.proposals[50:]}
        assert (1 in parents) == stays
        assert all(parent > 40 for parent in parents) == (not stays)

    def test_graphs_are_combined_along_their_edit_path(self):
        """NAS-Bench-101 tells graphs; its children lie between their parents, and are cells of the space."""
        session = Session(Genetic(8, 2, crossover=1.0).begin(spaces.NasBench101(), SCORE, 0))
        proposals = [session.step() for _ in range(30)]
        assert len({p.architecture.identity for p in proposals}) == 30
        assert all(p.parent is not None for p in proposals[8:])


class TestParts:
    def members(self, *fitness):
        from collections import deque

        architecture = sample(spaces.NasBench201(), 0)
        return deque(Individual((3.0, f), architecture, i, None) for i, f in enumerate(fitness, 1))

    def test_the_worst_leaves_and_of_equals_the_oldest(self):
        members = self.members(0.5, 0.1, 0.1, 0.9)
        worst_leaves(4)(members, Random(0))
        assert len(members) == 4
        worst_leaves(3)(members, Random(0))
        assert [m.trial for m in members] == [1, 3, 4]

    def test_the_oldest_leaves(self):
        members = self.members(0.5, 0.1, 0.9)
        oldest_leaves(2)(members, Random(0))
        assert [m.trial for m in members] == [2, 3]

    def test_a_pair_is_two_with_the_fitter_first(self):
        members, rng = self.members(0.5, 0.1, 0.9, 0.5), Random(0)
        pairs = {tuple(m.trial for m in pair(members, rng)) for _ in range(500)}
        assert pairs == {(1, 2), (3, 1), (4, 1), (3, 2), (4, 2), (3, 4)}


def _is_between(child, mother, father):
    return all(value in (mother.answers.get(a), father.answers.get(a)) for a, value in child.answers.items())
