"""A run's folder, opened for reading: what was found, how it stands, the trained winner."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raynas.errors import ConfigError, StateError
from raynas.graph import Graph
from raynas.ledger import Ledger, Recorded
from raynas.objectives import Constraint, Objective
from raynas.records import FAILED, FINISHED, RUNNING, STOPPED, Architecture, Choose, Space
from raynas.report.tables import write_tables

if TYPE_CHECKING:
    from torch import nn

CRC = "crc"
"""Where a JSON object keeps its own checksum."""

SEARCH, BEST, CHECKPOINTS, RESULT = "search.json", "best", "checkpoints", "result.json"


LARGEST_JSON = 2**24
"""Bytes of a JSON file; those that raynas writes are a thousandth of it."""


def best_of(trials: Sequence[Recorded], constraints: Sequence[Constraint] = ()) -> Recorded | None:
    """The trial with the highest score among those at their full budget, or among the stopped ones where none is.

    Ties go to the earlier trial. Scores of different budgets are not compared: a score at a low rung says less.
    """
    for status in (FINISHED, STOPPED):
        able = [
            t
            for t in trials
            if t.status == status and t.score is not None and all(c.holds(t.metrics) for c in constraints)
        ]
        if able:
            top = max(t.budget for t in able)
            return max((t for t in able if t.budget == top), key=lambda t: (t.score or 0.0, -t.id))
    return None


def pareto(trials: Sequence[Recorded], constraints: Sequence[Constraint] = ()) -> list[Recorded]:
    """The finished trials that no other finished one beats in every objective, best score first."""
    able = [t for t in trials if t.status == FINISHED and t.scores and all(c.holds(t.metrics) for c in constraints)]
    front: list[Recorded] = []
    for t in sorted(able, key=lambda t: t.scores or (), reverse=True):
        if not any(all(a >= b for a, b in zip(f.scores or (), t.scores or (), strict=True)) for f in front):
            front.append(t)
    return front


@dataclass(frozen=True)
class Best:
    """The winner of a run.

    Attributes:
        trial: its id.
        architecture: answers and graph.
        score: the first objective's value, as the metric itself (not negated).
        metrics: of its last measurement, with `test_accuracy` where the test split was read.
        folder: `best/` of the run.
    """

    trial: int
    architecture: Architecture
    score: float
    metrics: Mapping[str, float]
    folder: Path

    def model(self, space: Space | Callable[[Choose], Any] | None = None) -> nn.Module:
        """The trained network: takes [B, C, H, W] pixels (uint8, or floats in [0, 1]), answers [B, classes] logits.

        Args:
            space: where the architecture comes from; needed where the network is plain PyTorch code of your own.

        Raises:
            StateError: the run has delivered no network, or its files are damaged.
        """
        from raynas.estimators.winner import open_model

        return open_model(self.folder, space)


def read_settings(folder: Path) -> dict[str, Any]:
    """What a run recorded of its choices, from `search.json`.

    Raises:
        ConfigError: the folder is no run.
        StateError: the file is damaged.
    """
    path = folder / SEARCH
    if not path.is_file():
        raise ConfigError(f"{folder} is no run: it has no {SEARCH}")
    try:
        settings = _read_json(path)
        search = settings["search"]
        for objective in search["objectives"]:
            Objective(objective["metric"], objective["maximise"])
        for constraint in search["constraints"]:
            Constraint(constraint["metric"], constraint["comparison"], constraint["bound"])
        str(settings["names"]["space"])
        float(search.get("gpus_per_trial", 0.0))
    except (ValueError, KeyError, TypeError, AttributeError, OSError, OverflowError, RecursionError) as error:
        raise StateError(f"{path} is damaged: {type(error).__name__}: {error}") from error
    return dict(settings)


class Run:
    """A run.

    Args:
        folder: the run's folder.

    Raises:
        ConfigError: the folder is no run.
        StateError: its files are damaged.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.settings = read_settings(self.folder)
        search = self.settings["search"]
        self.objectives = [Objective(o["metric"], o["maximise"]) for o in search["objectives"]]
        self.constraints = [Constraint(c["metric"], c["comparison"], c["bound"]) for c in search["constraints"]]
        self._read()

    def _read(self) -> None:
        ledger = Ledger.read(self.folder)
        try:
            self.trials = ledger.trials()
            self._sessions = [e for e in ledger.events() if e.kind in ("opened", "closed")]
        finally:
            ledger.close()

    def graph(self, trial: int) -> Graph:
        """The graph of a trial."""
        ledger = Ledger.read(self.folder)
        try:
            return ledger.graph(trial)
        finally:
            ledger.close()

    def best(self) -> Best:
        """The winner.

        Raises:
            StateError: no trial has a score.
        """
        found = best_of(self.trials, self.constraints)
        if found is None or found.score is None:
            failed = sum(t.status == FAILED for t in self.trials)
            raise StateError(f"{self.folder} has no finished trial yet ({len(self.trials)} asked, {failed} failed)")
        architecture = Architecture(str(self.settings["names"]["space"]), found.answers, self.graph(found.id), {})
        metrics = dict(found.metrics)
        if self.result.get("trial") == found.id:
            metrics |= self.result["metrics"]
        score = found.score if self.objectives[0].maximise else -found.score
        return Best(found.id, architecture, score, metrics, self.folder / BEST)

    @cached_property
    def result(self) -> dict[str, Any]:
        """What was delivered at the end: `trial`, and `metrics` on the test split. Empty before."""
        path = self.folder / BEST / RESULT
        if not path.is_file():
            return {}
        try:
            told = _read_json(path)
            return {"trial": int(told["trial"]), "metrics": {str(k): float(v) for k, v in told["metrics"].items()}}
        except (ValueError, KeyError, TypeError, AttributeError, OSError, OverflowError, RecursionError) as error:
            raise StateError(f"{path} is damaged: {type(error).__name__}: {error}") from error

    @property
    def state(self) -> str:
        """`finished`, `stopped` (it can be resumed) or `running`."""
        if not self._sessions or self._sessions[-1].kind == "opened":
            return "running" if Ledger.writer(self.folder) else "stopped"
        return str(self._sessions[-1].body["state"])

    def summary(self) -> dict[str, Any]:
        """One JSON object: name, state, trials, best, front, epochs_trained, wall_s, gpu_s."""
        counts = {status: sum(t.status == status for t in self.trials) for status in (FINISHED, STOPPED, FAILED)}
        found = best_of(self.trials, self.constraints)
        sign = 1 if self.objectives[0].maximise else -1
        told = None
        if found is not None and found.score is not None:
            metrics = dict(found.metrics)
            if self.result.get("trial") == found.id:
                metrics |= self.result["metrics"]
            told = {
                "key": found.key,
                "trial": found.id,
                "score": sign * found.score,
                "metrics": metrics,
                "answers": found.answers,
            }
        front = [
            {"trial": t.id, "key": t.key, "metrics": {o.metric: t.metrics.get(o.metric) for o in self.objectives}}
            for t in pareto(self.trials, self.constraints)
        ]
        return {
            "name": self.folder.resolve().name,
            "state": self.state,
            "trials": {
                "asked": len(self.trials),
                **counts,
                RUNNING: sum(t.status == RUNNING for t in self.trials),
            },
            "best": told,
            "front": front,
            "epochs_trained": sum(t.budget for t in self.trials),
            "wall_s": round(self.wall_s, 3),
            "gpu_s": round(self.gpu_s, 3),
        }

    @property
    def wall_s(self) -> float:
        """Seconds of all sessions; one that was killed counts up to its last record."""
        total, opened = 0.0, None
        last = max((t.ended_at or t.asked_at for t in self.trials), default=0.0)
        for event in self._sessions:
            if event.kind == "opened":
                opened = event.time
            elif opened is not None:
                total, opened = total + event.time - opened, None
        return total + (max(0.0, last - opened) if opened is not None else 0.0)

    @property
    def gpu_s(self) -> float:
        """Training seconds times the GPU share of a trial."""
        share = float(self.settings["search"].get("gpus_per_trial", 0.0))
        return share * sum(t.metrics.get("train_s", 0.0) for t in self.trials)

    def to_parquet(self) -> None:
        """Writes `trials.parquet` and `measurements.parquet` into the run's folder."""
        write_tables(self.folder, self.trials)


def sealed(told: Mapping[str, Any]) -> bytes:
    """A JSON object with a checksum in it, for a file that people read too."""
    return (json.dumps({**told, CRC: _crc(told)}, indent=1) + "\n").encode()


def _crc(told: Mapping[str, Any]) -> str:
    return f"{zlib.crc32(json.dumps(told, sort_keys=True).encode()):08x}"


def _read_json(path: Path) -> Any:
    if path.stat().st_size > LARGEST_JSON:
        raise ValueError(f"it is larger than {LARGEST_JSON:,} bytes")
    told = json.loads(path.read_text(encoding="utf-8"))
    crc = told.pop(CRC, None)  # older runs have none
    if crc is not None and crc != _crc(told):
        raise ValueError("its checksum does not match")
    return told
