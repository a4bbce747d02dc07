"""What all suites ask of settings and of the surroundings."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from raynas import catalog


def check_frozen(settings: Any) -> None:
    """Settings are a frozen dataclass, equal to another one made of the same values, and hashable."""
    assert dataclasses.is_dataclass(settings)
    assert not isinstance(settings, type), "make() must return settings, not their class"
    kind = type(settings)
    assert kind.__dict__["__dataclass_params__"].frozen, f"{kind.__name__} must be a @dataclass(frozen=True)"
    for field in dataclasses.fields(settings):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(settings, field.name, None)
    same = dataclasses.replace(settings)
    assert same == settings
    assert hash(same) == hash(settings)


def check_json(settings: Any) -> None:
    """Settings are JSON values, as `search.json` records them; raynas' own types are read back from there."""
    told = catalog.to_json(settings)
    text = json.dumps(told, allow_nan=False)
    if type(settings).__module__.startswith("raynas."):
        assert catalog.from_json(json.loads(text)) == settings


@contextmanager
def untouched_randomness() -> Iterator[None]:
    """Inside, nobody may draw from or seed the global generators of `random` and NumPy."""
    before = random.getstate(), repr(np.random.get_state())
    yield
    assert random.getstate() == before[0], "the global generator of `random` was used: take a Random of your own"
    assert repr(np.random.get_state()) == before[1], "NumPy's global generator was used: take a Generator of your own"
