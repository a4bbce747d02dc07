"""Primitive layers as torch modules: one line each, from the descriptions in raynas/layers.

Shapes: B batch, C channels, H height, W width; what is said of [B, C, H, W] holds for [B, C, L] too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from raynas import layers as L
from raynas.nn.tokens import Attention, ClassToken, Positions, TakeToken


class FactorizedReduce(nn.Module):
    """Two 1x1 stride-2 convolutions, the second one pixel off, side by side (DARTS)."""

    def __init__(self, layer: L.FactorizedReduce) -> None:
        super().__init__()
        half = layer.cout // 2
        conv = nn.Conv2d if layer.dims == 2 else nn.Conv1d
        self.even = conv(layer.cin, half, 1, stride=2, bias=False)
        self.odd = conv(layer.cin, layer.cout - half, 1, stride=2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, cin, H, W] -> [B, cout, ceil(H / 2), ceil(W / 2)]."""
        odd = [length % 2 for length in reversed(x.shape[2:])]
        shifted = F.pad(x, [n for length in odd for n in (0, length)]) if any(odd) else x
        shifted = shifted[:, :, 1:, 1:] if x.dim() == 4 else shifted[:, :, 1:]
        return torch.cat([self.even(x), self.odd(shifted)], dim=1)


class Zero(nn.Module):
    """Zeros of the shape that a stride leaves."""

    def __init__(self, layer: L.Zero) -> None:
        super().__init__()
        self.stride = layer.stride

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, ceil(H / stride), ceil(W / stride)]."""
        positions = (slice(None, None, self.stride),) * (x.dim() - 2)
        return torch.zeros_like(x[(slice(None), slice(None), *positions)])


class Pool(nn.Module):
    """Max or average pooling."""

    def __init__(self, layer: L.Pool) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, H / stride, W / stride]."""
        how = self.layer
        kernel = tuple(how.window(length) for length in x.shape[2:])
        padding = tuple((k - 1) // 2 if how.padding == "same" else 0 for k in kernel)
        ceil, image = how.padding == "ceil", x.dim() == 4
        if how.kind == "max":
            pool = F.max_pool2d if image else F.max_pool1d
            return pool(x, kernel, how.stride, padding, ceil_mode=ceil)
        average = F.avg_pool2d if image else F.avg_pool1d
        return average(x, kernel, how.stride, padding, ceil, False)


class Resize(nn.Module):
    """Averages down to a size."""

    def __init__(self, layer: L.Resize) -> None:
        super().__init__()
        self.size = layer.size

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, *size]."""
        if x.dim() == 4:
            return F.adaptive_avg_pool2d(x, (self.size[0], self.size[1]))
        return F.adaptive_avg_pool1d(x, self.size[0])


class GlobalPool(nn.Module):
    """Mean over positions."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, ...] -> [B, C]."""
        return x.mean(tuple(range(2, x.dim())))


class Reshape(nn.Module):
    """Flatten, Series, Tokens: the same numbers in another shape."""

    def __init__(self, layer: L.Flatten | L.Series | L.Tokens) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """[B, *shape] -> [B, *layer.out(shape)]."""
        return x.reshape(len(x), *self.layer.out(tuple(x.shape[1:])))


class Pad(nn.Module):
    """Zeros after the last position of each axis."""

    def __init__(self, layer: L.Pad) -> None:
        super().__init__()
        self.size = layer.size

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, *size]."""
        missing = [wanted - length for wanted, length in zip(self.size, x.shape[2:], strict=True)]
        return F.pad(x, [n for more in reversed(missing) for n in (0, more)])


class Nearest(nn.Module):
    """The nearest positions."""

    def __init__(self, layer: L.Nearest) -> None:
        super().__init__()
        self.size = layer.size

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, *size]."""
        return F.interpolate(x, self.size, mode="nearest")


class Channels(nn.Module):
    """Fewer channels, or more that are zero."""

    def __init__(self, layer: L.Channels) -> None:
        super().__init__()
        self.channels = layer.channels

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, ...] -> [B, channels, ...]."""
        missing = self.channels - x.shape[1]
        if missing <= 0:
            return x[:, : self.channels]
        return F.pad(x, [*[0, 0] * (x.dim() - 2), 0, missing])


class Linear(nn.Linear):
    """Maps the channels at every position."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, cin, ...] -> [B, cout, ...]."""
        return super().forward(x.movedim(1, -1)).movedim(-1, 1) if x.dim() > 2 else super().forward(x)


