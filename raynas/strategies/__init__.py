"""Search strategies: one paper, one file."""

from raynas.strategies.local_search import LocalSearch
from raynas.strategies.random_search import RandomSearch
from raynas.strategies.regularized_evolution import RegularizedEvolution

__all__ = ["LocalSearch", "RandomSearch", "RegularizedEvolution"]
