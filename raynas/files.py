"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""Errors that are no fault of what was written: it will work when there is room again."""


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file so that a crash at any moment, power cuts included, leaves the old one or the new one.

    Args:
        path: the file; its folder is made.
        data: all of it.

    Raises:
        OSError: the disk is full or fails; nothing of the new file is left behind.
    """
    with replacing(path) as partial:
        partial.write_bytes(data)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """The same for who writes the file himself, to the path that this gives; at the end it takes the place of `path`.

    Raises:
        OSError: as above.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes renames in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
