"""What a ledger tells: events, and trials put together from them."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from raynas.ops import Scalar
from raynas.records import RUNNING, Measured, Measurement


class Event(NamedTuple):
    """One record.

    Attributes:
        time: seconds since the epoch.
        kind: see the module's list.
        trial: id of the trial, if it concerns one.
        body: a JSON object.
    """

    time: float
    kind: str
    trial: int | None
    body: dict[str, Any]


@dataclass
class Recorded(Measured):
    """What the ledger says of one trial.

    Attributes:
        id, key, answers, parent: as asked.
        status, reason: how it stands.
        measurements: by rising budget.
        scores: as of the last measurement, oriented so that more is better; None for a failed trial.
        asked_at, ended_at: seconds since the epoch; `ended_at` None while it runs.
    """

    id: int
    key: str
    answers: dict[str, Scalar]
    parent: int | None
    asked_at: float
    status: str = RUNNING
    reason: str = ""
    measurements: list[Measurement] = field(default_factory=list)
    scores: tuple[float, ...] | None = None
    ended_at: float | None = None


def measurement_of(body: Mapping[str, Any]) -> Measurement:
    """The reading that a `measured` event tells."""
    metrics = {name: math.nan if value is None else value for name, value in body["metrics"].items()}
    return Measurement(body["budget"], metrics)


def checksum(when: float, kind: str, trial: int | None, text: str) -> int:
    """Of one record."""
    return zlib.crc32(f"{when!r}\x1f{kind}\x1f{trial}\x1f{text}".encode())
