from __future__ import annotations

from raynas.strategies import AmoebaNet
from raynas.testing.strategy import StrategyContract


class TestAmoebaNet(StrategyContract):
    def make(self):
        return AmoebaNet()

    def test_the_sizes_of_the_paper(self):
        assert AmoebaNet() == AmoebaNet(population=100, tournament=25)

    def test_a_small_search_is_no_random_search(self):
        assert AmoebaNet.for_trials(400) == AmoebaNet(100, 25, at_once=50)
        assert AmoebaNet.for_trials(40) == AmoebaNet(10, 2, at_once=8)
