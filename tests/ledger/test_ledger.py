from __future__ import annotations

import math
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from random import Random

import pytest
from recording import SPACE, read, record

from raynas import spaces
from raynas.errors import ConfigError, StateError, StorageError
from raynas.ledger import FILE, VERSION, Event, Ledger
from raynas.records import FAILED, FINISHED, RUNNING, Architecture, Measurement
from raynas.spaces.decide import sample


@pytest.fixture
def ledger(tmp_path):
    opened = Ledger.write(tmp_path)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    """A folder with the closed ledger of 30 trials."""
    folder = tmp_path_factory.mktemp("intact")
    ledger = Ledger.write(folder)
    record(ledger, 30)
    ledger.close()
    return folder


class TestContents:
    def test_a_trial_reads_as_it_was_written(self, ledger, tmp_path):
        architecture = sample(SPACE, Random(0))
        before = time.time()
        ledger.asked(1, architecture, None)
        ledger.asked(2, architecture, 1)
        ledger.measured(1, Measurement(1, {"val_accuracy": 0.5}), (0.5,))
        ledger.measured(1, Measurement(2, {"val_accuracy": 0.75}), (0.75,))
        ledger.ended(1, FINISHED, "")
        first, second = ledger.trials()
        assert (first.id, first.key, first.answers) == (1, architecture.key, architecture.answers)
        assert (first.status, first.reason, first.parent, second.parent) == (FINISHED, "", None, 1)
        assert first.measurements == [Measurement(1, {"val_accuracy": 0.5}), Measurement(2, {"val_accuracy": 0.75})]
        assert (first.score, first.scores, first.budget, first.metrics) == (0.75, (0.75,), 2, {"val_accuracy": 0.75})
        assert before <= first.asked_at <= first.ended_at <= time.time()
        assert (second.status, second.score, second.budget, second.metrics, second.ended_at) == (
            RUNNING, None, 0, {}, None,
        )  # fmt: skip

    def test_a_failed_trial_has_a_reason_and_no_score(self, ledger):
        ledger.asked(1, sample(SPACE, Random(0)), None)
        ledger.measured(1, Measurement(1, {"val_accuracy": 0.5}), (0.5,))
        ledger.ended(1, FAILED, "epoch 2: ValueError: no")
        [trial] = ledger.trials()
        assert (trial.status, trial.reason, trial.score) == (FAILED, "epoch 2: ValueError: no", None)

    @pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
    def test_what_is_not_finite_reads_as_nan_and_the_file_stays_strict_json(self, ledger, bad):
        ledger.asked(1, sample(SPACE, Random(0)), None)
        ledger.measured(1, Measurement(1, {"val_loss": bad, "val_accuracy": 0.1}), None)
        [trial] = ledger.trials()
        assert math.isnan(trial.metrics["val_loss"])
        assert (trial.metrics["val_accuracy"], trial.scores) == (0.1, None)
        *_, event = ledger.events()
        assert event.body["metrics"]["val_loss"] is None

    def test_numbers_come_back_exactly(self, ledger):
        values = {str(i): v for i, v in enumerate([0.1, 1e308, 5e-324, -0.0, 1 / 3, 2**53 + 1])}
        ledger.asked(1, sample(SPACE, Random(0)), None)
        ledger.measured(1, Measurement(1, values), (0.1,))
        assert ledger.trials()[0].metrics == values

    def test_sessions_are_events_of_no_trial(self, ledger):
        ledger.append("opened", body={"process": 1})
        ledger.append("closed", body={"state": "stopped"})
        assert [(e.kind, e.trial, e.body) for e in ledger.events()] == [
            ("opened", None, {"process": 1}),
            ("closed", None, {"state": "stopped"}),
        ]
        assert ledger.trials() == []

    @pytest.mark.parametrize(
        "space", [SPACE, spaces.darts(), spaces.cells(layers=1), spaces.chain()], ids=lambda s: s.name
    )
    def test_graphs_come_back(self, ledger, space):
        for trial, architecture in enumerate(record(ledger, 20, space, epochs=0), 1):
            graph = ledger.graph(trial)
            assert graph == architecture.graph
            assert graph.key == architecture.key

    def test_a_part_is_stored_once(self, tmp_path):
        ledger = Ledger.write(tmp_path)
        architecture = sample(SPACE, Random(0))
        for trial in range(1, 11):
            ledger.asked(trial, architecture, None)
        ledger.close()
        database = sqlite3.connect(tmp_path / FILE)
        assert database.execute("SELECT count(*) FROM parts").fetchone() == (
            3,
        )  # the skeleton, the cell, the reduction
        database.close()
        again = Ledger.write(tmp_path)
        again.asked(11, architecture, None)
        assert again.graph(11) == architecture.graph
        again.close()

    @pytest.mark.parametrize(("space", "limit"), [(SPACE, 1024), (spaces.darts(), 2048)], ids=["nasbench201", "darts"])
    def test_a_trial_costs_at_most_two_kilobytes(self, tmp_path, space, limit):
        """R37; its measurements come on top."""
        sizes = []
        for trials in (100, 400):
            (folder := tmp_path / str(trials)).mkdir()
            ledger = Ledger.write(folder)
            ledger._db.execute("PRAGMA synchronous=OFF")
            record(ledger, trials, space, epochs=0)
            ledger.close()
            sizes.append((folder / FILE).stat().st_size)
        each = (sizes[1] - sizes[0]) / 300
        print(f"{each:.0f} bytes a trial")
        assert each <= limit

    def test_no_such_trial(self, ledger):
        with pytest.raises(StateError, match="no trial 7"):
            ledger.graph(7)


