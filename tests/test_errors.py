from __future__ import annotations

import importlib
import pickle
import pkgutil

import pytest

import raynas
from raynas.catalog import Foreign
from raynas.errors import (
    AllTrialsFailed,
    ArchitectureError,
    ConfigError,
    DataError,
    Exhausted,
    GraphError,
    Interrupted,
    PluginError,
    RaynasError,
    SpaceError,
    StateError,
    StorageError,
    unknown,
)
from raynas.estimators.tabular import MissingCell
from raynas.estimators.training import Diverged
from raynas.ledger.database import NewerFormat

EXAMPLES = [
    (RaynasError("something"), 1),
    (SpaceError("edge0", (), "options must not be empty"), 2),
    (ArchitectureError("edge0", "conv", "the answer must be one of ('skip',)"), 2),
    (Exhausted("toy", 72), 2),
    (GraphError("node 3: unknown op 'cnov'"), 2),
    (ConfigError("lr must be above 0, but got -1"), 2),
    (DataError("no images in photos/"), 2),
    (StateError("ledger.sqlite is damaged"), 3),
    (PluginError("Greedy", "KeyError: 3"), 4),
    (AllTrialsFailed(10, "start: ValueError: no"), 5),
    (StorageError("runs/first", "database or disk is full"), 75),
    (Interrupted("raynas resume runs/first", 143), 143),
    (Interrupted("raynas resume runs/first"), 130),
    (NewerFormat("ledger.sqlite has format 9"), 3),
    (Foreign("class Mine is nothing that raynas can make by itself"), 2),
    (Diverged("training loss is nan in epoch 3"), 1),
    (MissingCell("|none~0|"), 1),
]


def subclasses(kind):
    return {kind}.union(*(subclasses(child) for child in kind.__subclasses__()))


def test_every_error_has_an_example():
    for module in pkgutil.walk_packages(raynas.__path__, "raynas."):
        if not module.name.startswith("raynas.tune"):  # Ray costs seconds, and its folder defines no error
            importlib.import_module(module.name)
    assert {type(error) for error, _ in EXAMPLES} == subclasses(RaynasError)


@pytest.mark.parametrize(("error", "exit_code"), EXAMPLES, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_survives_pickling(error, exit_code, protocol):
    again = pickle.loads(pickle.dumps(error, protocol))
    assert type(again) is type(error)
    assert str(again) == str(error) != ""
    assert again.args == error.args
    assert again.exit_code == error.exit_code == exit_code


@pytest.mark.parametrize(("error", "_"), EXAMPLES, ids=lambda e: type(e).__name__)
def test_is_one_line(error, _):
    assert "\n" not in str(error)


def test_bad_input_is_a_value_error_too():
    for error, exit_code in EXAMPLES:
        assert isinstance(error, ValueError) == (exit_code == 2)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("nasbench", "unknown space 'nasbench'; did you mean 'nasbench201'?"),
        ("CELLS", "unknown space 'CELLS'; known: cells, chain, nasbench201"),
        (3, "unknown space 3; known: cells, chain, nasbench201"),
    ],
)
def test_unknown_names_the_nearest(value, hint):
    error = unknown("space", value, {"nasbench201", "chain", "cells"})
    assert isinstance(error, ConfigError)
    assert str(error) == hint
