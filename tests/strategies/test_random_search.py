from __future__ import annotations

from collections import Counter

from raynas import RandomSearch, spaces
from raynas.testing.strategy import StrategyContract


class TestRandomSearch(StrategyContract):
    def make(self):
        return RandomSearch()

    def test_draws_every_answer_alike(self):
        """Seven ops; a chi-squared above 38 has a probability of 1e-6 at 6 degrees of freedom."""
        session = self.begin(spaces.darts())
        architectures = [session.step().architecture for _ in range(700)]
        drawn = Counter(architecture.answers["normal/node0/left"] for architecture in architectures)
        assert sum((count - 100) ** 2 / 100 for count in drawn.values()) < 38
        assert len(drawn) == 7

    def test_does_not_listen(self, toy_space):
        told, untold = self.begin(toy_space), self.begin(toy_space)
        for _ in range(30):
            told.step()
            untold.ask()
        assert told.proposals == untold.proposals
