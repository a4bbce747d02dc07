"""The durable record of a run: the single source of truth, from which everything else can be rebuilt.

An append-only list of events in SQLite (write-ahead log, synchronous=FULL), one writer, any number of readers. Every
record carries a checksum. Graphs are stored in parts, each once, so that a trial costs its answers and its cells.

Events: `asked` (a strategy's proposal became a trial), `measured` (a reading), `ended` (how a trial ended and why),
`opened` and `closed` (a session of the search began or ended).
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import socket
import sqlite3
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any, NamedTuple

from raynas.errors import ConfigError, RaynasError, StateError, StorageError
from raynas.graph import Graph
from raynas.ops import Scalar
from raynas.records import RUNNING, Architecture, Measurement

VERSION = 1
"""Of the format; a file of a newer one is refused by name."""

FILE, LOCK = "ledger.sqlite", "ledger.lock"

_DISK = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_BUSY")
"""Errors that tell of a disk and not of a damaged file."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY, time REAL NOT NULL, kind TEXT NOT NULL, trial INTEGER, body TEXT NOT NULL,
    crc INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS parts (id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
"""


class Event(NamedTuple):
    """One record.

    Attributes:
        time: seconds since the epoch.
        kind: see the module's list.
        trial: id of the trial, if it concerns one.
        body: a JSON object.
    """

    time: float
    kind: str
    trial: int | None
    body: dict[str, Any]


@dataclass
class Recorded:
    """What the ledger says of one trial.

    Attributes:
        id, key, answers, parent: as asked.
        status, reason: how it stands.
        measurements: by rising budget.
        scores: as of the last measurement, oriented so that more is better; None for a failed trial.
        asked_at, ended_at: seconds since the epoch; `ended_at` None while it runs.
    """

    id: int
    key: str
    answers: dict[str, Scalar]
    parent: int | None
    asked_at: float
    status: str = RUNNING
    reason: str = ""
    measurements: list[Measurement] = field(default_factory=list)
    scores: tuple[float, ...] | None = None
    ended_at: float | None = None

    @property
    def budget(self) -> float:
        """Epochs spent."""
        return self.measurements[-1].budget if self.measurements else 0.0

    @property
    def metrics(self) -> Mapping[str, float]:
        """The last measurement's metrics."""
        return self.measurements[-1].metrics if self.measurements else {}

    @property
    def score(self) -> float | None:
        """The first objective's value, oriented so that more is better."""
        return self.scores[0] if self.scores else None


class Ledger:
    """An open ledger. Use `write` or `read`."""

    def __init__(self, connection: sqlite3.Connection, path: Path, lock: IO[str] | None) -> None:
        self.path = path
        self._db = connection
        self._lock = lock
        self._parts: set[str] = set()

    @classmethod
    def write(cls, folder: Path) -> Ledger:
        """Opens a folder's ledger as its one writer; makes it where there is none.

        Raises:
            ConfigError: another process is writing to it.
            StateError: it is damaged, or of a newer format.
        """
        lock = (folder / LOCK).open("a+")
        try:
            if not _locked(lock, fcntl.LOCK_EX):
                raise ConfigError(f"run {folder} is being written by {_owner(lock)}; wait for it or stop it first")
            lock.truncate(0)
            lock.write(f"process {os.getpid()} on {socket.gethostname()}")
            lock.flush()
            return cls(_open(folder / FILE, "rwc"), folder / FILE, lock)
        except BaseException:
            lock.close()
            raise

    @classmethod
    def read(cls, folder: Path) -> Ledger:
        """Opens a folder's ledger for reading, also while another process writes.

        Raises:
            ConfigError: there is none.
            StateError: it is damaged, or of a newer format.
        """
        path = folder / FILE
        if not path.is_file():
            raise ConfigError(f"{folder} is no run: it has no {FILE}")
        return cls(_open(path, "rw"), path, None)

    @staticmethod
    def writer(folder: Path) -> str | None:
        """Who is writing to a folder's ledger now, e.g. "process 42 on host"; None: nobody."""
        if not (folder / LOCK).is_file():
            return None
        with (folder / LOCK).open() as lock:
            return None if _locked(lock, fcntl.LOCK_SH) else _owner(lock)

    def append(
        self, kind: str, trial: int | None = None, body: Mapping[str, Any] | None = None, *, commit: bool = True
    ) -> None:
        """Records an event; durable when this returns, unless `commit` is False: then with the next that is.

        Raises:
            StorageError: the disk is full or fails. What was recorded before is safe.
        """
        text = json.dumps(body or {}, separators=(",", ":"), allow_nan=False)
        now = time.time()
        with self._naming_trouble():
            self._begin()
            self._db.execute(
                "INSERT INTO events (time, kind, trial, body, crc) VALUES (?, ?, ?, ?, ?)",
                (now, kind, trial, text, _crc(now, kind, trial, text)),
            )
        if commit:
            self.flush()

    def asked(self, trial: int, architecture: Architecture, parent: int | None) -> None:
        """Records a proposal with its graph; it becomes durable with the next result of any trial."""
        with self._naming_trouble():
            self._begin()
            graph = self._store(architecture.graph)
        body: dict[str, Any] = {"key": architecture.key, "answers": dict(architecture.answers), "graph": graph}
        if parent is not None:
            body["parent"] = parent
        self.append("asked", trial, body, commit=False)

    def measured(self, trial: int, measurement: Measurement, scores: tuple[float, ...] | None) -> None:
        """Records a reading; durable when this returns."""
        metrics = {name: value if math.isfinite(value) else None for name, value in measurement.metrics.items()}
        self.append("measured", trial, {"budget": measurement.budget, "metrics": metrics, "scores": scores})

    def ended(self, trial: int, status: str, reason: str) -> None:
        """Records how a trial ended; durable when this returns."""
        self.append("ended", trial, {"status": status, "reason": reason} if reason else {"status": status})

    def flush(self) -> None:
        """Makes everything recorded durable.

        Raises:
            StorageError: the disk is full or fails.
        """
        if self._db.in_transaction:
            with self._naming_trouble():
                self._db.execute("COMMIT")

    def close(self) -> None:
        """Flushes and lets the lock go."""
        try:
            self.flush()
        finally:
            self._db.close()
            if self._lock:
                self._lock.close()

    def events(self) -> Iterator[Event]:
        """All events in order.

        Raises:
            StateError: a record is damaged or missing.
        """
        expected = 0
        with self._naming_trouble():
            for seq, *row in self._db.execute("SELECT seq, time, kind, trial, body, crc FROM events ORDER BY seq"):
                expected += 1
                if seq != expected:
                    raise StateError(f"{self.path}: record {expected} is missing")
                yield self._event(*row)

    def trials(self) -> list[Recorded]:
        """All trials, by id."""
        found: dict[int, Recorded] = {}
        for when, kind, trial, body in self.events():
            if trial is None:
                continue
            if kind == "asked":
                found[trial] = Recorded(trial, body["key"], body["answers"], body.get("parent"), when)
            elif kind == "measured":
                found[trial].measurements.append(measurement_of(body))
                found[trial].scores = tuple(body["scores"]) if body["scores"] else None
            elif kind == "ended":
                record = found[trial]
                record.status, record.reason, record.ended_at = body["status"], body.get("reason", ""), when
                if record.reason:
                    record.scores = None
        return list(found.values())

    def graph(self, trial: int) -> Graph:
        """The graph of a trial.

        Raises:
            StateError: there is no such trial, or what was recorded of it is damaged.
        """
        with self._naming_trouble():
            row = self._db.execute(
                "SELECT time, kind, trial, body, crc FROM events WHERE kind = 'asked' AND trial = ?", (trial,)
            ).fetchone()
            if row is None:
                raise StateError(f"{self.path}: no trial {trial}")
            return Graph.from_json(self._resolve(self._event(*row).body["graph"]))

    def _event(self, when: float, kind: str, trial: int | None, text: str, crc: int) -> Event:
        if crc != _crc(when, kind, trial, text):
            raise StateError(f"{self.path}: a record of {f'trial {trial}' if trial else 'a session'} is damaged")
        return Event(when, kind, trial, json.loads(text))

    def _begin(self) -> None:
        if not self._db.in_transaction:
            self._db.execute("BEGIN IMMEDIATE")

    @contextmanager
    def _naming_trouble(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise _trouble(self.path, error) from error

    def _store(self, graph: Graph) -> dict[str, Any]:
        """Stores the nodes of a graph and its motifs, each list once, and tells where they are."""
        data = graph.to_json()
        text = json.dumps(data["nodes"], separators=(",", ":"))
        part = blake2b(text.encode(), digest_size=12).hexdigest()
        if part not in self._parts:
            self._db.execute("INSERT OR IGNORE INTO parts VALUES (?, ?)", (part, zlib.compress(text.encode(), 9)))
            self._parts.add(part)
        told: dict[str, Any] = {"nodes": part, "output": graph.output}
        if graph.motifs:
            told["motifs"] = {name: self._store(motif) for name, motif in graph.motifs}
        return told

    def _resolve(self, told: Mapping[str, Any]) -> dict[str, Any]:
        row = self._db.execute("SELECT body FROM parts WHERE id = ?", (told["nodes"],)).fetchone()
        try:
            text = zlib.decompress(row[0])
        except (TypeError, zlib.error):
            text = b""
        if blake2b(text, digest_size=12).hexdigest() != told["nodes"]:
            raise StateError(f"{self.path}: graph part {told['nodes']} is damaged or missing")
        motifs = {name: self._resolve(motif) for name, motif in told.get("motifs", {}).items()}
        return {"nodes": json.loads(text), "output": told["output"], "motifs": motifs}


def measurement_of(body: Mapping[str, Any]) -> Measurement:
    """The reading that a `measured` event tells."""
    metrics = {name: math.nan if value is None else value for name, value in body["metrics"].items()}
    return Measurement(body["budget"], metrics)


def _crc(when: float, kind: str, trial: int | None, text: str) -> int:
    return zlib.crc32(f"{when!r}\x1f{kind}\x1f{trial}\x1f{text}".encode())


def _open(path: Path, mode: str) -> sqlite3.Connection:
    connection = None
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise StateError(f"{path} has format {version}; this raynas reads up to {VERSION}: upgrade raynas")
        if mode == "rwc":
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version={VERSION}; COMMIT;")
    except (sqlite3.DatabaseError, StateError) as error:
        if connection is not None:
            connection.close()
        raise error if isinstance(error, StateError) else _trouble(path, error) from error
    return connection


def _trouble(path: Path, error: sqlite3.DatabaseError) -> RaynasError:
    if getattr(error, "sqlite_errorname", "").startswith(_DISK):
        return StorageError(str(path.parent), str(error))
    return StateError(f"{path} is damaged: {error}")


def _locked(lock: IO[str], how: int) -> bool:
    """Whether the lock could be taken. The kernel frees the lock of a process that died."""
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _owner(lock: IO[str]) -> str:
    lock.seek(0)
    return lock.read().strip() or "another process"
