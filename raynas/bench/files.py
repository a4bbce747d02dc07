"""The folder of a comparison: every evaluation, all figures, the report and its pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from raynas.bench import report
from raynas.bench.play import Trace
from raynas.bench.plots import draw
from raynas.bench.summary import Summary
from raynas.errors import ConfigError
from raynas.files import replacing

EVALUATIONS, FIGURES, REPORT = "evaluations.parquet", "bench.json", "bench.md"

COLUMNS = {
    "trial": pa.int32(), "time_s": pa.float64(), "spent": pa.float64(), "budget": pa.float64(), "score": pa.float64(),
    "status": pa.string(), "reason": pa.string(), "key": pa.string(), "answers": pa.string(), "incumbent": pa.int32(),
    "val_accuracy": pa.float64(), "test_accuracy": pa.float64(),
}  # fmt: skip
"""Of `Trace`; before them `strategy`, `seed` and `order`."""


def check_folder(folder: Path, *, overwrite: bool = False) -> None:
    """Makes the folder.

    Raises:
        ConfigError: it holds something already, or cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        full = next(folder.iterdir(), None)
    except OSError as error:
        raise ConfigError(f"--out {folder} cannot be written: {error.strerror}") from error
    if full is not None and not overwrite:
        raise ConfigError(f"--out {folder} is not empty: add --overwrite, or name another folder")


def write_evaluations(traces: Sequence[Trace], path: Path) -> None:
    """One row a reading, in the order of time: `strategy, seed, order` and the columns of `Trace`."""
    lengths = [len(trace.trial) for trace in traces]
    columns: dict[str, Any] = {
        "strategy": pa.array([t.strategy for t, n in zip(traces, lengths, strict=True) for _ in range(n)], pa.string()),
        "seed": pa.array([t.seed for t, n in zip(traces, lengths, strict=True) for _ in range(n)], pa.int32()),
        "order": pa.array([place for n in lengths for place in range(1, n + 1)], pa.int32()),
    }
    for name, kind in COLUMNS.items():
        columns[name] = pa.array([value for trace in traces for value in getattr(trace, name)], kind, from_pandas=True)
    with replacing(path) as partial:
        pq.write_table(pa.table(columns), partial, compression="zstd")


def write_all(summary: Summary, traces: Sequence[Trace], folder: Path, command: str) -> list[str]:
    """Writes `evaluations.parquet`, `bench.json`, `bench.md` and, with matplotlib, the pictures.

    Returns:
        Names of the pictures; none without matplotlib.
    """
    write_evaluations(traces, folder / EVALUATIONS)
    versions = {name: metadata.version(name) for name in ("raynas", "numpy", "scipy")}
    figures = summary.to_json() | {"command": command, "versions": versions}
    (folder / FIGURES).write_text(json.dumps(figures, indent=1) + "\n")
    try:
        pictures = draw(summary, folder)
    except ConfigError:
        pictures = []
    (folder / REPORT).write_text(report.markdown(summary, command, pictures))
    return pictures
