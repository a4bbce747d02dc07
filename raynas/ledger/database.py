"""The files of a ledger: its database, the lock of its one writer, and a count of what was committed."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import zlib
from pathlib import Path
from typing import IO

from raynas.errors import RaynasError, StateError, StorageError

VERSION = 1
"""Of the format; a file of a newer one is refused by name."""

FILE, LOCK, COUNT = "ledger.sqlite", "ledger.lock", "ledger.count"

LOGS = (f"{FILE}-wal", f"{FILE}-shm")
"""What SQLite keeps beside a database that is open, or whose writer was killed."""

_DISK = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_BUSY")
"""Errors that tell of a disk and not of a damaged file."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY, time REAL NOT NULL, kind TEXT NOT NULL, trial INTEGER, body TEXT NOT NULL,
    crc INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS parts (id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
"""


def open_database(path: Path, mode: str, *, damaged: bool = False) -> sqlite3.Connection:
    """Opens a ledger's database.

    Args:
        path: the file.
        mode: "ro" to read and leave all files as they are, also a log that a killed writer left; "rw"; or "rwc" to make
            its tables where there are none and to commit durably.
        damaged: also one that was cut: SQLite refuses every page of a file that is shorter than its header says.

    Raises:
        StateError: it is damaged, or of a newer format.
        StorageError: the disk is full or fails.
    """
    connection = None
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None)
        if damaged:
            connection.execute("PRAGMA writable_schema=ON")  # lifts that check, and nothing is written
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise NewerFormat(f"{path} has format {version}; this raynas reads up to {VERSION}: upgrade raynas")
        connection.execute("PRAGMA trusted_schema=OFF")
        kinds = dict(connection.execute("SELECT name, type FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"))
        if not kinds.items() <= {("events", "table"), ("parts", "table")}:
            raise StateError(f"{path} is damaged: it is no ledger")
        if mode == "rwc":
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version={VERSION}; COMMIT;")
    except (sqlite3.DatabaseError, StateError) as error:
        if connection is not None:
            connection.close()
        raise error if isinstance(error, StateError) else trouble(path, error) from error
    return connection


class NewerFormat(StateError):
    """The file was written by a newer raynas."""


def trouble(path: Path, error: sqlite3.DatabaseError) -> RaynasError:
    """An error of SQLite, told as one of the disk or as damage."""
    if getattr(error, "sqlite_errorname", "").startswith(_DISK):
        return StorageError(str(path.parent), str(error))
    return StateError(f"{path} is damaged: {error}")


def locked(lock: IO[str], how: int) -> bool:
    """Whether the lock could be taken. The kernel frees the lock of a process that died."""
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def owner(lock: IO[str]) -> str:
    """Who holds it."""
    lock.seek(0)
    return lock.read().strip() or "another process"


class Counter:
    """How many records were committed, in a file of its own that is never waited for.

    SQLite takes a write-ahead log that ends early, or is gone, for one that was never written. The count tells.
    """

    def __init__(self, folder: Path) -> None:
        self._descriptor = os.open(folder / COUNT, os.O_RDWR | os.O_CREAT, 0o644)

    def tell(self, count: int) -> None:
        """Notes so many records; they are committed already."""
        text = b"%020d" % count
        os.pwrite(self._descriptor, b"%s %08x\n" % (text, zlib.crc32(text)), 0)

    def close(self) -> None:
        """Lets the file go."""
        os.close(self._descriptor)


def counted(folder: Path) -> int:
    """How many records were committed at least; 0 where nothing tells."""
    try:
        text, crc = (folder / COUNT).read_bytes().split()
        return int(text) if int(crc, 16) == zlib.crc32(text) else 0
    except (OSError, ValueError):
        return 0
