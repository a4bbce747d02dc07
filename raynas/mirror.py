"""A copy of a run in remote storage, kept up while it goes on: s3://, gs://, abfs://, hdfs://, file:// or a path.

The search never waits for it and never stops because of it. Each round takes a consistent snapshot of the ledger first
and stores it last, so that whatever the copy's ledger tells of is there.
"""

from __future__ import annotations

import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from pyarrow import ArrowException, fs

from raynas.errors import ConfigError, StorageError
from raynas.ledger import COUNT, FILE, LOCK

EVERY_S = 30.0
"""Seconds between two rounds."""

BACK_OFF_S = (1.0, 2.0, 5.0, 15.0, 30.0, 60.0)
"""Waits after the first, second, ... failure in a row; the last one from then on."""

SAY_EVERY_S = 60.0
"""A storage that fails is told of at most so often."""

CLOSE_S, HURRY_S = 60.0, 8.0
"""So long a search that ends waits for its last round; so long one that is interrupted does."""

_OWN = (FILE, f"{FILE}-wal", f"{FILE}-shm", LOCK, COUNT)
"""Not copied as files: the snapshot stands for them."""


def open_storage(uri: str) -> tuple[fs.FileSystem, str]:
    """The file system of a URI, and the path in it.

    Raises:
        ConfigError: nobody knows such a storage, or the URI carries a password: it would be recorded.
    """
    if "@" in urlsplit(uri).netloc:
        raise ConfigError("mirror must not carry credentials (they would be recorded): set environment variables")
    try:
        if "://" not in uri:
            return fs.LocalFileSystem(), str(Path(uri).resolve())
        system, path = fs.FileSystem.from_uri(uri)
    except (ArrowException, OSError, ValueError) as error:
        raise ConfigError(f"mirror must be a path or a URI like s3://bucket/runs, but got {uri!r}: {error}") from error
    return system, str(path)


class Mirror:
    """Copies a run's folder again and again, in a thread of its own.

    Args:
        folder: of the run.
        uri: where the copy is; the run's name is appended.
        say: told where the storage fails, and when it works again.
        storage: in the place of `open_storage(uri)`.
    """

    def __init__(
        self, folder: Path, uri: str, say: Callable[[str], None], storage: tuple[fs.FileSystem, str] | None = None
    ) -> None:
        self.folder = folder
        self.uri = uri
        self.say = say
        self.system, root = storage or open_storage(uri)
        self.root = f"{root.rstrip('/')}/{folder.resolve().name}"
        self._stored: dict[str, tuple[int, int]] = {}
        self._records = 0
        self._ending = threading.Event()
        self._given_up = threading.Event()
        self._failures, self._said = 0, -1e9
        self._thread = threading.Thread(target=self._run, name="raynas-mirror", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Makes a last round, and says so where it could not be finished in time."""
        self._ending.set()
        self._thread.join(CLOSE_S if kind is None else HURRY_S)
        if self._thread.is_alive():
            self._given_up.set()
            self.say(f"{self.uri} lacks the end of this run: resume it, or copy {self.folder} yourself")

    def _run(self) -> None:
        while not self._ending.wait(EVERY_S):
            self.round()
        self.round()

    def round(self) -> None:
        """Copies what changed since the last one."""
        if not (self.folder / FILE).exists():
            return
        with tempfile.TemporaryDirectory(prefix="raynas-mirror-") as scratch:
            snapshot = Path(scratch) / FILE
            records = _snapshot(self.folder / FILE, snapshot)
            found = dict(self._files())
            for name, state in found.items():
                if self._stored.get(name) != state and self._insist(partial(self._copy, self.folder / name, name)):
                    self._stored[name] = state
            if records > self._records and self._insist(partial(self._copy, snapshot, FILE)):
                self._records = records
            for name in self._stored.keys() - found.keys():
                if self._insist(partial(self._remove, name)):
                    del self._stored[name]

    def _files(self) -> Iterator[tuple[str, tuple[int, int]]]:
        for path in sorted(self.folder.rglob("*")):
            if path.name.startswith(".") or path.name in _OWN or not path.is_file():
                continue
            try:
                found = path.stat()
            except OSError:
                continue  # it was removed meanwhile
            yield path.relative_to(self.folder).as_posix(), (found.st_size, found.st_mtime_ns)

    def _copy(self, source: Path, name: str) -> None:
        goal = f"{self.root}/{name}"
        whole = self.system.type_name in ("s3", "gcs", "abfs")  # an object appears when it is complete
        first = goal if whole else f"{goal}.partial"
        try:
            data = source.open("rb")
        except FileNotFoundError:
            return
        with data:
            self.system.create_dir(goal.rpartition("/")[0], recursive=True)
            with self.system.open_output_stream(first) as stream:
                while block := data.read(2**20):
                    stream.write(block)
        if not whole:
            self.system.move(first, goal)

    def _remove(self, name: str) -> None:
        if self.system.get_file_info(f"{self.root}/{name}").type != fs.FileType.NotFound:
            self.system.delete_file(f"{self.root}/{name}")

    def _insist(self, action: Callable[[], None]) -> bool:
        """Tries until it works, with growing waits; False: the search is over and nobody waits any longer."""
        while not self._given_up.is_set():
            try:
                action()
            except (ArrowException, OSError) as error:
                wait = BACK_OFF_S[min(self._failures, len(BACK_OFF_S) - 1)]
                self._failures += 1
                if time.monotonic() - self._said > SAY_EVERY_S:
                    self._said = time.monotonic()
                    text = " ".join(str(error).split())[:200]
                    self.say(f"{self.uri} fails ({text}); the search goes on, and it is tried again")
                self._given_up.wait(wait)
                continue
            if self._failures:
                self._failures = 0
                self.say(f"{self.uri} works again")
            return True
        return False


def fetch(uri: str, folder: Path) -> None:
    """Copies a run from remote storage, to be resumed or looked at.

    Args:
        uri: of the run, its name included.
        folder: that must not exist.

    Raises:
        ConfigError: the folder exists, or there is no run at the URI.
        StorageError: the storage fails.
    """
    if folder.exists():
        raise ConfigError(f"{folder} exists; choose another folder, or resume it")
    system, root = open_storage(uri)
    try:
        found = system.get_file_info(fs.FileSelector(root, allow_not_found=True, recursive=True))
        names = {info.path[len(root) :].lstrip("/"): info.path for info in found if info.type == fs.FileType.File}
        if FILE not in names:
            raise ConfigError(f"{uri} is no run: it has no {FILE}")
        coming = folder.with_name(f".{folder.name}.partial")
        for name, path in names.items():
            goal = coming / name
            if not goal.resolve().is_relative_to(coming.resolve()):
                raise ConfigError(f"{uri} holds {name!r}, which is outside of a run")
            goal.parent.mkdir(parents=True, exist_ok=True)
            with system.open_input_stream(path) as stream, goal.open("wb") as file:
                while block := stream.read(2**20):
                    file.write(block)
        coming.rename(folder)
    except (ArrowException, OSError) as error:
        raise StorageError(uri, " ".join(str(error).split())) from error


def _snapshot(source: Path, goal: Path) -> int:
    """A consistent copy of a database that is being written; returns how many records it has."""
    with (
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", uri=True)) as live,
        closing(sqlite3.connect(goal)) as copy,
    ):
        live.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        return int(copy.execute("SELECT count(*) FROM events").fetchone()[0])
