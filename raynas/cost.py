"""What an architecture costs, known before anything is built or trained."""

from __future__ import annotations

from dataclasses import dataclass

from raynas.graph import Graph
from raynas.plan import Plan, Task, plan

STATIC_METRICS = ("params_m", "flops_m")
"""Metrics that the `Graph` alone decides: constraints on them are checked before a GPU is used."""


@dataclass(frozen=True)
class Cost:
    """The static cost of one network.

    Attributes:
        params: trainable weights.
        flops: multiply-adds of one input (the convention of raynas/layers.py).
    """

    params: int
    flops: int

    def metrics(self) -> dict[str, float]:
        """`params_m` and `flops_m`, in millions."""
        return {"params_m": self.params / 1e6, "flops_m": self.flops / 1e6}


def cost(graph: Graph, task: Task) -> Cost:
    """Parameters and multiply-adds of the network that `graph` is for `task`."""
    return cost_of_plan(plan(graph, task))


def cost_of_plan(network: Plan) -> Cost:
    """The same for a network whose shapes are inferred already."""
    params = flops = 0
    for step in network.steps:
        if not step.layers:
            continue
        shape = network.steps[step.inputs[0]].shape
        for layer in step.layers:
            params += layer.params
            flops += layer.flops(shape)
            shape = layer.out(shape)
    return Cost(params, flops)
