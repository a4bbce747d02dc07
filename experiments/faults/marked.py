"""Programs that are started with a mark in their environment, so that all that they start can be found and ended."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

MARK = "CHAOS_MARK"


class Marked:
    """A program, and every process that it starts. No other process is touched."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.mark = uuid4().hex
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Starts it; what it says is appended to `output`."""
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                env={**os.environ, **(environment or {}), MARK: self.mark},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return self.process

    @property
    def running(self) -> bool:
        """Whether the program itself still runs."""
        return self.process is not None and self.process.poll() is None

    def processes(self) -> Iterator[tuple[int, str]]:
        """All of its processes, and their command lines."""
        wanted = f"{MARK}={self.mark}".encode()
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdigit() and wanted in (entry / "environ").read_bytes().split(b"\0"):
                    yield (
                        int(entry.name),
                        (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"),
                    )

    def kill(self) -> None:
        """SIGKILL for the program, and after it for whatever else it has started."""
        if self.process:
            self.process.kill()
            self.process.wait()
        while left := list(self.processes()):
            for number, _ in left:
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
            time.sleep(0.2)

    def said(self) -> str:
        """The end of what it said."""
        return self.output.read_text(errors="replace")[-1500:] if self.output.exists() else ""
