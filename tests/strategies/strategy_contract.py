"""What every strategy must do. Inherit, and say how to begin one."""

from __future__ import annotations

import dataclasses
import math
from random import Random

import pytest

from raynas import catalog
from raynas.errors import Exhausted
from raynas.graph import GraphBuilder
from raynas.objectives import Objective
from raynas.records import FAILED, FINISHED, RUNNING, STOPPED, Measurement, Proposer, Strategy, Trial
from raynas.spaces.decide import enumerate_space, replay
from raynas.spaces.function import as_space

SCORE = (Objective("val_accuracy"),)


def toy(choose):
    """A small space with a condition, a number, and different answers that make the same network."""
    g = GraphBuilder()
    x = g.input()
    for layer in range(choose.integer("layers", 1, 2)):
        width = choose(f"layer{layer}/width", (4, 8))
        branches = [
            g.add("conv_bn_relu", x, channels=width, kernel=choose(f"layer{layer}/branch{branch}", (1, 3, 5)))
            for branch in range(2)
        ]
        x = g.add("sum", *branches)
    return g.build(g.add("classifier", x))


def tuned(choose):
    """Two networks, each with an endless number of learning rates."""
    rate = choose.real("train/lr", 1e-3, 1e-1, log=True)
    assert 1e-3 <= rate <= 1e-1
    choose.integer("train/batch_size", 16, 64)
    g = GraphBuilder()
    x = g.add("conv_bn_relu", g.input(), channels=choose("width", (4, 8)), kernel=3)
    return g.build(g.add("classifier", x))


def ended(number, proposal, status=FINISHED, score=None):
    """A trial of the proposal that ended: FAILED without a score, STOPPED at one epoch, FINISHED at three."""
    if status == FAILED:
        return Trial(number, proposal.architecture, proposal.parent, FAILED, "start: ValueError: no")
    score = int(proposal.architecture.key[:8], 16) / 16**8 if score is None else score
    reading = Measurement(1 if status == STOPPED else 3, {"val_accuracy": score})
    return Trial(number, proposal.architecture, proposal.parent, status, "", (reading,), (score,))


class Session:
    """Asks and tells, and keeps both for a replay."""

    def __init__(self, proposer: Proposer) -> None:
        self.proposer = proposer
        self.proposals = []
        self.log = []

    def ask(self):
        proposal = self.proposer.ask()
        if proposal is not None:  # it waits for results; such an ask leaves no trace
            self.proposals.append(proposal)
            self.log.append(None)
        return proposal

    def tell(self, trial):
        self.proposer.tell(trial)
        self.log.append(trial)

    def step(self, status=FINISHED):
        proposal = self.ask()
        self.tell(ended(len(self.proposals), proposal, status))
        return proposal

    def replayed(self, proposer):
        """Another session that asked and told the same."""
        again = Session(proposer)
        for entry in self.log:
            if entry is None:
                again.ask()
            else:
                again.tell(entry)
        return again