class LayerNorm(nn.LayerNorm):
    """Normalises the channels at every position."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, ...] -> [B, C, ...]."""
        return super().forward(x.movedim(1, -1)).movedim(-1, 1) if x.dim() > 2 else super().forward(x)


class SqueezeExcite(nn.Module):
    """Scales channels by gates computed from their means."""

    def __init__(self, layer: L.SqueezeExcite) -> None:
        super().__init__()
        self.narrow = nn.Linear(layer.channels, layer.squeezed)
        self.wide = nn.Linear(layer.squeezed, layer.channels)
        self.activation = module(L.Activation(layer.activation))
        self.gate = module(L.Activation(layer.gate))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, ...] -> [B, C, ...]."""
        means = x.mean(tuple(range(2, x.dim())))
        gates: Tensor = self.gate(self.wide(self.activation(self.narrow(means))))
        return x * gates.reshape(*gates.shape, *[1] * (x.dim() - 2))


class DropPath(nn.Module):
    """Drops a sample's whole branch while training, with a probability that `progress` raises up to `rate`."""

    def __init__(self, layer: L.DropPath) -> None:
        super().__init__()
        self.rate = layer.rate
        self.progress = 1.0

    def forward(self, x: Tensor) -> Tensor:
        """[B, ...] -> [B, ...], what is kept scaled so that the mean stays."""
        keep = 1 - self.rate * self.progress
        if not self.training or keep == 1:
            return x
        mask = torch.empty(len(x), *[1] * (x.dim() - 1), dtype=x.dtype, device=x.device)
        return x * mask.bernoulli_(keep).div_(keep)


_ACTIVATIONS: Mapping[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "hardswish": nn.Hardswish,
    "sigmoid": nn.Sigmoid,
    "hardsigmoid": nn.Hardsigmoid,
    "tanh": nn.Tanh,
}


def _conv(c: L.Conv) -> nn.Module:
    padding = tuple(c.dilation * (k - 1) // 2 if c.padded else 0 for k in c.kernel)
    conv: Callable[..., nn.Module] = nn.Conv2d if len(c.kernel) == 2 else nn.Conv1d
    return conv(c.cin, c.cout, c.kernel, c.stride, padding, c.dilation, c.groups, c.bias)


def _batch_norm(b: L.BatchNorm) -> nn.Module:
    norm = nn.BatchNorm2d if b.dims == 2 else nn.BatchNorm1d
    return norm(b.channels, b.eps, b.momentum, b.affine)


_MODULES: Mapping[type, Callable[[Any], nn.Module]] = {
    L.Activation: lambda layer: _ACTIVATIONS[layer.kind](),
    L.Attention: Attention,
    L.BatchNorm: _batch_norm,
    L.Channels: Channels,
    L.ClassToken: ClassToken,
    L.Conv: _conv,
    L.Dropout: lambda layer: nn.Dropout(layer.rate),
    L.DropPath: DropPath,
    L.FactorizedReduce: FactorizedReduce,
    L.Flatten: Reshape,
    L.GlobalPool: lambda layer: GlobalPool(),
    L.Identity: lambda layer: nn.Identity(),
    L.LayerNorm: lambda layer: LayerNorm(layer.channels, eps=layer.eps),
    L.Linear: lambda layer: Linear(layer.cin, layer.cout, layer.bias),
    L.Nearest: Nearest,
    L.Pad: Pad,
    L.Pool: Pool,
    L.Positions: Positions,
    L.Resize: Resize,
    L.Series: Reshape,
    L.SqueezeExcite: SqueezeExcite,
    L.TakeToken: lambda layer: TakeToken(),
    L.Tokens: Reshape,
    L.Zero: Zero,
}


@runtime_checkable
class MakesModule(Protocol):
    """A layer that makes its module itself: plain PyTorch code of a person's own space."""

    def module(self) -> nn.Module:
        """Freshly drawn weights."""


def module(layer: L.Layer) -> nn.Module:
    """The torch module that one primitive describes.

    Raises:
        TypeError: it is none.
    """
    if type(layer) in _MODULES:
        return _MODULES[type(layer)](layer)
    if isinstance(layer, MakesModule):
        return layer.module()
    raise TypeError(f"no module for {layer!r}")
