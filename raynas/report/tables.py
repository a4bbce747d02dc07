"""Trials and measurements as Parquet, for pandas, DuckDB, Polars; rebuilt from the ledger at any time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from raynas.files import replacing
from raynas.ledger import Recorded

TRIALS, MEASUREMENTS = "trials.parquet", "measurements.parquet"


def write_tables(folder: Path, trials: Sequence[Recorded]) -> None:
    """Writes both tables, whole or not at all.

    `trials.parquet` has a row a trial: `trial, key, parent, status, reason, score, budget, asked_at, ended_at`, one
    column per metric (of the last measurement) and one per answer, named `answer/<address>`. `measurements.parquet` has
    a row a reading: `trial, budget` and one column per metric. A score is oriented so that more is better; a metric
    whose name is taken by another column is called `metric/<name>`.
    """
    metrics = sorted({name for t in trials for m in t.measurements for name in m.metrics})
    answers = sorted({address for t in trials for address in t.answers})
    columns: dict[str, Any] = {
        "trial": pa.array([t.id for t in trials], pa.int64()),
        "key": pa.array([t.key for t in trials], pa.string()),
        "parent": pa.array([t.parent for t in trials], pa.int64()),
        "status": pa.array([t.status for t in trials], pa.string()),
        "reason": pa.array([t.reason for t in trials], pa.string()),
        "score": pa.array([t.score for t in trials], pa.float64()),
        "budget": pa.array([t.budget for t in trials], pa.float64()),
        "asked_at": _times([t.asked_at for t in trials]),
        "ended_at": _times([t.ended_at for t in trials]),
    }
    columns |= {
        f"metric/{name}" if name in columns else name: pa.array([t.metrics.get(name) for t in trials], pa.float64())
        for name in metrics
    }
    columns |= {f"answer/{address}": _column([t.answers.get(address) for t in trials]) for address in answers}
    _write(pa.table(columns), folder / TRIALS)
    readings = [(t.id, m) for t in trials for m in t.measurements]
    columns = {
        "trial": pa.array([trial for trial, _ in readings], pa.int64()),
        "budget": pa.array([m.budget for _, m in readings], pa.float64()),
    }
    columns |= {
        f"metric/{name}" if name in columns else name: pa.array(
            [m.metrics.get(name) for _, m in readings], pa.float64()
        )
        for name in metrics
    }
    _write(pa.table(columns), folder / MEASUREMENTS)


def _times(seconds: Sequence[float | None]) -> Any:
    return pa.array([None if s is None else int(s * 1e6) for s in seconds], pa.timestamp("us", tz="UTC"))


def _column(values: Sequence[Any]) -> Any:
    """A typed column; answers of different types under one address become text."""
    kinds = {type(v) for v in values if v is not None}
    if len(kinds) > 1 and not kinds <= {int, float}:
        return pa.array([None if v is None else str(v) for v in values], pa.string())
    return pa.array([float(v) if len(kinds) > 1 and v is not None else v for v in values])


def _write(table: Any, path: Path) -> None:
    with replacing(path) as partial:
        pq.write_table(table, partial)
