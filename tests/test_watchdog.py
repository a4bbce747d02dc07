"""A process that hangs is killed, however it hangs; one that works is left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from raynas.crashes import why_crashed
from raynas.watchdog import why_killed

WATCHED = """
import ctypes, os, signal, sys, time
from pathlib import Path
from raynas.watchdog import Watchdog
folder = Path(sys.argv[1])
dog = Watchdog(memory_gb=0.5)
dog.watch(folder, {seconds}, "timeout: too long")
{body}
"""

HANGS = {
    "a loop": "while True: pass",
    "asleep": "time.sleep(1e6)",
    "in C with Python's lock": "ctypes.PyDLL(None).sleep(1000)",
    "stopped": "os.kill(os.getpid(), signal.SIGSTOP)",
    "deaf": "[signal.signal(s, signal.SIG_IGN) for s in (2, 14, 15)]; time.sleep(1e6)",
}


def watched(folder, body, seconds=0.3):
    code = WATCHED.format(body=body, seconds=seconds)
    return subprocess.run([sys.executable, "-c", code, str(folder)], timeout=60, check=False).returncode


@pytest.mark.parametrize("body", HANGS.values(), ids=HANGS)
def test_whatever_hangs_is_killed_and_a_note_says_why(tmp_path, body):
    assert watched(tmp_path, body) == -signal.SIGKILL
    assert why_killed(tmp_path) == "timeout: too long"


def test_too_much_memory(tmp_path):
    body = "held = bytearray(2**30)\nfor i in range(0, 2**30, 4096): held[i] = 1\ntime.sleep(1e6)"
    assert watched(tmp_path, body, seconds=50) == -signal.SIGKILL
    assert "memory: the worker took" in why_killed(tmp_path)
    assert "memory_gb_per_trial=0.5" in why_killed(tmp_path)


def test_who_works_is_left_alone(tmp_path):
    body = """
for _ in range(4):
    dog.watch(folder, 0.5, "no")
    time.sleep(0.2)
dog.rest()
time.sleep(1)
dog.watch(folder, float("inf"), "no")
time.sleep(0.5)
dog.close()
"""
    assert watched(tmp_path, body) == 0
    assert why_killed(tmp_path) == ""


def test_it_ends_with_its_process(tmp_path):
    body = "print(dog._process.pid, flush=True)\ndog.watch(folder, 1000, 'no')\nos.kill(os.getpid(), signal.SIGKILL)"
    code = WATCHED.format(body=body, seconds=100)
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    number = int(done.stdout)
    for _ in range(100):
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            break
        time.sleep(0.1)
    else:
        pytest.fail("the watchdog outlived its process")
    assert why_killed(tmp_path) == ""


CRASHING = """
import ctypes, os, sys
from pathlib import Path
from raynas.crashes import CrashFile
file = CrashFile()
file.open(Path(sys.argv[1]))
{body}
"""


@pytest.mark.parametrize(
    ("body", "reason"),
    [("ctypes.string_at(0)", "crash: Segmentation fault (__init__.py:"), ("os.abort()", "crash: Aborted (<string>:7)")],
    ids=["segmentation fault", "abort"],
)
def test_crashes_leave_their_place(tmp_path, body, reason):
    code = CRASHING.format(body=body)
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode < 0
    told, trace = why_crashed(tmp_path)
    assert told.startswith(reason)
    assert "most recent call first" in trace


def test_no_crash_no_words(tmp_path):
    code = CRASHING.format(body="file.close()")
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 0
    assert why_crashed(tmp_path) == ("", "")
    assert not list(tmp_path.iterdir())
