"""A fault at every system call by which a search changes a file, one after the other: SIGKILL, a full disk, a bad one.

strace counts the calls of a fork of this process, each kind for itself, and strikes at the n-th of one kind. The next
fork goes on with the files that are left, until the end.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from faults.diary import again, entries, twice
from faults.kills import forked, truth
from faults.outcome import Outcome, Progress, skipped
from faults.searching import DIARY, Scenario, digest, live, record
from raynas.errors import StorageError

CALLS = "write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,ftruncate,fallocate"
"""How files are changed. The diary is written by another call."""

FAULTS = {
    "kill": "signal=KILL:when={}",
    "full": "error=ENOSPC:when={}",
    "full from then on": "error=ENOSPC:when={}+",
    "bad": "error=EIO:when={}",
    "bad from then on": "error=EIO:when={}+",
}
SCENARIO = Scenario("evolution", True, trials=30, epochs=2)
MAY_TRACE = 0x59616D61  # PR_SET_PTRACER
ATTACHED_S = 10.0


@dataclass(frozen=True)
class Struck:
    """What became of one search.

    Attributes:
        code: exit code of the struck session, or minus the signal that killed it.
        troubles: what is wrong.
    """

    code: int
    troubles: tuple[str, ...]


def traced(folder: Path, *options: str) -> int:
    """A session of the search under strace; its exit code, or minus the signal that killed it."""
    reading, writing = os.pipe()

    def act() -> None:
        os.close(writing)
        ctypes.CDLL(None).prctl(MAY_TRACE, ctypes.c_ulong(-1), 0, 0, 0)  # where a sibling may not trace otherwise
        os.read(reading, 1)
        live(SCENARIO, folder)

    child = forked(act, folder / DIARY)
    os.close(reading)
    command = ["strace", "-q", "-p", str(child), "-e", f"trace={CALLS}", *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as tracer:
        until = time.monotonic() + ATTACHED_S
        while "TracerPid:\t0\n" in Path(f"/proc/{child}/status").read_text():
            if tracer.poll() is not None or time.monotonic() > until:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                raise RuntimeError(f"strace could not attach: {tracer.stderr.read().decode() if tracer.stderr else ''}")
            time.sleep(0.002)
        with suppress(BrokenPipeError):
            os.write(writing, b"x")
        os.close(writing)
        _, status = os.waitpid(child, 0)
        tracer.communicate()
    return os.waitstatus_to_exitcode(status)


def count() -> Counter[str]:
    """How many calls of each kind a search makes that nobody disturbs."""
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    try:
        code = traced(folder, "-o", str(folder / "calls"))
        if code:
            raise RuntimeError(f"the search ended with {code} under strace: {entries(folder / DIARY)[-1:]}")
        return Counter(line.partition("(")[0] for line in (folder / "calls").read_text().splitlines() if "(" in line)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def strike(fault: str, call: str, at: int, expected: str) -> Struck:
    """A search that a fault strikes at its n-th call of a kind, and that is resumed without one."""
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    try:
        inject = f"inject={call}:{FAULTS[fault].format(at)}"
        code = traced(folder, "-o", os.devnull, "-e", inject)
        troubles = []
        killed, gave_up = -signal.SIGKILL, StorageError.exit_code
        if code not in ((killed,) if fault == "kill" else (0, gave_up)):
            troubles.append(f"it ended with {code}")
        _, status = os.waitpid(forked(lambda: live(SCENARIO, folder), folder / DIARY), 0)
        if after := os.waitstatus_to_exitcode(status):
            troubles.append(f"its resume ended with {after}")
        noted = entries(folder / DIARY)
        troubles += [" ".join(entry[1:]) for entry in noted if entry[0] == "trouble"]
        if after:
            troubles += [" ".join(entry) for entry in noted if entry[0] == "stopped"]
        troubles += [f"a needless recovery: {' '.join(entry[1:])}" for entry in noted if entry[0] == "recovered"]
        troubles += again(noted)[0] + twice(noted)
        if not after and digest(record(folder)) != expected:
            troubles.append("the record is another than without the fault")
        return Struck(code, tuple(f"{fault} at {call} {at}: {trouble}" for trouble in troubles[:3]))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(sample: int | None, workers: int, progress: Progress) -> list[Outcome]:
    """Strikes at every call.

    Args:
        sample: so many calls of each fault, drawn at random; None: all.
        workers: processes at once.
        progress: told.
    """
    promise = "a fault at every system call that changes a file"
    if not shutil.which("strace"):
        return [skipped(promise, "strace is not installed: apt-get install strace")]
    expected = truth(SCENARIO).digest
    try:
        calls = count()
    except RuntimeError as error:
        return [skipped(promise, str(error))]
    chosen = [(call, at) for call, number in calls.items() for at in range(1, number + 1)]
    if sample is not None:
        chosen = Random(0).sample(chosen, min(sample, len(chosen)))
    found: dict[str, list[Struck]] = {fault: [] for fault in FAULTS}
    with ProcessPoolExecutor(workers, multiprocessing.get_context("fork")) as pool:
        jobs = {pool.submit(strike, fault, call, at, expected): fault for fault in FAULTS for call, at in chosen}
        for done, job in enumerate(as_completed(jobs), 1):
            found[jobs[job]].append(job.result())
            progress(done, len(jobs))
    return [_outcome(fault, struck, calls.total()) for fault, struck in found.items()]


def _outcome(fault: str, struck: list[Struck], calls: int) -> Outcome:
    troubles = tuple(trouble for one in struck for trouble in one.troubles)
    wrong = sum(bool(one.troubles) for one in struck)
    runs = f"{len(struck):,} of {calls:,} calls"
    if fault == "kill":
        return Outcome("kill -9 at a system call: resumed to the same record", runs, wrong, "", troubles[:5])
    stopped = sum(one.code == StorageError.exit_code for one in struck)
    told = f"{stopped:,} stopped with exit {StorageError.exit_code}, the others went on"
    error = "disk full (ENOSPC)" if fault.startswith("full") else "disk fails (EIO)"
    which = "at one system call" if "+" not in FAULTS[fault] else "from a system call on"
    return Outcome(f"{error} {which}: resumed to the same record", runs, wrong, told, troubles[:5])
