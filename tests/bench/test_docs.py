"""The table of docs/bench.md works as it stands, and what the page names exists."""

from __future__ import annotations

import inspect
import json
import re
import sys
from pathlib import Path

import pytest

from raynas.bench import TableSource, check_table, play
from raynas.bench.files import COLUMNS
from raynas.cli.bench import Wanted, prepare
from raynas.cli.main import bench, main

PAGE = (Path(__file__).parents[2] / "docs" / "bench.md").read_text()
(BLOCK,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def mine(tmp_path):
    (tmp_path / "mine.py").write_text(BLOCK)
    return str(tmp_path / "mine.py")


def test_the_table_is_one(mine):
    assert check_table(TableSource(mine).open()).known == pytest.approx(15 / 16, abs=0.05)


def test_it_is_benched(mine, monkeypatch, capsys):
    (command,) = re.findall(r"    raynas (bench mine.py --.*)\n", PAGE)
    monkeypatch.setattr(
        sys, "argv", ["raynas", *command.replace("mine.py", mine).split(), "--json", "--processes", "2"]
    )
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code
    told = json.loads(capsys.readouterr().out)
    assert told["scheduler"] == "Asha(rungs=(1.0,), eta=3)"
    assert told["best_val_accuracy"] == 0.892
    assert {s["label"] for s in told["strategies"]} == {"random", "evolution"}


def test_a_space_that_is_used_up_ends_a_search(mine):
    benchmark, table, _ = prepare(Wanted(mine, "random,evolution", "100", scheduler="none"))
    for label in ("random", "evolution"):
        trace = play(benchmark, table, label, 0)
        assert len(set(trace.trial)) == 16
        assert trace.status.count("failed") == 1
        assert trace.val_accuracy[-1] == pytest.approx(0.892)


def test_every_option_and_column_is_told():
    for name in inspect.signature(bench).parameters:
        option = "--" + {"set_": "set", "as_json": "json"}.get(name, name)
        assert option in PAGE or name in ("table", "space", "dataset", "overwrite", "as_json"), option
    for column in ("strategy", "seed", "order", *COLUMNS):
        assert f"`{column}`" in PAGE
