"""Shape inference: a `Graph` and the task's shapes become a `Plan`, the flat list of steps that is built and costed.

Motifs are unfolded, and branches that meet with different shapes are fitted: averaged down to the smallest resolution
and, in a sum, projected by a 1x1 convolution with batch norm to the most channels. So no architecture of a built-in
space can fail to build.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from raynas.errors import GraphError
from raynas.graph import STRIDE, WIDTH, Graph
from raynas.layers import BatchNorm, Channels, Conv, Layer, Linear, Nearest, Pad, Resize, Shape
from raynas.ops import CODE, CONCAT, CONCAT_PADDED, INPUT, JOINS, MOTIF, SUM, SUM_LIKE_FIRST, Scalar, expand, misfit


@dataclass(frozen=True)
class Task:
    """What a network must take and answer.

    Attributes:
        input_shape: of one input: (channels, height, width), (channels, length) or (features,).
        classes: number of classes.
        batch_size: inputs of a training step, for the memory that it takes.
    """

    input_shape: Shape = (3, 32, 32)
    classes: int = 10
    batch_size: int = 64

    def __post_init__(self) -> None:
        sizes = tuple(self.input_shape)
        if len(sizes) not in (1, 2, 3) or any(type(size) is not int or size < 1 for size in sizes):
            told = "input_shape must be (channels, height, width), (channels, length) or (features,)"
            raise GraphError(f"{told}, but got {self.input_shape!r}")
        for name in ("classes", "batch_size"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise GraphError(f"{name} must be a whole number of at least 1, but got {value!r}")


class Step(NamedTuple):
    """One step of a network.

    Attributes:
        name: where it is in the graph: node indices through nested motifs, joined by "_"; unique in the plan.
        op: name of the op, "project" where fitting added it.
        inputs: indices of earlier steps; the first step is the network's input.
        layers: applied one after the other; empty for the input and for "sum" and "concat", which join their inputs.
        shape: what comes out.
    """

    name: str
    op: str
    inputs: tuple[int, ...]
    layers: tuple[Layer, ...]
    shape: Shape


@dataclass(frozen=True)
class Plan:
    """A network as a flat list of steps in execution order; the last one is the output."""

    task: Task
    steps: tuple[Step, ...]


def plan(graph: Graph, task: Task) -> Plan:
    """Infers all shapes and fits what does not match.

    Args:
        graph: a network, with one input.
        task: shapes of the data. A `classifier` without `classes` gets the task's.

    Raises:
        GraphError: an op is used with arguments or shapes that it does not allow.
    """
    if graph.inputs != 1:
        raise GraphError(f"a network must have one input, but this graph has {graph.inputs}")
    planner = _Planner(task)
    source = planner.emit("input", INPUT, (), ())
    output = planner.unfold(graph, "", [source], {})
    if output != len(planner.steps) - 1:
        planner.emit("output", "identity", (output,), expand("identity", planner.steps[output].shape, {}))
    return Plan(task, tuple(planner.steps))


class _Planner:
    def __init__(self, task: Task) -> None:
        self.task = task
        self.steps: list[Step] = []
        self.zeros: set[int] = set()  # steps that are zero whatever the input: they do not shape a sum

    def emit(self, name: str, op: str, inputs: tuple[int, ...], layers: Sequence[Layer]) -> int:
        """Appends a step and returns its index."""
        shape = self.steps[inputs[0]].shape if inputs else self.task.input_shape
        if op == CONCAT:
            shape = (sum(self.steps[i].shape[0] for i in inputs), *shape[1:])
        for layer in layers:
            shape = layer.out(shape)
        if min(shape) < 1:
            raise GraphError(f"step {name} ({op}): an output of shape {shape} is empty")
        self.steps.append(Step(name, op, inputs, tuple(layers), shape))
        return len(self.steps) - 1

    def unfold(self, graph: Graph, prefix: str, sources: Sequence[int], symbols: dict[str, Scalar]) -> int:
        """Appends the steps of a graph (or motif) and returns the step that computes its output."""
        at: list[int] = []
        remaining = iter(sources)
        for index, (op, inputs, args) in enumerate(graph.nodes):
            name = f"{prefix}{index}"
            values = {key: symbols.get(value, value) if isinstance(value, str) else value for key, value in args}
            steps = [at[i] for i in inputs]
            if op == INPUT:
                at.append(next(remaining))
            elif op == MOTIF:
                inner = {WIDTH: values["width"], STRIDE: values["stride"]}
                at.append(self.unfold(graph.motif(str(values["name"])), f"{name}_", steps, inner))
            elif op in JOINS:
                at.append(self.join(name, op, steps))
            elif op == CODE:
                at.append(self.emit(name, op, (steps[0],), [graph.code(self.steps[steps[0]].shape)]))
            else:
                at.append(self.apply(name, op, steps, values))
        return at[graph.output]

    def apply(self, name: str, op: str, steps: list[int], args: dict[str, Scalar]) -> int:
        """Appends an op with one input."""
        if len(steps) != 1:
            raise GraphError(f"op {op!r} takes one input, but got {len(steps)}: join them by a sum or concat first")
        source = self.steps[steps[0]]
        shape = source.shape
        if op in ("classifier", "auxiliary"):
            args = {"classes": self.task.classes, **args}
            if source.op == CODE and shape == (self.task.classes,):  # the code answers one value a class: logits
                return steps[0]
        needed = misfit(op, shape)
        if needed:
            raise GraphError(f"step {name} ({op}): needs {needed}, but got an input of shape {shape}")
        index = self.emit(name, op, (steps[0],), expand(op, shape, args))
        if op == "zero" or steps[0] in self.zeros:  # an op fed by zeros is zero, as the canonical key has it
            self.zeros.add(index)
        return index

    def join(self, name: str, op: str, steps: list[int]) -> int:
        """Appends a join of branches, its inputs fitted to each other."""
        alive = [s for s in steps if s not in self.zeros]
        if op == SUM:
            steps = alive or steps[:1]
        shapes = [self.steps[s].shape for s in (alive if op in (SUM, CONCAT) and alive else steps)]
        if len({len(shape) for shape in shapes}) > 1:
            raise GraphError(f"step {name} ({op}): images, series and vectors cannot be joined, but got {shapes}")
        axes = list(zip(*(shape[1:] for shape in shapes), strict=True))
        fits: list[list[Layer]]
        if op == SUM_LIKE_FIRST:
            fits = [self.like(shapes[0], shape) for shape in shapes]
        elif op == CONCAT_PADDED:
            largest = tuple(max(lengths) for lengths in axes)
            fits = [[Pad(largest)] if shape[1:] != largest else [] for shape in shapes]
        else:
            smallest = tuple(min(lengths) for lengths in axes)
            channels = max(shape[0] for shape in shapes) if op == SUM else None
            fits = [self.fit(self.steps[step].shape, smallest, channels) for step in steps]
        fitted = tuple(
            self.emit(f"{name}_{position}", "project", (step,), layers) if layers else step
            for position, (step, layers) in enumerate(zip(steps, fits, strict=True))
        )
        index = self.emit(name, SUM if op == SUM_LIKE_FIRST else CONCAT if op == CONCAT_PADDED else op, fitted, ())
        if not alive:
            self.zeros.add(index)
        return index

    def fit(self, shape: Shape, size: Shape, channels: int | None) -> list[Layer]:
        """What averages a branch down to `size` and projects it to `channels`."""
        layers: list[Layer] = []
        if shape[1:] != size:
            layers.append(Resize(size))
        if channels is not None and shape[0] != channels:
            if size:
                layers += [Conv(shape[0], channels, (1,) * len(size)), BatchNorm(channels, dims=len(size))]
            else:
                layers.append(Linear(shape[0], channels))
        return layers

    def like(self, first: Shape, shape: Shape) -> list[Layer]:
        """What gives a branch the shape of the first, without weights."""
        layers: list[Layer] = []
        if shape[1:] != first[1:]:
            layers.append(Nearest(first[1:]))
        if shape[0] != first[0]:
            layers.append(Channels(first[0]))
        return layers
