"""Whole searches of raynas in this process: what Ray Tune does with raynas' two hooks and its trial runner, in a loop.

Everything else is as it runs on Ray: `Search.run` and `.resume`, the trials' own files, checkpoints, the winner. A
process can so be forked, killed, and its files damaged, thousands of times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest import mock

from raynas.loop import Loop
from raynas.records import Estimator, Space, Trial
from raynas.tune import run as on_ray
from raynas.tune.adapters import LoopSearcher
from raynas.tune.trainable import TrialRunner


def run(
    loop: Loop,
    space: Space,
    estimator: Estimator,
    shared: Any,
    resources: on_ray.Resources,
    *,
    config: Callable[[Trial], Mapping[str, Any]],
    rungs: tuple[float, ...],
    say: Callable[[str], None],
    **_: Any,
) -> None:
    """Drives the loop until it is done, one trial after the other; see `raynas.tune.run.run`."""
    searcher = LoopSearcher(loop, lambda trial: {**config(trial), "budget": loop.budget_of(trial.id)}, 1, say)
    limits = dict.fromkeys(("epoch_timeout_s", "trial_timeout_s", "memory_gb"))
    runner = TrialRunner.__new__(TrialRunner)
    runner.readings = None
    number = 0
    while loop.failure is None and isinstance(spec := searcher.suggest(name := f"trial{number}"), dict):
        runner.setup(spec, space, estimator, shared, {"rungs": rungs, **limits})
        while loop.failure is None:
            result = runner.step()
            if result.get("done") or not searcher.report(name, result):
                searcher.on_trial_complete(name, _flat(result))
                break
        runner.cleanup()
        number += 1
    if loop.failure:
        raise loop.failure


@contextmanager
def without_ray() -> Iterator[None]:
    """Searches of this block run in this process."""
    with (
        mock.patch.object(on_ray, "run", run),
        mock.patch.object(on_ray, "session", return_value=nullcontext()),
        mock.patch.object(on_ray, "slots", return_value=1),
    ):
        yield


def _flat(result: Mapping[str, Any]) -> dict[str, Any]:
    """As Tune tells it at the end."""
    outcome = result.get("outcome", {})
    return {**result, **{f"outcome/{name}": value for name, value in outcome.items()}}
