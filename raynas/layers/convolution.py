"""Maps of channels with weights: convolutions and linear maps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from raynas.layers.base import Plain, Shape


def windows(size: int, kernel: int, stride: int, dilation: int = 1, *, padded: bool = True) -> int:
    """Output length of a sliding window; "same" padding is dilation * (kernel - 1) // 2 on both sides."""
    reach = dilation * (kernel - 1)
    return (size + (2 * (reach // 2) if padded else 0) - reach - 1) // stride + 1


@dataclass(frozen=True, slots=True)
class Conv(Plain):
    """Convolution over one or two axes.

    Attributes:
        cin: input channels.
        cout: output channels.
        kernel: one length an axis.
        stride: of all axes, or one an axis.
        dilation: of all axes.
        groups: channels are convolved in so many groups.
        bias: whether each filter adds one.
        padded: "same" padding; else none ("valid").
    """

    cin: int
    cout: int
    kernel: tuple[int, ...] = (3, 3)
    stride: int | tuple[int, ...] = 1
    dilation: int = 1
    groups: int = 1
    bias: bool = False
    padded: bool = True

    saves_input: ClassVar[bool] = True

    def out(self, shape: Shape) -> Shape:
        """(cin, H, W) -> (cout, H / stride, W / stride), rounded up for odd kernels with padding."""
        strides = self.stride if isinstance(self.stride, tuple) else (self.stride,) * len(self.kernel)
        lengths = zip(shape[1:], self.kernel, strides, strict=True)
        return (self.cout, *(windows(n, k, s, self.dilation, padded=self.padded) for n, k, s in lengths))

    @property
    def params(self) -> int:
        """Kernel weights, and one bias a filter where there is one."""
        return self.cout * (self.cin // self.groups) * math.prod(self.kernel) + self.bias * self.cout

    def flops(self, shape: Shape) -> int:
        """Weights times output positions."""
        return self.params * math.prod(self.out(shape)[1:])


@dataclass(frozen=True, slots=True)
class FactorizedReduce(Plain):
    """Halves the resolution with two 1x1 stride-2 convolutions, the second one pixel off (DARTS `skip_connect`)."""

    cin: int
    cout: int
    dims: int = 2

    saves_input: ClassVar[bool] = True

    def out(self, shape: Shape) -> Shape:
        """(cin, H, W) -> (cout, ceil(H / 2), ceil(W / 2))."""
        return (self.cout, *(-(-n // 2) for n in shape[1:]))

    @property
    def params(self) -> int:
        """Each half produces half of the channels."""
        return self.cin * self.cout

    def flops(self, shape: Shape) -> int:
        """Weights times output positions."""
        return self.params * math.prod(self.out(shape)[1:])


@dataclass(frozen=True, slots=True)
class Linear(Plain):
    """Affine map of the channels, at every position: (cin, ...) -> (cout, ...)."""

    cin: int
    cout: int
    bias: bool = True

    saves_input: ClassVar[bool] = True

    def out(self, shape: Shape) -> Shape:
        """(cout, ...)."""
        return (self.cout, *shape[1:])

    @property
    def params(self) -> int:
        """Matrix, and bias where there is one."""
        return self.cin * self.cout + self.bias * self.cout

    def flops(self, shape: Shape) -> int:
        """One multiply-add a matrix entry and position, and the bias."""
        return self.params * math.prod(shape[1:])
