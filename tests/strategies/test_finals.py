from __future__ import annotations

import dataclasses
import math

import pytest

from raynas import Asha, Finals, Objective, RandomSearch, RegularizedEvolution, spaces
from raynas.errors import ConfigError, Exhausted
from raynas.loop import Loop
from raynas.records import FAILED, FINISHED, STOPPED, Measurement
from raynas.spaces.decide import enumerate_space
from raynas.testing.strategy import SCORE, Session, StrategyContract, ended

SPACE = spaces.nasbench201()


class TestFinals(StrategyContract):
    def make(self):
        return Finals(RegularizedEvolution(4, 2), trials=1000)


def played(strategy, fates):
    """Asks and tells one after the other, by (status, score)."""
    session = Session(strategy.begin(SPACE, SCORE, 0))
    for number, (status, score) in enumerate(fates, 1):
        session.tell(ended(number, session.ask(), status, score))
    return session


def test_the_best_that_were_stopped_are_trained_in_full():
    fates = [(STOPPED, 0.5), (FINISHED, 0.9), (STOPPED, 0.7), (FAILED, None), (STOPPED, 0.6)]
    session = played(Finals(RandomSearch(), trials=5, finalists=2), [*fates, (FINISHED, 0.8), (FINISHED, 0.7)])
    first, second = session.proposals[5:]
    assert (first.parent, second.parent) == (3, 5)
    assert first.budget == second.budget == math.inf
    assert first.architecture == session.proposals[2].architecture
    after = session.ask()  # the strategy again
    assert after.parent is None
    assert after.budget is None


def test_a_higher_rung_goes_first():
    session = Session(Finals(RandomSearch(), trials=2, finalists=1).begin(SPACE, SCORE, 0))
    for number, (epochs, score) in enumerate([(1, 0.9), (3, 0.4)], 1):
        trial = ended(number, session.ask(), STOPPED, score)
        session.tell(dataclasses.replace(trial, measurements=(Measurement(epochs, {"val_accuracy": score}),)))
    assert session.ask().parent == 2


def test_nobody_was_stopped():
    session = played(Finals(RandomSearch(), trials=2, finalists=1), [(FINISHED, 0.5), (FAILED, None)])
    assert session.ask().parent is None


def test_the_search_hears_of_no_finals():
    session = played(Finals(RegularizedEvolution(2, 1), trials=2, finalists=2), [(STOPPED, 0.1), (STOPPED, 0.2)])
    before = list(session.proposer.search.members)
    for number in (3, 4):
        session.tell(ended(number, session.ask(), FINISHED, 0.9))
    assert list(session.proposer.search.members) == before


def test_finals_come_before_the_end_of_a_small_space():
    def tiny(choose):
        return SPACE.decide(
            lambda address, options: choose(address, options if address == "edge0to1" else options[3:4])
        )

    session = Session(Finals(RandomSearch(), trials=100, finalists=1).begin(spaces.FunctionSpace(tiny), SCORE, 0))
    kinds = sum(1 for _ in enumerate_space(spaces.FunctionSpace(tiny)))
    proposals = [session.step(STOPPED) for _ in range(kinds)]
    assert [p.budget for p in proposals] == [None] * kinds
    assert session.step().budget == math.inf
    with pytest.raises(Exhausted):
        session.ask()


def test_no_rung_stops_a_finalist():
    loop = Loop(SPACE, Finals(RandomSearch(), 8, 2), [Objective()], 0, trials=10, scheduler=Asha((1, 3)))
    epochs = {}
    while trial := loop.next():
        for epoch in range(1, 10):
            epochs[trial.id] = epoch
            if not loop.measure(trial.id, Measurement(epoch, {"val_accuracy": 1 / (trial.id + epoch)})):
                break
        loop.end(trial.id, stopped=epochs[trial.id] < 9)
    assert [epochs[9], epochs[10]] == [9, 9]
    assert sum(epochs.values()) < 60


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"trials": 0}, "trials must be a whole number of at least 1"),
        ({"finalists": 0}, "finalists must be"),
        ({"search": RandomSearch}, "search must be a strategy"),
    ],
)
def test_settings_must_fit(settings, told):
    with pytest.raises(ConfigError, match=told):
        Finals(**settings)
