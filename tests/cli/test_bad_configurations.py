"""Bad settings of every part, made by hand: each is refused in one line that names the field, the value and the fix."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
import test_bad_input
from refusals import refused

from raynas.cli.build import Choices

# PART NAME: what --set makes of it. Each is refused, and the error names field and value.
BY_HAND = {
    "space cells": "layers=0 layers=-1 layers=2.5 layers=1001 layers=1e9 layers=true layers=null layers=[3] layers={} "
    "width=0 width=wide width=-8 width=1.5 width=99999999999 stem=0 stem=none imagenet=yes imagenet=1 auxiliary=0 "
    'drop_path=1 drop_path=-0.1 drop_path=1.5 drop_path=high ops=[] ops=skip ops=["none"] ops=[1] ops=[["a"]] '
    'ops=["skip_connect","skip_connect"] nodes=0 nodes=5000 nodes="two"',
    "space chain": "min_layers=0 min_layers=7 min_layers=x max_layers=1 max_layers=5000 widths=[] widths=[0] "
    'widths=[8,8] widths=8 widths=["a"] branches=0 branches=2000 skips=perhaps ops=["conv"]',
    "space mlp": "min_layers=9 max_layers=0 widths=[1.5] widths=[-1] rates=[1] rates=[-0.5] rates=[] "
    'activations=["relux"] norms=["batch"] shapes=["cone"] residual=2',
    "space conv1d": "min_blocks=6 max_blocks=1 kernels=[2] kernels=[] dilations=[0] rates=[2]",
    "space residual": "stages=0 stages=33 factors=[0] factors=[-1] factors=[] depths=[0] depths=[9999] "
    "kernels=[4] ratios=[0]",
    "space hierarchical": "motifs=[] motifs=[3] motifs=[0,1] nodes=[3] nodes=[1,4] stages=99 repeats=0 width=0",
    "space mobile": 'multipliers=[] multipliers=[0] stem=0 divisor=0 dropout=1 activation=relu9 gate=open eps=0 '
    'stages=[1] stages=[{"type":"MobileStage"}] stages=[{"type":"MobileStage","widht":8}] stages=[2]',
    "space nasnet": "blocks=0 blocks=9999 layers=0 concat=3",
    "space nasbench101": "vertices=2 vertices=8 modules=0 width=1",
    "space nasbench201": "width=0 repeats=0 repeats=1.5",
    "space nats_size": "channels=[] channels=[0] channels=[8,8] repeats=0",
    "space transformer": "patches=[0] widths=[] heads=[0] ratios=[-1] depths=[0] head_width=0 class_token=maybe",
    "space large_scale": "max_length=0 max_filter=0 image_channels=0 image_channels=99 min_lr=0 min_lr=2 max_lr=0 "
    "tune_lr=1",
    "space skip_chain": "min_layers=9 heights=[2] filters=[0] strides=[0]",
    "space inception": "stages=0 width=0",
    "strategy evolution": "population=0 population=ten tournament=0 tournament=999 at_once=-1",
    "strategy genetic": "crossover=2 crossover=half leaves=best tournament=0",
    "strategy auto": "levels=[] levels=[1] levels=[[3,1],[1,1]] levels=[[1,0]] levels=[[1]] warm=-1 warm=999999 pool=0 "
    "search=random",
    "strategy bananas": "initial=0 members=1 explore=-1 learning_rate=0 epochs=0 hidden=0",
    "strategy ridge": "initial=0 top=0 bags=0 history=1 penalty=0 explore=-1",
    "strategy reinforce": "learning_rate=0 learning_rate=fast entropy=-1 decay=1 failure=-1",
    "strategy controller": "hidden=0 layers=0",
    "strategy ppo": "clip=0 epochs=0 batch=0",
    "strategy local": "initial=0",
    "strategy grid": "points=0 stride=0",
    "strategy nsga2": "population=1 crossover=-1",
    "strategy optuna": "sampler=bayes initial=0 population=1",
    "strategy large_scale": "population=1",
    "strategy file": "path=nowhere.jsonl path=/ path=/dev/zero",
    "scheduler asha": "rungs=[] rungs=[0] rungs=[-1,3] rungs=[3,1] rungs=[1,1] rungs=1 rungs=all eta=1 eta=0 eta=x",
    "estimator train": "epochs=0 epochs=many batch_size=1 batch_size=0 optimizer=adam lr=0 lr=-1 lr=high momentum=1 "
    "weight_decay=-1 schedule=step warmup_epochs=99 label_smoothing=1 clip=-1 auxiliary=-1 amp=on crop=-1 flip=1 "
    "cutout=-2 data=digits",
    "data digits": "seed=x seed=0.5 seed=99999999999999999999",
    "data folder": "size=0 size=99999 size=big channels=2 channels=x val_fraction=0 val_fraction=1 val_fraction=x "
    "test_fraction=-1 test_fraction=1 seed=x",
    "data fashion-mnist": "train_size=0 train_size=5 train_size=x val_size=0 val_size=60000 val_size=none "
    "download=maybe",
}  # fmt: skip

HAND_MADE = [(part, field) for part, fields in BY_HAND.items() for field in fields.split()]


@pytest.mark.parametrize(("part", "text"), HAND_MADE, ids=[f"{part}.{text[:40]}" for part, text in HAND_MADE])
def test_refused_by_name_and_value(part, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kind, name = part.split()
    where = {"data_dir": str(tmp_path)} if kind == "data" and name != "digits" else {}
    started = time.perf_counter()
    line = refused(Choices(**{kind: name}, **where, settings=(f"{kind}.{text}",)))
    assert time.perf_counter() - started < 20  # as there is nothing to wait for
    field, value = text.split("=", 1)
    assert field in line
    told = line.replace(" ", "").replace("'", '"').replace("(", "[").replace(")", "]").replace(",]", "]")
    assert value.lower().strip('"')[:20] in told.lower() or _number(value) in told, line
    assert any(word in line for word in ("must", "known:", "did you mean", "need", "lower", "cannot be read")), line


def _number(value: str) -> str:
    """How Python tells the value, where it is JSON."""
    try:
        return repr(json.loads(value)).replace(" ", "").replace("'", '"')
    except ValueError:
        return value


def test_there_are_more_than_two_hundred_by_hand():
    commands = [tuple(arguments) for arguments, _ in test_bad_input.BAD.values()]
    assert len({*HAND_MADE}) + len({*commands}) >= 250


# Whole processes: what a person sees, and how long it takes.
PROCESSES = [
    ["--space", "cels"],
    ["--set", "space.layers=1000000000"],
    ["--set", "space.layers=" + "[" * 2000],
    ["--trials", "9" * 400],
    ["--name", "../up"],
    ["--name", "first\n"],
    ["--data", "folder", "--data-dir", "x" * 300],
    ["--storage", "a\nb"],
    ["\n.py"],
    ["--address", "ray://user:secret@127.0.0.1:1"],
]


@pytest.mark.parametrize("arguments", PROCESSES, ids=lambda a: repr(a)[:40])
def test_a_process_of_its_own_refuses_without_a_traceback(arguments, tmp_path):
    command = [sys.executable, "-X", "importtime", "-m", "raynas.cli.main", "search", *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    lines = done.stderr.splitlines()
    said = [line for line in lines if not line.startswith("import time:")]
    assert (done.returncode, done.stdout) == (2, "")
    assert len(said) == 1
    assert said[0].startswith("raynas: ")
    imported = {line.rsplit("|", 1)[-1].strip() for line in lines if line.startswith("import time:")}
    assert not {"ray", "torch"} & imported
    assert not any(tmp_path.iterdir())
