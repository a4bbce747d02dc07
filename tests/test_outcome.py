"""Outcomes come back as they were written, or not at all."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raynas.outcome import FILE, Outcome
from raynas.records import Measurement

READINGS = [Measurement(1.0, {"a": 0.1, "b": math.nan}), Measurement(2.0, {"a": 1e-320, "b": -7.0})]


@given(reason=st.text(), trace=st.text(), full=st.booleans())
def test_comes_back(tmp_path_factory, reason, trace, full):
    folder = tmp_path_factory.mktemp("trial")
    Outcome("key", READINGS, reason, trace, full).write(folder)
    again = Outcome.read(folder, "key")
    assert (again.reason, again.traceback, again.full) == (reason, trace, full)
    assert repr(again.measurements) == repr(READINGS)


def test_of_another_architecture_or_none(tmp_path):
    assert Outcome.read(tmp_path, "key") is None
    Outcome("key", READINGS).write(tmp_path)
    assert Outcome.read(tmp_path, "other") is None


def test_damage_is_no_outcome(tmp_path):
    whole = Outcome("key", READINGS, "why")
    whole.write(tmp_path)
    data, rng = (tmp_path / FILE).read_bytes(), random.Random(0)
    for _ in range(200):
        damaged = bytearray(data)
        if rng.random() < 0.5:
            del damaged[rng.randrange(len(data) - 1) :]
        else:
            damaged[rng.randrange(len(data) - 1)] ^= 1 << rng.randrange(8)
        (tmp_path / FILE).write_bytes(damaged)
        assert Outcome.read(tmp_path, "key") is None or damaged == data


@pytest.mark.parametrize("text", ["", "00000000 {}", "zz {}", "\xff"])
def test_nonsense_is_no_outcome(tmp_path, text):
    (tmp_path / FILE).write_bytes(text.encode("latin-1"))
    assert Outcome.read(tmp_path, "key") is None