class TestDurability:
    def test_asked_becomes_durable_with_the_next_result_of_any_trial(self, ledger, tmp_path):
        for trial in (1, 2):
            ledger.asked(trial, sample(SPACE, Random(trial)), None)
        assert read(tmp_path)[0] == []
        ledger.measured(1, Measurement(1, {"val_accuracy": 0.5}), (0.5,))
        assert [e.kind for e in read(tmp_path)[0]] == ["asked", "asked", "measured"]

    def test_a_commit_waits_for_the_disk(self, ledger):
        """Readers never wait, and what is acknowledged survives a power cut: SQLite's WAL, synced at each commit."""
        assert ledger._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert ledger._db.execute("PRAGMA synchronous").fetchone() == (2,)

    def test_flush_and_close_make_all_durable(self, tmp_path):
        for expected in (1, 2):
            ledger = Ledger.write(tmp_path)
            ledger.asked(expected, sample(SPACE, Random(expected)), None)
            if expected == 1:
                ledger.flush()
                assert len(read(tmp_path)[0]) == 1
            ledger.close()
            assert len(read(tmp_path)[0]) == expected

    def test_nothing_acknowledged_is_lost_to_kill_9(self, tmp_path):
        """R1, R2: a process appends and tells what was acknowledged; it is killed at a random moment, twenty times."""
        rng, acknowledged = random.Random(0), 0
        with subprocess.Popen(
            [sys.executable, "-c", WRITERS, tmp_path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        ) as writers:
            for _ in range(20):
                writers.stdin.write("next\n")
                writer = int(writers.stdout.readline())
                threading.Timer(rng.uniform(0.01, 0.15), os.kill, (writer, signal.SIGKILL)).start()
                while (line := writers.stdout.readline()) != "dead\n":
                    acknowledged = int(line)
                ledger = Ledger.read(tmp_path)
                trials = ledger.trials()
                ledger.close()
                assert [t.id for t in trials] == list(range(1, len(trials) + 1))
                assert len(trials) >= acknowledged
                assert all(t.status == FINISHED and len(t.measurements) == 1 for t in trials[:acknowledged])
        assert acknowledged > 100

    def test_a_full_disk_is_named_and_costs_nothing_that_was_recorded(self, tmp_path):
        ledger = Ledger.write(tmp_path)
        ledger._db.execute("PRAGMA max_page_count=20")
        recorded = []

        def fill():
            for number in range(1000):
                ledger.append("opened", body={"text": "x" * 500})
                recorded.append(number)

        with pytest.raises(StorageError, match="database or disk is full; make room"):
            fill()
        ledger._db.execute("PRAGMA max_page_count=1000")
        ledger.append("closed")
        ledger.close()
        assert [e.kind for e in read(tmp_path)[0]] == ["opened"] * len(recorded) + ["closed"]


WRITERS = """
import os, sys
from pathlib import Path
from random import Random
from raynas.ledger import Ledger
from raynas.records import Measurement
from raynas.spaces import NasBench201, sample

def write(architecture):
    ledger = Ledger.write(Path(sys.argv[1]))
    done = ledger.trials()
    for record in done:
        if record.status == "running":
            if not record.measurements:
                ledger.measured(record.id, Measurement(1, {"a": 0.5}), (0.5,))
            ledger.ended(record.id, "finished", "")
    for trial in range(len(done) + 1, 100_000):
        ledger.asked(trial, architecture, None)
        ledger.measured(trial, Measurement(1, {"a": 0.5}), (0.5,))
        ledger.ended(trial, "finished", "")
        os.write(1, b"%d\\n" % trial)  # whole or not at all

architecture = sample(NasBench201(), Random(0))
while sys.stdin.readline():  # imports take longer than writing: each writer is a fork of this process
    writer = os.fork()
    if not writer:
        os.write(1, b"%d\\n" % os.getpid())
        write(architecture)
    os.waitpid(writer, 0)
    print("dead", flush=True)
"""


class TestOneWriter:
    def test_a_second_writer_is_refused_and_told_who_the_first_is(self, ledger, tmp_path):
        for _ in range(2):
            with pytest.raises(ConfigError, match=rf"is being written by process {os.getpid()} on \S+; wait for it"):
                Ledger.write(tmp_path)
        assert Ledger.writer(tmp_path).startswith(f"process {os.getpid()} on ")
        ledger.append("opened")

    def test_nobody_writes_to_a_closed_ledger(self, tmp_path):
        assert Ledger.writer(tmp_path) is None
        Ledger.write(tmp_path).close()
        assert Ledger.writer(tmp_path) is None
        Ledger.write(tmp_path).close()

    def test_the_lock_of_a_dead_process_is_taken_over(self, tmp_path):
        code = "import sys, time; from pathlib import Path; from raynas.ledger import Ledger; "
        code += "ledger = Ledger.write(Path(sys.argv[1])); print(flush=True); time.sleep(60)"
        with subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE) as holder:
            holder.stdout.readline()
            assert Ledger.writer(tmp_path).startswith(f"process {holder.pid} on ")
            with pytest.raises(ConfigError, match=f"process {holder.pid} "):
                Ledger.write(tmp_path)
            holder.kill()
        assert Ledger.writer(tmp_path) is None
        Ledger.write(tmp_path).close()

    def test_others_read_while_one_writes(self, ledger, tmp_path):
        """Each reader sees a prefix that only grows, and never holds the writer up."""
        seen, stop = [], threading.Event()

        def watch():
            while not stop.is_set():
                seen.append(len(read(tmp_path)[0]))

        reader = threading.Thread(target=watch)
        reader.start()
        record(ledger, 60)
        stop.set()
        reader.join()
        assert seen == sorted(seen)
        assert len(read(tmp_path)[0]) == 60 * 4


