from __future__ import annotations

import logging
import math
import subprocess
import sys
from random import Random

import pytest

from raynas import Objective, OptunaSearch, spaces
from raynas.errors import ConfigError
from raynas.graph import GraphBuilder
from raynas.records import FAILED, FINISHED, STOPPED, Integer, Measurement, Options, Real, Trial
from raynas.spaces.decide import sample
from raynas.spaces.function import as_space
from raynas.strategies import optuna_search
from raynas.strategies.optuna_search import comparable
from raynas.testing.strategy import SCORE, Session, StrategyContract, ended, toy, tuned

TWO = (Objective("val_accuracy"), Objective("params_m", maximise=False))


def renaming(choose):
    """One address is asked with other options, by what was answered before."""
    big = choose("big", (False, True))
    width = choose("width", (32, 64) if big else (4, 8, 12))
    choose.integer("train/epochs", 10 if big else 1, 20)
    return chain(width)


def chain(width):
    g = GraphBuilder()
    return g.build(g.add("classifier", g.add("conv_bn_relu", g.input(), channels=width, kernel=1)))


def two_scores(number, proposal, status=FINISHED):
    """The more threes the better, and the fewer."""
    threes = sum(op == "nor_conv_3x3" for op in proposal.architecture.answers.values())
    reading = Measurement(3, {"val_accuracy": threes / 6, "params_m": threes})
    return Trial(number, proposal.architecture, None, status, "", (reading,), (threes / 6, -threes))


def generations(proposer):
    """Parameters of the parents of the youngest generation, and those of that generation."""
    kept = proposer._generation()
    numbers = [t.system_attrs[optuna_search._generation_key(t)] for t in kept]
    told = [frozenset(t.params.items()) for t in kept]
    return [{one for one, number in zip(told, numbers, strict=True) if number == wanted} for wanted in (0, 1)]


class OptunaContract(StrategyContract):
    sampler = ""

    def make(self):
        return OptunaSearch(self.sampler, initial=5, population=5, history=12, retries=3)

    def test_conditional_questions_may_change_their_options(self):
        session = self.begin(as_space(renaming))
        for _ in range(40):
            session.step()
        assert {p.architecture.answers["width"] for p in session.proposals} == {4, 8, 12, 32, 64}

    def test_goes_on_after_it_forgot_with_what_still_runs(self):
        session = self.begin(spaces.nasbench201())
        running = [(number, session.ask()) for number in range(1, 9)]
        for number in range(9, 90):
            session.tell(ended(number, session.ask()))
        open_before = dict(session.proposer._open)
        assert len(open_before) == 8
        for number, proposal in running:
            session.tell(ended(number, proposal, STOPPED if number % 2 else FINISHED))
        assert not session.proposer._open
        for number in range(90, 120):
            session.tell(ended(number, session.ask()))
        states = [t.state.name for t in session.proposer._study.get_trials(deepcopy=False)]
        assert len(states) <= 2 * 12 + self.make().retries
        assert "RUNNING" not in states

    def test_hears_of_what_others_proposed(self):
        session, other = self.begin(spaces.nasbench201(), 0), self.begin(spaces.nasbench201(), 1)
        for number in range(1, 21):
            session.tell(ended(number, other.ask()))
        for number in range(21, 31):
            session.tell(ended(number, session.ask()))
        heard = session.proposer._study.get_trials(deepcopy=False)
        theirs = {frozenset(p.architecture.answers.items()) for p in other.proposals}
        assert theirs & {frozenset(t.params.items()) for t in heard}


