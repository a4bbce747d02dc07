"""How much memory a network takes, known before anything is built.

The plan is walked as it would run: forward, a tensor stays as long as a later layer reads it or the backward pass will;
backward, gradients of values come and go while gradients of weights stay. Counted are 32-bit numbers that tensors hold;
what kernels need on the side and what the allocator rounds up comes on top.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from raynas.layers import Flatten, Identity, Layer, Series, TakeToken, Tokens, Zero, size
from raynas.ops import CONCAT
from raynas.plan import Plan

BYTES = 4
"""Of a number."""

_VIEWS = (Flatten, Identity, Series, TakeToken, Tokens)
"""Layers whose output is their input's memory."""


class _Layer(NamedTuple):
    """One layer in execution order.

    Attributes:
        sources: tensors read.
        target: tensor written.
        kept: tensors that the backward pass reads.
        extra: numbers kept besides.
        params: trainable weights.
        learns: whether a gradient flows back through it.
    """

    sources: tuple[int, ...]
    target: int
    kept: frozenset[int]
    extra: float
    params: int
    learns: bool


class _Program:
    """A plan as layers on tensors; views are the tensor that they show."""

    def __init__(self, plan: Plan) -> None:
        self.sizes: list[int] = [size(plan.task.input_shape)]
        self.layers: list[_Layer] = []
        self.ends: set[int] = set()
        at: list[int] = []
        for step in plan.steps:
            if not step.inputs:
                at.append(0)
            elif step.layers:
                tensor, shape = at[step.inputs[0]], plan.steps[step.inputs[0]].shape
                for layer in step.layers:
                    tensor = self._apply(layer, tensor, shape)
                    shape = layer.out(shape)
                at.append(tensor)
                if step.op == "auxiliary":
                    self.ends.add(tensor)
            elif len(step.inputs) == 1:
                at.append(at[step.inputs[0]])
            else:
                sources = tuple(at[i] for i in step.inputs)
                pairs = [sources] if step.op == CONCAT else [(sources[0], other) for other in sources[1:]]
                for position, pair in enumerate(pairs):  # a sum of three is two sums
                    self.sizes.append(size(step.shape))
                    read = pair if not position else (len(self.sizes) - 2, pair[1])
                    self.layers.append(_Layer(read, len(self.sizes) - 1, frozenset(), 0, 0, True))
                at.append(len(self.sizes) - 1)
        self.ends.add(at[-1])

    def _apply(self, layer: Layer, tensor: int, shape: tuple[int, ...]) -> int:
        if isinstance(layer, _VIEWS):
            return tensor
        self.sizes.append(size(layer.out(shape)))
        out = len(self.sizes) - 1
        kept = frozenset([tensor] * layer.saves_input + [out] * layer.saves_output)
        learns = not isinstance(layer, Zero)
        self.layers.append(_Layer((tensor,), out, kept, layer.saves(shape), layer.params, learns))
        return out

    def learning(self) -> list[_Layer]:
        """The layers that a gradient reaches, last one first: what else there is keeps nothing for it."""
        reached, found = set(self.ends), []
        for layer in reversed(self.layers):
            if layer.learns and layer.target in reached:
                reached.update(layer.sources)
                found.append(layer)
        return found

    def forward(self, learning: list[_Layer]) -> Iterator[float]:
        """Numbers of one input that are held while each layer runs, some of them for the layers that learn."""
        last_use = {source: at for at, layer in enumerate(self.layers) for source in layer.sources}
        kept = frozenset[int]().union(*(layer.kept for layer in learning))
        keeps_more = {layer.target for layer in learning}
        held = {0}
        extra = 0.0
        for at, layer in enumerate(self.layers):
            held.add(layer.target)
            extra += layer.extra if layer.target in keeps_more else 0
            yield sum(self.sizes[t] for t in held) + extra
            done = {t for t in (*layer.sources, layer.target) if last_use.get(t, -1) <= at}
            held -= done - kept - self.ends

    def backward(self, learning: list[_Layer]) -> Iterator[tuple[float, int]]:
        """Numbers of one input, and of weights' gradients, that are held while each layer runs backward."""
        keepers = Counter(t for layer in learning for t in layer.kept)
        extra = sum(layer.extra for layer in learning)
        kept = sum(self.sizes[t] for t in keepers)
        gradients = set(self.ends)
        params = 0
        for layer in learning:
            params += layer.params
            gradients |= set(layer.sources) - {0}  # the network's input needs none
            yield kept + extra + sum(self.sizes[t] for t in gradients), params
            gradients.discard(layer.target)
            extra -= layer.extra
            for tensor in layer.kept:
                keepers[tensor] -= 1
                kept -= 0 if keepers[tensor] else self.sizes[tensor]


def inference_memory(plan: Plan, batch_size: int = 1) -> int:
    """Bytes at the peak of a forward pass without gradients, weights included."""
    program = _Program(plan)
    params = sum(layer.params for layer in program.layers)
    return int(BYTES * (params + batch_size * max(program.forward([]), default=program.sizes[0])))


def training_memory(plan: Plan, batch_size: int, moments: int = 1) -> int:
    """Bytes at the peak of a training step.

    Args:
        plan: of the network.
        batch_size: inputs a step.
        moments: numbers that the optimizer keeps for each weight: SGD with momentum 1, AdamW 2.
    """
    program = _Program(plan)
    params = sum(layer.params for layer in program.layers)
    fixed = params * (1 + moments)
    learning = program.learning()
    forward = fixed + params + batch_size * max(program.forward(learning), default=program.sizes[0])
    backward = [fixed + weights + batch_size * values for values, weights in program.backward(learning)]
    return int(BYTES * max([forward, *backward]))
