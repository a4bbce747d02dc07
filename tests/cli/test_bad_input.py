"""Bad input: refused before Ray starts, exit 2, one line that names the value and the fix."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import raynas
import raynas.tune.run
from raynas.cli.main import main
from raynas.errors import ConfigError


@pytest.fixture
def raynas_command(monkeypatch, capsys, tmp_path):
    """Runs a command in this process; Ray must not start."""
    monkeypatch.chdir(tmp_path)

    def forbidden(*args, **kwargs):
        raise AssertionError("Ray was started")

    monkeypatch.setattr(raynas.tune.run, "session", forbidden)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["raynas", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        out, err = capsys.readouterr()
        return stop.value.code, out, err

    return run


def image_folder(root, classes):
    from PIL import Image

    for name in classes:
        (root / name).mkdir(parents=True)
        for number in range(10):
            Image.fromarray(np.full((8, 8), number * 20, np.uint8)).save(root / name / f"{number}.png")


BAD = {
    "unknown space": (["--space", "cels"], "unknown space 'cels'; did you mean 'cells'?"),
    "unknown strategy": (["--strategy", "evolutoin"], "did you mean 'evolution'?"),
    "unknown data": (["--data", "digit"], "unknown data 'digit'; did you mean 'digits'?"),
    "unknown scheduler": (["--scheduler", "x"], "unknown scheduler 'x'; known: asha, none"),
    "unknown estimator": (["--estimator", "tarin"], "did you mean 'train'?"),
    "unknown metric": (
        ["--constraint", "params<=1"],
        "unknown metric of constraint 'params'; did you mean 'params_m'?",
    ),
    "unknown objective": (["--objective", "accuracy"], "did you mean 'val_accuracy'?"),
    "odd direction": (["--objective", "val_loss:down"], "METRIC:max or METRIC:min, but got 'val_loss:down'"),
    "odd constraint": (["--constraint", "params_m=1"], "METRIC<=NUMBER (or >=, <, >), but got 'params_m=1'"),
    "no trials": (["--trials", "0"], "trials must be at least 1, but got 0"),
    "negative trials": (["--trials", "-3"], "trials must be at least 1, but got -3"),
    "no epochs": (["--epochs", "0"], "epochs must be at least 1, but got 0"),
    "no slots": (["--concurrency", "0"], "concurrency must be at least 1, but got 0"),
    "no time": (["--hours", "0"], "hours must be above 0"),
    "no CPUs": (["--cpus-per-trial", "0"], "cpus_per_trial must be above 0"),
    "too many CPUs": (["--cpus-per-trial", "4096"], "cpus_per_trial is 4096, but this machine has"),
    "too many GPUs": (["--gpus-per-trial", "64"], "gpus_per_trial is 64, but this machine has"),
    "odd GPU share": (["--gpus-per-trial", "1.5"], "a fraction of one GPU or a whole number, but got 1.5"),
    "parent name": (["--name", "../up"], "but got '../up'"),
    "slash in name": (["--name", "a/b"], "but got 'a/b'"),
    "dots as name": (["--name", ".."], "but got '..'"),
    "storage is a file": (["--storage", "/proc/version"], "storage /proc/version cannot be written"),
    "storage cannot be made": (["--storage", "/proc/raynas/runs"], "/proc"),
    "data folder missing": (["--data", "folder", "--data-dir", "nowhere"], "nowhere is no folder"),
    "data folder not given": (["--data", "folder"], "data 'folder' needs --data-dir"),
    "data that is bundled": (["--data", "digits", "--data-dir", "x"], "takes no --data-dir"),
    "data to fetch": (["--data", "cifar10", "--data-dir", "nowhere"], "download"),
    "setting unknown": (["--set", "space.widht=4"], "unknown setting space 'widht'; did you mean 'width'?"),
    "setting of another type": (["--set", "space.width=wide"], "space.width must be of type int, but got 'wide'"),
    "setting out of range": (["--set", "estimator.momentum=1.5"], "momentum must be in [0, 1), but got 1.5"),
    "setting no part": (["--set", "width=4"], "--set takes PART.FIELD=VALUE"),
    "setting unknown part": (["--set", "spaec.width=4"], "did you mean 'space'?"),
    "tournament too large": (
        ["--strategy", "evolution", "--set", "strategy.tournament=99"],
        "tournament <= population must hold",
    ),
    "recipe missing": (["nowhere.py"], "recipe nowhere.py does not exist"),
    "address silent": (["--address", "127.0.0.1:1"], "no Ray cluster answers at '127.0.0.1:1'"),
    "address odd": (["--address", "here"], "address must be auto, HOST:PORT or ray://HOST:PORT, but got 'here'"),
    "option unknown": (["--trails", "3"], "No such option: --trails"),
    "no number": (["--trials", "many"], "'--trials': 'many'"),
    "rungs above the budget": (["--epochs", "3", "--set", "scheduler.rungs=[1,9]"], "the last rung is at 9 epochs"),
}


@pytest.mark.parametrize(("arguments", "says"), BAD.values(), ids=BAD)
def test_refused_in_one_line(raynas_command, arguments, says):
    code, out, err = raynas_command("search", *arguments)
    assert code == 2
    assert says in err
    assert err.count("\n") == 1
    assert err.startswith("raynas: ")
    assert "Traceback" not in err + out


def test_a_data_folder_with_one_class(raynas_command, tmp_path):
    image_folder(tmp_path / "photos", ["cat"])
    code, _, err = raynas_command("search", "--data", "folder", "--data-dir", tmp_path / "photos")
    assert code == 2
    assert "class" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import nothing_like_this", "fails to import: ModuleNotFoundError"),
        ("def search(:", "fails to import: SyntaxError"),
        ("def search(): return 3", "must return a raynas.Search, but got int"),
        ("def search(): return 1 / 0", "fails: ZeroDivisionError: division by zero (line 1)"),
        ("def one(): ...\ndef two(): ...", "has 2 public functions"),
        ("x = 1", "has 0 public functions"),
    ],
)
def test_recipes_that_do_not_work(raynas_command, tmp_path, text, says):
    (tmp_path / "recipe.py").write_text(text)
    code, _, err = raynas_command("search", "recipe.py")
    assert code == 2
    assert says in err
    assert err.count("\n") == 1


def test_a_recipes_function_that_is_missing(raynas_command, tmp_path):
    (tmp_path / "recipe.py").write_text("import raynas\ndef small(): return raynas.Search()")
    code, _, err = raynas_command("search", "recipe.py:smal")
    assert code == 2
    assert "did you mean 'small'?" in err
    assert raynas_command("search", "recipe.py:small", "--dry-run")[0] == 0


def test_a_run_that_exists(raynas_command, tmp_path):
    (tmp_path / "runs" / "first").mkdir(parents=True)
    code, _, err = raynas_command("search", "--name", "first")
    assert code == 2
    assert "raynas resume runs/first" in err


@pytest.mark.parametrize("command", [["show"], ["resume"]])
def test_what_is_no_run(raynas_command, command):
    code, _, err = raynas_command(*command, "nowhere")
    assert code == 2
    assert "nowhere is no run" in err


def test_a_damaged_run(raynas_command, tmp_path):
    (tmp_path / "search.json").write_text("{")
    code, _, err = raynas_command("show", tmp_path)
    assert code == 3
    assert "is damaged" in err


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"trials": "3", "strategy": raynas.RandomSearch()}, "trials must be of type int, but got '3'"),
        ({"seed": 0.5}, "seed must be of type int, but got 0.5"),
        ({"objectives": ("val_accuracy",)}, "objectives are of type Objective, but got 'val_accuracy'"),
        (
            {"estimator": "train"},
            "estimator must be an object like raynas' own, not a name or a class, but got 'train'",
        ),
        ({"strategy": raynas.RandomSearch}, "strategy must be an object"),
        ({"scheduler": "asha"}, "scheduler must be an object"),
    ],
)
def test_wrong_types_in_python(settings, says, tmp_path):
    with pytest.raises(ConfigError, match=says):
        raynas.Search(storage=str(tmp_path), **settings).check()


def test_an_unknown_list(raynas_command):
    code, _, err = raynas_command("list", "space")
    assert code == 2
    assert "did you mean 'spaces'?" in err
