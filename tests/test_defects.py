"""The tests of reliability catch what they are there to catch: ten seeded defects, each found by a check that passes
without it.

Most checks are tests of their own, called here; a defect is a patch that makes raynas do what others do.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import test_loop
from driver import Driver
from fakes import Fake

import raynas.ledger.ledger
import raynas.search_checks
from raynas import RandomSearch, Search
from raynas.errors import ConfigError, StateError
from raynas.files import write_whole
from raynas.ledger import Ledger
from raynas.loop import Loop
from raynas.strategies.fresh import Fresh

Patch = pytest.MonkeyPatch
Check = Callable[[Path, Patch], None]


class ForgetfulDisk:
    """Remembers what was synced. After a power cut a file holds that, and nothing where nothing was."""

    def __init__(self, patch: Patch) -> None:
        self.synced: dict[int, bytes] = {}
        sync = os.fsync

        def noted(descriptor: int) -> None:
            sync(descriptor)
            path = Path(f"/proc/self/fd/{descriptor}")
            if path.is_file():
                self.synced[os.fstat(descriptor).st_ino] = path.read_bytes()

        patch.setattr(os, "fsync", noted)

    def power_cut(self, folder: Path) -> None:
        for path in folder.iterdir():
            path.write_bytes(self.synced.get(path.stat().st_ino, b""))


def survives_a_power_cut(tmp_path: Path, patch: Patch) -> None:
    disk = ForgetfulDisk(patch)
    write_whole(tmp_path / "state", b"first")
    write_whole(tmp_path / "state", b"second")
    disk.power_cut(tmp_path)
    assert (tmp_path / "state").read_bytes() == b"second"


def no_fsync(patch: Patch) -> None:
    def write(path: Path, data: bytes) -> None:
        partial = path.with_name(f".{path.name}.partial")
        partial.write_bytes(data)
        partial.replace(path)

    patch.setitem(globals(), "write_whole", write)


def survives_a_failure_while_writing(tmp_path: Path, patch: Patch) -> None:
    def fails(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    write_whole(tmp_path / "state", b"first")
    with patch.context() as failing:
        failing.setattr(os, "fsync", fails)
        with suppress(OSError):
            write_whole(tmp_path / "state", b"second")
    assert (tmp_path / "state").read_bytes() == b"first"


def no_rename(patch: Patch) -> None:
    def write(path: Path, data: bytes) -> None:
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    patch.setitem(globals(), "write_whole", write)


@contextmanager
def opened(folder: Path):
    ledger = Ledger.write(folder)
    try:
        yield ledger
    finally:
        ledger.close()


def commits_wait_for_the_disk(tmp_path: Path, patch: Patch) -> None:
    with opened(tmp_path) as ledger:
        assert ledger._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert ledger._db.execute("PRAGMA synchronous").fetchone() == (2,)


def no_fsync_in_the_ledger(patch: Patch) -> None:
    really = raynas.ledger.ledger.open_database

    def careless(path: Path, mode: str):
        database = really(path, mode)
        database.execute("PRAGMA synchronous=OFF")
        return database

    patch.setattr(raynas.ledger.ledger, "open_database", careless)


def a_replay_equals_the_search(tmp_path: Path, patch: Patch) -> None:
    test_loop.TestReplay().test_equals_it_at_every_event(RandomSearch())


def after_replay(patch: Patch, do: Callable[[Loop], None]) -> None:
    """Has every replay followed by something."""
    really = Loop.replay

    def replay(self: Loop, *args, **kwargs) -> None:
        really(self, *args, **kwargs)
        do(self)

    patch.setattr(Loop, "replay", replay)


def rungs_not_replayed(patch: Patch) -> None:
    def forget(loop: Loop) -> None:
        loop.rungs = loop.rungs and type(loop.rungs)(loop.rungs.settings)

    after_replay(patch, forget)


def generator_state_dropped(patch: Patch) -> None:
    after_replay(patch, lambda loop: loop.proposer.fresh.rng.seed(0))


def another_search_is_refused(tmp_path: Path, patch: Patch) -> None:
    test_loop.TestReplay().test_another_search_is_refused({"seed": 1})


def errors_swallowed(patch: Patch) -> None:
    really = Loop.replay

    def replay(self: Loop, *args, **kwargs) -> None:
        with suppress(StateError):
            really(self, *args, **kwargs)

    patch.setattr(Loop, "replay", replay)


def nan_is_no_score(tmp_path: Path, patch: Patch) -> None:
    metrics, reason = {"val_accuracy": math.nan}, "metrics: val_accuracy is nan after 3 epochs"
    test_loop.TestHowATrialStands().test_one_without_a_usable_score_fails(metrics, reason, stopped=False)


def nan_allowed(patch: Patch) -> None:
    patch.setattr("raynas.objectives.usable", lambda value: isinstance(value, int | float))


def nothing_is_proposed_twice(tmp_path: Path, patch: Patch) -> None:
    test_loop.TestTheEnd().test_a_space_that_is_used_up(RandomSearch(), 1)


def repeats_allowed(patch: Patch) -> None:
    patch.setattr(Fresh, "take", lambda self, candidate: True)


def names_stay_in_the_storage(tmp_path: Path, patch: Patch) -> None:
    for name in ("..", "../up", "a/../../up", "a/b"):
        with pytest.raises(ConfigError, match="a run's name must be letters"):
            Search(storage=str(tmp_path / "runs"), name=name).check()


def dots_allowed(patch: Patch) -> None:
    patch.setattr(raynas.search_checks, "_check_name", lambda name: None)


def damage_is_never_silent(tmp_path: Path, patch: Patch) -> None:
    (folder := tmp_path / "run").mkdir()
    with opened(folder) as ledger:
        Driver(test_loop.loop_of(ledger=ledger, trials=5), Fake()).run()
        shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / f"{raynas.ledger.FILE}-wal").unlink()
    try:
        with opened(tmp_path / "copy") as ledger:
            assert ledger.recovery
    except StateError:
        pass


def count_not_kept(patch: Patch) -> None:
    patch.setattr("raynas.ledger.database.Counter.tell", lambda self, count: None)


@dataclass(frozen=True)
class Seeded:
    defect: Callable[[Patch], None]
    check: Check


DEFECTS = [
    Seeded(no_fsync, survives_a_power_cut),
    Seeded(no_fsync_in_the_ledger, commits_wait_for_the_disk),
    Seeded(no_rename, survives_a_failure_while_writing),
    Seeded(rungs_not_replayed, a_replay_equals_the_search),
    Seeded(generator_state_dropped, a_replay_equals_the_search),
    Seeded(errors_swallowed, another_search_is_refused),
    Seeded(nan_allowed, nan_is_no_score),
    Seeded(repeats_allowed, nothing_is_proposed_twice),
    Seeded(dots_allowed, names_stay_in_the_storage),
    Seeded(count_not_kept, damage_is_never_silent),
]


@pytest.mark.parametrize("seeded", DEFECTS, ids=lambda s: s.defect.__name__)
def test_passes_without_the_defect(seeded, tmp_path, monkeypatch):
    seeded.check(tmp_path, monkeypatch)


@pytest.mark.parametrize("seeded", DEFECTS, ids=lambda s: s.defect.__name__)
def test_the_defect_is_caught(seeded, tmp_path, monkeypatch):
    seeded.defect(monkeypatch)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        seeded.check(tmp_path, monkeypatch)
