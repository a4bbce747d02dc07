"""raynas: neural architecture search on Ray Tune.

A space asks, a strategy answers, an estimator scores, Ray Tune runs, the ledger remembers, the report shows.

Names resolve when they are first used, so `import raynas` loads neither torch nor ray.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from raynas import data, spaces, tune
    from raynas.estimators import Train
    from raynas.graph import Graph, GraphBuilder
    from raynas.nn import model
    from raynas.objectives import Constraint, Objective
    from raynas.records import Architecture, Choose, Context, Measurement, Proposal, Trial
    from raynas.run import Run
    from raynas.schedulers import Asha
    from raynas.search import Search
    from raynas.strategies import (
        Auto,
        Bananas,
        Controller,
        External,
        FileSearch,
        Finals,
        Genetic,
        Grid,
        LargeScaleEvolution,
        LocalSearch,
        Nsga2,
        OptunaSearch,
        Ppo,
        RandomSearch,
        RegularizedEvolution,
        Reinforce,
        RidgeSearch,
    )

_WHERE = {
    "Architecture": "raynas.records",
    "Asha": "raynas.schedulers",
    "Auto": "raynas.strategies",
    "Bananas": "raynas.strategies",
    "Choose": "raynas.records",
    "Constraint": "raynas.objectives",
    "Context": "raynas.records",
    "Controller": "raynas.strategies",
    "External": "raynas.strategies",
    "FileSearch": "raynas.strategies",
    "Finals": "raynas.strategies",
    "Genetic": "raynas.strategies",
    "Graph": "raynas.graph",
    "GraphBuilder": "raynas.graph",
    "Grid": "raynas.strategies",
    "LargeScaleEvolution": "raynas.strategies",
    "LocalSearch": "raynas.strategies",
    "Measurement": "raynas.records",
    "Nsga2": "raynas.strategies",
    "Objective": "raynas.objectives",
    "OptunaSearch": "raynas.strategies",
    "Ppo": "raynas.strategies",
    "Proposal": "raynas.records",
    "RandomSearch": "raynas.strategies",
    "RegularizedEvolution": "raynas.strategies",
    "Reinforce": "raynas.strategies",
    "RidgeSearch": "raynas.strategies",
    "Run": "raynas.run",
    "Search": "raynas.search",
    "Train": "raynas.estimators",
    "Trial": "raynas.records",
    "data": "",
    "model": "raynas.nn",
    "spaces": "",
    "tune": "",
}

__all__ = [
    "Architecture",
    "Asha",
    "Auto",
    "Bananas",
    "Choose",
    "Constraint",
    "Context",
    "Controller",
    "External",
    "FileSearch",
    "Finals",
    "Genetic",
    "Graph",
    "GraphBuilder",
    "Grid",
    "LargeScaleEvolution",
    "LocalSearch",
    "Measurement",
    "Nsga2",
    "Objective",
    "OptunaSearch",
    "Ppo",
    "Proposal",
    "RandomSearch",
    "RegularizedEvolution",
    "Reinforce",
    "RidgeSearch",
    "Run",
    "Search",
    "Train",
    "Trial",
    "data",
    "model",
    "spaces",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'raynas' has no attribute {name!r}")
    where = _WHERE[name]
    value = getattr(importlib.import_module(where), name) if where else importlib.import_module(f"raynas.{name}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
