"""What every estimator must do. Inherit, and say how to make one.

class TestMine(EstimatorContract):
    def make(self):
        return Mine(epochs=3)

Each test estimates some architectures; make an estimator of a few epochs and little data.
"""

from __future__ import annotations

import os
import pickle
import random
import sys
import time
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from raynas.errors import ConfigError
from raynas.plan import Task
from raynas.records import Architecture, Context, Estimator, Measurement, Space, usable
from raynas.spaces.decide import sample
from raynas.spaces.nasbench201 import NasBench201
from raynas.testing.settings import check_frozen, check_json, untouched_randomness

CHECK_S = 2.0
"""A check of settings may take so long."""


def stirred(seed: int) -> None:
    """Puts all global generators into some state, as whatever ran before in the process may have."""
    random.seed(seed)
    np.random.seed(seed)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


class EstimatorContract:
    """The suite; its methods are the promises."""

    timed: tuple[str, ...] = ("train_s",)
    """Metrics that are measured times: they differ between equal runs."""

    checkpoints = False
    """It writes checkpoints at rungs and at the end, and continues from them."""

    def make(self) -> Estimator:
        """The settings under test: several readings, quick to get."""
        raise NotImplementedError

    def space(self) -> Space:
        """Where the architectures come from that it estimates."""
        return NasBench201(width=4, repeats=1)

    def architecture(self, number: int) -> Architecture:
        """One that it can score."""
        return sample(self.space(), Random(number))

    def failing(self) -> Architecture | None:
        """One that it cannot score; None: there is none."""
        return None

    def wrong(self) -> Iterable[Callable[[], Estimator]]:
        """Makers of settings that are out of range, where there are any."""
        return ()

    @pytest.fixture(autouse=True)
    def in_an_empty_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whoever writes beside his folder is seen."""
        (tmp_path / "empty").mkdir()
        monkeypatch.chdir(tmp_path / "empty")

    @pytest.fixture
    def shared(self) -> Any:
        """What all trials share."""
        return self.make().load()

    def read(self, context: Context, number: int = 0, readings: int | None = None) -> list[Measurement]:
        """The first readings of an architecture, or all; whoever asks for fewer stops it there."""
        running = iter(self.make().estimate(self.architecture(number), context))
        found = list(islice(running, readings))
        if readings is not None and hasattr(running, "close"):
            running.close()
        return found

    def comparable(self, readings: Iterable[Measurement]) -> list[tuple[float, dict[str, float]]]:
        """Readings without times."""
        return [(r.budget, {k: v for k, v in r.metrics.items() if k not in self.timed}) for r in readings]

    def test_settings_are_frozen(self) -> None:
        assert isinstance(self.make(), Estimator)
        check_frozen(self.make())

    def test_settings_are_json(self) -> None:
        check_json(self.make())

    def test_travels_to_other_processes(self, shared: Any) -> None:
        assert pickle.loads(pickle.dumps(self.make())) == self.make()
        again = pickle.loads(pickle.dumps(shared))
        assert self.make().task(again) == self.make().task(shared)

    def test_good_settings_pass_the_check_quickly(self) -> None:
        started = time.perf_counter()
        self.make().check()
        assert time.perf_counter() - started < CHECK_S

    def test_wrong_settings_are_refused(self) -> None:
        makers = list(self.wrong())
        if not makers:
            pytest.skip("no setting can be wrong")
        for maker in makers:
            with pytest.raises(ConfigError):
                maker().check()

    def test_tells_its_metrics_and_budget_and_task(self, shared: Any) -> None:
        estimator = self.make()
        assert isinstance(estimator.metrics, tuple)
        assert estimator.metrics
        assert len(set(estimator.metrics)) == len(estimator.metrics)
        assert usable(estimator.budget)
        assert estimator.budget > 0
        assert isinstance(estimator.task(shared), Task)

    def test_budgets_rise_and_end_at_the_full_budget(self, shared: Any) -> None:
        for number in range(2):
            budgets = [reading.budget for reading in self.read(Context(1, number, shared), number)]
            assert all(a < b for a, b in zip((0.0, *budgets), budgets, strict=False)), budgets
            assert budgets[-1] == self.make().budget

    def test_every_reading_holds_the_named_metrics_as_finite_numbers(self, shared: Any) -> None:
        named = self.make().metrics
        for number in range(2):
            for budget, metrics in self.read(Context(1, number, shared), number):
                assert {name for name in named if not usable(metrics.get(name))} == set(), f"after {budget} epochs"

    def test_same_seed_same_readings(self, shared: Any) -> None:
        """Whatever the process did before."""
        stirred(1)
        one = self.read(Context(1, 5, shared))
        stirred(2)
        other = self.read(Context(2, 5, shared))
        assert self.comparable(one) == self.comparable(other)

    def test_no_global_random_state_is_touched(self, shared: Any) -> None:
        with untouched_randomness():
            self.read(Context(1, 0, shared))

    def test_what_trials_share_stays_as_it_was(self, shared: Any) -> None:
        before = pickle.dumps(shared)
        self.read(Context(1, 0, shared))
        assert pickle.dumps(shared) == before

    def test_may_stop_at_any_reading(self, shared: Any) -> None:
        """And the next trial in the same process notices nothing of it."""
        whole = self.comparable(self.read(Context(1, 0, shared)))
        for readings in range(len(whole)):
            assert self.comparable(self.read(Context(1, 0, shared), readings=readings)) == whole[:readings]
            self.read(Context(2, 1, shared), number=1, readings=1)
        assert self.comparable(self.read(Context(1, 0, shared))) == whole

    def test_a_short_training_gets_as_far_as_it_was_asked_to(self, shared: Any) -> None:
        """`Context.budget`: a schedule of its own may end there."""
        first = self.read(Context(1, 0, shared), readings=1)[0].budget
        short = self.read(Context(1, 0, shared, budget=first))
        assert short[-1].budget >= first
        assert all(usable(reading.metrics.get(name)) for reading in short for name in self.make().metrics)

    def test_continues_from_its_folder(self, shared: Any, tmp_path: Path) -> None:
        """Killed after a reading at a rung, a trial ends with the readings of one that was never killed."""
        whole = self.read(Context(1, 3, shared, folder=str(tmp_path / "whole")))
        for at, rung in enumerate(whole[:-1], 1):
            folder = tmp_path / f"killed-{at}"
            context = Context(1, 3, shared, folder=str(folder), rungs=(rung.budget,))
            before = self.read(context, readings=at)
            stirred(at)
            after = self.read(context)
            assert self.comparable(after) == self.comparable(whole)
            if self.checkpoints:
                assert after[:at] == before, "readings of a checkpoint are told as they were, times included"
                assert any(folder.iterdir())

    def test_ended_it_is_not_trained_again(self, shared: Any, tmp_path: Path) -> None:
        context = Context(1, 3, shared, folder=str(tmp_path / "trial"))
        whole = self.read(context)
        again = self.read(context)
        assert self.comparable(again) == self.comparable(whole)
        if self.checkpoints:
            assert again == whole

    def test_writes_to_its_folder_alone(self, shared: Any, tmp_path: Path) -> None:
        self.read(Context(1, 0, shared))
        self.read(Context(1, 0, shared, folder=str(tmp_path / "trial")))
        assert os.listdir() == []
        assert {path.name for path in tmp_path.iterdir()} <= {"empty", "trial"}

    def test_an_architecture_that_fails_raises(self, shared: Any) -> None:
        """A failure is told by an error, never by a score; and the next trial notices nothing of it."""
        bad = self.failing()
        if bad is None:
            pytest.skip("no architecture fails")
        whole = self.comparable(self.read(Context(1, 0, shared)))
        told: list[Measurement] = []
        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever it is, it becomes the reason of the trial
            told.extend(self.make().estimate(bad, Context(2, 0, shared)))
        assert all(usable(value) for reading in told for value in reading.metrics.values())
        assert self.comparable(self.read(Context(1, 0, shared))) == whole
