from __future__ import annotations

import datetime as dt
import math
import os

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from raynas.ledger import Recorded
from raynas.records import FAILED, FINISHED, RUNNING, Measurement
from raynas.report.tables import MEASUREMENTS, TRIALS, write_tables

START = 1_700_000_000.25

RECORDED = [
    Recorded(
        1, "ab", {"layers": 2, "op": "conv", "skip": True, "train/lr": 0.1, "mixed": "none", "any": None}, None, START,
        FINISHED, "", [Measurement(1, {"val_accuracy": 0.5, "val_loss": 2.0}), Measurement(3, {"val_accuracy": 0.75})],
        (0.75, -1.0), START + 2,
    ),
    Recorded(
        2, "cd", {"layers": 3, "op": "pool", "skip": False, "train/lr": 1, "mixed": 3, "extra": 7, "any": None}, 1,
        START, FAILED, "epoch 2: ValueError: no", [Measurement(1, {"val_accuracy": math.nan})], None, START + 1,
    ),
    Recorded(3, "ef", {"layers": 4, "op": "conv", "skip": True, "train/lr": 0.5, "mixed": True}, 1, START),
]  # fmt: skip
assert RECORDED[2].status == RUNNING


@pytest.fixture
def tables(tmp_path):
    write_tables(tmp_path, RECORDED)
    return tmp_path


def test_columns_have_types(tables):
    schema = pq.read_schema(tables / TRIALS)
    assert {name: schema.field(name).type for name in schema.names} == {
        "trial": pa.int64(),
        "key": pa.string(),
        "parent": pa.int64(),
        "status": pa.string(),
        "reason": pa.string(),
        "score": pa.float64(),
        "budget": pa.float64(),
        "asked_at": pa.timestamp("us", tz="UTC"),
        "ended_at": pa.timestamp("us", tz="UTC"),
        "val_accuracy": pa.float64(),
        "val_loss": pa.float64(),
        "answer/any": pa.null(),
        "answer/extra": pa.int64(),
        "answer/layers": pa.int64(),
        "answer/mixed": pa.string(),
        "answer/op": pa.string(),
        "answer/skip": pa.bool_(),
        "answer/train/lr": pa.float64(),
    }
    schema = pq.read_schema(tables / MEASUREMENTS)
    assert [(name, schema.field(name).type) for name in schema.names] == [
        ("trial", pa.int64()),
        ("budget", pa.float64()),
        ("val_accuracy", pa.float64()),
        ("val_loss", pa.float64()),
    ]


def test_a_row_a_trial(tables):
    first, second, third = pq.read_table(tables / TRIALS).to_pylist()
    assert (first["trial"], first["key"], first["parent"], first["status"], first["reason"]) == (
        1,
        "ab",
        None,
        FINISHED,
        "",
    )
    assert (first["score"], first["budget"], first["val_accuracy"], first["val_loss"]) == (0.75, 3, 0.75, None)
    assert first["asked_at"] == dt.datetime.fromtimestamp(START, dt.UTC)
    assert first["ended_at"] - first["asked_at"] == dt.timedelta(seconds=2)
    assert (second["score"], second["parent"], second["reason"]) == (None, 1, "epoch 2: ValueError: no")
    assert (third["status"], third["budget"], third["val_accuracy"], third["ended_at"]) == (RUNNING, 0, None, None)


def test_answers_keep_their_types_or_become_text(tables):
    rows = pq.read_table(tables / TRIALS).to_pylist()
    told = {
        name: [row[f"answer/{name}"] for row in rows] for name in ("layers", "op", "skip", "train/lr", "mixed", "extra")
    }
    assert told == {
        "layers": [2, 3, 4],
        "op": ["conv", "pool", "conv"],
        "skip": [True, False, True],
        "train/lr": [0.1, 1.0, 0.5],
        "mixed": ["none", "3", "True"],
        "extra": [None, 7, None],
    }


def test_opens_in_pandas(tables):
    trials, measurements = pd.read_parquet(tables / TRIALS), pd.read_parquet(tables / MEASUREMENTS)
    assert trials.shape[0] == 3
    assert trials.loc[trials.score.idxmax(), "trial"] == 1
    assert trials["answer/skip"].tolist() == [True, False, True]
    assert (trials.ended_at - trials.asked_at).dt.total_seconds().tolist()[:2] == [2.0, 1.0]
    curves = measurements.pivot_table(index="budget", columns="trial", values="val_accuracy")
    assert curves[1].tolist() == [0.5, 0.75]
    assert measurements.val_accuracy.isna().tolist() == [False, False, True]


def test_a_row_a_reading(tables):
    rows = pq.read_table(tables / MEASUREMENTS).to_pylist()
    assert [(row["trial"], row["budget"], row["val_loss"]) for row in rows] == [(1, 1, 2.0), (1, 3, None), (2, 1, None)]


def test_metrics_cannot_hide_other_columns(tmp_path):
    reading = Measurement(1, {"score": 0.1, "trial": 0.2, "budget": 0.3, "a": 0.4})
    write_tables(tmp_path, [Recorded(7, "ab", {}, None, START, FINISHED, "", [reading], (0.9,), START)])
    [trial] = pq.read_table(tmp_path / TRIALS).to_pylist()
    assert (trial["trial"], trial["score"], trial["budget"], trial["a"]) == (7, 0.9, 1, 0.4)
    assert (trial["metric/trial"], trial["metric/score"], trial["metric/budget"]) == (0.2, 0.1, 0.3)
    [row] = pq.read_table(tmp_path / MEASUREMENTS).to_pylist()
    assert row == {"trial": 7, "budget": 1, "a": 0.4, "metric/budget": 0.3, "metric/trial": 0.2, "score": 0.1}


def test_a_run_without_trials_has_empty_tables(tmp_path):
    write_tables(tmp_path, [])
    assert pq.read_table(tmp_path / TRIALS).num_rows == pq.read_table(tmp_path / MEASUREMENTS).num_rows == 0


def test_rewriting_replaces_and_leaves_nothing_else_behind(tables):
    write_tables(tables, RECORDED[:1])
    assert pq.read_table(tables / TRIALS).num_rows == 1
    assert sorted(os.listdir(tables)) == [MEASUREMENTS, TRIALS]
