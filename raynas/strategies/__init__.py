"""Search strategies: one paper, one file."""

from raynas.strategies.amoebanet import AmoebaNet
from raynas.strategies.auto import Auto
from raynas.strategies.bananas import Bananas
from raynas.strategies.controller import Controller
from raynas.strategies.external import External
from raynas.strategies.file_search import FileSearch
from raynas.strategies.finals import Finals
from raynas.strategies.genetic import Genetic
from raynas.strategies.grid import Grid
from raynas.strategies.large_scale import LargeScaleEvolution
from raynas.strategies.local_search import LocalSearch
from raynas.strategies.nsga2 import Nsga2
from raynas.strategies.optuna_search import OptunaSearch
from raynas.strategies.ppo import Ppo
from raynas.strategies.random_search import RandomSearch
from raynas.strategies.regularized_evolution import RegularizedEvolution
from raynas.strategies.reinforce import Reinforce
from raynas.strategies.ridge import RidgeSearch

__all__ = [
    "AmoebaNet",
    "Auto",
    "Bananas",
    "Controller",
    "External",
    "FileSearch",
    "Finals",
    "Genetic",
    "Grid",
    "LargeScaleEvolution",
    "LocalSearch",
    "Nsga2",
    "OptunaSearch",
    "Ppo",
    "RandomSearch",
    "RegularizedEvolution",
    "Reinforce",
    "RidgeSearch",
]
