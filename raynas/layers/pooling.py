"""Layers that summarise positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from raynas.layers.base import Plain, Shape, size
from raynas.layers.convolution import windows


@dataclass(frozen=True, slots=True)
class Pool(Plain):
    """The largest value ("max") or the mean ("avg") of each window. One that even with padding does not fit shrinks.

    Attributes:
        kind: "max" or "avg".
        kernel: length on all axes.
        stride: of all axes.
        padding: "same" ((kernel - 1) // 2 on both sides; averages leave it out of the count, as DARTS and
            NAS-Bench-201 do), "valid" (none), or "ceil" (none, but a last window may reach beyond the edge).
    """

    kind: str
    kernel: int = 3
    stride: int = 1
    padding: str = "same"

    saves_input: ClassVar[bool] = True

    def out(self, shape: Shape) -> Shape:
        """(C, H, W) -> (C, H / stride, W / stride)."""
        return (shape[0], *(self._length(n, self.window(n)) for n in shape[1:]))

    def window(self, n: int) -> int:
        """The kernel's length on an axis of n positions: padding lets odd kernels fit any."""
        return self.kernel if self.padding == "same" and self.kernel % 2 else min(self.kernel, n)

    def _length(self, n: int, kernel: int) -> int:
        if self.padding == "ceil":
            length = -(-(n - kernel) // self.stride) + 1
            return length - ((length - 1) * self.stride >= n)  # a window must begin inside
        return windows(n, kernel, self.stride, padded=self.padding == "same")

    def saves(self, shape: Shape) -> float:
        """Maxima remember where they were: 8 bytes each."""
        return 2 * size(self.out(shape)) if self.kind == "max" else 0


@dataclass(frozen=True, slots=True)
class Resize(Plain):
    """Averages down to `size`, one length an axis: fits branches of different resolution to each other."""

    size: tuple[int, ...]

    saves_input: ClassVar[bool] = True

    def out(self, shape: Shape) -> Shape:
        """(C, H, W) -> (C, *size)."""
        return (shape[0], *self.size)


@dataclass(frozen=True, slots=True)
class GlobalPool(Plain):
    """Mean over all positions: (C, ...) -> (C,)."""

    def out(self, shape: Shape) -> Shape:
        """Channels alone."""
        return shape[:1]
