"""R27: whatever a metric is, no search breaks, and no bad value wins: every strategy, with and without rungs."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from driver import Driver
from fakes import Fake, merit

from raynas import catalog
from raynas.ledger import Ledger
from raynas.loop import Loop
from raynas.objectives import Objective
from raynas.records import FAILED
from raynas.schedulers import Asha
from raynas.spaces import NasBench201

GOOD = {
    "float16": np.float16(0.5),
    "float64": np.float64(0.5),
    "integer": np.int32(1),
    "0-d tensor": torch.tensor(0.5),
    "0-d array": np.array(0.5),
    "huge": 1e308,
}
BAD = {
    "nan": math.nan,
    "inf": math.inf,
    "-inf": -math.inf,
    "None": None,
    "text": "0.9",
    "bool": True,
    "list": [0.9],
    "dict": {"a": 0.9},
    "array": np.array([0.9, 0.8]),
    "tensor": torch.tensor([0.9, 0.8]),
    "too large": 10**400,
    "object": object(),
    "complex": 1j,
}
ODD = [*BAD.values(), *GOOD.values()]


@dataclass(frozen=True)
class Odd(Fake):
    """Every second trial's metric is odd from epoch 1 or 2 on; all have another one too, some lack the first."""

    def estimate(self, architecture, context):
        for reading in super().estimate(architecture, context):
            metrics = dict(reading.metrics) | {"extra": context.trial}
            if context.trial % 2 and reading.budget > context.trial % 3 - 1:
                metrics["val_accuracy"] = ODD[context.trial // 2 % len(ODD)]
                if context.trial % 7 == 0:
                    del metrics["val_accuracy"]
            yield reading._replace(metrics=metrics)


@pytest.mark.parametrize("rungs", [None, (1, 3)], ids=["every trial in full", "asha"])
@pytest.mark.parametrize("name", [n for n in catalog.STRATEGIES if n != "file"])
def test_no_search_breaks(name, rungs, tmp_path, request):
    strategy = catalog.fitted(catalog.STRATEGIES[name], 60, 3)
    ledger = Ledger.write(tmp_path)
    request.addfinalizer(ledger.close)
    loop = Loop(
        NasBench201(), strategy, (Objective(),), 0, trials=60, scheduler=Asha(rungs) if rungs else None, ledger=ledger
    )
    Driver(loop, Odd(), concurrency=4).run()
    assert loop.failure is None
    assert len(loop.trials) == 60
    best = max((t for t in loop.trials.values() if t.score is not None), key=lambda t: t.score)
    assert best.score == 1e308 or best.score <= 1
    for trial in loop.trials.values():
        assert (trial.score is None) == (trial.status == FAILED)
        assert trial.score is None or math.isfinite(trial.score)
    assert sum(t.status == FAILED for t in loop.trials.values()) >= 15
    for event in ledger.events():
        json.loads(json.dumps(event.body), parse_constant=lambda name: pytest.fail(f"{name} in the record"))


def test_merit_is_what_an_honest_trial_scores():
    """The matrix above says something only if the other half of its trials has plain scores."""
    loop = Loop(NasBench201(), catalog.STRATEGIES["random"](), (Objective(),), 0, trials=10)
    Driver(loop, Odd()).run()
    assert all(t.score == merit(t.architecture) for i, t in loop.trials.items() if i % 2 == 0)