class TestTpe(OptunaContract):
    sampler = "tpe"

    @pytest.mark.parametrize(
        ("settings", "told"),
        [
            ({"sampler": "tpee"}, "unknown sampler 'tpee'; did you mean 'tpe'"),
            ({"retries": 0}, "retries must be a whole number of at least 1"),
            ({"history": 1}, "history must be a whole number of at least 2"),
            ({"population": 1}, "population must be"),
        ],
    )
    def test_settings_must_fit(self, settings, told):
        with pytest.raises(ConfigError, match=told):
            OptunaSearch(**settings)

    def test_learns_what_scores(self):
        session = Session(OptunaSearch().begin(spaces.darts(), SCORE, 0))
        found = []
        for number in range(1, 121):
            proposal = session.ask()
            found.append(sum(op == "skip_connect" for op in proposal.architecture.answers.values()) / 16)
            session.tell(ended(number, proposal, score=found[-1]))
        assert sum(found[90:]) / 30 > 2 * sum(found[:10]) / 10

    def test_a_score_at_a_low_rung_loses_to_any_at_a_higher_one(self):
        """Only one trial of twenty trained long, with the lowest score: it is what TPE counts as good."""
        session = Session(OptunaSearch(initial=20).begin(spaces.nasbench201(), SCORE, 0))
        for number in range(1, 21):
            score, status = (0.1, FINISHED) if number == 4 else (0.9, STOPPED)
            session.tell(ended(number, session.ask(), status, score))
        assert dict(session.proposer._study.best_params) == dict(session.proposals[3].architecture.answers)

    def test_keeps_the_best_of_a_long_history(self):
        session = Session(OptunaSearch(history=10).begin(spaces.darts(), SCORE, 0))
        for number in range(1, 20):
            session.tell(ended(number, session.ask(), score=0.9 if number == 2 else 0.1))
        best = session.proposals[1].architecture.answers
        for number in range(20, 61):
            session.tell(ended(number, session.ask(), score=0.1))
        assert dict(session.proposer._study.best_params) == dict(best)
        assert len(session.proposer._study.get_trials(deepcopy=False)) < 60

    def test_takes_several_objectives(self):
        session = Session(OptunaSearch(history=15).begin(spaces.nasbench201(), TWO, 0))
        for number in range(1, 61):
            session.tell(two_scores(number, session.ask()))
        assert len(session.proposer._study.directions) == 2

    def test_what_optuna_says_stays_as_loud_as_it_was(self):
        import optuna

        before = optuna.logging.get_verbosity()
        heard = []
        handler = logging.Handler()
        handler.emit = heard.append
        logger = logging.getLogger("optuna")
        logger.addHandler(handler)
        try:
            optuna.logging.set_verbosity(optuna.logging.INFO)
            self.begin(spaces.nasbench201()).step()
            assert optuna.logging.get_verbosity() == optuna.logging.INFO
            assert heard == []
        finally:
            optuna.logging.set_verbosity(before)
            logger.removeHandler(handler)

    def test_is_loaded_when_a_search_begins(self):
        check = (
            "import sys, raynas; strategy = raynas.OptunaSearch(); assert 'optuna' not in sys.modules; "
            "strategy.begin(raynas.spaces.nasbench201(), (raynas.Objective(),), 0); assert 'optuna' in sys.modules; "
            "assert 'torch' not in sys.modules"
        )
        subprocess.run([sys.executable, "-c", check], check=True)


class TestNsga2(OptunaContract):
    sampler = "nsga2"

    def test_generations_survive_forgetting(self):
        """Parents and children are those that a study without an end would have."""
        short, long = (
            Session(OptunaSearch("nsga2", population=4, history=history).begin(spaces.darts(), SCORE, 0))
            for history in (8, 10_000)
        )
        for number in range(1, 16):
            short.tell(ended(number, short.ask()))
            long.tell(ended(number, long.ask()))
        assert short.proposals == long.proposals
        expected = generations(long.proposer)
        for _ in range(2):
            short.proposer._forget()
            parents, children = generations(short.proposer)
            assert len(parents) == 4
            assert 0 < len(children) < 4
            assert [parents, children] == expected
            assert len(short.proposer._study.get_trials(deepcopy=False)) == len(parents) + len(children)

    def test_finds_a_front(self):
        session = Session(OptunaSearch("nsga2", population=10).begin(spaces.nasbench201(), TWO, 0))
        for number in range(1, 151):
            session.tell(two_scores(number, session.ask()))
        threes = [sum(op == "nor_conv_3x3" for op in p.architecture.answers.values()) for p in session.proposals]
        assert set(threes) == set(range(7))

    def test_a_stopped_trial_is_dominated(self):
        session = Session(OptunaSearch("nsga2").begin(spaces.nasbench201(), TWO, 0))
        for number in range(1, 11):
            trial = two_scores(number, session.ask())
            reading = Measurement(1 if number != 5 else 3, {})
            session.tell(Trial(number, trial.architecture, None, STOPPED, "", (reading,), trial.scores))
        assert [t.number for t in session.proposer._study.best_trials] == [4]


