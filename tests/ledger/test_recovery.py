"""What happens to damaged ledgers: the longest whole part is kept, and nothing is dropped silently."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from recording import SPACE, read, record

from raynas.errors import StateError
from raynas.ledger import COUNT, FILE, Ledger
from raynas.ledger.recovery import SPARE
from raynas.spaces import sample

LOG = f"{FILE}-wal"

KILLED = """
import os, signal, sys
from pathlib import Path
from raynas.ledger import Ledger
from recording import SPACE, read, record
ledger = Ledger.write(Path(sys.argv[1]))
record(ledger, 20)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("closed")
    ledger = Ledger.write(folder)
    record(ledger, 20)
    ledger.close()
    return folder


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Its last records are in the write-ahead log alone."""
    folder = tmp_path_factory.mktemp("killed")
    path = str(Path(__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder)], env={**os.environ, "PYTHONPATH": path})
    assert done.returncode == -signal.SIGKILL
    assert (folder / LOG).stat().st_size > 0
    return folder


def copy(folder, to):
    shutil.copytree(folder, to)
    return to


def opened(folder):
    """(sentence, events) of a ledger opened for writing."""
    ledger = Ledger.write(folder)
    try:
        return ledger.recovery, list(ledger.events())
    finally:
        ledger.close()


def test_a_whole_one_is_left_alone(closed, killed, tmp_path):
    for folder in (closed, killed):
        told, events = opened(copy(folder, tmp_path / folder.name))
        assert told == ""
        assert len(events) == 20 * 4
        assert not list((tmp_path / folder.name).glob("ledger.damaged*"))


@pytest.mark.parametrize("name", ["closed", "killed"])
def test_whatever_is_damaged_a_prefix_is_kept_and_said_so(name, tmp_path, request):
    """R11: bits, cuts, zeroed pages and missing files."""
    source = request.getfixturevalue(name)
    truth = opened(copy(source, tmp_path / "whole"))[1]
    rng, outcomes = random.Random(0), {"untouched": 0, "recovered": 0, "refused": 0}
    files = [n for n in (FILE, LOG) if (source / n).exists()]
    for number in range(120):
        folder = copy(source, tmp_path / str(number))
        path = folder / rng.choice(files)
        data = bytearray(path.read_bytes())
        match number % 4:
            case 0:
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            case 1:
                del data[rng.randrange(len(data)) :]
            case 2:
                page = rng.randrange(len(data) // 4096 + 1) * 4096
                data[page : page + 4096] = bytes(len(data[page : page + 4096]))
            case 3:
                data[rng.randrange(len(data)) :] = rng.randbytes(100)
        path.write_bytes(data)
        before = path.read_bytes()
        try:
            told, events = opened(folder)
        except StateError:
            outcomes["refused"] += 1
            continue
        assert events == truth[: len(events)]
        if told:
            assert f"{len(events)} records are kept" in told
            (kept,) = folder.glob("ledger.damaged-1")
            assert (kept / path.name).read_bytes() == before
            assert opened(folder) == ("", events)  # and now it is whole
            outcomes["recovered"] += 1
        else:
            assert events == truth
            outcomes["untouched"] += 1
    assert outcomes["recovered"] > 30, outcomes
    assert outcomes["refused"] < 60, outcomes


def test_of_a_file_that_was_cut_what_is_left_is_kept(closed, tmp_path):
    folder = copy(closed, tmp_path / "run")
    data = (folder / FILE).read_bytes()
    (folder / FILE).write_bytes(data[: len(data) * 3 // 4])
    truth = opened(copy(closed, tmp_path / "whole"))[1]
    told, events = opened(folder)
    assert "was damaged" in told
    assert 0 < len(events) < len(truth)
    assert events == truth[: len(events)]


def test_a_log_that_is_gone_is_noticed(killed, tmp_path):
    folder = copy(killed, tmp_path / "run")
    (folder / LOG).unlink()
    with pytest.raises(StateError, match=r"had 80 records|no such table"):
        read(folder)


def test_a_database_that_is_gone_is_no_new_run(closed, tmp_path):
    folder = copy(closed, tmp_path / "run")
    (folder / FILE).unlink()
    with pytest.raises(StateError, match="is missing, though 80 records were written to it"):
        Ledger.write(folder)


def test_a_count_that_is_gone_or_nonsense_costs_nothing(closed, tmp_path):
    folder = copy(closed, tmp_path / "run")
    for text in (None, "", "nonsense", f"{10**19} 00000000"):
        if text is None:
            (folder / COUNT).unlink()
        else:
            (folder / COUNT).write_text(text)
        assert opened(folder)[0] == ""


@pytest.mark.parametrize("change", ["UPDATE parts SET body = x'00' WHERE id = ?", "DELETE FROM parts WHERE id != ?"])
def test_a_graph_that_is_damaged_or_gone_costs_no_record(closed, tmp_path, change):
    folder = copy(closed, tmp_path / "run")
    database = sqlite3.connect(folder / FILE, isolation_level=None)
    part = database.execute("SELECT json_extract(body, '$.graph.nodes') FROM events WHERE trial = 5").fetchone()[0]
    database.execute(change, (part,))
    database.close()
    ledger = Ledger.write(folder)
    assert len(list(ledger.events())) == 80
    rng = random.Random(0)
    drawn = [sample(SPACE, rng) for _ in range(20)]  # as `record` draws them
    for architecture in drawn:
        ledger.keep(architecture.graph)
    assert [ledger.graph(trial) for trial in range(1, 21)] == [a.graph for a in drawn]
    ledger.close()


def test_what_follows_a_recovery_is_recorded_as_ever(closed, tmp_path):
    folder = copy(closed, tmp_path / "run")
    database = sqlite3.connect(folder / FILE, isolation_level=None)
    database.execute("UPDATE events SET body = '{}' WHERE seq = 41")
    database.close()
    ledger = Ledger.write(folder)
    assert "record 41 is damaged" in ledger.recovery
    ledger.append("noted", None, {"text": ledger.recovery})
    ledger.close()
    assert [e.kind for e in opened(folder)[1]][40:] == ["noted"]


def test_a_recovery_that_was_killed_is_finished(closed, tmp_path):
    """Whatever of it was done: all moves are tried."""
    folder = copy(closed, tmp_path / "whole")
    truth = opened(folder)[1]
    cut = copy(closed, tmp_path / "cut")
    (cut / FILE).rename(cut / SPARE)  # the damaged one is moved away, the recovered one not yet in its place
    told, events = opened(cut)
    assert "its recovery is finished" in told
    assert events == truth
    early = copy(closed, tmp_path / "early")
    (early / SPARE).write_bytes(b"of a recovery that never came to its end")
    assert opened(early) == ("", truth)
