"""`raynas bench`: what it says and writes, and what it refuses in one line before anything runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from table_files import cells, results, write

from raynas.cli import bench as command
from raynas.cli.bench import Wanted, prepare
from raynas.cli.main import main
from raynas.errors import ConfigError
from raynas.objectives import Objective
from raynas.schedulers import Asha
from raynas.strategies import RandomSearch, RegularizedEvolution

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "nasbench201.parquet"


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return str(write(tmp_path_factory.mktemp("tables") / "small.parquet", results(cells())))


@pytest.fixture
def raynas(monkeypatch, capsys, tmp_path, table):
    """Runs `raynas bench small.parquet` in this process."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, path=table):
        monkeypatch.setattr(sys, "argv", ["raynas", "bench", path, *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        out, err = capsys.readouterr()
        return stop.value.code, out, err

    return run


USUAL = ["--dataset", "toy", "--strategies", "random,evolution", "--budget", "20", "--seeds", "4", "--processes", "1"]


class TestRuns:
    def test_says_who_is_better(self, raynas, tmp_path):
        code, out, err = raynas(*USUAL)
        assert (code, err) == (0, "")
        for text in ("small toy: 20 full trainings a search, 4 seeds", "How good", "How fast", "Who is better"):
            assert text in out
        assert "evolution - random" in out or "random - evolution" in out
        assert not list(tmp_path.iterdir())

    def test_writes_a_folder(self, raynas, tmp_path):
        code, out, _ = raynas(*USUAL, "--out", "out", "--space", "nasbench201")
        assert code == 0
        assert "written to out: bench.md, bench.json, evaluations.parquet, curves.png" in out
        report = (tmp_path / "out" / "bench.md").read_text()
        assert "--budget 20 --seeds 4 --processes 1 --out out --space nasbench201" in report
        assert raynas(*USUAL, "--out", "out")[0] == 2
        assert raynas(*USUAL, "--out", "out", "--overwrite")[0] == 0

    def test_json_and_nothing_else(self, raynas):
        code, out, err = raynas(*USUAL, "--json", "--workers", "3", "--target", "50")
        told = json.loads(out)
        assert (code, err) == (0, "")
        assert told["workers"] == 3
        assert told["target_val_accuracy"] == 0.5
        assert {s["label"] for s in told["strategies"]} == {"random", "evolution"}

    def test_the_number_of_processes_changes_nothing(self, raynas):
        settings = ["--fidelities", "12,200", "--json"]
        once = raynas(*USUAL, *settings)
        twice = raynas(*USUAL[:-1], "2", *settings)
        assert once == twice

    def test_more_workers_than_a_population_can_use(self, raynas):
        code, _, err = raynas(*USUAL, "--workers", "16", "--set", "evolution.population=10")
        assert code == 0
        assert err.startswith("warning: evolution: ")
        assert err.count("\n") == 1

    def test_one_strategy_and_one_seed(self, raynas):
        code, out, _ = raynas("--dataset", "toy", "--strategies", "random", "--budget", "3000s", "--seeds", "1")
        assert code == 0
        assert "random reaches" in out
        assert "Who is better" not in out

    def test_a_table_with_holes(self, raynas, tmp_path):
        columns = results(cells())
        columns["toy_val200"] = [v if k % 2 else None for k, v in enumerate(columns["toy_val200"])]
        path = str(write(tmp_path / "holes.parquet", columns))
        code, out, _ = raynas(*USUAL, path=path)
        assert code == 0
        assert "of the space: other architectures are failed trials" in " ".join(out.split())

    def test_a_bar_where_there_is_a_terminal(self, monkeypatch):
        shown = []

        class Bar(command.Progress):
            def __init__(self, *columns, **settings):
                super().__init__(*columns, **settings | {"disable": True})

            def advance(self, task, ended):
                shown.append(ended)

        monkeypatch.setattr(command, "Progress", Bar)
        monkeypatch.setattr(command.Console, "is_terminal", True)
        benchmark = prepare(Wanted(str(REAL), "random", "5", seeds=3))[0] if REAL.is_file() else None
        if benchmark is None:
            pytest.skip("no table beside the checkout")
        with command._progress(benchmark, quiet=False) as progress:
            progress(2)
        assert shown == [2]
        with command._progress(benchmark, quiet=True) as progress:
            assert progress is None


class TestPrepared:
    def prepared(self, table, strategies="random,evolution", budget="80", **wanted):
        return prepare(Wanted(table, strategies, budget, dataset="toy", **wanted))[0]

    def test_sizes_follow_the_budget(self, table):
        assert self.prepared(table).strategies == (
            ("random", RandomSearch()), ("evolution", RegularizedEvolution.for_trials(80)),
        )  # fmt: skip
        # (12 + 200 / 3) / 200 of a training each
        made = self.prepared(table, fidelities="12,200")
        assert made.scheduler == Asha((12.0,))
        assert dict(made.strategies)["evolution"] == RegularizedEvolution.for_trials(203)

    def test_settings_and_labels(self, table):
        made = self.prepared(
            table, "random,small=evolution,big=evolution", fidelities="12,200",
            settings=("small.population=4", "small.tournament=2", "big.population=70", "scheduler.eta=16"),
        )  # fmt: skip
        found = dict(made.strategies)
        assert (found["small"].population, found["small"].tournament) == (4, 2)
        assert found["big"].population == 70
        assert made.scheduler == Asha((12.0,), 16.0)

    def test_no_early_stopping(self, table):
        assert self.prepared(table, fidelities="12,200", scheduler="none").scheduler is None
        assert self.prepared(table).scheduler is None
        assert self.prepared(table, fidelities="12,200", scheduler="asha").scheduler == Asha((12.0,))

    def test_objectives(self, table):
        made = self.prepared(table, objectives=("val_accuracy", "latency_ms_phone:min"))
        assert made.objectives == (Objective(), Objective("latency_ms_phone", maximise=False))


BAD = {
    "no number": (
        ["--budget", "many"],
        "a budget is full trainings like 20, or virtual seconds like 12000s, but got 'm",
    ),
    "no budget": (["--budget", "0"], "the budget must be a number above 0, but got 0.0"),
    "too small": (["--budget", "100s"], "the budget of 100 s is less than one reading of the table costs: "),
    "no seeds": (["--seeds", "0"], "seeds must be at least 1, but got 0"),
    "no workers": (["--workers", "0"], "workers must be at least 1, but got 0"),
    "no processes": (["--processes", "0"], "processes must be at least 1, but got 0"),
    "another space": (["--space", "cells"], "holds results of space 'nasbench201', but got space 'cells'"),
    "unknown space": (["--space", "nasbench210"], "unknown space 'nasbench210'; did you mean 'nasbench201'?"),
    "unknown data set": (["--dataset", "tyo"], "unknown data set of the table 'tyo'; did you mean 'toy'?"),
    "unknown strategy": (
        ["--strategies", "random,evolutoin"],
        "unknown strategy 'evolutoin'; did you mean 'evolution'?",
    ),
    "unknown of a label": (["--strategies", "small=evolutoin"], "did you mean 'evolution'?"),
    "no strategy": (["--strategies", ","], "name at least one strategy of "),
    "twice": (["--strategies", "random,random"], "different labels, but got 'random' twice: write NEW=random"),
    "half a label": (["--strategies", "small="], "a strategy is NAME or LABEL=NAME, but got 'small='"),
    "unknown scheduler": (["--scheduler", "ahsa"], "unknown scheduler 'ahsa'; did you mean 'asha'?"),
    "asha of one budget": (["--scheduler", "asha"], "needs several budgets: add --fidelities, e.g. 12,200"),
    "no scheduler to set": (["--set", "scheduler.eta=4"], "no scheduler is used, but got --set scheduler.eta=..."),
    "fidelities": (["--fidelities", "12,50"], "must be some of 12, 200, rising, but got 12, 50"),
    "no fidelities": (["--fidelities", "low"], "fidelities are epochs like 12,200, but got 'low'"),
    "missing column": (["--dataset", "toy", "--fidelities", "12,200", "--objective", "x"], "unknown objective 'x'"),
    "unknown objective": (["--objective", "val_acuracy"], "did you mean 'val_accuracy'?"),
    "another objective": (["--objective", "params_m"], "the first objective must be val_accuracy:max, which the bench"),
    "second objective": (["--objective", "val_accuracy", "--objective", "size_mb"], "unknown objective 'size_mb'"),
    "target": (["--target", "120"], "the target must be an accuracy in %, above 0 and at most 100, but got 120"),
    "setting": (["--set", "evolution.popluation=3"], "did you mean 'population'?"),
    "setting of nobody": (["--set", "evoltion.population=3"], "unknown strategy in --set 'evoltion'; did you mean"),
    "setting of nothing": (["--set", "population=3"], "--set takes STRATEGY.FIELD=VALUE or scheduler.FIELD=VALUE, but"),
    "setting of another type": (["--set", "evolution.population=big"], "evolution.population must be of type int"),
    "tournament": (["--set", "evolution.tournament=99"], "tournament <= population must hold"),
    "a strategy refuses": (["--strategies", "grid"], "strategy grid: "),
    "out is a file": (["--out", "/proc/version"], "--out /proc/version cannot be written"),
    "unknown option": (["--seed", "3"], "No such option: --seed"),
}


class TestRefused:
    @pytest.fixture(autouse=True)
    def nothing_runs(self, monkeypatch):
        def forbidden(*args, **kwargs):
            raise AssertionError("a search began")

        monkeypatch.setattr(command, "play_all", forbidden)

    @pytest.mark.parametrize(("arguments", "says"), BAD.values(), ids=BAD)
    def test_in_one_line(self, raynas, arguments, says):
        code, out, err = raynas(*USUAL, *arguments)
        assert code == 2
        assert says in err
        assert err.startswith("raynas: ")
        assert err.count("\n") == 1
        assert out == ""

    def test_a_folder_that_is_not_empty(self, raynas, tmp_path):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "note").touch()
        code, _, err = raynas(*USUAL, "--out", "out")
        assert code == 2
        assert err == "raynas: --out out is not empty: add --overwrite, or name another folder\n"

    def test_tables_that_are_none(self, raynas, tmp_path):
        columns = results(cells()[:9])
        del columns["toy_sec_per_epoch"]
        for path, says in (
            (str(write(tmp_path / "less.parquet", columns)), "has no column 'toy_sec_per_epoch'"),
            (str(write(tmp_path / "few.parquet", results(cells()[:1]))), "has a result for none of 200 random"),
            ("nowhere.parquet", "nowhere.parquet cannot be read as Parquet: no such file"),
            ("mine.py", "table mine.py does not exist"),
        ):
            code, _, err = raynas(*USUAL, path=path)
            assert code == 2
            assert says in err
            assert err.count("\n") == 1

    def test_what_must_be_said(self, raynas):
        code, _, err = raynas("--strategies", "random")
        assert code == 2
        assert "--budget" in err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_who_stops_it_stops_all_processes(table, tmp_path, number, code):
    endless = ["--dataset", "toy", "--strategies", "random", "--budget", "100", "--seeds", "100000", "--processes", "2"]
    arguments = [sys.executable, "-m", "raynas.cli.main", "bench", table, *endless]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        deadline = time.monotonic() + 60
        while len(session(process.pid)) < 3 and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1)
        os.kill(process.pid, number)
        assert process.wait(timeout=30) == code
        while session(process.pid) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert session(process.pid) == []
        if number == signal.SIGINT:
            assert process.stderr.read() == "raynas: interrupted\n"


def session(number):
    """Processes of a session that live."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, of = stat.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(of) == number and state != "Z":
            found.append(int(stat.parent.name))
    return found


def test_prepare_refuses_in_python(table):
    with pytest.raises(ConfigError, match="workers must be at least 1"):
        prepare(Wanted(table, "random", "20", dataset="toy", workers=-1))


@pytest.mark.skipif(not REAL.is_file(), reason="no table beside the checkout")
def test_the_real_table(raynas):
    code, out, _ = raynas(
        "--space", "nasbench201", "--dataset", "cifar100", "--strategies", "random,evolution", "--budget", "100",
        "--seeds", "40", "--json", path=str(REAL),
    )  # fmt: skip
    told = {s["label"]: s for s in json.loads(out)["strategies"]}
    assert code == 0
    # Means of 500 seeds are 71.59 and 73.04; the standard deviations 0.9 and 0.5.
    assert 100 * told["random"]["val_accuracy"] == pytest.approx(71.6, abs=0.45)
    assert 100 * told["evolution"]["val_accuracy"] == pytest.approx(73.0, abs=0.3)
    assert json.loads(out)["pairs"][0]["p_holm"] < 1e-4
