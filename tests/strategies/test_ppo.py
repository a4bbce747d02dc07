from __future__ import annotations

import pytest

pytest.importorskip("torch")

from on_table import gain
from torch_strategy_contract import TorchStrategyContract

from raynas import Ppo, RandomSearch, spaces
from raynas.errors import ConfigError
from raynas.testing.strategy import SCORE, Session, ended


class TestPpo(TorchStrategyContract):
    def make(self):
        return Ppo(hidden=8, batch=3)

    @pytest.mark.parametrize(
        "settings", [{"hidden": 0}, {"batch": 0}, {"epochs": 0}, {"ratio": 0.0}, {"decay": 1.0}, {"failure": -1.0}]
    )
    def test_settings_must_fit(self, settings):
        with pytest.raises(ConfigError, match=next(iter(settings))):
            Ppo(**settings)

    def test_learns_batch_by_batch(self):
        session = Session(Ppo(hidden=8, batch=5, epochs=3).begin(spaces.nasbench201(), SCORE, 0))
        steps = []
        for number in range(1, 16):
            session.tell(ended(number, session.ask()))
            steps.append(session.proposer.policy.steps)
        assert steps == [0] * 4 + [3] * 5 + [6] * 5 + [9]

    def test_published_settings(self):
        assert Ppo.published() == Ppo(100, 0.00035, 20, 1, 0.2, 0.95, 0.00001)

    def test_beats_random_search(self):
        """On the real table, by the mean over 3 seeds of the best of 150 evaluations."""
        assert gain(Ppo(), RandomSearch(), seeds=3, trials=150) > 0.4  # measured over 16 seeds: 1.1 points
