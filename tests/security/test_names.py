"""No name of a run leads out of the storage folder, and no two names lead to the same place.

A file system that takes "Run" and "run" for one is asked, not outwitted: the second is refused, as a run that exists.
"""

from __future__ import annotations

import string
import unicodedata
from dataclasses import dataclass
from random import Random

import pytest

import raynas
from raynas.errors import ConfigError
from raynas.spaces.function import as_space

PIECES = [
    "..", ".", "/", "\\", "~", "~root", "\0", "\n", "\r", "\t", " ", "", "CON", "NUL", "COM1", "aux.txt", "$HOME",
    "`id`", "%2e%2e", "\u2024\u2024", "\uff0e\uff0e", "\u2215", "\uff0f", "\u200b", "\u202e", "a\u0301", "\u00e1",
    "\u0430",
    "run", "Run", "RUN", "x" * 100, "x" * 300, "-", "--name", "*", "?", "|", ":", ";", "'", '"', "runs", "\ud800",
    "\U0001f600", "a.", "a ", ".hidden",
]  # fmt: skip


def hostile_names(count: int) -> list[str]:
    """Different names, put together from pieces that were trouble somewhere."""
    rng, names = Random(0), dict.fromkeys(PIECES)
    while len(names) < count:
        parts = [rng.choice(PIECES + list(string.ascii_letters)) for _ in range(rng.randint(1, 4))]
        names["".join(parts)] = None
    return list(names)


NAMES = hostile_names(2_000)


def accepted(name: str, storage: str) -> bool:
    try:
        raynas.Search(name=name, storage=storage).check()
    except ConfigError:
        return False
    return True


def test_no_name_leads_out_of_the_storage_and_no_two_meet(tmp_path):
    root = tmp_path / "runs"
    good = [name for name in NAMES if accepted(name, str(root))]
    places = [(root / name).resolve() for name in good]
    assert all(place.parent == root.resolve() for place in places)
    assert len(set(places)) == len(good)
    assert all(place.name == name for place, name in zip(places, good, strict=True))
    # What looks alike, or becomes alike when it is normalised, is not accepted at all.
    assert all(name.isascii() and unicodedata.normalize("NFKC", name) == name for name in good)
    assert 20 < len(good) < 1000
    for place in places:
        place.mkdir()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["runs"]


@pytest.mark.parametrize(
    "name", ["run\n", "run\0", "..", ".", "", "a/b", "/run", "~", ".hidden", "x" * 101, "-run", "a b"]
)
def test_names_that_are_refused(name, tmp_path):
    assert not accepted(name, str(tmp_path))


@dataclass(frozen=True)
class Named:
    """A space whose name is anything."""

    name: str

    def decide(self, choose):
        return raynas.spaces.mlp().decide(choose)


def test_names_that_are_made_of_the_spaces_stay_inside_too(tmp_path):
    root = (tmp_path / "runs").resolve()
    for name in NAMES:
        label = raynas.Search(space=as_space(Named(name))).label()
        place = (root / f"{label}-1").resolve()
        assert place.parent == root, name
        assert "\0" not in label
        assert "\n" not in label
