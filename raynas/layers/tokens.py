"""Layers of transformers: tokens are (D, L), D channels at L positions.

Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; Dosovitskiy et al. 2021 (ViT), https://arxiv.org/abs/2010.11929.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from raynas.layers.base import Plain, Shape, size


@dataclass(frozen=True, slots=True)
class Tokens(Plain):
    """Every position is a token: (D, H, W) -> (D, H * W)."""

    def out(self, shape: Shape) -> Shape:
        """(D, L)."""
        return (shape[0], size(shape[1:]))


@dataclass(frozen=True, slots=True)
class ClassToken(Plain):
    """Puts a learned token before the others: (D, L) -> (D, L + 1)."""

    channels: int

    def out(self, shape: Shape) -> Shape:
        """(D, L + 1)."""
        return (shape[0], shape[1] + 1)

    @property
    def params(self) -> int:
        """One token."""
        return self.channels


@dataclass(frozen=True, slots=True)
class Positions(Plain):
    """Adds a learned vector to each of `length` tokens."""

    channels: int
    length: int

    @property
    def params(self) -> int:
        """One vector a position."""
        return self.channels * self.length


@dataclass(frozen=True, slots=True)
class TakeToken(Plain):
    """The first token: (D, L) -> (D,)."""

    def out(self, shape: Shape) -> Shape:
        """(D,)."""
        return shape[:1]


@dataclass(frozen=True, slots=True)
class Attention(Plain):
    """Multi-head self-attention with biases: (D, L) -> (D, L).

    Attributes:
        channels: D.
        heads: how many.
        width: of a head.
    """

    channels: int
    heads: int
    width: int

    saves_input: ClassVar[bool] = True

    @property
    def params(self) -> int:
        """Queries, keys and values from D channels, and back to D."""
        inner = self.heads * self.width
        return 3 * inner * (self.channels + 1) + self.channels * (inner + 1)

    def flops(self, shape: Shape) -> int:
        """The maps at every token, and two products of all pairs of tokens."""
        return self.params * shape[1] + 2 * self.heads * self.width * shape[1] ** 2

    def saves(self, shape: Shape) -> float:
        """Queries, keys, values and what the heads put out."""
        return 4 * self.heads * self.width * shape[1]
