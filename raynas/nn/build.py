"""The one builder: `Graph` -> `torch.nn.Module`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from raynas.graph import Graph
from raynas.nn.modules import module
from raynas.ops import CONCAT, SUM
from raynas.plan import Plan, Task, plan
from raynas.records import Choose, Space
from raynas.spaces.decide import flat, replay
from raynas.spaces.function import as_space


class Network(nn.Module):
    """A plan with weights. Runs the steps in order and lets go of each value after its last use.

    Input [B, *task.input_shape] floats, output [B, task.classes] logits. While training, a network with auxiliary heads
    answers a tuple: the logits, and those of each head (as torchvision's networks do).
    """

    def __init__(self, network: Plan) -> None:
        super().__init__()
        self.plan = network
        self.steps = nn.ModuleDict()
        last_use = {source: index for index, step in enumerate(network.steps) for source in step.inputs}
        self._heads = tuple(index for index, step in enumerate(network.steps) if step.op == "auxiliary")
        ends = {len(network.steps) - 1, *self._heads}
        program: list[tuple[str, int, tuple[int, ...], tuple[int, ...]]] = []
        for index, step in enumerate(network.steps):
            if not step.inputs:
                continue
            if step.layers:
                modules = [module(layer) for layer in step.layers]
                self.steps[step.name] = modules[0] if len(modules) == 1 else nn.Sequential(*modules)
            kind = "" if step.layers else step.op
            done = tuple(source for source in set(step.inputs) if last_use[source] == index)
            if index not in last_use and index not in ends:
                done += (index,)  # a dead branch
            program.append((kind or step.name, index, step.inputs, done))
        self._program = program

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """[B, C, H, W] -> [B, classes]."""
        values: dict[int, Tensor] = {0: x}
        heads = self._heads if self.training else ()
        for kind, index, inputs, done in self._program:
            if kind == SUM:
                total = values[inputs[0]]
                for source in inputs[1:]:
                    total = total + values[source]
                values[index] = total
            elif kind == CONCAT:
                values[index] = torch.cat([values[source] for source in inputs], dim=1)
            elif self.training or index not in self._heads:
                values[index] = self.steps[kind](values[inputs[0]])
            for value in done:
                del values[value]
        logits = values[len(self.plan.steps) - 1]
        return (logits, *[values[index] for index in heads]) if heads else logits


def build(graph: Graph, task: Task) -> Network:
    """The network that a graph describes, with freshly drawn weights (torch's defaults, from its global generator).

    Raises:
        GraphError: the graph does not fit the task.
    """
    return Network(plan(graph, task))


def model(
    space: Space | Callable[[Choose], Graph],
    answers: Mapping[str, Any],
    *,
    input_shape: tuple[int, ...] = (3, 32, 32),
    classes: int = 10,
) -> Network:
    """The network that answers decide, with freshly drawn weights.

    Args:
        space: where the answers come from.
        answers: `config["arch"]` of a trial; dicts in dicts are flattened.
        input_shape: (channels, height, width).
        classes: how many logits it answers.

    Raises:
        ArchitectureError: the answers do not fit the space.
    """
    return build(replay(as_space(space), flat(answers)).graph, Task(input_shape, classes))
