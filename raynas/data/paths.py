"""Paths in settings: made absolute once, refused early."""

from __future__ import annotations

from pathlib import Path

from raynas.errors import DataError


def absolute(path: str) -> str:
    """`path` as seen from here and now, with `~` resolved.

    Ray Tune runs each trial in a folder of its own, so a relative path would mean something else there.
    """
    return str(Path(path).expanduser().absolute())


def check_file(path: str) -> None:
    """Refuses a path that is no file.

    Raises:
        DataError: nothing there, or a folder.
    """
    if not Path(path).is_file():
        what = "is a folder, not a file" if Path(path).is_dir() else "does not exist"
        raise DataError(f"{path} {what}; set path= to the file that holds the images")
