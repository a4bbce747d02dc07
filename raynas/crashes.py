"""The last words of a worker that crashes in C code: a segmentation fault, an abort, a bad instruction.

Python's `faulthandler` writes where it happened into the trial's folder, so that the trial fails with a reason instead
of being tried again and again.
"""

from __future__ import annotations

import faulthandler
import re
from pathlib import Path
from typing import IO

FILE = "crash.txt"


class CrashFile:
    """Where this process would write its last words."""

    def __init__(self) -> None:
        self._file: IO[str] | None = None

    def open(self, folder: Path) -> None:
        """From now on in this folder."""
        self.close()
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / FILE).open("w")
        faulthandler.enable(self._file, all_threads=False)

    def close(self) -> None:
        """No more; the file is removed."""
        if self._file:
            faulthandler.disable()
            self._file.close()
            Path(self._file.name).unlink(missing_ok=True)
            self._file = None


def why_crashed(folder: Path) -> tuple[str, str]:
    """The reason and the traceback that a worker left in a trial's folder; empty where it left none."""
    try:
        text = (folder / FILE).read_text(errors="replace")
    except OSError:
        return "", ""
    fault = re.search(r"^Fatal Python error: (.+)$", text, re.MULTILINE)
    where = re.search(r'^  File "([^"]+)", line (\d+)', text, re.MULTILINE)
    if not fault:
        return "", ""
    place = f" ({where[1].rpartition('/')[2]}:{where[2]})" if where else ""
    return f"crash: {fault[1]}{place}", text
