"""Paths in settings: made absolute once, refused early."""

from __future__ import annotations

import os
from pathlib import Path

from raynas.errors import DataError
from raynas.settings import brief

LONGEST_NAME = 255
"""Bytes of a file's name, on every file system."""


def absolute(path: str) -> str:
    """`path` as seen from here and now, with `~` resolved.

    Ray Tune runs each trial in a folder of its own, so a relative path would mean something else there.

    Raises:
        DataError: it is no path, or one that no file system can hold.
    """
    if not isinstance(path, str | os.PathLike) or "\0" in os.fspath(path):
        raise DataError(f"a path must be a text, but got {brief(path)}")
    if any(len(os.fsencode(part)) > LONGEST_NAME for part in Path(path).parts):
        raise DataError(f"no name in a path can be longer than {LONGEST_NAME} bytes, but got {brief(path)}")
    return str(Path(path).expanduser().absolute())


def check_file(path: str) -> None:
    """Refuses a path that is no file.

    Raises:
        DataError: nothing there, or a folder.
    """
    if not Path(path).is_file():
        what = "is a folder, not a file" if Path(path).is_dir() else "does not exist"
        raise DataError(f"{path} {what}; set path= to the file that holds the images")
