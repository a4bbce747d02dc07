"""How the estimation of a trial ended, kept by its worker until the ledger has it.

A worker writes it before it reports, so that a finished result survives a driver that dies with the report in flight.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from raynas.files import write_whole
from raynas.records import Measurement, plain

FILE = "outcome.json"


@dataclass(frozen=True)
class Outcome:
    """What a worker says at the end of a trial.

    Attributes:
        identity: of the architecture, hyperparameters included.
        measurements: all readings, by rising budget.
        reason: why it failed; empty: it did not.
        traceback: where it failed.
        full: it reached the estimator's full budget.
    """

    identity: str
    measurements: Sequence[Measurement]
    reason: str = ""
    traceback: str = ""
    full: bool = False

    def write(self, folder: Path) -> None:
        """Makes it durable.

        Raises:
            OSError: the disk is full or fails.
        """
        readings = [
            [m.budget, {name: value if value == value else None for name, value in m.metrics.items()}]
            for m in self.measurements
        ]
        text = json.dumps(asdict(self) | {"measurements": readings}, allow_nan=False)
        write_whole(folder / FILE, f"{zlib.crc32(text.encode()):08x} {text}\n".encode())

    @classmethod
    def read(cls, folder: Path, identity: str) -> Outcome | None:
        """What `write` wrote for this architecture; None where there is nothing, or nothing that can be trusted."""
        try:
            crc, _, text = (folder / FILE).read_text().partition(" ")
            if int(crc, 16) != zlib.crc32(text.rstrip("\n").encode()):
                return None
            told = json.loads(text)
        except (OSError, ValueError):
            return None
        told["measurements"] = [plain(Measurement(budget, metrics)) for budget, metrics in told["measurements"]]
        return cls(**told) if told["identity"] == identity else None
