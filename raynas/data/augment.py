"""Normalisation and augmentation of whole batches, on the device that trains.

Needs torch, so `raynas.data` does not import it: write `from raynas.data.augment import Augment, Normalize`.

Shapes: B images of a batch, C channels, H rows, W columns.

Random numbers are drawn on the generator's device and then moved, so a CPU generator augments alike on every device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from raynas.errors import ConfigError


class Normalize(nn.Module):
    """Images with the mean taken away and divided by the standard deviation, channel by channel.

    Args:
        mean: C numbers in [0, 1].
        std: C numbers > 0, in the same unit.

    Raises:
        ConfigError: unequal lengths, or a std that is not positive.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        if len(mean) != len(std) or not mean or not min(std) > 0:
            raise ConfigError(f"as many mean as std > 0 are needed, but got mean={mean} and std={std}")
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """`x` [B, C, H, W], uint8 in 0..255 or floats in [0, 1], as floats of the buffers' type.

        Raises:
            ConfigError: as many channels as there are not means, or integers other than uint8.
        """
        if x.ndim != 4 or x.shape[1] != self.mean.shape[1]:
            raise ConfigError(f"images must be [B, {self.mean.shape[1]}, H, W], but got {list(x.shape)}")
        if x.is_floating_point():
            return (x.to(self.mean.dtype) - self.mean) / self.std
        if x.dtype != torch.uint8:
            raise ConfigError(f"images must be uint8, or floats in [0, 1], but got {x.dtype}")
        return (x.to(self.mean.dtype) / 255 - self.mean) / self.std


def random_crop(x: Tensor, padding: int, generator: torch.Generator) -> Tensor:
    """Each image shifted by its own -padding..padding rows and columns; what comes in from outside is 0.

    The same as padding each side with zeros and cutting an HxW window, uniformly among all, out of the result.

    Args:
        x: [B, C, H, W] of any type, which is kept.
        padding: pixels, >= 0.
        generator: source of the 2 B offsets.
    """
    if padding == 0:
        return x
    batch, _, height, width = x.shape
    top, left = _draw(2 * padding + 1, (2, batch), x, generator)
    padded = functional.pad(x, (padding,) * 4)
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # a view, [B, C, 2p+1, 2p+1, H, W]: only one is copied
    return windows[torch.arange(batch, device=x.device), :, top, left]


def random_flip(x: Tensor, generator: torch.Generator) -> Tensor:
    """Each image mirrored left to right with probability 1/2.

    Args:
        x: [B, C, H, W] of any type, which is kept.
        generator: source of the B decisions.
    """
    mirrored = _draw(2, (len(x), 1, 1, 1), x, generator).bool()
    return torch.where(mirrored, x.flip(3), x)


def cutout(x: Tensor, size: int, generator: torch.Generator, fill: Sequence[float] | None = None) -> Tensor:
    """A square of each image painted over.

    DeVries and Taylor 2017, "Improved Regularization of Convolutional Neural Networks with Cutout".
    https://arxiv.org/abs/1708.04552. As there, the square's centre is uniform over the image, so part of it may lie
    outside.

    Args:
        x: [B, C, H, W] of any type, which is kept.
        size: side of the square, pixels, >= 0.
        generator: source of the 2 B coordinates.
        fill: C values in the unit of `x`, rounded if that holds integers. None: zeros, which is black before
            normalisation and the mean after it.
    """
    if size == 0:
        return x
    batch, channels, height, width = x.shape
    hidden_rows = _covered(height, size, x, generator).view(batch, 1, height, 1)
    hidden_columns = _covered(width, size, x, generator).view(batch, 1, 1, width)
    values = torch.tensor([0.0] * channels if fill is None else fill, dtype=torch.float64)
    paint = (values if x.is_floating_point() else values.round()).to(x.device, x.dtype).view(1, channels, 1, 1)
    return torch.where(hidden_rows & hidden_columns, paint, x)


@dataclass(frozen=True)
class Augment:
    """What happens to each training batch: crop, then flip, then cutout. The default does nothing.

    Args:
        crop_padding: pixels, >= 0. CIFAR recipes use 4.
        flip: mirror half of the images. Wrong for digits and letters.
        cutout: side of the square, pixels, >= 0. DARTS uses 16 on CIFAR-10.

    Raises:
        ConfigError: a negative number.
    """

    crop_padding: int = 0
    flip: bool = False
    cutout: int = 0

    def __post_init__(self) -> None:
        if self.crop_padding < 0 or self.cutout < 0:
            raise ConfigError(
                f"crop_padding and cutout must be >= 0 (0: off), but got {self.crop_padding} and {self.cutout}"
            )

    def __call__(self, x: Tensor, generator: torch.Generator, fill: Sequence[float] | None = None) -> Tensor:
        """`x` [B, C, H, W] augmented, of the same shape, type and device.

        Args:
            x: uint8 before normalisation, or floats after.
            generator: all randomness.
            fill: what cutout paints, C values in the unit of `x`. None: zeros.
        """
        x = random_crop(x, self.crop_padding, generator)
        if self.flip:
            x = random_flip(x, generator)
        return cutout(x, self.cutout, generator, fill)


def _draw(options: int, shape: tuple[int, ...], x: Tensor, generator: torch.Generator) -> Tensor:
    """Uniform integers in 0..options-1, on the device of `x`."""
    return torch.randint(options, shape, generator=generator, device=generator.device).to(x.device)


def _covered(length: int, size: int, x: Tensor, generator: torch.Generator) -> Tensor:
    """[B, length]: which rows (or columns) a square of `size` covers whose centre is drawn."""
    start = _draw(length, (len(x), 1), x, generator) - size // 2
    position = torch.arange(length, device=x.device)
    return (start <= position) & (position < start + size)
