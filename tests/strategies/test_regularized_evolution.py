"""Evolution, and a golden file of one search.

The golden file guards against changes of the search that nobody intended. Where one is intended, write it anew with
`python tests/strategies/test_regularized_evolution.py` and say so in the changelog: old runs cannot be resumed then.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from driver import Driver, Recorder
from fakes import Fake

from raynas import Constraint, Objective, RandomSearch, RegularizedEvolution, Search, spaces
from raynas.cost import cost
from raynas.errors import ConfigError
from raynas.loop import Loop
from raynas.plan import Task
from raynas.records import FAILED, RUNNING, STOPPED, Measurement
from raynas.spaces.decide import sample
from raynas.spaces.nasbench201 import OPS, to_string
from raynas.testing.strategy import SCORE, Session, StrategyContract, ended

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
        ("trials", "sizes"),
        [
            (1, (10, 3, 8)),
            (40, (10, 3, 8)),
            (120, (30, 10, 15)),
            (200, (50, 16, 25)),
            (400, (100, 33, 50)),
            (10**6, (100, 33, 125_000)),
        ],
    )
    def test_sizes_for_a_number_of_trials(self, trials, sizes):
        assert RegularizedEvolution.for_trials(trials) == RegularizedEvolution(*sizes)

    @pytest.mark.parametrize("at_once", [-1, 0.5, None])
    def test_at_once_is_a_whole_number(self, at_once):
        with pytest.raises(ConfigError, match="at_once must be (a whole number of at least 0|of type int)"):
            RegularizedEvolution(at_once=at_once)

    def test_no_more_at_once_than_allowed(self):
        session = Session(RegularizedEvolution(10, 3, at_once=4).begin(LARGE, SCORE, 0))
        asked = [session.ask() for _ in range(4)]
        assert session.proposer.ask() is None
        session.tell(replace(ended(1, asked[0]), status=RUNNING))  # at a rung
        assert session.proposer.ask() is None
        session.tell(ended(1, asked[0], FAILED))
        assert session.ask() is not None
        assert session.proposer.ask() is None

    def test_refused_proposals_are_not_waited_for(self):
        """Four in five are refused by a constraint: the search goes on all the same, and again when replayed."""
        space, task = spaces.NasBench201(), Task((1, 8, 8), 10)
        few = sorted(cost(sample(space, seed).graph, task).params for seed in range(50))[10] / 1e6
        recorder = Recorder()

        def loop(trials, *listeners):
            return Loop(
                space, RegularizedEvolution(10, 3, at_once=2), [Objective()], 0, trials=trials, task=task,
                constraints=[Constraint("params_m", "<=", few)], listeners=listeners,
            )  # fmt: skip

        first = loop(40, recorder)
        Driver(first, Fake(), concurrency=3).run()
        assert len(first.trials) == 40
        again = loop(60)
        again.replay(recorder.events)
        Driver(again, Fake(), concurrency=3).run()
        assert len(again.trials) == 60
        assert all(cost(t.architecture.graph, task).params / 1e6 <= few for t in again.trials.values())

    def test_warns_of_too_many_workers(self):
        assert RegularizedEvolution(30, 10).advice(15) == ""
        assert "16 workers are more than half the population of 30" in RegularizedEvolution(30, 10).advice(16)
        assert "keeps 25 of 64 workers busy" in RegularizedEvolution.for_trials(200).advice(64)
        assert RegularizedEvolution.for_trials(200).advice(25) == ""

    def test_the_display_shows_the_warning_once(self):
        heard = []
        display = SimpleNamespace(warn=heard.append)
        search = Search(strategy=RegularizedEvolution.for_trials(200), trials=200)
        search._advise(display, 20)
        assert heard == []
        search._advise(display, 64)
        assert heard == [search.strategy.advice(64)]
        Search(trials=40)._advise(display, 64)  # no opinion, or about forty workers at most
        assert not any("64" in line for line in heard[1:])

    def test_many_workers_cost_little(self):
        """On the real table, by the mean over 30 seeds of the best of 200 cells; 0.06 points over 200 seeds."""
        if not TABLE.is_file():
            pytest.skip(f"needs the table {TABLE}, which is not there")
        pytest.importorskip("pyarrow")
        from raynas.estimators.tables import NasBench201Table
        from raynas.estimators.tabular import Tabular
        from raynas.simulate import simulate

        table = NasBench201Table(TABLE, "cifar100")

        def mean_best(workers):
            total = 0.0
            for seed in range(30):
                loop = Loop(table.space, RegularizedEvolution.for_trials(200), [Objective()], seed, trials=200)
                total += max(reading.score for reading in simulate(loop, Tabular(table), workers=workers))
            return 100 * total / 30

        assert mean_best(64) > mean_best(1) - 0.15

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
