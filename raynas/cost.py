"""What an architecture costs, known before anything is built or trained."""

from __future__ import annotations

from dataclasses import dataclass

from raynas.graph import Graph
from raynas.memory import training_memory
from raynas.plan import Plan, Task, plan

STATIC_METRICS = ("params_m", "flops_m", "memory_mb")
"""Metrics that the `Graph` and the task alone decide: constraints on them are checked before a GPU is used."""


@dataclass(frozen=True)
class Cost:
    """The static cost of one network.

    Attributes:
        params: trainable weights.
        flops: multiply-adds of one input (the convention of raynas/layers).
        memory: bytes at the peak of a training step of the task's batch size, by SGD with momentum.
    """

    params: int
    flops: int
    memory: int

    def metrics(self) -> dict[str, float]:
        """`params_m` and `flops_m` in millions, `memory_mb` in millions of bytes."""
        return {"params_m": self.params / 1e6, "flops_m": self.flops / 1e6, "memory_mb": self.memory / 1e6}


def cost(graph: Graph, task: Task) -> Cost:
    """What the network that `graph` is for `task` costs."""
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
    return Cost(params, flops, training_memory(network, network.task.batch_size))
