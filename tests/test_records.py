from __future__ import annotations

import json
import math

import numpy as np
import pytest

from raynas import Train, spaces
from raynas.records import (
    FAILED,
    FINISHED,
    Architecture,
    Delivers,
    Estimator,
    Measurement,
    Scheduler,
    Space,
    Strategy,
    Trial,
    usable,
)
from raynas.schedulers import Asha
from raynas.spaces.decide import from_json, replay
from raynas.strategies import RandomSearch, RegularizedEvolution

SPACE = spaces.NasBench201()
ANSWERS = dict(zip(("edge0to1", "edge0to2", "edge1to2", "edge0to3", "edge1to3", "edge2to3"), ["none"] * 6, strict=True))


def with_hyperparameters(**values):
    architecture = replay(SPACE, ANSWERS)
    answers = architecture.answers | {f"train/{name}": value for name, value in values.items()}
    return Architecture(SPACE.name, answers, architecture.graph, {})


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        (0, True), (-1.5, True), (1e308, True), (np.float64(0.5), True),
        (math.nan, False), (math.inf, False), (-math.inf, False), (None, False), ("1", False), (True, False),
        (np.float32(0.5), False), ([], False),
    ],
)  # fmt: skip
def test_usable(value, answer):
    assert usable(value) is answer


def test_an_architecture_is_json_and_back():
    architecture = replay(SPACE, ANSWERS)
    told = json.loads(json.dumps(architecture.to_json(), allow_nan=False))
    assert told["key"] == architecture.key
    again = from_json(SPACE, told)
    assert again == architecture
    assert hash(again) == hash(architecture)
    assert again.questions == architecture.questions


def test_equal_networks_have_one_identity_whatever_their_answers():
    one, other = (replay(SPACE, ANSWERS | {"edge0to1": op}) for op in ("none", "skip_connect"))
    assert one.answers != other.answers
    assert one.identity == other.identity == one.key


def test_hyperparameters_are_part_of_the_identity_and_not_of_the_key():
    plain, slow, fast, again = (
        with_hyperparameters(),
        with_hyperparameters(lr=0.01),
        with_hyperparameters(lr=0.1, batch_size=32),
        with_hyperparameters(batch_size=32, lr=0.1),
    )
    assert fast.hyperparameters == {"lr": 0.1, "batch_size": 32}
    assert plain.key == slow.key == fast.key
    assert len({plain.identity, slow.identity, fast.identity}) == 3
    assert fast.identity == again.identity


def test_a_trial_without_measurements():
    trial = Trial(1, replay(SPACE, ANSWERS))
    assert (trial.score, trial.budget, dict(trial.metrics)) == (None, 0, {})


def test_a_trial_stands_as_at_its_last_measurement():
    readings = (Measurement(1, {"a": 0.1}), Measurement(3, {"a": 0.3}))
    trial = Trial(1, replay(SPACE, ANSWERS), None, FINISHED, "", readings, (0.3, -2.0))
    assert (trial.score, trial.budget, trial.metrics) == (0.3, 3, {"a": 0.3})
    assert Trial(1, replay(SPACE, ANSWERS), None, FAILED, "no", readings).score is None


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (SPACE, Space),
        (RandomSearch(), Strategy),
        (RegularizedEvolution(), Strategy),
        (Asha(), Scheduler),
        (Train(), Estimator),
        (Train(), Delivers),
    ],
    ids=lambda v: type(v).__name__,
)
def test_what_is_built_in_fits_its_protocol(value, kind):
    assert isinstance(value, kind)
