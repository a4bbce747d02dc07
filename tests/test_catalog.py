from __future__ import annotations

import dataclasses
import json

import pytest

from raynas import Asha, Constraint, Objective, RandomSearch, RegularizedEvolution, Search, Train, catalog, data, spaces
from raynas.catalog import DATA, ESTIMATORS, SCHEDULERS, SPACES, STRATEGIES, from_json, look_up, to_json, with_settings
from raynas.errors import ConfigError

TABLES = {"space": SPACES, "strategy": STRATEGIES, "estimator": ESTIMATORS, "scheduler": SCHEDULERS, "data": DATA}

VALUES = [
    spaces.cells(nodes=3, ops=("skip_connect", "sep_conv_3x3")),
    spaces.darts(layers=8),
    spaces.chain(widths=(8, 24), skips=False),
    spaces.nasbench201(width=4),
    RandomSearch(),
    RegularizedEvolution(20, 5),
    Asha(rungs=(1, 2.5), eta=2),
    None,
    Train(data.digits(seed=3), lr=0.2, flip=True),
    Train(data.fashion_mnist("data", train_size=4000)),
    Train(data.cifar10("data")),
    Train(data.cifar100("data")),
    Train(data.folder("photos")),
    Train(data.npz("a.npz")),
    Train(data.parquet("a.parquet")),
    Objective("val_loss", maximise=False),
    Constraint("params_m", "<=", 1.5),
    (Objective(), Objective("params_m", maximise=False)),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda v: type(getattr(v, "data", v)).__name__)
def test_settings_survive_json(value):
    told = json.loads(json.dumps(to_json(value), allow_nan=False))
    assert from_json(told) == value


def test_a_whole_search_survives_json():
    search = Search(constraints=(Constraint("params_m", "<", 2.0),), hours=1.5, name="first", concurrency=2)
    told = json.loads(json.dumps(search.to_json(), allow_nan=False))
    assert Search(**{name: from_json(value) for name, value in told.items()}) == search


@pytest.mark.parametrize(("kind", "table"), TABLES.items())
def test_what_the_command_line_names_can_be_told_and_read(kind, table):
    for name in table:
        assert look_up(kind, name, table) is table[name]
        if kind != "data":  # some need a folder
            made = table[name]()
            assert from_json(to_json(made)) == made


@pytest.mark.parametrize(("kind", "table"), TABLES.items())
def test_a_misspelt_name_is_refused_with_the_nearest(kind, table):
    for name in table:
        with pytest.raises(ConfigError, match=f"unknown {kind} '{name}x'; did you mean '{name}'"):
            look_up(kind, f"{name}x", table)


def test_what_is_not_of_raynas_is_told_and_not_read():
    def mine(choose):
        """A person's own space."""

    told = to_json(mine)
    assert told == {"type": "function", "name": "test_what_is_not_of_raynas_is_told_and_not_read.<locals>.mine"}
    with pytest.raises(ConfigError, match="mine is not part of raynas: resume in Python"):
        from_json(told)
    with pytest.raises(ConfigError, match="Popen is not part of raynas"):
        from_json({"type": "Popen", "args": "true"})


@pytest.mark.parametrize("value", [1j, {1, 2}, b"x", {"a": 1}], ids=repr)
def test_other_values_are_no_settings(value):
    with pytest.raises(ConfigError, match="must be JSON values or dataclasses of them"):
        to_json(value)


@pytest.mark.parametrize(
    ("value", "settings", "changed"),
    [
        (Train(), {"lr": "0.2"}, Train(lr=0.2)),
        (Train(), {"lr": "1"}, Train(lr=1.0)),
        (Train(), {"epochs": "3", "flip": "true"}, Train(epochs=3, flip=True)),
        (Train(), {"optimizer": "adamw"}, Train(optimizer="adamw")),
        (Asha(), {"rungs": "[1, 2, 4]"}, Asha(rungs=(1, 2, 4))),
        (spaces.chain(), {"widths": "[8]", "skips": "false"}, spaces.chain(widths=(8,), skips=False)),
        (RegularizedEvolution(), {}, RegularizedEvolution()),
    ],
)
def test_what_a_person_writes_becomes_settings(value, settings, changed):
    made = with_settings(value, settings, "part")
    assert made == changed
    assert all(type(getattr(made, f.name)) is type(getattr(changed, f.name)) for f in dataclasses.fields(made))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lrr": "0.1"}, "unknown setting train 'lrr'; did you mean 'lr'"),
        ({"lr": "fast"}, "train.lr must be of type float, but got 'fast'"),
        ({"epochs": "2.5"}, "train.epochs must be of type int, but got '2.5'"),
        ({"epochs": "true"}, "train.epochs must be of type int, but got 'true'"),
        ({"flip": "1"}, "train.flip must be of type bool, but got '1'"),
        ({"lr": "[0.1]"}, r"train.lr must be of type float, but got '\[0.1\]'"),
    ],
)
def test_what_does_not_fit_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        with_settings(Train(), settings, "train")


def test_settings_of_a_person_are_checked_like_others():
    with pytest.raises(ConfigError, match="rungs must be a tuple of positive and rising numbers"):
        with_settings(Asha(), {"rungs": "[3, 1]"}, "scheduler")
    with pytest.raises(ConfigError, match="tournament <= population"):
        with_settings(RegularizedEvolution(), {"population": "3"}, "strategy")


def test_the_tables_tell_everything_that_search_json_can_hold():
    made = {type(table[name]()).__name__ for kind, table in TABLES.items() if kind != "data" for name in table}
    assert made - {"NoneType"} <= set(catalog._TYPES)


@pytest.mark.parametrize("name", SPACES)
def test_every_space_has_a_paper_and_survives_json(name):
    space = SPACES[name]()
    assert from_json(json.loads(json.dumps(to_json(space), allow_nan=False))) == space
    assert catalog.PAPERS[name]


def test_papers_are_of_spaces():
    assert set(catalog.PAPERS) == set(SPACES)
