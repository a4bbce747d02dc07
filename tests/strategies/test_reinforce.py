from __future__ import annotations

import dataclasses
import math
from collections import Counter
from random import Random

import numpy as np
import pytest
from on_table import gain

from raynas import RandomSearch, Reinforce, spaces
from raynas.errors import ConfigError
from raynas.records import FAILED, RUNNING, STOPPED, Options, Real
from raynas.spaces.function import as_space
from raynas.strategies.policy import Decision, Experience
from raynas.strategies.reinforce import Table
from raynas.testing.strategy import SCORE, Session, StrategyContract, ended, toy

OPS = Options(("a", "b", "c"))


def shares(policy, address="x", domain=OPS):
    return policy.shares(policy.row(address, domain), 1.0)


def experience(index, advantage, log_probability=None):
    return Experience([Decision("x", OPS, index)], log_probability, advantage)


class TestReinforce(StrategyContract):
    def make(self):
        return Reinforce()

    @pytest.mark.parametrize(
        "settings",
        [{"learning_rate": 0.0}, {"learning_rate": math.inf}, {"decay": 1.0}, {"entropy": -1.0}, {"clip": -1.0}],
    )
    def test_settings_must_fit(self, settings):
        with pytest.raises(ConfigError, match=next(iter(settings))):
            Reinforce(**settings)

    def test_learns_what_scores(self):
        """One op scores on each edge; chance has a fifth of them."""
        session = self.begin(spaces.nasbench201())
        found = []
        for number in range(1, 151):
            proposal = session.ask()
            score = sum(op == "nor_conv_3x3" for op in proposal.architecture.answers.values()) / 6
            found.append(score)
            session.tell(ended(number, proposal, score=score))
        assert sum(found[:30]) / 30 < 0.35
        assert sum(found[100:]) / 50 > 0.5

    def test_learns_where_a_number_should_be(self):
        def space(choose):
            choose.real("train/lr", 1e-4, 1.0, log=True)
            return spaces.nasbench201().decide(choose)

        session = self.begin(as_space(space))
        for number in range(1, 201):
            proposal = session.ask()
            away = abs(math.log10(proposal.architecture.answers["train/lr"]) + 1)  # 0.1 is best
            session.tell(ended(number, proposal, score=1 - away / 3))
        rates = [p.architecture.answers["train/lr"] for p in session.proposals[150:]]
        assert sum(0.02 < rate < 0.5 for rate in rates) > 40

    def test_answers_of_questions_that_come_up_late_are_learned(self):
        """Two layers score, and in the second one wide ones: 8 of 16 answers are such by chance."""
        session = self.begin(as_space(toy))
        policy = session.proposer.policy
        for number in range(1, 101):
            proposal = session.ask()
            score = float(proposal.architecture.answers.get("layer1/width") == 8)
            session.tell(ended(number, proposal, score=score))
        rows = {address: row for (address, _, _), row in policy._rows.items()}
        assert policy.shares(rows["layers"], 1.0)[1] > 0.6
        assert policy.shares(rows["layer1/width"], 1.0)[1] > 0.7

    def test_a_failed_trial_is_worse_than_the_average(self):
        for failure in (1.0, 0.0):
            session = Session(Reinforce(failure=failure).begin(spaces.darts(), SCORE, 0))
            for number in range(1, 401):
                proposal = session.ask()
                bad = proposal.architecture.answers["normal/node0/left"] == "max_pool_3x3"
                session.tell(ended(number, proposal, FAILED if bad else "finished", 0.5))
            drawn = Counter(p.architecture.answers["normal/node0/left"] for p in session.proposals[200:])
            assert (drawn["max_pool_3x3"] < 200 / 7 / 2) == bool(failure)  # it is one of seven ops

    def test_a_trial_is_learned_once_at_each_budget(self):
        for at_the_end in (STOPPED, "finished"):
            session = Session(Reinforce(clip=0.0).begin(spaces.darts(), SCORE, 0))
            session.step()
            proposal = session.ask()
            final = ended(2, proposal, at_the_end)
            session.tell(dataclasses.replace(final, status=RUNNING))
            steps = session.proposer.policy.steps
            session.tell(final)
            assert session.proposer.policy.steps == steps
        assert not session.proposer._known
        assert not session.proposer._open

    def test_learns_from_what_others_proposed(self):
        session, other = self.begin(spaces.nasbench201(), 0), self.begin(spaces.nasbench201(), 1)
        for number in range(1, 101):
            proposal = other.ask()
            score = float(proposal.architecture.answers["edge0to1"] == "none")
            session.tell(ended(number, proposal, score=score))
        policy = session.proposer.policy
        assert policy.shares(0, 1.0)[0] > 0.8

    def test_repeats_nothing_unless_asked_to(self):
        def run(strategy):
            session = Session(strategy.begin(spaces.nasbench201(), SCORE, 0))
            for number in range(1, 301):
                proposal = session.ask()
                good = sum(op == "nor_conv_3x3" for op in proposal.architecture.answers.values())
                session.tell(ended(number, proposal, score=good / 6))
            return len({p.architecture.identity for p in session.proposals})

        assert run(Reinforce()) == 300
        assert run(dataclasses.replace(Reinforce.published(), learning_rate=0.1)) < 200

    def test_published_settings(self):
        published = Reinforce.published()
        assert published == Reinforce(0.01, 0.9, 0.0, 0.0, 0.0, early=True, repeats=True)
        assert Reinforce.published(0.5).learning_rate == 0.5

    def test_beats_random_search(self):
        """On the real table, by the mean over 20 seeds of the best of 150 evaluations."""
        assert gain(Reinforce(), RandomSearch(), seeds=20, trials=150) > 0.8  # measured over 100 seeds: 1.25 points


