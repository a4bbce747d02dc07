"""A small process beside a worker that ends it when it takes too long or too much memory.

The worker cannot do it by itself: it may hang in C code, hold Python's lock, or be stopped. The watchdog leaves a note
of why, since nobody can ask the worker any more.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

FILE = "killed.json"

# Runs apart from raynas: starting it takes 20 ms, where importing anything would take more.
_SOURCE = """
import json, os, select, signal, sys, time
worker, memory = int(sys.argv[1]), float(sys.argv[2])
page, watch, pending = os.sysconf("SC_PAGE_SIZE"), None, b""
def end(reason):
    try:
        with open(watch["note"] + ".part", "w") as file:
            json.dump({"reason": reason}, file)
        os.replace(watch["note"] + ".part", watch["note"])
    except OSError:
        pass
    try:
        os.kill(worker, signal.SIGKILL)
    finally:
        os._exit(0)
while True:
    wait = None if watch is None else max(0.0, watch["until"] - time.monotonic())
    if watch is not None and memory:
        wait = min(wait, 0.2)
    ready, _, _ = select.select([0], [], [], None if wait is None or wait > 1e6 else wait)
    if ready:
        data = os.read(0, 65536)
        if not data:
            os._exit(0)
        *lines, pending = (pending + data).split(b"\\n")
        if lines:
            watch = json.loads(lines[-1])
        continue
    if watch is None:
        continue
    if time.monotonic() >= watch["until"]:
        end(watch["late"])
    if memory:
        try:
            with open(f"/proc/{worker}/statm") as file:
                used = int(file.read().split()[1]) * page / 2**30
        except (OSError, ValueError):
            continue
        if used > memory:
            end(f"memory: the worker took {used:.2f} GiB, more than memory_gb_per_trial={memory:g}")
"""


class Watchdog:
    """Watches this process.

    Args:
        memory_gb: resident memory in GiB at which it ends this process; None: no limit (needs Linux' /proc).
    """

    def __init__(self, memory_gb: float | None = None) -> None:
        ends, begins = os.pipe()
        self._pipe = os.fdopen(begins, "wb", buffering=0)
        self._process = subprocess.Popen(  # noqa: S603 - this Python, and the source above
            [sys.executable, "-ISE", "-c", _SOURCE, str(os.getpid()), str(memory_gb or 0.0)],
            stdin=ends,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C in the terminal is not for it; it ends with this process
        )
        os.close(ends)

    def watch(self, folder: Path, seconds: float, late: str) -> None:
        """From now on for so long; until `rest`, or the next `watch`.

        Args:
            folder: where the note is left.
            seconds: after which this process is killed; may be infinite.
            late: what the note will say then.
        """
        folder.mkdir(parents=True, exist_ok=True)
        until = min(time.monotonic() + seconds, 1e12)
        self._tell({"until": until, "late": late, "note": str(folder / FILE)})

    def rest(self) -> None:
        """Nothing is watched until the next `watch`."""
        self._tell(None)

    def close(self) -> None:
        """Ends the watchdog."""
        self._pipe.close()
        self._process.wait()

    def _tell(self, what: dict[str, Any] | None) -> None:
        os.write(self._pipe.fileno(), json.dumps(what).encode() + b"\n")


def why_killed(folder: Path) -> str:
    """What a watchdog noted in a trial's folder; empty where it did not."""
    try:
        return str(json.loads((folder / FILE).read_text())["reason"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
