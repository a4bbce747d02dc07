"""The command line's face: its options, help and lists."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys

import pytest

from raynas.cli import main as cli
from raynas.cli.build import Choices, make_search
from raynas.cli.live import describe, duration
from raynas.errors import ConfigError
from raynas.schedulers import Asha
from raynas.strategies import RandomSearch, RegularizedEvolution

OPTIONS = {
    "search": [
        "recipe", "space", "strategy", "estimator", "scheduler", "data", "data_dir", "trials", "epochs", "hours",
        "objective", "constraint", "concurrency", "cpus_per_trial", "gpus_per_trial", "epoch_timeout",
        "trial_timeout", "memory_gb_per_trial", "disk_gb", "address", "storage", "mirror", "name", "seed", "set_",
        "dry_run", "as_json",
    ],
    "resume": ["run", "trials", "hours", "concurrency", "epoch_timeout", "trial_timeout", "disk_gb", "address",
               "as_json"],
    "fetch": ["uri", "run"],
    "show": ["run", "as_json", "pareto", "top"],
    "bench": [
        "table", "strategies", "budget", "space", "dataset", "fidelities", "scheduler", "objective", "set_", "workers",
        "seeds", "target", "processes", "out", "overwrite", "as_json",
    ],
    "list_": ["what", "as_json"],
    "doctor": ["storage", "address", "as_json"],
}  # fmt: skip


@pytest.mark.parametrize("command", OPTIONS)
def test_options_are_stable(command):
    assert list(inspect.signature(getattr(cli, command)).parameters) == OPTIONS[command]


def raynas(*arguments, **settings):
    return subprocess.run(
        [sys.executable, "-m", "raynas.cli.main", *arguments], capture_output=True, text=True, check=False, **settings
    )


@pytest.mark.parametrize("command", ["search", "resume", "show", "bench", "list", "doctor"])
def test_help_has_examples(command):
    done = raynas(command, "--help")
    assert done.returncode == 0
    assert "Example" in done.stdout
    assert f"raynas {command}" in done.stdout


def test_help_lists_the_options_as_people_write_them():
    text = raynas("search", "--help").stdout
    for option in ("--data-dir", "--gpus-per-trial", "--dry-run", "--json", "--set", "--constraint", "--address"):
        assert option in text


@pytest.mark.parametrize("what", ["spaces", "strategies", "estimators", "schedulers", "data"])
def test_lists(what):
    rows = json.loads(raynas("list", what, "--json").stdout)
    assert len(rows) >= 1
    assert all(row["name"] and row["about"].endswith(".") for row in rows)
    if what == "spaces":
        assert {row["name"]: row["size"] for row in rows}["nasbench201"] == "15,625"


def test_dry_run_says_what_would_run_and_leaves_no_run(tmp_path):
    done = raynas("search", "--dry-run", "--json", "--trials", "7", cwd=tmp_path)
    assert json.loads(done.stdout)["trials"] == 7
    assert "Auto(levels=((1.0, 32)" in raynas("search", "--dry-run", cwd=tmp_path).stdout
    assert not list((tmp_path / "runs").iterdir())


def test_choices_make_the_search():
    made = make_search(
        Choices(
            space="chain", strategy="random", trials=5, epochs=27, seed=3, objectives=("val_loss", "params_m"),
            constraints=("params_m<=0.5",), settings=("space.max_layers=4", "estimator.lr=0.05", "scheduler.eta=2"),
        )
    )  # fmt: skip
    assert made.space.max_layers == 4
    assert made.strategy == RandomSearch()
    assert made.estimator.epochs == 27
    assert made.estimator.lr == 0.05
    assert isinstance(made.scheduler, Asha)
    assert made.scheduler.rungs == (1, 3, 9, 27)
    assert made.scheduler.eta == 2
    assert [str(o) for o in made.objectives] == ["val_loss:min", "params_m:min"]
    assert str(made.constraints[0]) == "params_m<=0.5"


def test_the_population_follows_the_trials():
    chosen = Choices(strategy="evolution", trials=400)
    made = make_search(chosen).strategy
    assert (type(made), made.population, made.tournament) == (RegularizedEvolution, 100, 33)
    chosen = Choices(strategy="evolution", trials=400, settings=("strategy.population=50",))
    assert make_search(chosen).strategy.population == 50
    assert sum(trials for _, trials in make_search(Choices(trials=400)).strategy.levels) == 400


def test_a_recipe_is_changed_by_options(tmp_path):
    recipe = tmp_path / "recipe.py"
    recipe.write_text(
        "import raynas as rn\n"
        "def search():\n"
        "    return rn.Search(strategy=rn.RandomSearch(), trials=3, scheduler=rn.Asha((2, 4)),\n"
        "                     estimator=rn.Train(epochs=4))\n"
    )
    made = make_search(Choices(recipe=str(recipe)))
    assert (made.trials, made.scheduler.rungs, made.recipe) == (3, (2, 4), str(recipe))
    assert made.strategy == RandomSearch()
    changed = make_search(Choices(recipe=str(recipe), trials=9, epochs=9))
    assert (changed.trials, changed.scheduler.rungs) == (9, (1, 3, 9))
    with pytest.raises(ConfigError, match="trials must be at least 1"):
        make_search(Choices(recipe=str(recipe), trials=0))


def test_durations_and_descriptions():
    assert [duration(s) for s in (3.2, 125, 4800)] == ["3 s", "2 min 5 s", "1 h 20 min"]
    assert describe({"a/x": 1, "a/y": "two", "b": True}) == "a 1 two · b True"