class TestTable:
    def test_begins_uniform(self):
        assert shares(Table(0.1, 0.0)) == pytest.approx([1 / 3] * 3)

    def test_rows_of_other_sizes_stand_side_by_side(self):
        policy = Table(0.1, 0.05)
        policy.learn([experience(0, 1.0)])
        assert shares(policy, "y", Options(("a", "b", "c", "d", "e"))) == pytest.approx([0.2] * 5)
        assert shares(policy, "z", Real(0, 1)) == pytest.approx([1 / 8] * 8)
        policy.learn([Experience([Decision("x", OPS, 0), Decision("z", Real(0, 1), 7)], None, 1.0)])
        assert sum(shares(policy)) == pytest.approx(1)
        assert shares(policy, "z", Real(0, 1))[7] > 1 / 8

    def test_a_good_choice_becomes_more_likely_and_a_bad_one_less(self):
        policy = Table(0.1, 0.0)
        policy.learn([experience(1, 2.0)])
        a, b, c = shares(policy)
        # Adam's first step is the learning rate, whatever the gradient.
        assert b / a == pytest.approx(math.exp(0.2), rel=1e-6)
        assert a == pytest.approx(c)
        policy = Table(0.1, 0.0)
        policy.learn([experience(1, -2.0)])
        assert shares(policy)[1] < 1 / 3

    @pytest.mark.parametrize("entropy", [0.0, 0.3])
    def test_the_gradient_is_that_of_autograd(self, entropy):
        torch = pytest.importorskip("torch")
        policy = Table(0.05, entropy)
        logits = torch.zeros(3, dtype=torch.float64, requires_grad=True)
        adam = torch.optim.Adam([logits], lr=0.05)
        rng = Random(0)
        for _ in range(50):
            index, advantage = rng.randrange(3), rng.gauss(0, 1)
            distribution = torch.distributions.Categorical(logits=logits)
            loss = -advantage * distribution.log_prob(torch.tensor(index)) - entropy * distribution.entropy()
            adam.zero_grad()
            loss.backward()
            adam.step()
            policy.learn([experience(index, advantage)])
        np.testing.assert_allclose(shares(policy), torch.softmax(logits, 0).detach().numpy(), rtol=1e-9)

    def test_entropy_keeps_it_open(self):
        sure, open_minded = Table(0.1, 0.0), Table(0.1, 0.5)
        for policy in (sure, open_minded):
            for _ in range(300):
                policy.learn([experience(0, 0.3)])
        assert max(shares(sure)) > 0.99
        assert max(shares(open_minded)) < 0.9

    def test_a_late_result_counts_by_the_ratio_of_probabilities(self):
        """The moments of Adam show the gradient: p = 1/3 now; it was 2/3 when proposed, and 1/300."""
        gradients = []
        for before in (1 / 3, 2 / 3, 1 / 300, None):
            policy = Table(0.1, 0.0)
            policy.learn([experience(0, 1.0, before and math.log(before))])
            gradients.append(policy._moments_2QO[0, 0, 0])
        now, late, rare, unknown = gradients
        assert late == pytest.approx(now / 2)
        assert rare == pytest.approx(2 * now)  # and not a hundred times
        assert unknown == now

    def test_temperature_flattens(self):
        policy = Table(0.5, 0.0)
        for _ in range(20):
            policy.learn([experience(0, 1.0)])
        row = policy.row("x", OPS)
        cold, warm, hot = (max(policy.shares(row, temperature)) for temperature in (1.0, 5.0, 1e6))
        assert cold > warm > hot
        assert hot == pytest.approx(1 / 3, abs=1e-4)