class TestCmaEs(OptunaContract):
    sampler = "cmaes"

    def test_finds_the_best_number(self):
        """Beside a cell; 0.05 is best, and a tenth of the range (in the logarithm) is within a factor of 1.58."""

        def space(choose):
            choose.real("train/lr", 1e-4, 1e-1 * 10, log=True)
            choose.real("train/momentum", 0.0, 1.0)
            return spaces.nasbench201().decide(choose)

        session = Session(OptunaSearch("cmaes").begin(as_space(space), SCORE, 0))
        for number in range(1, 151):
            proposal = session.ask()
            answers = proposal.architecture.answers
            away = (math.log10(answers["train/lr"] / 0.05) / 4) ** 2 + (answers["train/momentum"] - 0.9) ** 2
            session.tell(ended(number, proposal, score=1 - away))
        late = [p.architecture.answers for p in session.proposals[120:]]
        assert sum(0.025 < answers["train/lr"] < 0.1 for answers in late) > 20
        assert sum(answers["train/momentum"] > 0.8 for answers in late) > 20

    def test_takes_the_first_of_several_objectives(self):
        session = Session(OptunaSearch("cmaes").begin(spaces.nasbench201(), TWO, 0))
        for number in range(1, 31):
            session.tell(two_scores(number, session.ask()))
        assert len(session.proposer._study.directions) == 1

    def test_says_what_package_it_needs(self, monkeypatch):
        monkeypatch.setattr(optuna_search, "find_spec", lambda name: None)
        with pytest.raises(ConfigError, match="pip install cmaes"):
            self.begin(spaces.nasbench201())


@pytest.mark.parametrize("sampler", optuna_search.SAMPLERS)
@pytest.mark.parametrize("make", [spaces.chain, spaces.skip_chain, spaces.large_scale, spaces.nasbench101])
def test_conditional_spaces(sampler, make):
    session = Session(OptunaSearch(sampler, initial=5, population=5).begin(make(), SCORE, 0))
    for number in range(1, 31):
        session.step((FINISHED, STOPPED, FAILED)[number % 3])


@pytest.mark.parametrize("space", [toy, tuned, renaming, spaces.large_scale()], ids=lambda space: as_space(space).name)
def test_what_is_added_is_what_optuna_would_have_drawn(space):
    """Parameters of an architecture are in their distributions, whatever their kind."""
    proposer = OptunaSearch().begin(as_space(space), SCORE, 0)
    for seed in range(10):
        architecture = sample(as_space(space), Random(seed))
        number = proposer._add(architecture)
        params = proposer._study.get_trials(deepcopy=False)[number].params
        assert list(params.values()) == list(architecture.answers.values())


def test_comparable_numbers():
    scores = [-1e9, -3.0, -2.99, 0.0, 0.5, 0.500001, 0.9, 120.0, 121.0, 1e9]
    values = [comparable(budget, score) for budget in (0.5, 1, 12, 200) for score in scores]
    assert values == sorted(values)
    assert len(set(values)) == len(values)


def test_names_of_domains_are_told_apart():
    names = {}
    domains = [Options((0, 1)), Options((False, True)), Integer(0, 1), Real(0.0, 1.0), Real(0.0, 1.0, True)]
    given = [optuna_search._name(names, "x", domain) for domain in domains]
    assert given == ["x", "x #2", "x #3", "x #4", "x #5"] or len(set(given)) == 5
    assert [optuna_search._name(names, "x", domain) for domain in domains] == given
