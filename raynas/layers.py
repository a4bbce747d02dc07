"""Primitive layers as values: what each makes of a shape, how many weights it has, what it costs.

Every named op (`raynas/ops.py`) is a short sequence of these, so shapes, parameters and FLOPs of any architecture are
known without torch, and `raynas/nn/modules.py` needs one line per primitive to build them.

Shapes are `(C, H, W)` for images or `(C,)` after global pooling; the batch dimension is left out.
`flops` counts multiply-adds, the convention of the NAS literature (NAS-Bench-201, DARTS, MobileNet): batch norm,
activations and additions are not counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

Shape = tuple[int, ...]


class Layer(Protocol):
    """A primitive: a pure description, no weights."""

    def out(self, shape: Shape) -> Shape:
        """The output's shape for an input of `shape`."""

    @property
    def params(self) -> int:
        """Trainable weights."""

    def flops(self, shape: Shape) -> int:
        """Multiply-adds for one input of `shape`."""


def _windows(size: int, kernel: int, stride: int, dilation: int = 1) -> int:
    """Output length of a window sliding with "same" padding of dilation * (kernel - 1) // 2 on both sides."""
    reach = dilation * (kernel - 1)
    return (size + 2 * (reach // 2) - reach - 1) // stride + 1


@dataclass(frozen=True, slots=True)
class Weightless:
    """Base of layers without weights that keep the shape and cost no multiply-adds."""

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


@dataclass(frozen=True, slots=True)
class Conv:
    """2-D convolution with "same" padding; `kernel` is (height, width)."""

    cin: int
    cout: int
    kernel: tuple[int, int] = (3, 3)
    stride: int = 1
    dilation: int = 1
    groups: int = 1
    bias: bool = False

    def out(self, shape: Shape) -> Shape:
        """(cin, H, W) -> (cout, H / stride, W / stride), rounded up for odd kernels."""
        height, width = (
            _windows(n, k, self.stride, self.dilation) for n, k in zip(shape[1:], self.kernel, strict=True)
        )
        return (self.cout, height, width)

    @property
    def params(self) -> int:
        """Kernel weights, and one bias a filter where there is one."""
        return self.cout * (self.cin // self.groups) * self.kernel[0] * self.kernel[1] + self.bias * self.cout

    def flops(self, shape: Shape) -> int:
        """Weights times output positions."""
        _, height, width = self.out(shape)
        return self.params * height * width


@dataclass(frozen=True, slots=True)
class FactorizedReduce:
    """Halves the resolution with two 1x1 stride-2 convolutions, the second one pixel off (DARTS `skip_connect`)."""

    cin: int
    cout: int

    def out(self, shape: Shape) -> Shape:
        """(cin, H, W) -> (cout, ceil(H / 2), ceil(W / 2))."""
        return (self.cout, -(-shape[1] // 2), -(-shape[2] // 2))

    @property
    def params(self) -> int:
        """Each half produces half of the channels."""
        return self.cin * self.cout

    def flops(self, shape: Shape) -> int:
        """Weights times output positions."""
        _, height, width = self.out(shape)
        return self.params * height * width


@dataclass(frozen=True, slots=True)
class BatchNorm(Weightless):
    """Batch normalisation; `affine` adds a scale and a shift per channel."""

    channels: int
    affine: bool = True

    @property
    def params(self) -> int:
        """Scale and shift."""
        return 2 * self.channels * self.affine


@dataclass(frozen=True, slots=True)
class Relu(Weightless):
    """max(x, 0)."""


@dataclass(frozen=True, slots=True)
class Identity(Weightless):
    """x."""


@dataclass(frozen=True, slots=True)
class Dropout(Weightless):
    """Zeroes each value with probability `rate` while training."""

    rate: float


@dataclass(frozen=True, slots=True)
class Zero(Weightless):
    """0 with the shape that a stride leaves: `none` of DARTS and NAS-Bench-201."""

    stride: int = 1

    def out(self, shape: Shape) -> Shape:
        """Every stride-th position."""
        return (shape[0], *(-(-n // self.stride) for n in shape[1:]))


@dataclass(frozen=True, slots=True)
class Pool(Weightless):
    """`kind` is "max" or "avg"; averages leave padding out of the count, as DARTS and NAS-Bench-201 do."""

    kind: str
    kernel: int = 3
    stride: int = 1

    def out(self, shape: Shape) -> Shape:
        """(C, H, W) -> (C, H / stride, W / stride); a window larger than the image shrinks to it."""
        return (shape[0], *(_windows(n, min(self.kernel, n), self.stride) for n in shape[1:]))


@dataclass(frozen=True, slots=True)
class Resize(Weightless):
    """Averages an image down to `size` = (height, width): fits branches of different resolution to each other."""

    size: tuple[int, int]

    def out(self, shape: Shape) -> Shape:
        """(C, H, W) -> (C, *size)."""
        return (shape[0], *self.size)


@dataclass(frozen=True, slots=True)
class GlobalPool(Weightless):
    """Mean over all positions: (C, H, W) -> (C,)."""

    def out(self, shape: Shape) -> Shape:
        """Channels alone."""
        return shape[:1]


@dataclass(frozen=True, slots=True)
class Linear:
    """Affine map of the channels: (cin,) -> (cout,)."""

    cin: int
    cout: int

    def out(self, shape: Shape) -> Shape:
        """(cout,)."""
        return (self.cout,)

    @property
    def params(self) -> int:
        """Matrix and bias."""
        return self.cin * self.cout + self.cout

    def flops(self, shape: Shape) -> int:
        """One multiply-add a matrix entry, and the bias."""
        return self.params
