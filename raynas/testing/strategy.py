"""What every strategy must do. Inherit, and say how to make one.

class TestMine(StrategyContract):
    def make(self):
        return Mine()
"""

from __future__ import annotations

import dataclasses
import math
from random import Random

import pytest

from raynas import catalog
from raynas.errors import Exhausted
from raynas.graph import Graph, GraphBuilder
from raynas.objectives import Objective
from raynas.records import (
    FAILED,
    FINISHED,
    RUNNING,
    STOPPED,
    Choose,
    Measurement,
    Proposal,
    Proposer,
    Space,
    Strategy,
    Trial,
)
from raynas.spaces.decide import enumerate_space, replay
from raynas.spaces.function import as_space
from raynas.testing.settings import check_frozen, check_json, untouched_randomness

SCORE = (Objective("val_accuracy"),)


def toy(choose: Choose) -> Graph:
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


def tuned(choose: Choose) -> Graph:
    """Two networks, each with an endless number of learning rates."""
    rate = choose.real("train/lr", 1e-3, 1e-1, log=True)
    assert 1e-3 <= rate <= 1e-1
    choose.integer("train/batch_size", 16, 64)
    g = GraphBuilder()
    x = g.add("conv_bn_relu", g.input(), channels=choose("width", (4, 8)), kernel=3)
    return g.build(g.add("classifier", x))


def ended(number: int, proposal: Proposal, status: str = FINISHED, score: float | None = None) -> Trial:
    """The trial of a proposal, ended.

    Args:
        number: of the trial.
        proposal: what was tried.
        status: FAILED without a score, STOPPED at one epoch, FINISHED at three.
        score: None: one in [0, 1) that the network decides.
    """
    if status == FAILED:
        return Trial(number, proposal.architecture, proposal.parent, FAILED, "start: ValueError: no")
    score = int(proposal.architecture.key[:8], 16) / 16**8 if score is None else score
    reading = Measurement(1 if status == STOPPED else 3, {"val_accuracy": score})
    return Trial(number, proposal.architecture, proposal.parent, status, "", (reading,), (score,))


class Session:
    """Asks and tells, and keeps both for a replay.

    Attributes:
        proposer: who is asked and told.
        proposals: all that it proposed.
        log: what happened, in order: a trial that was told, or None where one was proposed.
    """

    def __init__(self, proposer: Proposer) -> None:
        self.proposer = proposer
        self.proposals: list[Proposal] = []
        self.log: list[Trial | None] = []

    def ask_or_wait(self) -> Proposal | None:
        """The next proposal; None where the strategy waits for results, which leaves no trace."""
        proposal = self.proposer.ask()
        if proposal is not None:
            self.proposals.append(proposal)
            self.log.append(None)
        return proposal

    def ask(self) -> Proposal:
        """The next proposal, where there must be one."""
        proposal = self.ask_or_wait()
        assert proposal is not None, "the strategy waits for results although it need not"
        return proposal

    def tell(self, trial: Trial) -> None:
        """Hands a trial over."""
        self.proposer.tell(trial)
        self.log.append(trial)

    def step(self, status: str = FINISHED) -> Proposal:
        """Asks, and tells how it ended."""
        proposal = self.ask()
        self.tell(ended(len(self.proposals), proposal, status))
        return proposal

    def replayed(self, proposer: Proposer) -> Session:
        """Another session, that asked and told the same."""
        again = Session(proposer)
        for entry in self.log:
            if entry is None:
                again.ask()
            else:
                again.tell(entry)
        return again


