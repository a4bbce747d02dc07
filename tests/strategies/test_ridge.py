from __future__ import annotations

from random import Random

import numpy as np
import pytest
from on_table import gain

from raynas import Objective, RandomSearch, RidgeSearch, spaces
from raynas.errors import ConfigError
from raynas.loop import Loop
from raynas.records import FAILED, STOPPED, Measurement
from raynas.spaces.decide import sample
from raynas.spaces.function import as_space
from raynas.spaces.nasbench201 import OPS
from raynas.strategies.features import Features
from raynas.strategies.ridge import RidgeEnsemble
from raynas.strategies.surrogate import FAILURE, normal_scores
from raynas.testing.strategy import SCORE, Session, StrategyContract, ended, tuned

LARGE = spaces.darts()


def additive(architecture):
    """A score in [0, 1] that prefers later ops, and later edges more."""
    return sum(OPS.index(op) * weight for weight, op in enumerate(architecture.answers.values(), 1)) / 84


class TestRidgeSearch(StrategyContract):
    def make(self):
        return RidgeSearch(initial=5, batch=3, candidates=20, history=40)

    @pytest.mark.parametrize(
        ("settings", "told"),
        [
            ({"initial": 0}, "initial must be a whole number of at least 1, but got 0"),
            ({"batch": 2.5}, "batch must be a whole number"),
            ({"top": -1}, "top must be"),
            ({"history": 1}, "history must be a whole number of at least 2, but got 1"),
            ({"explore": 1.5}, r"0 <= explore <= 1 and penalty > 0 must hold, but got \(explore=1.5"),
            ({"penalty": 0.0}, "penalty=0.0"),
        ],
    )
    def test_settings_must_fit(self, settings, told):
        with pytest.raises(ConfigError, match=told):
            RidgeSearch(**settings)

    def test_begins_with_random_architectures_and_goes_on_from_the_best(self):
        session = Session(RidgeSearch(explore=0.0).begin(LARGE, SCORE, 0))
        proposals = [session.step() for _ in range(60)]
        assert all(p.parent is None for p in proposals[:10])
        for number, proposal in enumerate(proposals[10:], 10):
            told = sorted(session.log[1 : 2 * (number - number % 5) : 2], key=lambda trial: trial.score)
            assert proposal.parent in {trial.id for trial in told[-5:]}
            parent = proposals[proposal.parent - 1].architecture.answers
            assert 1 <= sum(proposal.architecture.answers[a] != parent[a] for a in parent) <= 2

    def test_failed_trials_have_no_children(self):
        session = self.begin(LARGE)
        for number in range(1, 101):
            session.tell(ended(number, session.ask(), FAILED if number % 2 else "finished"))
        assert all(p.parent is None or p.parent % 2 == 0 for p in session.proposals)
        assert any(p.parent for p in session.proposals)

    def test_starts_anew_where_all_failed(self):
        session = self.begin(LARGE)
        assert all(session.step(FAILED).parent is None for _ in range(50))

    def test_a_score_at_a_low_rung_loses_to_any_at_a_higher_one(self):
        session = Session(RidgeSearch(top=1, explore=0.0).begin(LARGE, SCORE, 0))
        for number in range(1, 11):
            score, status = (0.1, "finished") if number == 4 else (0.9 + number / 1000, STOPPED)
            session.tell(ended(number, session.ask(), status, score))
        assert session.ask().parent == 4

    def test_a_running_trial_counts_from_its_first_rung_on(self):
        session = Session(RidgeSearch(initial=3, top=1, explore=0.0).begin(LARGE, SCORE, 0))
        asked = [session.ask() for _ in range(3)]
        for number, status in ((1, STOPPED), (2, "running"), (3, STOPPED)):
            session.tell(ended(number, asked[number - 1], status, 0.9 if number == 2 else 0.1))
        assert session.ask().parent == 2

    def test_finds_the_best_of_an_additive_score(self):
        loop = Loop(spaces.nasbench201(), RidgeSearch(), [Objective()], 0, trials=60)
        while trial := loop.next():
            loop.measure(trial.id, Measurement(1, {"val_accuracy": additive(trial.architecture)}))
            loop.end(trial.id)
        assert max(trial.score for trial in loop.trials.values()) == 1

    def test_learns_from_a_part_of_a_long_history(self):
        """The best half and the youngest; the others of this search scored too little for too long."""
        proposer = RidgeSearch(history=10).begin(LARGE, SCORE, 0)
        session = Session(proposer)
        for number in range(1, 31):
            session.tell(ended(number, session.ask(), score=number in range(3, 8)))
        assert sorted(result.trial for result in proposer._evidence()) == [3, 4, 5, 6, 7, 26, 27, 28, 29, 30]

    def test_finds_better_cells_than_random_search(self):
        """On the real table, by the mean over 10 seeds of the best of 60 evaluations."""
        assert gain(RidgeSearch(), RandomSearch(), seeds=10, trials=60) > 1  # measured over 50 seeds: about 2 points


