from __future__ import annotations

import os
import random
import signal
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from raynas import Train
from raynas.errors import StateError
from raynas.nn import checkpoint
from raynas.nn.training import make_optimizer

TENSORS = {
    "weight": torch.randn(3, 4, 2, 2).to(memory_format=torch.channels_last),
    "half": torch.randn(7).bfloat16(),
    "step": torch.tensor(17),
    "flags": torch.tensor([True, False]),
    "empty": torch.empty(0, 3),
    "view": torch.arange(12).view(3, 4).T,
}
META = {"measurements": [[1, {"val_accuracy": 0.1}]], "key": "ab", "text": "ünï"}


@pytest.fixture
def path(tmp_path):
    checkpoint.write(tmp_path / "trial" / "state.safetensors", TENSORS, META)
    return tmp_path / "trial" / "state.safetensors"


def test_reads_what_was_written(path):
    tensors, meta = checkpoint.read(path)
    assert meta == META
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor)


def test_is_a_plain_safetensors_file(path):
    assert load_file(path).keys() == TENSORS.keys()
    assert b"pickle" not in path.read_bytes()


def test_leaves_nothing_else_behind_and_replaces_what_was_there(path):
    checkpoint.write(path, {"a": torch.zeros(1)}, {"n": 2})
    assert os.listdir(path.parent) == [path.name]
    assert checkpoint.read(path)[1] == {"n": 2}


def test_every_changed_byte_is_noticed(path):
    """Weights too, which safetensors itself does not check."""
    data, rng = path.read_bytes(), random.Random(0)
    for position in rng.sample(range(len(data)), min(300, len(data))):
        damaged = bytearray(data)
        damaged[position] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(StateError, match=r"state\.safetensors is damaged"):
            checkpoint.read(path)


def test_every_shorter_or_longer_file_is_noticed(path):
    data = path.read_bytes()
    for length in [0, 1, 7, 8, 9, 100, *range(150, len(data), 37), len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(StateError, match="is damaged"):
            checkpoint.read(path)
    path.write_bytes(data + b"\0")
    with pytest.raises(StateError):
        checkpoint.read(path)


def test_a_missing_file_is_noticed(tmp_path):
    with pytest.raises(StateError):
        checkpoint.read(tmp_path / "nothing")


def test_a_foreign_file_is_noticed(tmp_path):
    from safetensors.torch import save_file

    for meta in (None, {"json": "{}"}, {"json": "{", "crc": "0"}):
        save_file({"a": torch.zeros(1)}, tmp_path / "foreign", meta)
        with pytest.raises(StateError):
            checkpoint.read(tmp_path / "foreign")


def test_a_failure_while_writing_leaves_the_old_one(path, monkeypatch):
    def fails(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.write(path, {"a": torch.zeros(1)}, {})
    assert checkpoint.read(path)[1] == META


WRITERS = """
import os, sys
from pathlib import Path
import torch
from raynas.nn import checkpoint

def write():
    for n in range(100_000):
        checkpoint.write(Path(sys.argv[1]), {"a": torch.full((200_000,), n), "n": torch.tensor(n)}, {"n": n})
        os.write(1, b"%d\\n" % n)  # whole or not at all

torch.set_num_threads(1)
while sys.stdin.readline():  # importing torch takes seconds: each writer is a fork of this process
    writer = os.fork()
    if not writer:
        os.write(1, b"%d\\n" % os.getpid())
        write()
    os.waitpid(writer, 0)
    print("dead", flush=True)
"""


def test_a_kill_while_writing_leaves_a_whole_one(tmp_path):
    """The file is always one of those that were written: the last acknowledged one, or the one after it."""
    path, rng = tmp_path / "state.safetensors", random.Random(0)
    with subprocess.Popen(
        [sys.executable, "-c", WRITERS, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as writers:
        for _ in range(10):
            writers.stdin.write("next\n")
            writer = int(writers.stdout.readline())
            told = [writers.stdout.readline() for _ in range(rng.randrange(1, 20))]
            os.kill(writer, signal.SIGKILL)
            told += iter(writers.stdout.readline, "dead\n")
            tensors, meta = checkpoint.read(path)
            assert int(told[-1]) <= meta["n"] <= int(told[-1]) + 1
            assert (tensors["a"] == meta["n"]).all()
            assert tensors["n"] == meta["n"]


def network(last=nn.Linear):
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), last(8, 4),
    )  # fmt: skip
    return layers.to(memory_format=torch.channels_last)


def step(model, optimizer, times=3):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(16, 3, 8, 8, generator=generator).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(4, (16,), generator=generator)
    for _ in range(times):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()


@pytest.mark.parametrize(
    "recipe",
    [Train(), Train(momentum=0.0), Train(optimizer="adamw", lr=0.01)],
    ids=lambda r: f"{r.optimizer}-{r.momentum}",
)
def test_a_training_goes_on_as_if_nothing_had_happened(recipe, tmp_path):
    """Weights lie channels-last in memory, and the fused optimizers see memory: their state must lie so again."""
    model = network()
    optimizer = make_optimizer(model, recipe)
    step(model, optimizer)
    checkpoint.write(tmp_path / "state", checkpoint.training_state(model, optimizer), {})
    again = network()
    optimizer_again = make_optimizer(again, recipe)
    checkpoint.restore_training(checkpoint.read(tmp_path / "state")[0], again, optimizer_again)
    for one, other in ((model, optimizer), (again, optimizer_again)):
        step(one, other)
    state, state_again = (
        checkpoint.training_state(model, optimizer),
        checkpoint.training_state(again, optimizer_again),
    )
    assert state.keys() == state_again.keys()
    for name, tensor in state.items():
        assert torch.equal(tensor, state_again[name]), name


def test_another_network_is_refused(tmp_path):
    model = network()
    state = checkpoint.training_state(model, make_optimizer(model, Train()))
    other = network(lambda cin, cout: nn.Linear(cin, cout, bias=False))
    with pytest.raises(StateError, match="of another network"):
        checkpoint.restore_training(state, other, make_optimizer(other, Train()))
    with pytest.raises(StateError, match="of another network"):
        checkpoint.restore_model({}, model)
