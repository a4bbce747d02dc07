"""Layers that treat every number by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from raynas.layers.base import Plain, Shape, size

ACTIVATIONS = ("relu", "relu6", "leaky_relu", "elu", "gelu", "silu", "hardswish", "sigmoid", "hardsigmoid", "tanh")
"""What `Activation` can be; the names of torch.nn.functional."""

_SAVE_OUTPUT = frozenset({"relu", "sigmoid", "tanh"})


@dataclass(frozen=True, slots=True)
class Activation(Plain):
    """A nonlinear function, one of ACTIVATIONS."""

    kind: str = "relu"

    @property
    def saves_input(self) -> bool:  # type: ignore[override]  # depends on the function
        """All functions whose derivative is told by their argument."""
        return self.kind not in _SAVE_OUTPUT

    @property
    def saves_output(self) -> bool:  # type: ignore[override]
        """All functions whose derivative is told by their value."""
        return self.kind in _SAVE_OUTPUT


@dataclass(frozen=True, slots=True)
class Identity(Plain):
    """x."""


@dataclass(frozen=True, slots=True)
class Dropout(Plain):
    """Zeroes each value with probability `rate` while training."""

    rate: float

    def saves(self, shape: Shape) -> float:
        """A mask of one byte a value."""
        return size(shape) / 4 if self.rate else 0


@dataclass(frozen=True, slots=True)
class DropPath(Plain):
    """Zeroes the whole input of a sample with a probability that grows from 0 to `rate` while training.

    Huang et al. 2016, "Deep Networks with Stochastic Depth", https://arxiv.org/abs/1603.09382; scheduled as by
    Zoph et al. 2018 and DARTS.
    """

    rate: float

    def saves(self, shape: Shape) -> float:
        """A mask a sample."""
        return 1


@dataclass(frozen=True, slots=True)
class Zero(Plain):
    """0 with the shape that a stride leaves: `none` of DARTS and NAS-Bench-201."""

    stride: int = 1

    saves_input: ClassVar[bool] = False

    def out(self, shape: Shape) -> Shape:
        """Every stride-th position."""
        return (shape[0], *(-(-n // self.stride) for n in shape[1:]))
