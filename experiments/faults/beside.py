"""The same faults for plain Ray Tune and for Optuna, where they apply; the other parts tell what raynas does."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from faults.diary import entries
from faults.marked import Marked
from faults.outcome import Outcome, Progress
from faults.plain import TRIALS

PLAIN = Path(__file__).with_name("plain.py")
WAIT_S = 900.0
FINISHED = 12
"""Trials that have finished when the driver is killed."""


class Program(Marked):
    """A program of plain.py in a folder of its own."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="chaos-"))
        super().__init__(self.folder / "output")

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def begin(self, name: str) -> None:
        """Starts one."""
        self.start([sys.executable, str(PLAIN), name, str(self.folder)])

    def answer(self, name: str) -> dict[str, Any]:
        """Runs one to its end and tells its answer; `error` where it has none."""
        self.begin(name)
        assert self.process  # begun above
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(WAIT_S)
        code = self.process.poll()
        self.kill()  # what it left
        if code is None:
            return {"error": f"no end after {WAIT_S:.0f} s"}
        if code:
            return {"error": f"exit {code}: {self.said().strip().splitlines()[-1]}"}
        return dict(json.loads(self.output.read_text().strip().splitlines()[-1]))

    def finished(self) -> Counter[str]:
        """How often each trial has finished, as it noted itself."""
        return Counter(number for _, number in entries(self.folder / "diary"))

    def kill_when_finished(self, trials: int) -> None:
        """SIGKILL for all of it, once so many trials have finished."""
        until = time.monotonic() + WAIT_S
        while len(self.finished()) < trials and self.running and time.monotonic() < until:
            time.sleep(0.05)
        self.kill()


def tune_killed() -> Outcome:
    """The driver of Ray Tune gets SIGKILL, and the experiment is restored."""
    with Program() as program:
        program.begin("tune-search")
        program.kill_when_finished(FINISHED)
        before = program.finished()
        answer = program.answer("tune-restore")
        twice = sum(count - 1 for count in program.finished().values())
        told = f"{twice} of {before.total()} finished trials were trained again; restored: {answer}"
    return Outcome("plain Ray Tune: kill -9 of the driver, Tuner.restore", "1 kill", twice, told, ours=False)


def tune_cut() -> Outcome:
    """The newest state file of a finished experiment is cut in half."""
    with Program() as program:
        whole = program.answer("tune-search")
        newest = max((program.folder / "run").glob("experiment_state-*.json"), key=lambda path: path.stat().st_mtime)
        newest.write_bytes(newest.read_bytes()[: newest.stat().st_size // 2])
        answer = program.answer("tune-restore")
        lost = TRIALS - int(answer.get("results", TRIALS))
        told = f"{whole.get('results')} results before; restored: {answer}"
    return Outcome("plain Ray Tune: state file cut in half", "1", int(lost > 0), told, ours=False)


def tune_metrics() -> Outcome:
    """One trial of eight reports None, or NaN, under ASHA."""
    answers = {}
    for name in ("tune-none", "tune-nan"):
        with Program() as program:
            answers[name.removeprefix("tune-")] = program.answer(name)
    crashed = bool(answers["none"].get("ended") or answers["none"].get("error"))
    went_on = (answers["nan"].get("epochs") or 0) > 1
    told = f"None: {answers['none']}; NaN: {answers['nan']}"
    return Outcome("plain Ray Tune: a metric that is no number", "2", crashed + went_on, told, ours=False)


def tune_names() -> Outcome:
    """A name with dots."""
    with Program() as program:
        answer = program.answer("tune-name")
    return Outcome(
        "plain Ray Tune: a name with `..`", "1", int(bool(answer.get("escaped"))), json.dumps(answer), ours=False
    )


def optuna_killed() -> Outcome:
    """A study on a journal gets SIGKILL and is continued."""
    with Program() as program:
        program.begin("optuna-search")
        program.kill_when_finished(FINISHED)
        answer = program.answer("optuna-search")
        extra = program.finished().total() - TRIALS
        told = f"{extra} trainings more than asked for; at the end {answer}"
    wrong = int(answer.get("running", 0)) + TRIALS - int(answer.get("complete", 0))
    return Outcome("plain Optuna: kill -9, study continued", "1 kill", wrong, told, ours=False)


def optuna_torn() -> Outcome:
    """The last line of a journal is torn."""
    with Program() as program:
        answer = program.answer("optuna-torn")
    return Outcome("plain Optuna: torn journal", "1", int(bool(answer.get("error"))), json.dumps(answer), ours=False)


def optuna_metrics() -> Outcome:
    """NaN and None."""
    with Program() as program:
        answer = program.answer("optuna-metric")
    wrong = sum(state != "FAIL" for state in answer.values())
    return Outcome("plain Optuna: a metric that is no number", "2", wrong, json.dumps(answer), ours=False)


FAULTS: tuple[Callable[[], Outcome], ...] = (
    tune_killed,
    tune_cut,
    tune_metrics,
    tune_names,
    optuna_killed,
    optuna_torn,
    optuna_metrics,
)


def run(progress: Progress) -> list[Outcome]:
    """All of them, one after the other."""
    found = []
    for number, fault in enumerate(FAULTS):
        progress(number, len(FAULTS))
        found.append(fault())
    return found
