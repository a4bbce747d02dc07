"""Every hostile file is refused by name, within 10 s and 512 MB; none is run, and nothing is written elsewhere."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import hostile
import pytest

MOST_S, MOST_BYTES = 10, 512 * 2**20

# What reads each kind, in a process of its own whose memory is measured. Python, torch and pyarrow come before.
READERS = {
    "weights": (hostile.WEIGHTS, "model.safetensors", "raynas.nn.checkpoint.read(path)"),
    "ledger": (hostile.LEDGERS, "ledger.sqlite", "raynas.ledger.Ledger.read(path.parent).trials()"),
    "settings": (hostile.SETTINGS, "search.json", "raynas.Run(path.parent)"),
    "resumed": (
        hostile.SETTINGS,
        "search.json",
        "raynas.cli.build.remake_search(path.parent)",
    ),
    "network": (
        hostile.SETTINGS,
        "architecture.json",
        "raynas.estimators.winner.open_model(path.parent)",
    ),
    "image": (
        hostile.IMAGES,
        "image.png",
        "raynas.data.decode.decode(path, size=32, channels=3, place='image.png')",
    ),
    "npz": (hostile.ARCHIVES, "images.npz", "raynas.data.npz(str(path)).load()"),
    "parquet": (
        hostile.TABLES,
        "images.parquet",
        "raynas.data.parquet(str(path), split=None, size=8).load()",
    ),
}
CASES = [(kind, name) for kind, (corpus, _, _) in READERS.items() for name in corpus if "extension" not in name]

PROGRAM = """
import json, os, resource, sys, time
from pathlib import Path
import numpy, PIL.Image, pyarrow.parquet, torch, raynas, raynas.cli.build, raynas.nn.checkpoint
import raynas.data.decode, raynas.ledger, raynas.estimators.winner
from raynas.errors import RaynasError
if "ray.data" in sys.argv:
    import ray.data
PIL.Image.preinit()

def told(name):
    line = next(l for l in Path("/proc/self/status").read_text().splitlines() if l.startswith(name))
    return int(line.split()[1]) * 1024

def act(path, program):
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
    Path("/proc/self/clear_refs").write_text("5")
    before, started, said = told("VmRSS"), time.monotonic(), None
    try:
        exec(program)
    except RaynasError as error:
        said = [type(error).__name__, str(error), error.exit_code]
    print(json.dumps([said, time.monotonic() - started, told("VmHWM") - before]), flush=True)

print("ready", flush=True)
for line in sys.stdin:
    path, program = json.loads(line)
    child = os.fork()
    if not child:
        try:
            act(Path(path), program)
        except BaseException as error:
            print(json.dumps([["traceback", repr(error), 1], 0, 0]), flush=True)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if status:
        print(json.dumps([["killed", str(status), 1], 0, 0]), flush=True)
"""
"""Imports everything, then forks for each line that it reads: imports take longer than any of the files."""


class Reader:
    """A process that tries programs on files, each in a child of its own."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout.readline() == "ready\n"

    def attempt(self, kind: str, content: bytes, folder: Path) -> tuple[list, float, int]:
        """What was said (the error's name, text and exit code), seconds, and bytes of memory."""
        _, file, program = READERS[kind]
        (folder / file).write_bytes(content)
        before = sorted(folder.parent.rglob("*"))
        self.process.stdin.write(json.dumps([str(folder / file), program]) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert sorted(folder.parent.rglob("*")) == before, "something was written"
        return answer

    def close(self) -> None:
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(60)


@pytest.fixture(scope="module")
def reader():
    made = Reader()
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def check(folder: Path, said: list, seconds: float, grown: int) -> None:
    assert not (folder.parent / "canary").exists()
    assert said, "it was accepted"
    assert said[2] in (2, 3), said
    assert len(said[1].splitlines()) == 1
    assert len(said[1]) < 2000
    assert seconds < MOST_S
    assert grown < MOST_BYTES


@pytest.mark.parametrize(("kind", "name"), CASES, ids=[f"{kind}: {name}" for kind, name in CASES])
def test_refused_by_name(reader, kind, name, folder):
    check(folder, *reader.attempt(kind, READERS[kind][0][name](folder), folder))


@pytest.mark.parametrize("arguments", [(), ("ray.data",)], ids=["without Ray Data", "with Ray Data"])
def test_extension_types_of_arrow_are_not_made(arguments, folder):
    """They are told by metadata that older readers unpickle. Here the column is the bytes that it is."""
    reader = Reader(*arguments)
    names = [name for name in hostile.TABLES if "extension" in name]
    answers = [reader.attempt("parquet", hostile.TABLES[name](folder), folder) for name in names]
    reader.close()
    assert not (folder.parent / "canary").exists()
    for said, seconds, grown in answers:
        assert said is None or said[2] in (2, 3), said
        assert seconds < MOST_S
        assert grown < MOST_BYTES
    assert len(names) == 3


def test_the_canary_sings(tmp_path):
    """The pickles are what they seem: a reader that unpickles would be caught."""
    pickle.loads(hostile.pickled(tmp_path / "in"))
    assert (tmp_path / "canary").exists()
