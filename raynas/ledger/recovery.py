"""What is done about a damaged ledger: its longest whole part is kept, and nothing is dropped silently."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

from raynas.errors import StateError
from raynas.files import sync_folder
from raynas.ledger.database import COUNT, FILE, LOGS, NewerFormat, counted, open_database, trouble
from raynas.ledger.events import checksum

SPARE = "ledger.recovered"
"""A recovered database that is complete, but not yet in its place."""


NO_TABLES = "it has no tables"


def recover(folder: Path) -> str:
    """Makes a folder's ledger whole. To be called by its one writer, before it is opened.

    Returns:
        What was dropped, in one sentence; empty where the ledger is whole or was never there.

    Raises:
        StateError: nothing of it can be read, or it is of a newer format.
        StorageError: the disk is full or fails.
    """
    path, least = folder / FILE, counted(folder)
    if not path.exists() and (folder / SPARE).exists():
        kept = _install(folder, {})  # a recovery was cut short between its last two steps
        return f"{path} was damaged; its recovery is finished, the damaged files are in {kept}"
    if not path.exists():
        if least:
            raise StateError(f"{path} is missing, though {least} records were written to it: bring it back from a copy")
        return ""
    logs = {name: (folder / name).read_bytes() for name in LOGS if (folder / name).exists()}  # gone once it is closed
    whole, why = _examine(path)
    if whole < least and not why:
        why = f"it had {least} records, but holds {whole}"
    if not why:
        return ""
    if not whole and not least and why == NO_TABLES:
        return ""  # its first writer was killed before it wrote anything
    if not whole:
        raise StateError(f"{path} is damaged: {why}; no record can be read: bring it back from a copy")
    _copy(path, folder / SPARE, whole)
    kept = _install(folder, logs)
    lost = f"at least {least - whole} after them are lost" if least > whole else "any after them are lost"
    return f"{path} was damaged ({why}): {whole} records are kept, {lost}; the damaged files are in {kept}"


def _examine(path: Path) -> tuple[int, str]:
    """How many records from the first on are whole, and what is wrong with the file, if anything."""
    whole = 0
    try:
        with closing(open_database(path, "rw", damaged=True)) as database:
            if database.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
                return 0, NO_TABLES
            for seq, *row in _rows(database, -1):
                if seq != whole + 1:
                    return whole, f"record {whole + 1} is missing"
                if row[-1] != checksum(*row[:-1]):
                    return whole, f"record {seq} is damaged"
                whole += 1
            if not all(_is_part(*part) for part in database.execute("SELECT id, body FROM parts")):
                return whole, "a graph is damaged"
            told = str(database.execute("PRAGMA quick_check(1)").fetchone()[0])
            return whole, "" if told == "ok" else told
    except NewerFormat:
        raise
    except (StateError, sqlite3.DatabaseError) as error:
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(trouble(path, error), StateError):
            raise trouble(path, error) from error
        return whole, str(error).removeprefix(f"{path} is damaged: ")


def _rows(database: sqlite3.Connection, limit: int) -> Iterator[tuple[Any, ...]]:
    yield from database.execute("SELECT seq, time, kind, trial, body, crc FROM events ORDER BY seq LIMIT ?", (limit,))


def _is_part(part: str, body: bytes) -> bool:
    with suppress(zlib.error, TypeError):
        return blake2b(zlib.decompress(body), digest_size=12).hexdigest() == part
    return False


def _copy(path: Path, spare: Path, whole: int) -> None:
    """Writes the first `whole` records, and the graphs that can be read, to a database of its own."""
    partial = spare.with_name(f".{spare.name}.partial")
    for stale in (spare, partial, *(partial.with_name(partial.name + end) for end in ("-wal", "-shm"))):
        stale.unlink(missing_ok=True)
    with closing(open_database(path, "rw", damaged=True)) as old, closing(open_database(partial, "rwc")) as new:
        new.execute("BEGIN")
        new.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", _rows(old, whole))
        with suppress(sqlite3.DatabaseError):  # the search draws graphs again that are missing
            for part in old.execute("SELECT id, body FROM parts"):
                if _is_part(*part):
                    new.execute("INSERT OR IGNORE INTO parts VALUES (?, ?)", part)
        new.execute("COMMIT")
        new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    partial.replace(spare)
    sync_folder(spare.parent)


def _install(folder: Path, logs: Mapping[str, bytes]) -> Path:
    """Moves the damaged files into a folder of their own and puts the recovered one in their place."""
    number = 1
    while (kept := folder / f"ledger.damaged-{number}").exists():
        number += 1
    kept.mkdir()
    for name, data in logs.items():
        (kept / name).write_bytes(data)
    for name in (FILE, *LOGS, COUNT):
        source, goal = folder / name, kept / name
        if source.exists() and not goal.exists():
            source.rename(goal)
        source.unlink(missing_ok=True)
    (folder / SPARE).rename(folder / FILE)
    sync_folder(folder)
    return kept