class TestDamage:
    def test_a_changed_byte_is_noticed_wherever_it_matters(self, intact, tmp_path):
        """R11: 200 random bytes; what is read is what was written, or a StateError."""
        whole, rng, noticed = read(intact), random.Random(0), 0
        data = (intact / FILE).read_bytes()
        for _ in range(200):
            damaged = bytearray(data)
            damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            (tmp_path / FILE).write_bytes(damaged)
            try:
                assert read(tmp_path) == whole
            except StateError:
                noticed += 1
        assert noticed > 100  # the rest is free space

    def test_a_shortened_file_is_noticed(self, intact, tmp_path):
        whole, rng = read(intact), random.Random(0)
        data = (intact / FILE).read_bytes()
        for length in [0, 1, 99, 100, 4096, len(data) // 2, len(data) - 4096, *rng.sample(range(len(data)), 50)]:
            (tmp_path / FILE).write_bytes(data[:length])
            try:
                assert read(tmp_path) == whole  # a cut through free space at the end
                assert length > len(data) - 4096
            except StateError:
                pass

    def test_a_writer_notices_too(self, intact, tmp_path):
        (tmp_path / FILE).write_bytes(b"x" * 5000)
        with pytest.raises(StateError, match="is damaged"):
            Ledger.write(tmp_path)
        assert Ledger.writer(tmp_path) is None  # the lock was let go

    def test_a_damaged_log_of_a_killed_writer_leaves_a_prefix(self, tmp_path):
        """What SQLite cannot tell from a commit that never happened is dropped, and nothing after it is made up."""
        ledger = Ledger.write(tmp_path)
        record(ledger, 10)
        whole = list(ledger.events())
        log = (tmp_path / f"{FILE}-wal").read_bytes()
        rng = random.Random(0)
        for number in range(30):
            (folder := tmp_path / str(number)).mkdir()
            shutil.copy(tmp_path / FILE, folder)
            damaged = bytearray(log)
            damaged[rng.randrange(len(log))] ^= 1 << rng.randrange(8)
            (folder / f"{FILE}-wal").write_bytes(damaged)
            try:
                events = read(folder)[0]
                assert events == whole[: len(events)]
            except StateError:
                pass
        ledger.close()

    @pytest.mark.parametrize(
        "change",
        [
            "DELETE FROM events WHERE seq = 7",
            "UPDATE events SET body = '{}' WHERE seq = 7",
            "UPDATE events SET time = time + 1 WHERE seq = 7",
            "UPDATE events SET trial = 1 WHERE seq = 7",
            "UPDATE events SET kind = 'ended' WHERE seq = 7",
            "UPDATE events SET body = x'00' WHERE seq = 7",
            "DROP TABLE events",
        ],
    )
    def test_a_changed_record_is_noticed(self, intact, tmp_path, change):
        shutil.copy(intact / FILE, tmp_path)
        database = sqlite3.connect(tmp_path / FILE, isolation_level=None)
        database.execute(change)
        database.close()
        with pytest.raises(StateError):
            read(tmp_path)

    @pytest.mark.parametrize("change", ["DELETE FROM parts", "UPDATE parts SET body = '[]'", "DROP TABLE parts"])
    def test_a_changed_graph_is_noticed(self, intact, tmp_path, change):
        shutil.copy(intact / FILE, tmp_path)
        database = sqlite3.connect(tmp_path / FILE, isolation_level=None)
        database.execute(change)
        database.close()
        ledger = Ledger.read(tmp_path)
        assert len(ledger.trials()) == 30
        with pytest.raises(StateError):
            ledger.graph(1)
        ledger.close()

    def test_a_newer_format_is_refused_by_name(self, intact, tmp_path):
        shutil.copy(intact / FILE, tmp_path)
        database = sqlite3.connect(tmp_path / FILE)
        database.execute(f"PRAGMA user_version={VERSION + 1}")
        database.close()
        for way in (Ledger.read, Ledger.write):
            with pytest.raises(
                StateError, match=f"has format {VERSION + 1}; this raynas reads up to {VERSION}: upgrade"
            ):
                way(tmp_path)
        assert Ledger.writer(tmp_path) is None

    def test_a_folder_without_a_ledger_is_no_run(self, tmp_path):
        with pytest.raises(ConfigError, match=r"is no run: it has no ledger\.sqlite"):
            Ledger.read(tmp_path)


def test_names_of_folders_need_no_escaping(tmp_path):
    (folder := tmp_path / "a?mode=memory#b %41").mkdir()
    Ledger.write(folder).close()
    assert (folder / FILE).is_file()
    assert read(folder)[0] == []


def test_ten_thousand_trials(tmp_path):
    """R37: what a run leaves is read at once, and the file stays small."""
    ledger = Ledger.write(tmp_path)
    ledger._db.execute("PRAGMA synchronous=OFF")
    architecture = sample(SPACE, Random(0))
    for trial in range(1, 10_001):
        ledger.asked(trial, Architecture("s", {"number": trial}, architecture.graph, {}), None)
        ledger.append("measured", trial, {"budget": 1, "metrics": {"a": 0.5}, "scores": [0.5]}, commit=False)
        ledger.append("ended", trial, {"status": FINISHED}, commit=False)
    ledger.close()
    trials = Ledger.read(tmp_path)
    assert [t.id for t in trials.trials()] == list(range(1, 10_001))
    trials.close()


def test_events_are_plain_values(ledger):
    ledger.append("opened", body={"process": 1})
    [event] = ledger.events()
    assert event == Event(event.time, "opened", None, {"process": 1})
