"""Searches that are killed and resumed at any point go on like twins that never were: R5 and R7, strategy by strategy.

Hypothesis writes sequences of ask, report, complete, fail, kill and resume. Two searches do them side by side; at a
kill one of the two is thrown away, and a fresh one replays what is on record. Every strategy runs some sequences here;

    pytest -m long tests/test_state_machines.py

runs 1,000 of each, or as many as the environment variable RAYNAS_SEQUENCES says.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from random import Random

import pytest
from driver import Recorder
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from raynas import Asha, Objective, spaces
from raynas.catalog import STRATEGIES
from raynas.loop import Loop
from raynas.records import FAILED, FINISHED, STOPPED, Measurement, usable
from raynas.spaces.decide import sample
from raynas.spaces.function import as_space
from raynas.strategies import RandomSearch, RidgeSearch
from raynas.testing.strategy import toy, tuned

SEQUENCES = int(os.environ.get("RAYNAS_SEQUENCES", "1000"))
SLOW = ("controller", "optuna", "ppo")
"""They take a second a sequence."""

EPOCHS = 4
SPACES = {"cells": spaces.NasBench201(width=4, repeats=1), "toy": as_space(toy), "tuned": as_space(tuned)}
"""Large; soon used up; with hyperparameters."""

SCHEDULERS = {"all go on": None, "asha": Asha(rungs=(1, 2, 4), eta=2)}

SMALL = {
    "amoebanet": {"population": 5, "tournament": 2},
    "auto": {
        "levels": ((1, 8), (2, 3), (0, 2)), "warm": 2, "pool": 4,
        "search": RidgeSearch(initial=2, batch=2, candidates=6),
    },
    "bananas": {"initial": 3, "batch": 2, "candidates": 6, "members": 2, "epochs": 2, "history": 10},
    "controller": {"hidden": 4, "layers": 1, "batch": 2},
    "evolution": {"population": 4, "tournament": 2},
    "file": {},
    "genetic": {"population": 4, "tournament": 2},
    "grid": {"points": 3, "stride": 7},
    "large_scale": {"population": 4},
    "local": {"initial": 2},
    "nsga2": {"population": 4},
    "optuna": {"initial": 2, "population": 4, "history": 8},
    "ppo": {"hidden": 4, "batch": 2, "epochs": 2},
    "random": {},
    "reinforce": {},
    "ridge": {"initial": 3, "batch": 2, "candidates": 6, "history": 10},
}  # fmt: skip
"""So small that every phase of a strategy comes in a sequence."""

READINGS = st.integers(0, 50).map(lambda n: n / 50) | st.just(float("nan"))


class Twins(RuleBasedStateMachine):
    """Two searches, one of which is killed now and then.

    Args:
        make: name of a space -> strategy.
        scheduler: who goes on, or None.
        tally: counts what happened, over all sequences.
        loop: what makes a search.
    """

    def __init__(self, make, scheduler, tally, loop=Loop) -> None:
        super().__init__()
        self.make, self.scheduler, self.tally, self.loop = make, scheduler, tally, loop
        self.unissued = []  # trials that the resumed search has to issue again
        self.stopped = set()  # trials that a reading told to stop
        self.killed_at = None

    @initialize(space=st.sampled_from(sorted(SPACES)), seed=st.integers(0, 2**32))
    def begin(self, space, seed):
        self.space, self.seed = space, seed
        self.record, self.twin_record = Recorder(), Recorder()
        self.search, self.twin = self.fresh(self.record), self.fresh(self.twin_record)

    def fresh(self, recorder):
        """A search of which nothing is known yet."""
        return self.loop(
            SPACES[self.space], self.make(self.space), [Objective()], self.seed,
            scheduler=self.scheduler, listeners=[recorder],
        )  # fmt: skip

    def issued(self):
        """Trials that run in both."""
        return [trial for trial in self.twin.running if trial not in self.unissued]

    def agree(self):
        """The last event, and what can be seen of the two searches."""
        assert self.record.events[-1:] == self.twin_record.events[-1:]
        assert len(self.record.events) == len(self.twin_record.events)
        assert self.search.failure is self.twin.failure is None

    @precondition(lambda self: not self.unissued)
    @rule()
    def ask(self):
        one, other = self.search.next(), self.twin.next()
        assert one == other
        assert self.search.exhausted == self.twin.exhausted
        if one is not None:
            assert self.search.budget_of(one.id) == self.twin.budget_of(one.id)
            self.tally["asked"] += 1
        self.agree()

    @precondition(lambda self: set(self.issued()) - self.stopped)
    @rule(which=st.integers(0, 99), value=READINGS, epochs=st.sampled_from([1, 1, 2]))
    def report(self, which, value, epochs):
        going = [trial for trial in self.issued() if trial not in self.stopped]
        trial = going[which % len(going)]
        budget = self.twin.running[trial].budget + epochs
        reading = Measurement(budget, {"val_accuracy": value, "train_s": budget})
        one, other = self.search.measure(trial, reading), self.twin.measure(trial, reading)
        assert one == other
        if not one or budget >= EPOCHS:
            self.stopped.add(trial)
        self.tally["reported"] += 1
        self.agree()

    @precondition(lambda self: self.issued())
    @rule(which=st.integers(0, 99), fails=st.sampled_from([False, False, True]))
    def end(self, which, fails):
        running = self.issued()
        trial = running[which % len(running)]
        before = self.twin.running[trial]
        fails = fails or not usable(before.score)
        # Ten failures alike in a row would end the search, and a resumed one is given another chance.
        reason = f"start: ValueError: no {chr(ord('a') + trial % 26)}" if fails else ""
        stopped = before.budget < EPOCHS
        one, other = (search.end(trial, reason, stopped=stopped) for search in (self.search, self.twin))
        assert repr(one) == repr(other)
        assert one.status == (FAILED if fails else STOPPED if stopped else FINISHED)
        self.stopped.discard(trial)
        self.tally["failed" if fails else "completed"] += 1
        self.agree()

    @precondition(lambda self: not self.unissued)
    @rule(values=st.lists(READINGS, min_size=2, max_size=6))
    def train_some(self, values):
        """One after the other, so that populations fill and models learn."""
        for value in values:
            asked = len(self.twin.trials)
            self.ask()
            if len(self.twin.trials) == asked:
                return
            (trial,) = list(self.twin.trials)[asked:]
            at = self.issued().index(trial)
            while trial not in self.stopped:
                going = [t for t in self.issued() if t not in self.stopped]
                self.report(going.index(trial), value, 1)
            self.end(at, False)

    def progress(self):
        """Changes with every event, and with every trial that is issued again."""
        return len(self.record.events), len(self.unissued)

    @precondition(lambda self: self.progress() != self.killed_at)
    @rule()
    def kill(self):
        """And resume: a fresh search replays the record."""
        before = self.search
        self.search = self.fresh(self.record)
        self.search.replay(self.record.events)
        assert repr(self.search.trials) == repr(before.trials) == repr(self.twin.trials)
        assert list(self.search.running) == list(before.running) == list(self.twin.running)
        assert [self.search.budget_of(t) for t in self.search.running] == [
            self.twin.budget_of(t) for t in self.twin.running
        ]
        self.unissued = list(self.twin.running)
        self.killed_at = self.progress()
        self.tally["killed"] += 1

    @precondition(lambda self: self.unissued)
    @rule()
    def issue_again(self):
        """An unfinished trial is taken up; its last reading comes again, from its checkpoint."""
        expected = self.twin.running[self.unissued.pop(0)]
        trial = self.search.next()
        assert repr(trial) == repr(expected)
        if trial.measurements:
            (one, other) = (search.measure(trial.id, trial.measurements[-1]) for search in (self.search, self.twin))
            assert one == other
        self.tally["issued again"] += 1

    def teardown(self):
        """The end of every sequence: one more kill, and both go on alike for a while."""
        if not hasattr(self, "twin"):
            return
        if self.progress() != self.killed_at:
            self.kill()
        while self.unissued:
            self.issue_again()
        for trial in self.issued():
            self.end(self.issued().index(trial), False)
        self.train_some([0.9, 0.1, 0.5, 0.7])
        assert self.record.events == self.twin_record.events
        self.tally["sequences"] += 1


def play(make, scheduler, sequences, steps=25, **options):
    """So many sequences; what happened in them."""
    tally = Counter()
    loop = options.pop("loop", Loop)
    run_state_machine_as_test(
        lambda: Twins(make, scheduler, tally, loop),
        settings=settings(
            max_examples=sequences, stateful_step_count=steps, deadline=None, derandomize=True, database=None,
            suppress_health_check=list(HealthCheck), **options,
        ),
    )  # fmt: skip
    return tally


@pytest.fixture(scope="module")
def maker(tmp_path_factory):
    """Name of a strategy -> name of a space -> the strategy, small."""
    folder = tmp_path_factory.mktemp("listed")
    for name, space in SPACES.items():
        lines = [json.dumps(sample(space, Random(seed)).to_json()) for seed in range(60)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines))

    def make(strategy, space):
        listed = {"path": str(folder / f"{space}.jsonl")} if strategy == "file" else {}
        return STRATEGIES[strategy](**SMALL[strategy], **listed)

    return lambda strategy: lambda space: make(strategy, space)


def test_every_strategy_is_played():
    assert set(SMALL) == set(STRATEGIES)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_few_sequences(strategy, scheduler, maker):
    sequences, steps = (2, 10) if strategy in SLOW else (4, 15)
    tally = play(maker(strategy), SCHEDULERS[scheduler], sequences, steps)
    assert tally["killed"] >= tally["sequences"] >= sequences


class ForgetsRungs(Loop):
    def replay(self, events, **how):
        super().replay(events, **how)
        self.rungs = SCHEDULERS["asha"].begin()


class ForgetsProposals(Loop):
    def replay(self, events, **how):
        super().replay(events, **how)
        self.proposer = RandomSearch().begin(self.space, self.objectives, 0)


class DropsTheLastEvent(Loop):
    def replay(self, events, **how):
        super().replay(events[:-1], **how)


class ForgetsWhoStopped(Loop):
    def replay(self, events, **how):
        super().replay(events, **how)
        self._stopping.clear()


@pytest.mark.parametrize("loop", [ForgetsRungs, ForgetsProposals, DropsTheLastEvent, ForgetsWhoStopped])
def test_a_resume_that_loses_something_is_noticed(loop, maker):
    with pytest.raises((AssertionError, ExceptionGroup)):
        play(maker("random"), SCHEDULERS["asha"], 100, loop=loop, phases=[Phase.generate], report_multiple_bugs=False)


@pytest.mark.long
@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_thousand_sequences(strategy, scheduler, maker):
    """Half of them with early stopping."""
    tally = play(maker(strategy), SCHEDULERS[scheduler], SEQUENCES // 2)
    print(f"\n{strategy:12} {scheduler:10} {json.dumps(tally)}")
    assert tally["sequences"] >= SEQUENCES // 2
