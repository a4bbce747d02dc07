from __future__ import annotations

from pathlib import Path

import pytest

from raynas import LocalSearch, Objective, RandomSearch, spaces
from raynas.errors import ConfigError
from raynas.loop import Loop
from raynas.records import FAILED, STOPPED
from raynas.testing.strategy import StrategyContract, ended

TABLE = Path(__file__).parents[2].parent / "shared" / "data" / "nasbench201.parquet"
CELLS = spaces.NasBench201()


def differing(one, other):
    return [address for address in one if one[address] != other[address]]


class TestLocalSearch(StrategyContract):
    def make(self):
        return LocalSearch(initial=4)

    @pytest.mark.parametrize("initial", [0, -1, 2.5, True])
    def test_begins_with_at_least_one(self, initial):
        with pytest.raises(ConfigError, match="initial must be a whole number of at least 1"):
            LocalSearch(initial)

    @pytest.mark.parametrize(("trials", "initial"), [(1, 1), (12, 3), (40, 10), (1000, 10)])
    def test_begins_with_at_most_a_quarter(self, trials, initial):
        assert LocalSearch.for_trials(trials) == LocalSearch(initial)

    def test_climbs_from_the_best_of_the_first(self):
        session = self.begin(CELLS)
        for number, score in enumerate((0.1, 0.4, 0.3, 0.2), 1):
            session.tell(ended(number, session.ask(), score=score))
        child = session.ask()
        assert child.parent == 2
        assert len(differing(child.architecture.answers, session.proposals[1].architecture.answers)) == 1

    def test_moves_on_to_the_first_that_is_better(self):
        session = self.begin(CELLS)
        for number, score in enumerate((0.4, 0.1, 0.1, 0.1, 0.3, 0.4, 0.5), 1):
            session.tell(ended(number, session.ask(), score=score))
        assert [p.parent for p in session.proposals] == [None] * 4 + [1, 1, 1]
        assert session.ask().parent == 7  # an equal score is no step

    def test_tries_all_neighbours_in_random_order_and_starts_anew(self):
        orders = []
        for seed in (0, 0, 1):
            session = self.begin(CELLS, seed)
            for number in range(1, 60):
                session.tell(ended(number, session.ask(), score=1 / number))
            parents = [p.parent for p in session.proposals]
            climb = parents.index(1), parents.index(None, 4)
            start = session.proposals[0].architecture
            tried = [p.architecture for p in session.proposals[climb[0] : climb[1]]]
            around = {n.identity for n in spaces.neighbours(CELLS, start, None)} - {start.identity}
            assert {a.identity for a in tried} | {p.architecture.identity for p in session.proposals[:4]} >= around
            assert all(differing(a.answers, start.answers) for a in tried)
            assert parents[climb[1] : climb[1] + 4] == [None] * 4  # with as many as it began
            orders.append([differing(a.answers, start.answers)[0] for a in tried])
        assert orders[0] == orders[1] != orders[2]
        assert orders[0] != sorted(orders[0])

    def test_a_late_improvement_takes_its_climb_up_again(self):
        session = self.begin(CELLS)
        for number in range(1, 5):
            session.tell(ended(number, session.ask(), score=0.9 if number == 1 else 0.1))
        children = []
        while (proposal := session.ask()).parent == 1:
            children.append((len(session.proposals), proposal))
        assert proposal.parent is None  # the next climb began although nobody came back
        assert len(children) > 10
        session.tell(ended(*children[3], score=0.95))
        for _ in range(3):
            session.ask()  # the new climb's other three
        assert session.ask().parent == children[3][0]

    def test_a_stopped_trial_is_no_step_up(self):
        session = self.begin(CELLS)
        for number in range(1, 5):
            session.tell(ended(number, session.ask(), score=0.5))
        session.tell(ended(5, session.ask(), STOPPED, 0.9))
        assert session.ask().parent == 1

    def test_where_all_fail_it_draws_on(self):
        session = self.begin(CELLS)
        assert all(session.step(FAILED).parent is None for _ in range(50))

    def test_climbs_in_a_space_with_mutations_of_its_own(self):
        session = self.begin(spaces.large_scale())
        for _ in range(60):
            session.step()
        assert sum(p.parent is not None for p in session.proposals) > 20
        assert len({p.architecture.identity for p in session.proposals}) == 60

    def test_finds_better_cells_than_random_search(self):
        """The best of 100 cells, over 30 seeds, has the mean of the same search written apart from raynas."""
        if not TABLE.is_file():
            pytest.skip(f"needs the table {TABLE}, which is not there")
        pytest.importorskip("pyarrow")
        from raynas.estimators.tables import NasBench201Table
        from raynas.estimators.tabular import Tabular
        from raynas.simulate import simulate

        table = NasBench201Table(str(TABLE), "cifar100", fidelities=(200,))

        def mean_best(strategy):
            total = 0.0
            for seed in range(30):
                loop = Loop(table.space, strategy, [Objective()], seed, trials=100)
                total += max(reading.score for reading in simulate(loop, Tabular(table)))
            return 100 * total / 30

        assert mean_best(LocalSearch()) == pytest.approx(73.41, abs=3 * 0.40 / 30**0.5)
        assert mean_best(RandomSearch()) == pytest.approx(71.61, abs=3 * 0.78 / 30**0.5)
