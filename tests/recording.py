"""Ledgers to test with: trials that were never trained."""

from __future__ import annotations

from random import Random

from raynas import spaces
from raynas.ledger import Ledger
from raynas.records import FINISHED, Measurement
from raynas.spaces.decide import sample

SPACE = spaces.NasBench201()


def read(folder):
    """Everything that a ledger tells."""
    ledger = Ledger.read(folder)
    try:
        trials = ledger.trials()
        return list(ledger.events()), trials, [ledger.graph(trial.id) for trial in trials]
    finally:
        ledger.close()


def record(ledger, trials, space=SPACE, epochs=2):
    """Runs that many trials and returns their architectures."""
    rng = Random(0)
    drawn = [sample(space, rng) for _ in range(trials)]
    for trial, architecture in enumerate(drawn, 1):
        ledger.asked(trial, architecture, trial - 1 or None)
        for epoch in range(1, epochs + 1):
            metrics = {"val_accuracy": rng.random(), "val_loss": rng.random(), "train_s": 1.5 * epoch}
            ledger.measured(trial, Measurement(epoch, metrics), (metrics["val_accuracy"],))
        ledger.ended(trial, FINISHED, "")
    return drawn
