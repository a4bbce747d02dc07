"""Whatever a trial does, the search goes on and says what happened (R21, R25, R28), on a real Ray."""

from __future__ import annotations

import ctypes
import dataclasses
import json
import os
import signal
import sqlite3
import sys
import time
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import exploding
import pytest
import ray
from exploding import CRASHES, KINDS, PHASES, QUICK, Exploding
from fakes import Fake, Logging
from test_run import SPACE, lines, search

import raynas
from raynas.errors import AllTrialsFailed, RaynasWarning, StorageError
from raynas.ledger import Ledger
from raynas.outcome import Outcome
from raynas.records import FAILED, FINISHED, RUNNING, Measurement
from raynas.spaces.decide import replay

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]


@pytest.fixture(autouse=True)
def travelling(ray_session):
    ray.cloudpickle.register_pickle_by_value(exploding)
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])


def check_all_kinds(tmp_path, kinds):
    """A search with a trial for each kind in each phase; all end, each with its reason."""
    estimator = Exploding(kinds=tuple(kinds))
    bad = len(PHASES) * len(kinds)
    trials = bad + (bad - 1) // 7
    run = search(tmp_path, estimator, trials=trials, concurrency=4).run()
    assert len(run.trials) == trials
    seen = Counter()
    for trial in run.trials:
        phase, kind = estimator.case(trial.id)
        if phase is None:
            assert trial.status == FINISHED
            continue
        seen[phase, kind] += 1
        assert trial.status == FAILED, (phase, kind)
        words = {"segmentation fault": "crash: Segmentation fault", "os._exit": "worker: ", "IndexError": "IndexError"}
        # An exhausted iterator inside a generator, or inside what iterates over metrics, is told by another name.
        expected = "StopIteration" if kind == "StopIteration" else words.get(kind, kind)
        if kind == "os._exit":
            assert "worker: " in trial.reason
        elif kind != "OSError":
            assert expected in trial.reason, (phase, kind, trial.reason)
        else:
            assert "FileNotFoundError" in trial.reason
    assert set(seen) == {(phase, kind) for phase in PHASES for kind in kinds}
    ledger = Ledger.read(tmp_path / "run")
    traces = [e for e in ledger.events() if e.kind == "ended" and e.body.get("reason") and "traceback" in e.body]
    ledger.close()
    assert len(traces) >= len(PHASES) * len([k for k in kinds if k != "os._exit"])


def test_every_exception_in_every_phase_is_a_recorded_value(tmp_path):
    check_all_kinds(tmp_path, QUICK)


@pytest.mark.long
def test_every_crash_in_every_phase_is_one_too(tmp_path):
    check_all_kinds(tmp_path, CRASHES)


def test_twenty_kinds():
    assert len(KINDS) * len(PHASES) == 140


@dataclass(frozen=True)
class Hanging(Fake):
    """Trials 1 to 4 hang in epoch 2, each in its way."""

    def act(self, architecture, context, epoch):
        if epoch != 2:
            return
        match context.trial % 6:
            case 1:
                while True:
                    pass
            case 2:
                time.sleep(1e6)
            case 3:
                ctypes.PyDLL(None).sleep(1000)
            case 4:
                os.kill(os.getpid(), signal.SIGSTOP)


def test_hung_trials_are_killed_and_others_take_their_place(tmp_path):
    run = search(tmp_path, Hanging(), trials=6, epoch_timeout_s=2.0).run()
    reasons = {t.id: t.reason for t in run.trials}
    assert reasons == {i: "timeout: epoch 2 took more than 2 s" if i < 5 else "" for i in range(1, 7)}


def test_a_trial_that_takes_too_long_as_a_whole(tmp_path):
    with pytest.raises(AllTrialsFailed, match="2 trials failed, and no other ended"):
        search(tmp_path, Fake(epochs=1000, seconds=0.1), trials=2, trial_timeout_s=3.0).run()
    trials = raynas.Run(tmp_path / "run").trials
    assert [t.reason for t in trials] == ["timeout: the trial took more than 3 s"] * 2
    assert all(len(t.measurements) > 1 for t in trials)


@dataclass(frozen=True)
class Resuming(Fake):
    """Keeps a checkpoint and a diary, and its worker is killed in trial 1 again and again, each time an epoch later."""

    diary: str = ""

    def estimate(self, architecture, context):
        state = Path(context.folder) / "epochs"
        state.parent.mkdir(exist_ok=True, parents=True)
        done = int(state.read_text()) if state.exists() else 0
        for epoch in range(1, self.epochs + 1):
            if epoch > done:
                with open(self.diary, "a") as file:
                    file.write(f"{context.trial} {epoch}\n")
                time.sleep(1.1 if context.trial == 1 else 0)  # so long that the reading is reported by itself
                state.write_text(str(epoch))
            yield Measurement(epoch, {"val_accuracy": 0.1 * epoch})
            if context.trial == 1 and done < epoch < 7:
                os.kill(os.getpid(), signal.SIGKILL)


