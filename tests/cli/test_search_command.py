"""The main job as people run it: `raynas search` in a process of its own, stopped, killed and resumed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from sklearn.datasets import load_digits
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from raynas import Run
from raynas.errors import RaynasError
from raynas.nn import checkpoint
from raynas.records import RUNNING

pytestmark = pytest.mark.ray

COMMAND = [sys.executable, "-m", "raynas.cli.main"]
SMALL = ["--space", "chain", "--set", "space.max_layers=3", "--seed", "0", "--name", "first"]


def raynas(*arguments, cwd):
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A finished search for digits, by the command line."""
    folder = tmp_path_factory.mktemp("searched")
    done = raynas("search", *SMALL, "--trials", 6, "--epochs", 3, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, done


def test_it_says_what_it_found_and_nothing_odd(searched):
    _, done = searched
    assert "test accuracy" in done.stdout
    assert "runs/first/best/" in done.stdout
    assert "trials" in done.stderr
    for noise in ("Warning", "warning", "Traceback", "ray::", "deprecat"):
        assert noise not in done.stderr + done.stdout


def test_show_tells_the_same_as_json(searched):
    folder, _ = searched
    told = json.loads(raynas("show", "runs/first", "--json", cwd=folder).stdout)
    assert list(told) == ["name", "state", "trials", "best", "front", "epochs_trained", "wall_s", "gpu_s"]
    assert told["state"] == "finished"
    assert told["trials"]["asked"] == 6
    assert told["trials"]["failed"] == 0
    assert told["best"]["metrics"]["test_accuracy"] > 0.5
    table = raynas("show", "runs/first", "--top", 3, cwd=folder).stdout
    assert told["best"]["key"][:8] in table
    assert "val_accuracy" in table
    assert raynas("show", "runs/first", "--pareto", cwd=folder).returncode == 0


def test_the_winner_is_a_plain_module_that_reads_digits(searched):
    folder, _ = searched
    best = Run(folder / "runs" / "first").best()
    model = best.model()
    weights = load_file(folder / "runs" / "first" / "best" / "model.safetensors")
    assert sum(p.numel() for p in model.parameters()) == round(best.metrics["params_m"] * 1e6)
    assert all(torch.equal(v, weights[k]) for k, v in model.state_dict().items())
    digits = load_digits()
    images = torch.tensor(digits.images / 16, dtype=torch.float32)[:, None]
    right = (model(images).argmax(1) == torch.tensor(digits.target)).float().mean()
    assert right > 0.6


def test_tables_and_tensorboard_hold_all_trials(searched):
    folder, _ = searched
    run = folder / "runs" / "first"
    trials = pd.read_parquet(run / "trials.parquet")
    assert len(trials) == 6
    assert trials["key"].nunique() == 5  # the best of the short trainings was trained again, in full
    assert trials["parent"].notna().sum() >= 1
    assert {"score", "val_accuracy", "params_m", "answer/layers"} <= set(trials.columns)
    measurements = pd.read_parquet(run / "measurements.parquet")
    assert len(measurements) == trials["budget"].sum()
    board = EventAccumulator(str(run / "tensorboard" / "search"))
    board.Reload()
    assert [e.step for e in board.Scalars("search/best_val_accuracy")] == list(range(1, 7))
    assert len(list((run / "tensorboard").glob("trial-*"))) == 6


def test_a_finished_search_can_go_on_with_more_trials(searched):
    folder, _ = searched
    before = Run(folder / "runs" / "first").trials
    done = raynas("resume", "runs/first", "--trials", 8, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["trials"]["asked"] == 8
    after = Run(folder / "runs" / "first").trials
    assert after[:6] == before
    assert raynas("resume", "runs/first", "--trials", 2, cwd=folder).returncode == 2


def started(folder, *extra):
    """A search in the background, and its run, once it has two results."""
    process = subprocess.Popen(
        [*COMMAND, "search", *SMALL, "--trials", "10", "--epochs", "3", *extra], cwd=folder, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    run = folder / "runs" / "first"
    for _ in range(600):
        time.sleep(0.1)
        assert process.poll() is None, process.communicate()
        try:
            if sum(t.status != RUNNING for t in Run(run).trials) >= 2:
                return process, run
        except RaynasError:
            continue
    raise AssertionError(process.communicate())


def gone(session):
    """Whether no process of a session is left."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            return False
    return True


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_it_says_how_to_go_on(tmp_path, number, code):
    process, run = started(tmp_path)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "raynas resume runs/first" in err.splitlines()[-1]
    assert Run(run).state == "stopped"
    for trial in Run(run).trials:  # what runs is checkpointed: no epoch will be trained twice
        if trial.status == RUNNING and trial.measurements:
            _, meta = checkpoint.read(run / "checkpoints" / f"{trial.id:05d}" / "state.safetensors")
            assert len(meta["measurements"]) >= len(trial.measurements)
    assert gone(process.pid)


def test_killed_it_goes_on_with_nothing_lost(tmp_path):
    process, run = started(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    before = {t.id: t for t in Run(run).trials if t.status != RUNNING}
    assert Run(run).state == "stopped"
    done = raynas("resume", "runs/first", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["trials"]["asked"] == 10
    assert told["trials"]["running"] == 0
    after = Run(run).trials
    assert [t.id for t in after] == list(range(1, 11))
    assert {t.id: t for t in after if t.id in before} == before
    assert all([m.budget for m in t.measurements] == sorted({m.budget for m in t.measurements}) for t in after)


def test_a_damaged_record_is_recovered_and_said_so(tmp_path):
    """The log of a search that was killed loses its second half: what is lost is told, and made good."""
    process, run = started(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    log = run / "ledger.sqlite-wal"
    log.write_bytes(log.read_bytes()[: log.stat().st_size // 2])
    shown = raynas("show", "runs/first", cwd=tmp_path)
    assert shown.returncode == 3
    assert "is damaged: it had" in shown.stderr
    assert "`raynas resume` keeps those" in shown.stderr
    done = raynas("resume", "runs/first", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "was damaged (it had" in done.stdout + done.stderr
    assert (run / "ledger.damaged-1" / "ledger.sqlite-wal").is_file()
    trials = Run(run).trials
    assert [t.id for t in trials] == list(range(1, 11))
    assert RUNNING not in {t.status for t in trials}
