from __future__ import annotations

from random import Random

import numpy as np
import pytest
from on_table import gain

from raynas import Bananas, RandomSearch, spaces
from raynas.errors import ConfigError
from raynas.records import FAILED
from raynas.spaces.decide import sample
from raynas.spaces.function import as_space
from raynas.spaces.nasbench201 import OPS
from raynas.strategies.bananas import NetworkEnsemble
from raynas.strategies.features import Features
from raynas.testing.strategy import SCORE, Session, StrategyContract, ended, tuned

LARGE = spaces.darts()


def data(space, count):
    rng = Random(0)
    architectures = [sample(space, rng) for _ in range(count)]
    features = Features()
    return architectures, features.matrix([features.encode(a) for a in architectures])


class TestBananas(StrategyContract):
    def make(self):
        return Bananas(initial=5, batch=3, candidates=20, members=2, epochs=5, history=40)

    @pytest.mark.parametrize(
        ("settings", "told"),
        [
            ({"initial": 0}, "initial must be a whole number of at least 1, but got 0"),
            ({"members": 1}, "members must be a whole number of at least 2, but got 1"),
            ({"hidden": 2.5}, "hidden must be a whole number"),
            ({"explore": 1.5}, r"0 <= explore <= 1 and learning_rate > 0 must hold, but got \(explore=1.5"),
            ({"learning_rate": 0.0}, "learning_rate=0.0"),
        ],
    )
    def test_settings_must_fit(self, settings, told):
        with pytest.raises(ConfigError, match=told):
            Bananas(**settings)

    def test_failed_trials_have_no_children(self):
        session = self.begin(LARGE)
        for number in range(1, 61):
            session.tell(ended(number, session.ask(), FAILED if number % 2 else "finished"))
        assert all(p.parent is None or p.parent % 2 == 0 for p in session.proposals)
        assert any(p.parent for p in session.proposals)

    def test_published_mutates_the_best_alone(self):
        session = Session(Bananas.published().begin(LARGE, SCORE, 0))
        told = {n + 1: session.step() for n in range(10)}
        scores = {number: ended(number, proposal).score for number, proposal in told.items()}
        assert session.ask().parent == max(scores, key=scores.get)

    def test_beats_random_search(self):
        """On the real table, by the mean over 4 seeds of the best of 80 evaluations."""
        assert gain(Bananas(), RandomSearch(), seeds=4, trials=80) > 1  # measured over 16 seeds: 2 points


class TestNetworkEnsemble:
    def test_learns_what_depends_on_the_answers(self):
        architectures, x_ND = data(spaces.nasbench201(), 400)
        # Not additive: the last edge counts only where the first is no zero.
        y_N = np.array(
            [
                OPS.index(a.answers["edge0to1"]) * OPS.index(a.answers["edge2to3"]) + OPS.index(a.answers["edge0to3"])
                for a in architectures
            ],
            float,
        )
        y_N = (y_N - y_N.mean()) / y_N.std()
        model = NetworkEnsemble(Bananas())
        model.fit(x_ND[:300], y_N[:300], np.random.default_rng(0))
        mean, spread = model.predict(x_ND[300:])
        assert np.corrcoef(mean, y_N[300:])[0, 1] > 0.95
        assert (spread > 0).all()

    def test_gradients_are_those_of_the_absolute_error(self):
        """Against differences, of some weights of each layer."""
        rng = np.random.default_rng(0)
        model = NetworkEnsemble(Bananas(members=2, hidden=4))
        x_ESD, y_ES = rng.standard_normal((2, 5, 3)), rng.standard_normal((2, 5))
        model.fit(x_ESD[0], y_ES[0], rng)

        def errors():
            return np.abs(model._forward(x_ESD)[-1][:, :, 0] - y_ES).mean(1)

        for layer, gradient in enumerate(model._gradients(x_ESD, y_ES)):
            weight = model._weights[layer]
            for row, column in ((0, 0), (1, 0), (weight.shape[1] - 1, 0)):
                before = weight[:, row, column].copy()
                weight[:, row, column] = before + 1e-6
                above = errors()
                weight[:, row, column] = before - 1e-6
                below = errors()
                weight[:, row, column] = before
                np.testing.assert_allclose(gradient[:, row, column], (above - below) / 2e-6, atol=1e-6)

    def test_members_differ(self):
        _, x_ND = data(spaces.nasbench201(), 50)
        model = NetworkEnsemble(Bananas(epochs=1))
        model.fit(x_ND, np.zeros(50), np.random.default_rng(0))
        assert len({round(float(v), 9) for v in model._forward(np.stack([x_ND[:1]] * 5))[-1].ravel()}) == 5

    def test_ignores_columns_that_came_later(self):
        _, x_ND = data(as_space(tuned), 40)
        model = NetworkEnsemble(Bananas(epochs=2))
        model.fit(x_ND, x_ND[:, 0] - x_ND[:, 0].mean(), np.random.default_rng(0))
        wider = np.column_stack([x_ND, np.ones((40, 3))])
        np.testing.assert_allclose(model.predict(wider), model.predict(x_ND))

    def test_a_space_without_answers_is_no_error(self):
        model = NetworkEnsemble(Bananas(epochs=2))
        model.fit(np.zeros((3, 0)), np.zeros(3), np.random.default_rng(0))
        assert model.predict(np.zeros((2, 0)))[1].tolist() == [0, 0]
