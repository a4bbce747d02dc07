from __future__ import annotations

from strategy_contract import StrategyContract

from raynas import RegularizedEvolution, strategies


class TestAmoebaNet(StrategyContract):
    def make(self):
        return strategies.amoebanet()

    def test_the_sizes_of_the_paper(self):
        assert strategies.amoebanet() == RegularizedEvolution(population=100, tournament=25)
