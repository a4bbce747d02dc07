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
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any

from raynas.errors import ConfigError, StateError, StorageError
from raynas.graph import Graph
from raynas.ledger.database import FILE, LOCK, LOGS, Counter, counted, locked, open_database, owner, trouble
from raynas.ledger.events import Event, Recorded, checksum, measurement_of
from raynas.ledger.recovery import recover
from raynas.records import Architecture, Measurement

TRACEBACK = 4000
"""So many characters of a traceback are kept, from its end."""


LARGEST = 2**26
"""Bytes of a graph's part."""


class Ledger:
    """An open ledger. Use `write` or `read`.

    Attributes:
        path: of the database.
        recovery: what was lost where the ledger was damaged, in one sentence for the person; else empty.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, lock: IO[str] | None, recovery: str = "") -> None:
        self.path = path
        self.recovery = recovery
        self._db = connection
        self._lock = lock
        self._parts: set[str] = set()
        self._last: int | None = None
        self._counter = Counter(path.parent) if lock else None
        self._least = 0 if lock else counted(path.parent)

    @classmethod
    def write(cls, folder: Path) -> Ledger:
        """Opens a folder's ledger as its one writer; makes it where there is none.

        Of a damaged one, the longest part that is whole is kept, the damaged files stay beside it, and `recovery` says
        what was dropped.

        Raises:
            ConfigError: another process is writing to it.
            StateError: nothing of it can be read, or it is of a newer format.
            StorageError: the disk is full or fails.
        """
        try:
            lock = (folder / LOCK).open("a+")
        except OSError as error:
            raise StorageError(str(folder), str(error)) from error
        try:
            if not locked(lock, fcntl.LOCK_EX):
                raise ConfigError(f"run {folder} is being written by {owner(lock)}; wait for it or stop it first")
            lock.truncate(0)
            lock.write(f"process {os.getpid()} on {socket.gethostname()}")
            lock.flush()
            recovery = recover(folder)
            return cls(open_database(folder / FILE, "rwc"), folder / FILE, lock, recovery)
        except BaseException as error:
            with suppress(OSError):  # it may still hold what it could not write
                lock.close()
            if isinstance(error, OSError):
                raise StorageError(str(folder), str(error)) from error
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
        # Who closes a database last puts its log away: the log of a killed writer is left to the one that recovers it.
        mode = "ro" if (folder / LOGS[0]).exists() else "rw"
        return cls(open_database(path, mode), path, None)

    @staticmethod
    def writer(folder: Path) -> str | None:
        """Who is writing to a folder's ledger now, e.g. "process 42 on host"; None: nobody."""
        if not (folder / LOCK).is_file():
            return None
        with (folder / LOCK).open() as lock:
            return None if locked(lock, fcntl.LOCK_SH) else owner(lock)

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
            self._last = self._db.execute(
                "INSERT INTO events (time, kind, trial, body, crc) VALUES (?, ?, ?, ?, ?)",
                (now, kind, trial, text, checksum(now, kind, trial, text)),
            ).lastrowid
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

    def ended(self, trial: int, status: str, reason: str, traceback: str = "") -> None:
        """Records how a trial ended; durable when this returns."""
        body = {"status": status, "reason": reason, "traceback": traceback[-TRACEBACK:]}
        self.append("ended", trial, {name: text for name, text in body.items() if text})

    def keep(self, graph: Graph) -> None:
        """Stores a graph that may be missing after a recovery; durable with the next record."""
        with self._naming_trouble():
            self._begin()
            self._store(graph)

    def flush(self) -> None:
        """Makes everything recorded durable.

        Raises:
            StorageError: the disk is full or fails.
        """
        if self._db.in_transaction:
            with self._naming_trouble():
                self._db.execute("COMMIT")
                if self._counter and self._last:
                    self._counter.tell(self._last)

    def close(self) -> None:
        """Flushes and lets the lock go."""
        try:
            self.flush()
        finally:
            self._db.close()
            if self._counter:
                self._counter.close()
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
        if expected < self._least:
            raise StateError(
                f"{self.path} is damaged: it had {self._least} records, but {expected} can be read; "
                "`raynas resume` keeps those"
            )

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
        if crc != checksum(when, kind, trial, text):
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
            raise trouble(self.path, error) from error
        except OSError as error:
            raise StorageError(str(self.path.parent), str(error)) from error

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
            text = zlib.decompressobj().decompress(row[0], LARGEST)  # what is longer fails its checksum
        except (TypeError, zlib.error):
            text = b""
        if blake2b(text, digest_size=12).hexdigest() != told["nodes"]:
            raise StateError(f"{self.path}: graph part {told['nodes']} is damaged or missing")
        motifs = {name: self._resolve(motif) for name, motif in told.get("motifs", {}).items()}
        return {"nodes": json.loads(text), "output": told["output"], "motifs": motifs}