class StrategyContract:
    def make(self) -> Strategy:
        """The settings under test."""
        raise NotImplementedError

    @pytest.fixture
    def toy_space(self):
        return as_space(toy)

    def begin(self, space, seed=0):
        return Session(self.make().begin(space, SCORE, seed))

    def test_is_a_frozen_value_of_json_settings(self):
        strategy = self.make()
        assert isinstance(strategy, Strategy)
        assert catalog.from_json(catalog.to_json(strategy)) == strategy
        for field in dataclasses.fields(strategy):
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(strategy, field.name, None)

    def test_same_seed_same_search(self, toy_space):
        sessions = [self.begin(toy_space, seed) for seed in (3, 3, 4)]
        for session in sessions:
            for _ in range(30):
                session.step()
        same, again, other = (session.proposals for session in sessions)
        assert same == again
        assert same != other

    def test_two_searches_of_one_strategy_do_not_meet(self, toy_space):
        strategy = self.make()
        alone, one, two = (Session(strategy.begin(toy_space, SCORE, seed)) for seed in (3, 3, 4))
        for _ in range(30):
            alone.step()
        for _ in range(30):
            one.step()
            two.step()
        assert one.proposals == alone.proposals

    def test_no_global_random_state_is_touched(self, toy_space):
        import random

        import numpy as np

        before = random.getstate(), np.random.get_state()[1].tolist()
        session = self.begin(toy_space)
        for _ in range(30):
            session.step()
        assert (random.getstate(), np.random.get_state()[1].tolist()) == before

    def test_stays_inside_the_space(self, toy_space):
        session = self.begin(toy_space)
        for _ in range(40):
            architecture = session.step().architecture
            assert replay(toy_space, architecture.answers) == architecture
            assert set(architecture.questions) == set(architecture.answers)

    def test_parents_are_trials_that_were_told(self, toy_space):
        session = self.begin(toy_space)
        for number in range(40):
            parent = session.step().parent
            assert parent is None or 1 <= parent <= number

    @pytest.mark.parametrize("fates", [(FAILED,), (FAILED, FINISHED), (FAILED, FAILED, FAILED, STOPPED)])
    def test_survives_failed_trials(self, toy_space, fates):
        session = self.begin(toy_space)
        for number in range(40):
            session.step(fates[number % len(fates)])

    def test_survives_metrics_that_are_no_numbers(self, toy_space):
        session = self.begin(toy_space)
        for number in range(1, 41):
            proposal = session.ask()
            reading = Measurement(1, {"val_accuracy": math.nan, "val_loss": math.inf})
            session.tell(
                Trial(
                    number, proposal.architecture, proposal.parent, FAILED, "metrics: val_accuracy is nan", (reading,)
                )
            )

    def test_survives_equal_scores(self, toy_space):
        session = self.begin(toy_space)
        for number in range(1, 41):
            session.tell(ended(number, session.ask(), score=0.1))

    def test_is_told_at_rungs_too(self, toy_space):
        session = self.begin(toy_space)
        for number in range(1, 41):
            final = ended(number, session.ask(), STOPPED if number % 3 else FINISHED)
            session.tell(dataclasses.replace(final, status=RUNNING))
            session.tell(final)

    def test_answers_while_others_run(self, toy_space):
        session = self.begin(toy_space)
        asked = [session.ask() for _ in range(8)]
        assert len({p.architecture.identity for p in asked}) == 8
        for number in range(8, 0, -1):  # results come in another order
            session.tell(ended(number, asked[number - 1]))
        session.ask()

    def test_replay_gives_the_same_next_asks(self, toy_space):
        rng = Random(0)
        session, running = self.begin(as_space(tuned), 5), []
        for _ in range(60):
            if rng.random() < 0.6 and len(running) < 5:
                proposal = session.ask()
                if proposal is not None:
                    running.append((len(session.proposals), proposal))
            elif running:
                number, proposal = running.pop(int(rng.random() * len(running)))
                session.tell(ended(number, proposal, (FINISHED, STOPPED, FAILED)[number % 3]))
        again = session.replayed(self.make().begin(as_space(tuned), SCORE, 5))
        assert again.proposals == session.proposals
        assert [again.ask() for _ in range(50)] == [session.ask() for _ in range(50)]

    @pytest.mark.parametrize("at_once", [1, 5])
    def test_ends_when_the_space_is_exhausted(self, toy_space, at_once):
        """Every distinct network is proposed, none twice, whatever the order of results."""
        distinct = {architecture.identity for architecture in enumerate_space(toy_space)}
        assert len(distinct) < sum(1 for _ in enumerate_space(toy_space))
        session, running = self.begin(toy_space), []
        for number in range(1, len(distinct) + 1):
            running.append((number, session.ask()))
            if len(running) == at_once:
                session.tell(ended(*running.pop()))
        assert sorted(p.architecture.identity for p in session.proposals) == sorted(distinct)
        for _ in range(3):
            with pytest.raises(Exhausted, match=f"space 'toy' is exhausted: all {len(distinct)} distinct"):
                session.ask()

    def test_ends_though_every_trial_fails(self, toy_space):
        distinct = {architecture.identity for architecture in enumerate_space(toy_space)}
        session = self.begin(toy_space)
        for _ in distinct:
            session.step(FAILED)
        with pytest.raises(Exhausted):
            session.ask()

    def test_searches_hyperparameters_jointly(self):
        space = as_space(tuned)
        session = self.begin(space)
        architectures = [session.step().architecture for _ in range(100)]
        assert len({a.key for a in architectures}) == 2
        assert len({a.identity for a in architectures}) == 100
        rates = [a.hyperparameters["lr"] for a in architectures]
        assert all(1e-3 <= rate <= 1e-1 for rate in rates)
        assert len(set(rates)) > 30
        assert all(type(a.hyperparameters["batch_size"]) is int for a in architectures)