class TestRidgeEnsemble:
    def data(self, count, space=None, seed=0):
        rng = Random(seed)
        architectures = [sample(space or spaces.nasbench201(), rng) for _ in range(count)]
        features = Features()
        return architectures, features.matrix([features.encode(a) for a in architectures])

    def test_learns_what_is_linear_in_the_answers(self):
        architectures, x_ND = self.data(300)
        y_N = np.array([additive(a) for a in architectures])
        y_N = (y_N - y_N.mean()) / y_N.std()
        model = RidgeEnsemble()
        model.fit(x_ND[:200], y_N[:200], np.random.default_rng(0))
        mean, spread = model.predict(x_ND[200:])
        assert np.corrcoef(mean, y_N[200:])[0, 1] > 0.98
        assert (spread > 0).all()

    def test_one_bag_is_the_ridge_regression_of_its_sample(self):
        """Against the normal equations on explicit features, with the weights of the same bootstrap sample."""
        _, x_ND = self.data(50)
        y_N = np.random.default_rng(1).standard_normal(50)
        model = RidgeEnsemble(bags=1, penalty=0.3)
        model.fit(x_ND, y_N, np.random.default_rng(2))
        weight = np.bincount(np.random.default_rng(2).integers(0, 50, 50), minlength=50)
        pairs = [x_ND[:, i] * x_ND[:, j] for i in range(x_ND.shape[1]) for j in range(i)]
        z = np.column_stack([x_ND, *pairs]) / 21**0.5
        mean = weight @ y_N / 50
        slopes = np.linalg.solve(z.T @ (weight[:, None] * z) + 0.3 * np.eye(z.shape[1]), z.T @ (weight * (y_N - mean)))
        np.testing.assert_allclose(model.predict(x_ND)[0], z @ slopes + mean)

    def test_is_surer_near_what_it_has_seen(self):
        _, x_ND = self.data(200, LARGE)
        model = RidgeEnsemble(bags=20)
        model.fit(x_ND[:100], np.random.default_rng(0).standard_normal(100), np.random.default_rng(1))
        few = RidgeEnsemble(bags=20)
        few.fit(x_ND[:100], np.zeros(100), np.random.default_rng(1))
        assert not few.predict(x_ND)[1].any()
        assert model.predict(x_ND)[1].min() > 0

    def test_ignores_columns_that_came_later(self):
        _, x_ND = self.data(60, as_space(tuned))
        model = RidgeEnsemble()
        model.fit(x_ND, x_ND[:, 0] - x_ND[:, 0].mean(), np.random.default_rng(0))
        wider = np.column_stack([x_ND, np.ones((60, 3))])
        np.testing.assert_allclose(model.bagged(wider), model.bagged(x_ND))

    def test_a_space_without_answers_is_no_error(self):
        model = RidgeEnsemble()
        model.fit(np.zeros((3, 0)), np.zeros(3), np.random.default_rng(0))
        assert model.predict(np.zeros((2, 0)))[0].tolist() == [0, 0]


def test_normal_scores_are_ranks():
    np.testing.assert_allclose(normal_scores([(1, 0.9), (9, 0.1), (1, -1e9)]), [0, 0.9674, -0.9674], atol=1e-4)
    assert normal_scores([0.5, 0.5, 0.5]).tolist() == pytest.approx([0, 0, 0])
    failed, stopped, also_failed = normal_scores([FAILURE, (1, -5.0), FAILURE])
    assert failed == also_failed < stopped