def test_deaths_with_progress_between_them_never_count(tmp_path):
    """Six workers die under trial 1, twice as many as a trial that gets no further may lose."""
    diary = tmp_path / "diary"
    run = search(tmp_path, Resuming(epochs=8, diary=str(diary)), trials=2).run()
    assert [t.status for t in run.trials] == [FINISHED, FINISHED]
    assert [m.budget for m in run.trials[0].measurements] == list(range(1, 9))
    assert sorted(lines(diary)) == sorted([str(t), str(e)] for t in (1, 2) for e in range(1, 9))


def test_set_up_that_fails_ends_the_search_at_once(tmp_path):
    class Untravelled(Fake):
        def __reduce__(self):
            return (__import__, ("no_such_module_anywhere",))

    with pytest.raises(
        AllTrialsFailed, match="could not begin: setup: ModuleNotFoundError: No module named"
    ) as failure:
        search(tmp_path, Untravelled(), trials=30).run()
    assert len(raynas.Run(tmp_path / "run").trials) <= 2
    assert "creation task" in failure.value.traceback


class Full(Fake):
    def act(self, architecture, context, epoch):
        if context.trial == 3 and epoch == 2 and not Path(context.folder, "room").exists():
            raise OSError(28, "No space left on device")


def test_a_full_disk_in_a_worker_is_no_fault_of_the_trial(tmp_path):
    made = search(tmp_path, Full(), trials=5, concurrency=1)
    with pytest.raises(StorageError, match="No space left on device"):
        made.run()
    trials = raynas.Run(tmp_path / "run").trials
    assert [t.status for t in trials] == [FINISHED, FINISHED, RUNNING]
    room = tmp_path / "run" / "checkpoints" / "00003" / "room"
    room.parent.mkdir(parents=True, exist_ok=True)
    room.touch()
    run = made.resume()
    assert [t.status for t in run.trials] == [FINISHED] * 5


def test_a_run_that_grows_too_large_stops_and_resumes_with_more_room(tmp_path, monkeypatch):
    monkeypatch.setattr("raynas.checkpoints.LOOK_EVERY_S", 0.0)

    class Large(Fake):
        def act(self, architecture, context, epoch):
            folder = Path(context.folder)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "weights").write_bytes(bytes(2**20))

    made = search(tmp_path, Large(), trials=4, disk_gb=0.0001)
    with pytest.raises(StorageError, match="more than disk_gb=0.0001"):
        made.run()
    run = dataclasses.replace(made, disk_gb=1.0).resume()
    assert len(run.trials) == 4


def test_what_a_worker_warns_of_is_recorded(tmp_path):
    class Warning_(Fake):
        def act(self, architecture, context, epoch):
            if context.trial == 2 and epoch == 1:
                warnings.warn("trial 2 is trained anew", RaynasWarning, stacklevel=1)
            warnings.warn("something of no concern", UserWarning, stacklevel=1)

    search(tmp_path, Warning_(), trials=3).run()
    ledger = Ledger.read(tmp_path / "run")
    notes = [(e.trial, e.body["text"]) for e in ledger.events() if e.kind == "noted"]
    ledger.close()
    assert notes == [(2, "trial 2 is trained anew")]


def test_a_result_that_its_driver_never_heard_is_taken_in(tmp_path):
    """The worker finished trial 2 and kept the outcome; the driver died before the report came."""
    diary = tmp_path / "diary"
    made = search(tmp_path, Logging(log=str(diary)), trials=4, concurrency=1)
    whole = {t.id: (t.status, t.measurements, t.score) for t in made.run().trials}
    run = tmp_path / "run"
    database = sqlite3.connect(run / "ledger.sqlite", isolation_level=None)
    cut = database.execute("SELECT min(seq) FROM events WHERE trial = 2 AND kind = 'measured'").fetchone()[0]
    database.execute("DELETE FROM events WHERE seq >= ?", (cut,))
    (answers,) = database.execute("SELECT body FROM events WHERE trial = 2").fetchone()
    database.close()
    (run / "ledger.count").unlink()
    second = replay(SPACE, json.loads(answers)["answers"])
    Outcome(second.identity, whole[2][1], full=True).write(run / "checkpoints" / "00002")
    diary.unlink()
    again = made.resume()
    assert {t.id: (t.status, t.measurements, t.score) for t in again.trials} == whole
    assert {line[0] for line in lines(diary)} == {"3", "4"}
