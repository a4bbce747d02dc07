"""Layers that scale channels: normalisation and squeeze-and-excitation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from raynas.layers.base import Plain, Shape


@dataclass(frozen=True, slots=True)
class BatchNorm(Plain):
    """Batch normalisation of (C, ...); `affine` adds a scale and a shift per channel.

    Attributes:
        channels: C.
        affine: as above.
        dims: axes after the channels.
        eps: added to the variance.
        momentum: share of the newest batch in the running statistics.
    """

    channels: int
    affine: bool = True
    dims: int = 2
    eps: float = 1e-5
    momentum: float = 0.1

    saves_input: ClassVar[bool] = True

    @property
    def params(self) -> int:
        """Scale and shift."""
        return 2 * self.channels * self.affine


@dataclass(frozen=True, slots=True)
class LayerNorm(Plain):
    """Normalises over the channels, at each position: (C, ...) -> (C, ...)."""

    channels: int
    eps: float = 1e-6

    saves_input: ClassVar[bool] = True

    @property
    def params(self) -> int:
        """Scale and shift."""
        return 2 * self.channels


@dataclass(frozen=True, slots=True)
class SqueezeExcite(Plain):
    """Scales each channel by a gate in [0, 1] that a small network computes from all channels' means.

    Hu et al. 2018, "Squeeze-and-Excitation Networks", https://arxiv.org/abs/1709.01507.

    Attributes:
        channels: C.
        squeezed: width of the hidden layer.
        activation: of the hidden layer.
        gate: "sigmoid" or "hardsigmoid".
    """

    channels: int
    squeezed: int
    activation: str = "relu"
    gate: str = "sigmoid"

    saves_input: ClassVar[bool] = True

    @property
    def params(self) -> int:
        """Two linear maps with biases."""
        return 2 * self.channels * self.squeezed + self.squeezed + self.channels

    def flops(self, shape: Shape) -> int:
        """Of the two maps."""
        return self.params

    def saves(self, shape: Shape) -> float:
        """The means, the hidden values and the gates: vectors."""
        return 3 * self.channels + 2 * self.squeezed
