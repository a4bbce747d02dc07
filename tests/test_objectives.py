from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raynas.errors import ConfigError
from raynas.objectives import Constraint, Objective, scores

NAMES = st.from_regex(r"[a-z]\w{0,10}", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "objective"),
    [
        ("val_accuracy", Objective("val_accuracy", True)),
        ("val_loss", Objective("val_loss", False)),
        ("params_m", Objective("params_m", False)),
        ("flops_m", Objective("flops_m", False)),
        ("latency_ms", Objective("latency_ms", False)),
        ("train_s", Objective("train_s", False)),
        ("top5_error", Objective("top5_error", False)),
        ("val_loss:max", Objective("val_loss", True)),
        ("val_accuracy:min", Objective("val_accuracy", False)),
    ],
)
def test_the_unit_tells_the_direction(text, objective):
    assert Objective.parse(text) == objective


@pytest.mark.parametrize("text", ["val_accuracy:up", "val_accuracy:max:min", "val_accuracy:MAX"])
def test_a_direction_is_max_or_min(text):
    with pytest.raises(ConfigError, match="METRIC:max or METRIC:min"):
        Objective.parse(text)


@given(NAMES, st.booleans())
def test_objectives_read_what_they_write(metric, maximise):
    objective = Objective(metric, maximise)
    assert Objective.parse(str(objective)) == objective


@given(NAMES, st.sampled_from(["<=", ">=", "<", ">"]), st.integers(-1000, 1000) | st.sampled_from([0.5, 1e-9, 2.5e7]))
def test_constraints_read_what_they_write(metric, comparison, bound):
    constraint = Constraint(metric, comparison, float(bound))
    assert Constraint.parse(str(constraint)) == Constraint.parse(f" {metric} {comparison} {bound} ") == constraint


@pytest.mark.parametrize(
    "text", ["params_m", "params_m=1", "params_m=<1", "params_m<=", "<=1", "params_m<=1M", "a<=nan"]
)
def test_a_constraint_compares_a_metric_with_a_number(text):
    with pytest.raises(ConfigError, match="METRIC<=NUMBER"):
        Constraint.parse(text)


def test_a_comparison_is_one_of_four():
    with pytest.raises(ConfigError, match="one of <=, >=, <, >, but got '=='"):
        Constraint("params_m", "==", 1.0)


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [("m<=1", 1.0, True), ("m<1", 1.0, False), ("m>=1", 1.0, True), ("m>1", 1.0, False), ("m>1", 2.0, True)],
)
def test_constraints_compare(text, value, holds):
    assert Constraint.parse(text).holds({"m": value}) is holds


@pytest.mark.parametrize("comparison", ["<=", ">=", "<", ">"])
def test_what_is_not_measured_does_not_hold(comparison):
    assert not Constraint("m", comparison, 0.0).holds({})
    assert not Constraint("m", comparison, 0.0).holds({"m": math.nan})


def test_scores_are_oriented_so_that_more_is_better():
    objectives = [Objective("accuracy"), Objective("latency_ms", maximise=False)]
    assert scores(objectives, {"accuracy": 0.9, "latency_ms": 12, "other": math.nan}) == (0.9, -12.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, None, "0.9", True, [0.9]])
def test_one_unusable_value_makes_no_score(bad):
    assert scores([Objective("a"), Objective("b")], {"a": 0.9, "b": bad}) is None
    assert scores([Objective("a"), Objective("b")], {"a": 0.9}) is None
