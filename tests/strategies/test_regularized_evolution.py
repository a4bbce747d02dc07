"""Evolution, and a golden file of one search.

The golden file guards against changes of the search that nobody intended. Where one is intended, write it anew with
`python tests/strategies/test_regularized_evolution.py` and say so in the changelog: old runs cannot be resumed then.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from strategy_contract import SCORE, Session, StrategyContract, ended

from raynas import Objective, RandomSearch, RegularizedEvolution, spaces
from raynas.errors import ConfigError
from raynas.loop import Loop
from raynas.records import FAILED, STOPPED, Measurement
from raynas.spaces.nasbench201 import OPS, to_string

GOLDEN = Path(__file__).parents[1] / "golden" / "evolution_nasbench201.json"
TABLE = Path(__file__).parents[3] / "shared" / "data" / "nasbench201.parquet"
LARGE = spaces.darts()


class TestRegularizedEvolution(StrategyContract):
    def make(self):
        return RegularizedEvolution(population=6, tournament=3)

    @pytest.mark.parametrize(("population", "tournament"), [(0, 0), (5, 0), (5, 6), (-1, -1)])
    def test_sizes_must_fit(self, population, tournament):
        with pytest.raises(ConfigError, match="1 <= tournament <= population must hold"):
            RegularizedEvolution(population, tournament)

    @pytest.mark.parametrize(
        ("trials", "population", "tournament"),
        [(1, 10, 3), (40, 10, 3), (120, 30, 10), (400, 100, 33), (10**6, 100, 33)],
    )
    def test_sizes_for_a_number_of_trials(self, trials, population, tournament):
        assert RegularizedEvolution.for_trials(trials) == RegularizedEvolution(population, tournament)

    def test_the_population_is_random_and_then_has_heirs(self):
        session = self.begin(LARGE)
        proposals = [session.step() for _ in range(100)]
        assert all(proposal.parent is None for proposal in proposals[:6])
        assert all(proposal.parent is not None for proposal in proposals[6:])

    def test_a_child_differs_from_its_parent_in_one_answer(self):
        session = self.begin(LARGE)
        for _ in range(100):
            child = session.step()
            if child.parent is not None:
                parent = session.proposals[child.parent - 1].architecture.answers
                mutated = [a for a in parent if child.architecture.answers.get(a) != parent[a]]
                assert len(mutated) == 1

    def test_the_oldest_dies(self):
        """A first trial that beats all others is a parent for as long as it is among the youngest six, then never."""
        session = self.begin(LARGE)
        for number in range(1, 201):
            proposal = session.ask()
            assert proposal.parent is None or number - 6 <= proposal.parent < number
            session.tell(ended(number, proposal, score=1 / number))

    @pytest.mark.parametrize(("population", "tournament"), [(10, 1), (10, 3), (10, 10)])
    def test_a_tournament_is_drawn_with_replacement(self, population, tournament):
        """The k-th best of P wins a tournament of S with probability ((P-k+1)/P)^S - ((P-k)/P)^S."""
        session = Session(RegularizedEvolution(population, tournament).begin(LARGE, SCORE, 0))
        first = [session.ask() for _ in range(population)]
        for number, proposal in enumerate(first, 1):
            session.tell(ended(number, proposal, score=1 - number / 100))
        asks = 1500
        won = Counter(session.ask().parent for _ in range(asks))
        for rank in range(1, population + 1):
            p = ((population - rank + 1) / population) ** tournament - ((population - rank) / population) ** tournament
            assert abs(won[rank] - asks * p) < 5 * (asks * p * (1 - p)) ** 0.5 + 1

    def test_a_score_at_a_low_rung_loses_to_any_at_a_higher_one(self):
        session = Session(RegularizedEvolution(10, 10).begin(LARGE, SCORE, 0))
        for number in range(1, 11):
            score, status = (0.1, "finished") if number == 4 else (0.9 + number / 1000, STOPPED)
            session.tell(ended(number, session.ask(), status, score))
        won = Counter(session.ask().parent for _ in range(500))
        assert won.most_common(2)[0][0] == 4  # it has the larger budget
        assert won.most_common(2)[1][0] == 10  # then the higher score decides

    def test_failed_trials_have_no_children(self):
        session = self.begin(LARGE)
        for number in range(1, 101):
            session.tell(ended(number, session.ask(), FAILED if number % 2 else "finished"))
        assert all(p.parent is None or p.parent % 2 == 0 for p in session.proposals)

    def test_starts_anew_where_all_failed(self):
        session = self.begin(LARGE)
        assert all(session.step(FAILED).parent is None for _ in range(50))

    def test_equals_the_golden_file(self):
        assert golden_search() == json.loads(GOLDEN.read_text()), "see the docstring of this file"

    def test_finds_better_cells_than_random_search(self):
        """On the real table, by the mean over 20 seeds of the best of 150 evaluations."""
        if not TABLE.is_file():
            pytest.skip(f"needs the table {TABLE}, which is not there")
        parquet = pytest.importorskip("pyarrow.parquet")
        table = parquet.read_table(TABLE, columns=["arch", "cifar10_val12"]).to_pydict()
        accuracy = dict(zip(table["arch"], table["cifar10_val12"], strict=True))

        def mean_best(strategy):
            return sum(
                max(best_of(strategy, 150, seed, lambda answers: accuracy[to_string(answers)])) for seed in range(20)
            )

        assert mean_best(RegularizedEvolution()) / 20 > mean_best(RandomSearch()) / 20 + 0.2


def best_of(strategy, trials, seed, score):
    """The scores of a search on NAS-Bench-201."""
    loop = Loop(spaces.NasBench201(), strategy, [Objective()], seed, trials=trials)
    while trial := loop.next():
        loop.measure(trial.id, Measurement(12, {"val_accuracy": score(trial.architecture.answers)}))
        yield loop.end(trial.id).score


def golden_search():
    """60 trials on NAS-Bench-201; the score prefers later ops, and later edges more."""
    session = Session(RegularizedEvolution(population=10, tournament=4).begin(spaces.NasBench201(), SCORE, 2026))
    for number in range(1, 61):
        proposal = session.ask()
        score = sum(OPS.index(op) * weight for weight, op in enumerate(proposal.architecture.answers.values(), 1)) / 84
        status = (FAILED if number % 11 == 0 else STOPPED) if number % 3 == 0 else "finished"
        session.tell(ended(number, proposal, status, score))
    return [{"parent": p.parent, "cell": to_string(p.architecture.answers)} for p in session.proposals]


if __name__ == "__main__":
    GOLDEN.write_text("[\n" + ",\n".join(json.dumps(entry) for entry in golden_search()) + "\n]\n")
