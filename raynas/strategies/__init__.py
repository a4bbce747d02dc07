"""Search strategies: one paper, one file."""

from raynas.strategies.auto import Auto
from raynas.strategies.grid import Grid
from raynas.strategies.local_search import LocalSearch
from raynas.strategies.random_search import RandomSearch
from raynas.strategies.regularized_evolution import RegularizedEvolution
from raynas.strategies.ridge import RidgeSearch

__all__ = ["Auto", "Grid", "LocalSearch", "RandomSearch", "RegularizedEvolution", "RidgeSearch"]
