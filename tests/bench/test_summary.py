"""Figures of a comparison: from traces written by hand, and from real searches."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy import stats
from table_files import cells, results, write
from toys import STRATEGIES, Toy, comparison, halved

from raynas.bench import Budget, TableSource, Trace, play, play_all
from raynas.bench.summary import SHARES, summarise
from raynas.errors import ConfigError


def trace(label, seed, steps, *, status="finished", end=20.0):
    """A search whose incumbent is worth `steps[k]` from then on; at the end of the budget nothing changes."""
    made = Trace(label, seed)
    for k, (spent, worth) in enumerate(sorted(steps.items()), 1):
        made.trial.append(k)
        made.time_s.append(10 * spent)
        made.spent.append(spent)
        made.budget.append(4.0)
        made.score.append(worth)
        made.status.append(status)
        made.reason.append("")
        made.key.append(f"{k}")
        made.answers.append("{}")
        made.incumbent.append(0 if math.isnan(worth) else k)
        made.val_accuracy.append(worth)
        made.test_accuracy.append(worth - 0.1)
    return made


BY_HAND = [
    trace("random", 0, {1: 0.50, 12: 0.60}),
    trace("random", 1, {2: 0.40, 18: 0.70}),
    trace("evolution", 0, {1: 0.50, 6: 0.80}),
    trace("evolution", 1, {2: 0.40, 8: 0.65, 20: 0.90}),
]


def summary(traces=BY_HAND, table=None, **changes):
    settings = {"seeds": 2} | changes
    target = settings.pop("target", None)
    return summarise(comparison(**settings), table or Toy(), traces, target=target)


class TestByHand:
    def test_the_best_mean_comes_first(self):
        best, other = summary().standings
        assert (best.label, other.label) == ("evolution", "random")
        assert best.finals.tolist() == [0.8, 0.9]
        assert best.mean == pytest.approx(0.85)
        assert other.tests.tolist() == pytest.approx([0.5, 0.6])
        assert best.settings == repr(dict(STRATEGIES)["evolution"])
        assert best.settings.startswith("RegularizedEvolution(population=10, tournament=3")

    def test_means_at_shares_of_the_budget(self):
        assert SHARES == (0.1, 0.25, 0.5, 1.0)  # at 2, 5, 10, 20
        best, other = summary().standings
        assert best.shares == pytest.approx((0.45, 0.45, 0.725, 0.85))
        assert other.shares == pytest.approx((0.45, 0.45, 0.45, 0.65))

    def test_the_curve_begins_when_all_have_a_result(self):
        found = summary()
        assert found.grid[0] == 2
        assert found.grid[-1] == pytest.approx(20)
        best, other = found.standings
        assert (best.curve.mean[0], best.curve.mean[-1]) == (pytest.approx(0.45), pytest.approx(0.85))
        # one of two seeds is drawn twice in half of the resamples
        assert (best.curve.low[-1], best.curve.high[-1]) == (pytest.approx(0.8), pytest.approx(0.9))
        assert np.isfinite(other.curve.mean).all()

    def test_the_target_is_what_the_first_reaches(self):
        found = summary()
        assert found.target == pytest.approx(0.65)
        best, other = found.standings
        assert best.arrivals.tolist() == [6, 8]
        assert (best.arrived, best.arrival) == (1, 6)
        assert other.arrivals.tolist() == [math.inf, 18]
        assert (other.arrived, other.arrival) == (0.5, 18)

    def test_a_target_of_ones_own(self):
        best, other = summary(target=0.85).standings
        assert best.arrivals.tolist() == [math.inf, 20]
        assert (other.arrived, other.arrival) == (0, math.inf)

    def test_seconds(self):
        found = summary(budget=Budget(200, "seconds"))
        assert found.grid[0] == 20
        assert found.standings[0].arrivals.tolist() == [60, 80]

    def test_pairs(self):
        (pair,) = summary().pairs
        assert (pair.better, pair.other) == ("evolution", "random")
        assert pair.difference == pytest.approx(0.2)
        assert pair.a12 == 1
        assert pair.p_value == stats.wilcoxon([0.2, 0.2]).pvalue == 0.5
        assert not pair.significant

    def test_ranks(self):
        ranking = summary().ranking
        assert ranking.ranks.tolist() == [1, 2]

    def test_one_strategy_has_no_rivals(self):
        alone = summary(BY_HAND[:2], strategies=STRATEGIES[:1])
        assert alone.ranking is None
        assert alone.pairs == ()
        assert json.loads(json.dumps(alone.to_json(), allow_nan=False))["strategies"][0]["mean_rank"] is None

    def test_counts(self):
        stopped = trace("random", 0, {1: 0.5, 2: 0.6}, status="stopped")
        failed = trace("random", 1, {1: 0.5, 2: 0.6, 3: 0.7, 4: 0.8}, status="failed")
        (standing,) = summary([stopped, failed], strategies=STRATEGIES[:1]).standings
        assert (standing.trials, standing.stopped, standing.failed) == (3, 1, 2)

    def test_a_search_without_a_result(self):
        nothing = trace("random", 1, {1: math.nan})
        with pytest.raises(ConfigError, match="1 of 2 searches of random had no result within 20 full trainings: give"):
            summary([BY_HAND[0], nothing, *BY_HAND[2:]])
        with pytest.raises(ConfigError, match="1 of 2 searches of random"):
            summary([BY_HAND[0], Trace("random", 1), *BY_HAND[2:]])

    def test_late_results_count_from_then_on(self):
        late = trace("random", 1, {1: math.nan, 15: 0.7})
        found = summary([BY_HAND[0], late, *BY_HAND[2:]])
        assert found.grid[0] == 15
        random = next(s for s in found.standings if s.label == "random")
        assert np.isnan(random.shares[:3]).all()
        assert found.to_json()["strategies"][1]["val_accuracy_at"]["0.25"] is None

    def test_the_best_of_the_table(self):
        assert summary().best == 1

        class Unknown(Toy):
            best = {}  # noqa: RUF012

        assert summary(table=Unknown()).best is None

    def test_json(self):
        told = json.loads(json.dumps(summary().to_json(), allow_nan=False))
        assert told["budget"] == {"trainings": 20}
        assert [s["label"] for s in told["strategies"]] == ["evolution", "random"]
        assert told["strategies"][1]["target_reached_by_half_at"] == 18
        assert told["strategies"][0]["val_accuracy_sd"] == pytest.approx(0.05)
        assert told["pairs"][0]["effect"] == "large"
        assert told["best_val_accuracy"] == 1


def test_no_test_accuracy():
    class Untested(Toy):
        def truth(self, architecture):
            return {"val_accuracy": super().truth(architecture)["val_accuracy"]}

    table = Untested()
    made = comparison(seeds=2)
    traces = [play(made, table, label, seed) for label, _ in STRATEGIES for seed in range(2)]
    told = summarise(made, table, traces).to_json()
    assert told["strategies"][0]["test_accuracy"] is None


def test_evolution_beats_random_on_a_table_with_structure(tmp_path):
    path = write(tmp_path / "all.parquet", results(cells()))
    made = comparison(source=TableSource(str(path), "toy"), budget=Budget(60), seeds=20)
    found = summarise(made, made.source.open(), play_all(made, 1))
    assert found.standings[0].label == "evolution"
    (pair,) = found.pairs
    assert pair.significant
    assert pair.a12 > 0.7
    assert found.standings[0].arrived > found.standings[1].arrived


def test_stopped_trials_are_counted():
    table = Toy((1.0, 4.0))
    made = comparison(seeds=1, strategies=STRATEGIES[:1], **halved())
    (standing,) = summarise(made, table, [play(made, table, "random", 0)]).standings
    assert standing.trials > standing.stopped > 5
