"""Searches on a table."""

from __future__ import annotations

import json
import math

import pytest
from fakes import merit
from toys import FILE, STRATEGIES, Toy, comparison, halved

from raynas.bench import Budget, play, play_all
from raynas.bench.play import CHUNKS
from raynas.errors import AllTrialsFailed, ConfigError, PluginError
from raynas.estimators.tabular import MissingCell
from raynas.records import FAILED, FINISHED, RUNNING, STOPPED, Measurement
from raynas.spaces import nasbench201, replay


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A table that other processes can open: they find `toys` beside the tests."""
    from pathlib import Path

    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent}:{Path(__file__).parents[1]}")
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return path


class TestOne:
    def test_every_reading_is_a_row(self):
        trace = play(comparison(), Toy(), "random", 3)
        assert (trace.strategy, trace.seed) == ("random", 3)
        assert trace.trial == list(range(1, 21))
        assert trace.spent == pytest.approx(list(range(1, 21)))
        assert trace.time_s == pytest.approx([40 * k for k in range(1, 21)])
        assert set(trace.status) == {FINISHED}
        assert set(trace.reason) == {""}
        architectures = [replay(nasbench201(), json.loads(answers)) for answers in trace.answers]
        assert [a.key for a in architectures] == trace.key
        assert [merit(a) for a in architectures] == trace.score

    def test_the_incumbent_is_the_best_so_far(self):
        trace = play(comparison(), Toy(), "random", 3)
        best = [max(trace.score[: k + 1]) for k in range(20)]
        assert trace.val_accuracy == best
        assert trace.test_accuracy == [value / 2 for value in best]
        assert [trace.score[trial - 1] for trial in trace.incumbent] == best

    def test_a_larger_budget_comes_before_a_higher_score(self):
        trace = play(comparison(**halved()), Toy((1.0, 4.0)), "random", 0)
        assert {RUNNING, STOPPED, FINISHED} == set(trace.status)
        full = [k for k, budget in enumerate(trace.budget) if budget == 4]
        assert full[0] > 0
        for k in range(len(trace.trial)):
            seen = [j for j in range(k + 1) if k < full[0] or trace.budget[j] == 4]
            assert trace.incumbent[k] == trace.trial[max(seen, key=lambda j: trace.score[j])]

    def test_failures_have_no_score(self):
        trace = play(comparison(), Toy(known=0.5), "evolution", 0)
        failed = [k for k, status in enumerate(trace.status) if status == FAILED]
        assert len(failed) > 3
        assert all(math.isnan(trace.score[k]) and "the table has no result" in trace.reason[k] for k in failed)
        assert trace.spent[-1] == pytest.approx(20)

    def test_before_the_first_result_there_is_no_incumbent(self):
        trace = play(comparison(), Toy(known=0.9), "random", 0)
        first = trace.status.index(FINISHED)
        assert first > 0
        assert trace.incumbent[:first] == [0] * first
        assert all(map(math.isnan, trace.val_accuracy[:first]))
        assert trace.incumbent[first] == trace.trial[first]

    def test_seconds_and_workers(self):
        trace = play(comparison(budget=Budget(100, "seconds"), workers=4), Toy(), "random", 0)
        assert trace.time_s == [40] * 4 + [80] * 4

    def test_a_table_that_scores_what_it_does_not_know(self):
        class Forgetful(Toy):
            def truth(self, architecture):
                raise MissingCell(architecture.key)

        with pytest.raises(PluginError, match="toy: has a curve but no truth"):
            play(comparison(), Forgetful(), "random", 0)

        class Odd(Toy):
            def truth(self, architecture):
                return {"val_accuracy": math.nan}

        with pytest.raises(PluginError, match="toy: has a curve but no val_accuracy"):
            play(comparison(), Odd(), "random", 0)

    def test_a_table_where_everything_fails(self):
        class Nan(Toy):
            def curve(self, architecture):
                return [Measurement(4.0, {"val_accuracy": math.nan})]

        with pytest.raises(AllTrialsFailed, match="val_accuracy is nan"):
            play(comparison(), Nan(), "random", 0)


class TestAll:
    def test_in_order(self, file):
        traces = play_all(comparison(file), 1)
        assert [(t.strategy, t.seed) for t in traces] == [(label, s) for label, _ in STRATEGIES for s in range(5)]

    def test_strategies_meet_on_equal_seeds(self, file):
        """Evolution begins with random architectures: the same ones that random search draws."""
        traces = play_all(comparison(file), 1)
        for random, evolution in zip(traces[:5], traces[5:], strict=True):
            assert random.key[:10] == evolution.key[:10]
            assert random.key != evolution.key

    def test_the_number_of_processes_changes_nothing(self, file):
        made = comparison(file, workers=3, **halved())
        assert play_all(made, 2) == play_all(made, 1)

    def test_progress_counts_searches(self, file):
        told = []
        play_all(comparison(file, seeds=40), 1, told.append)
        assert sum(told) == 80
        assert len(told) == 2 * CHUNKS

    def test_what_breaks_a_search_is_raised(self, tmp_path):
        (tmp_path / "mine.py").write_text(
            "from toys import Toy\n"
            "class Bad(Toy):\n"
            "    def truth(self, architecture): return {}\n"
            "def table(): return Bad()\n"
        )
        with pytest.raises(PluginError, match="no val_accuracy in the truth"):
            play_all(comparison(tmp_path / "mine.py"), 1)

    def test_no_processes(self, file):
        with pytest.raises(ConfigError, match="processes must be at least 1, but got 0"):
            play_all(comparison(file), 0)
