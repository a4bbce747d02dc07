"""What every primitive layer tells of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

Shape = tuple[int, ...]


class Layer(Protocol):
    """A primitive: a pure description, no weights."""

    @property
    def saves_input(self) -> bool:
        """Whether training keeps the input until the backward pass."""

    @property
    def saves_output(self) -> bool:
        """Whether training keeps the output until the backward pass."""

    def out(self, shape: Shape) -> Shape:
        """The output's shape for an input of `shape`."""

    @property
    def params(self) -> int:
        """Trainable weights."""

    def flops(self, shape: Shape) -> int:
        """Multiply-adds for one input of `shape`."""

    def saves(self, shape: Shape) -> float:
        """Further numbers (of 4 bytes) that training keeps for one input of `shape`."""


@dataclass(frozen=True, slots=True)
class Plain:
    """Base of layers that keep the shape, have no weights, cost no multiply-adds and save nothing.

    Each layer overrides what is different.
    """

    saves_input: ClassVar[bool] = False
    saves_output: ClassVar[bool] = False

    def out(self, shape: Shape) -> Shape:
        """The shape, unchanged."""
        return shape

    @property
    def params(self) -> int:
        """None."""
        return 0

    def flops(self, shape: Shape) -> int:
        """Nothing that the convention counts."""
        return 0

    def saves(self, shape: Shape) -> float:
        """Nothing."""
        return 0


def size(shape: Shape) -> int:
    """How many numbers a tensor of that shape holds."""
    total = 1
    for length in shape:
        total *= length
    return total
