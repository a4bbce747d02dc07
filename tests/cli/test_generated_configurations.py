"""Settings by the thousand, of every part: each is valid, or refused in one line, quickly, before Ray starts."""

from __future__ import annotations

import json
import string
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refusal, refused

import raynas
from raynas import catalog
from raynas.cli.build import Choices

PARTS = {
    "space": catalog.SPACES,
    "strategy": catalog.STRATEGIES,
    "scheduler": {"asha": catalog.SCHEDULERS["asha"]},
    "data": catalog.DATA,
    "estimator": catalog.ESTIMATORS,
}
NUMBERS = st.one_of(
    st.integers(-3, 40),
    st.integers(),
    st.floats(),
    st.sampled_from([0.5, 1e-9, 10**9, 10**19, 10**400, True, False, None]),
)
TEXTS = st.text(max_size=20) | st.sampled_from(
    ["", "relu", "sgd", "skip_connect", "none", "..", "\0", "\n", "é", "x" * 300]
)
JSONS = st.recursive(
    NUMBERS | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["type", "a"]) | TEXTS, inner, max_size=3)
    ),
    max_leaves=8,
)
WRITTEN = st.one_of(JSONS.map(json.dumps), TEXTS, st.text(string.punctuation + string.digits + "Ee", max_size=12))


def fields(kind: str, name: str) -> list[str]:
    factory = PARTS[kind][name]
    place = ["nowhere"] if name in ("folder", "npz", "parquet") else []
    made = catalog.fitted(factory, 40, 9) if kind == "strategy" else factory(*place)
    return [f for f in catalog.to_json(made) if f != "type"]


PLACES = [(kind, name, field) for kind in PARTS for name in PARTS[kind] for field in fields(kind, name)]


@st.composite
def choices(draw):
    """What a person could type: parts by name, settings of one of them, and the other options."""
    kind, name, field = draw(st.sampled_from(PLACES))
    also = {kind: name}
    if kind == "data" and name != "digits":
        also["data_dir"] = "nowhere"
    rest = st.fixed_dictionaries(
        {},
        optional={
            "trials": st.integers(),
            "epochs": st.integers(),
            "hours": st.floats(),
            "concurrency": st.integers(),
            "cpus_per_trial": st.floats(),
            "gpus_per_trial": st.floats(),
            "seed": st.integers(),
            "name": TEXTS,
            "objectives": st.lists(TEXTS | st.sampled_from(["val_loss", "params_m:min"]), max_size=2).map(tuple),
            "constraints": st.lists(TEXTS | WRITTEN.map("params_m<={}".format), max_size=2).map(tuple),
        },
    )
    given_settings = [f"{kind}.{field}={draw(WRITTEN)}", *draw(st.lists(TEXTS, max_size=1))]
    return Choices(**also, **(draw(rest) if draw(st.booleans()) else {}), settings=tuple(given_settings))


def check_generated(drawn: Choices) -> None:
    started, before = time.process_time(), "ray" in sys.modules
    refused(drawn)
    assert time.process_time() - started < 20  # no loop without end; imports alone take seconds on a busy machine
    assert before or "ray" not in sys.modules


@given(choices())
@settings(max_examples=300)
def test_whatever_is_typed_is_valid_or_refused_in_one_line(drawn):
    check_generated(drawn)


@pytest.mark.long
@given(choices())
@settings(max_examples=5000)
def test_five_thousand_more(drawn):
    check_generated(drawn)


@given(JSONS, st.data())
@settings(max_examples=200)
def test_whatever_python_gives_is_valid_or_refused(value, data):
    kind, name, field = data.draw(st.sampled_from(PLACES))
    factory = PARTS[kind][name]
    if not isinstance(factory, type) or (name, field) == ("train", "data"):
        return  # a known space has settings of its own
    needed = {"root" if name == "folder" else "path": "nowhere"} if name in ("folder", "npz", "parquet") else {}
    value = tuple(value) if isinstance(value, list) else value

    def act() -> None:
        made = factory(**{**needed, field: value})
        if kind in ("data", "estimator"):
            made.check()
        else:
            raynas.Search(**{kind: made}).check()

    refusal(act, 2)
