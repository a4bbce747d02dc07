"""Layers without weights that change the shape: fits between branches, and from images to vectors and series."""

from __future__ import annotations

from dataclasses import dataclass

from raynas.layers.base import Plain, Shape, size


@dataclass(frozen=True, slots=True)
class Flatten(Plain):
    """(C, ...) -> (C * positions,)."""

    def out(self, shape: Shape) -> Shape:
        """One axis."""
        return (size(shape),)


@dataclass(frozen=True, slots=True)
class Series(Plain):
    """Positions in one line, for 1-D layers: (C, H, W) -> (C, H * W); a vector is a series of one channel."""

    def out(self, shape: Shape) -> Shape:
        """(C, positions), or (1, C)."""
        return (shape[0], size(shape[1:])) if len(shape) > 1 else (1, shape[0])


@dataclass(frozen=True, slots=True)
class Pad(Plain):
    """Zeros after the last position of each axis, up to `size`."""

    size: tuple[int, ...]

    def out(self, shape: Shape) -> Shape:
        """(C, *size)."""
        return (shape[0], *self.size)


@dataclass(frozen=True, slots=True)
class Nearest(Plain):
    """Takes the nearest position: up or down to `size`, one length an axis (zeroth-order interpolation)."""

    size: tuple[int, ...]

    def out(self, shape: Shape) -> Shape:
        """(C, *size)."""
        return (shape[0], *self.size)


@dataclass(frozen=True, slots=True)
class Channels(Plain):
    """Leaves channels out at the end, or adds channels of zeros, up to `channels`."""

    channels: int

    def out(self, shape: Shape) -> Shape:
        """(channels, ...)."""
        return (self.channels, *shape[1:])
