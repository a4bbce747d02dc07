"""R39: a remote storage that is slow, fails at random or refuses everything never stops a search and loses nothing."""

from __future__ import annotations

import random
import time

import pyarrow.fs as fs
import pytest
from recording import record

from raynas import mirror
from raynas.errors import ConfigError
from raynas.ledger import FILE, Ledger
from raynas.mirror import Mirror, fetch, open_storage


class Flaky(fs.FileSystemHandler):
    """A local file system that fails as it is told."""

    def __init__(self, fails):
        self.local = fs.LocalFileSystem()
        self.fails = fails
        self.calls = 0

    def __getattribute__(self, name):
        value = object.__getattribute__(self, name)
        if name not in ("create_dir", "open_output_stream", "move", "delete_file", "get_file_info"):
            return value
        self.calls += 1
        error = self.fails(self.calls)
        if error:
            raise error
        return value

    def get_type_name(self):
        return "flaky"

    def create_dir(self, path, recursive):
        self.local.create_dir(path, recursive=recursive)

    def open_output_stream(self, path, metadata):
        return self.local.open_output_stream(path)

    def move(self, source, goal):
        self.local.move(source, goal)

    def delete_file(self, path):
        self.local.delete_file(path)

    def get_file_info(self, paths):
        return self.local.get_file_info(paths)

    def no(self, *arguments):
        raise NotImplementedError

    copy_file = delete_dir = delete_dir_contents = delete_root_dir_contents = get_file_info_selector = no
    normalize_path = open_append_stream = open_input_file = open_input_stream = no


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "runs" / "first"
    (folder / "checkpoints" / "00001").mkdir(parents=True)
    (folder / "checkpoints" / "00001" / "state.safetensors").write_bytes(b"weights" * 1000)
    (folder / "search.json").write_text("{}")
    ledger = Ledger.write(folder)
    record(ledger, 5)
    yield folder, ledger
    ledger.close()


def told(folder):
    ledger = Ledger.read(folder)
    try:
        return list(ledger.events())
    finally:
        ledger.close()


def flaky(tmp_path, fails):
    return fs.PyFileSystem(Flaky(fails)), str(tmp_path / "far")


def test_a_copy_comes_back_whole(run, tmp_path):
    folder, ledger = run
    with Mirror(folder, str(tmp_path / "far"), print):
        pass
    ledger.flush()
    fetch(str(tmp_path / "far" / "first"), tmp_path / "back")
    assert told(tmp_path / "back") == told(folder)
    state = "checkpoints/00001/state.safetensors"
    assert (tmp_path / "back" / state).read_bytes() == (folder / state).read_bytes()


def test_rounds_follow_the_run(run, tmp_path):
    folder, ledger = run
    copy = Mirror(folder, str(tmp_path / "far"), print)
    copy.round()
    far = tmp_path / "far" / "first"
    (folder / "checkpoints" / "00001" / "state.safetensors").unlink()
    (folder / "new.txt").write_text("new")
    ledger.append("noted", None, {"text": "more"})
    copy.round()
    assert (far / "new.txt").read_text() == "new"
    assert not (far / "checkpoints" / "00001" / "state.safetensors").exists()
    assert told(far) == told(folder)
    assert not list(far.rglob("*.partial"))


def test_twenty_percent_of_all_calls_fail(run, tmp_path, monkeypatch):
    monkeypatch.setattr(mirror, "BACK_OFF_S", (0.0,))
    folder, _ = run
    said, rng = [], random.Random(0)
    storage = flaky(tmp_path, lambda call: OSError("503 slow down") if rng.random() < 0.2 else None)
    for number in range(30):
        (folder / f"file{number}").write_text(str(number))
    Mirror(folder, "s3://bucket", said.append, storage).round()
    assert told(tmp_path / "far" / "first") == told(folder)
    assert all((tmp_path / "far" / "first" / f"file{n}").read_text() == str(n) for n in range(30))
    assert "s3://bucket fails (503 slow down); the search goes on, and it is tried again" in said
    assert "s3://bucket works again" in said


def test_a_storage_that_refuses_everything_is_told_of_and_waited_for_no_longer_than_said(run, tmp_path, monkeypatch):
    monkeypatch.setattr(mirror, "HURRY_S", 0.5)
    folder, _ = run
    said = []
    began = time.monotonic()
    copy = Mirror(folder, "s3://bucket", said.append, flaky(tmp_path, lambda call: PermissionError("403")))
    copy.__enter__()
    time.sleep(0.1)
    copy.__exit__(KeyboardInterrupt)
    assert time.monotonic() - began < 30
    assert [text.partition(" ")[2][:5] for text in said] == ["fails", "lacks"]


def test_repaired_storage_gets_all(run, tmp_path, monkeypatch):
    monkeypatch.setattr(mirror, "BACK_OFF_S", (0.0,))
    folder, _ = run
    copy = Mirror(folder, "x", print, flaky(tmp_path, lambda call: PermissionError("403") if call < 50 else None))
    copy.round()
    assert told(tmp_path / "far" / "first") == told(folder)


@pytest.mark.parametrize(
    ("uri", "says"),
    [("s3://key:secret@bucket/runs", "must not carry credentials"), ("nowhere://x", "must be a path or a URI")],
)
def test_bad_addresses(uri, says):
    with pytest.raises(ConfigError, match=says) as error:
        open_storage(uri)
    assert "secret" not in str(error.value)


def test_what_is_no_run_is_not_fetched(tmp_path):
    (tmp_path / "empty").mkdir()
    for uri in ("empty", "missing"):
        with pytest.raises(ConfigError, match=rf"is no run: it has no {FILE}"):
            fetch(str(tmp_path / uri), tmp_path / "back")
    with pytest.raises(ConfigError, match="exists"):
        fetch(str(tmp_path / "empty"), tmp_path / "empty")
