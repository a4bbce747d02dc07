from __future__ import annotations

from collections import Counter

import pytest

from raynas import LargeScaleEvolution, spaces
from raynas.errors import ConfigError
from raynas.records import FAILED
from raynas.spaces.decide import replay
from raynas.testing.strategy import SCORE, Session, StrategyContract, ended

SPACE = spaces.large_scale()


class TestLargeScaleEvolution(StrategyContract):
    def make(self):
        return LargeScaleEvolution(population=6)

    def test_sizes_for_a_number_of_trials(self):
        assert LargeScaleEvolution.for_trials(200) == LargeScaleEvolution(50)
        assert LargeScaleEvolution.for_trials(1).population == 10

    @pytest.mark.parametrize("population", [1, 0, 2.5])
    def test_pairs_need_two(self, population):
        with pytest.raises(ConfigError, match="population must be a whole number of at least 2"):
            LargeScaleEvolution(population)

    def test_begins_with_a_linear_classifier(self):
        session = self.begin(SPACE)
        first = [session.step() for _ in range(6)]
        assert first[0].architecture == replay(SPACE, SPACE.initial())
        assert all(p.parent is None for p in first)
        assert len({p.architecture.identity for p in first}) == 6
        assert all(p.architecture.answers["length"] <= 1 for p in first)

    def test_networks_grow(self):
        session = self.begin(SPACE)
        for number in range(1, 301):
            proposal = session.ask()
            session.tell(ended(number, proposal, score=float(proposal.architecture.answers["length"])))
        assert max(p.architecture.answers["length"] for p in session.proposals) == SPACE.max_length

    def test_the_only_repeats_are_the_mutations_that_change_nothing(self):
        """Two of eleven: of 400 children 73 on average, with a standard deviation of 8."""
        session = self.begin(SPACE)
        proposals = [session.step() for _ in range(406)]
        seen, again = set(), 0
        for proposal in proposals:
            identity = proposal.architecture.identity
            if identity in seen:
                again += 1
                assert identity == proposals[proposal.parent - 1].architecture.identity
            seen.add(identity)
        assert 40 < again < 106

    def test_no_repeats_where_none_are_wanted(self):
        session = Session(LargeScaleEvolution(6, again=False).begin(SPACE, SCORE, 0))
        assert len({session.step().architecture.identity for _ in range(200)}) == 200

    def test_the_worse_of_a_pair_leaves(self):
        """The worst of all is never a parent, and is gone before long; the best of all stays for ever."""
        session = self.begin(spaces.darts())
        for number in range(1, 201):
            session.tell(ended(number, session.ask(), score=1 / number))
        parents = Counter(p.parent for p in session.proposals[6:])
        assert 1 in {p.parent for p in session.proposals[150:]}
        assert len(session.proposer.members) == 6
        assert parents[1] > 30

    def test_lives_on_where_children_fail(self):
        """Nobody is killed while fewer live than should: the population is made up again."""
        session = self.begin(spaces.darts())
        for number in range(1, 101):
            session.tell(ended(number, session.ask(), FAILED if 10 < number < 60 else "finished"))
            assert number < 6 or len(session.proposer.members) >= 5
        assert len(session.proposer.members) == 6