class StrategyContract:
    """The suite; its methods are the promises."""

    at_once = 8
    """So many trials it must propose before the first result."""

    def make(self) -> Strategy:
        """The settings under test, small: a generation, say, of five."""
        raise NotImplementedError

    @pytest.fixture
    def toy_space(self) -> Space:
        """The space that most tests search."""
        return as_space(toy)

    def begin(self, space: Space, seed: int = 0) -> Session:
        """A new search."""
        return Session(self.make().begin(space, SCORE, seed))

    def test_settings_are_frozen(self) -> None:
        assert isinstance(self.make(), Strategy)
        check_frozen(self.make())

    def test_settings_are_json(self) -> None:
        check_json(self.make())

    def test_same_seed_same_search(self, toy_space: Space) -> None:
        sessions = [self.begin(toy_space, seed) for seed in (3, 3, 4)]
        for session in sessions:
            for _ in range(30):
                session.step()
        same, again, other = (session.proposals for session in sessions)
        assert same == again
        assert same != other

    def test_two_searches_of_one_strategy_do_not_meet(self, toy_space: Space) -> None:
        """All that a search learns is in its proposer, nothing in the settings or their class."""
        strategy = self.make()
        told = catalog.to_json(strategy)
        alone, one, two = (Session(strategy.begin(toy_space, SCORE, seed)) for seed in (3, 3, 4))
        for _ in range(30):
            alone.step()
        for _ in range(30):
            one.step()
            two.step()
        assert one.proposals == alone.proposals
        assert catalog.to_json(strategy) == told

    def test_no_global_random_state_is_touched(self, toy_space: Space) -> None:
        with untouched_randomness():
            session = self.begin(toy_space)
            for _ in range(30):
                session.step()

    def test_stays_inside_the_space(self, toy_space: Space) -> None:
        session = self.begin(toy_space)
        for _ in range(40):
            architecture = session.step().architecture
            assert replay(toy_space, architecture.answers) == architecture
            assert set(architecture.questions) == set(architecture.answers)

    def test_parents_are_trials_that_were_told(self, toy_space: Space) -> None:
        session = self.begin(toy_space)
        for number in range(40):
            parent = session.step().parent
            assert parent is None or 1 <= parent <= number

    @pytest.mark.parametrize("fates", [(FAILED,), (FAILED, FINISHED), (FAILED, FAILED, FAILED, STOPPED)])
    def test_survives_failed_trials(self, toy_space: Space, fates: tuple[str, ...]) -> None:
        session = self.begin(toy_space)
        for number in range(40):
            session.step(fates[number % len(fates)])

    def test_survives_metrics_that_are_no_numbers(self, toy_space: Space) -> None:
        session = self.begin(toy_space)
        bad = (Measurement(1, {"val_accuracy": math.nan, "val_loss": math.inf}),)
        for number in range(1, 41):
            proposal = session.ask()
            reason = "metrics: val_accuracy is nan"
            session.tell(Trial(number, proposal.architecture, proposal.parent, FAILED, reason, bad))

    def test_survives_equal_scores(self, toy_space: Space) -> None:
        session = self.begin(toy_space)
        for number in range(1, 41):
            session.tell(ended(number, session.ask(), score=0.1))

    def test_is_told_at_rungs_too(self, toy_space: Space) -> None:
        session = self.begin(toy_space)
        for number in range(1, 41):
            final = ended(number, session.ask(), STOPPED if number % 3 else FINISHED)
            session.tell(dataclasses.replace(final, status=RUNNING))
            session.tell(final)

    def test_survives_trials_that_fail_after_a_rung(self, toy_space: Space) -> None:
        """A score that was told counts no more when the trial fails."""
        session = self.begin(toy_space)
        for number in range(1, 31):
            told = ended(number, session.ask(), STOPPED)
            session.tell(dataclasses.replace(told, status=RUNNING))
            session.tell(dataclasses.replace(told, status=FAILED, reason="epoch 2: ValueError: no", scores=None))

    def test_answers_while_others_run(self, toy_space: Space) -> None:
        session = self.begin(toy_space)
        asked = [session.ask() for _ in range(self.at_once)]
        assert len({p.architecture.identity for p in asked}) == self.at_once
        for number in range(self.at_once, 0, -1):  # results come in another order
            session.tell(ended(number, asked[number - 1]))
        session.ask()

    def test_waiting_leaves_no_trace(self, toy_space: Space) -> None:
        """A search that asks on and on while the strategy waits goes on like one that does not."""
        patient, hasty = self.begin(toy_space), self.begin(toy_space)
        for session, extra in ((patient, 0), (hasty, 3)):
            told = 0
            for _ in range(4):
                while len(session.proposals) - told < 2 * self.at_once:
                    if session.ask_or_wait() is None:
                        assert [session.ask_or_wait() for _ in range(extra)] == [None] * extra
                        break
                for number in range(told + 1, len(session.proposals) + 1):
                    session.tell(ended(number, session.proposals[number - 1]))
                told = len(session.proposals)
        assert hasty.proposals == patient.proposals

    def test_replay_gives_the_same_next_asks(self) -> None:
        """What a resumed search relies on: asked and told the same, it goes on the same."""
        rng = Random(0)
        session = self.begin(as_space(tuned), 5)
        running: list[tuple[int, Proposal]] = []
        for _ in range(60):
            if rng.random() < 0.6 and len(running) < 5:
                proposal = session.ask_or_wait()
                if proposal is not None:
                    running.append((len(session.proposals), proposal))
            elif running:
                number, proposal = running.pop(int(rng.random() * len(running)))
                session.tell(ended(number, proposal, (FINISHED, STOPPED, FAILED)[number % 3]))
        again = session.replayed(self.make().begin(as_space(tuned), SCORE, 5))
        assert again.proposals == session.proposals
        assert [again.proposer.ask() for _ in range(50)] == [session.proposer.ask() for _ in range(50)]

    @pytest.mark.parametrize("at_once", [1, 5])
    def test_ends_when_the_space_is_exhausted(self, toy_space: Space, at_once: int) -> None:
        """Every distinct network is proposed, none twice, whatever the order of results."""
        distinct = {architecture.identity for architecture in enumerate_space(toy_space)}
        assert len(distinct) < sum(1 for _ in enumerate_space(toy_space))
        session, running = self.begin(toy_space), []
        for number in range(1, len(distinct) + 1):
            running.append((number, session.ask()))
            if len(running) == min(at_once, self.at_once):
                session.tell(ended(*running.pop()))
        assert sorted(p.architecture.identity for p in session.proposals) == sorted(distinct)
        for _ in range(3):
            with pytest.raises(Exhausted, match=f"space 'toy' is exhausted: all {len(distinct)} distinct"):
                session.ask()

    def test_ends_though_every_trial_fails(self, toy_space: Space) -> None:
        distinct = {architecture.identity for architecture in enumerate_space(toy_space)}
        session = self.begin(toy_space)
        for _ in distinct:
            session.step(FAILED)
        with pytest.raises(Exhausted):
            session.ask()

    def test_searches_hyperparameters_jointly(self) -> None:
        space = as_space(tuned)
        session = self.begin(space)
        architectures = [session.step().architecture for _ in range(100)]
        assert len({a.key for a in architectures}) == 2
        assert len({a.identity for a in architectures}) == 100
        rates = [float(str(a.hyperparameters["lr"])) for a in architectures]
        assert all(1e-3 <= rate <= 1e-1 for rate in rates)
        assert len(set(rates)) > 30
        assert all(type(a.hyperparameters["batch_size"]) is int for a in architectures)
