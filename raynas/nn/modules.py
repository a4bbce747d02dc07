"""Primitive layers as torch modules: one line each, from the descriptions in raynas/layers.py.

Shapes: B batch, C channels, H height, W width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from raynas import layers as L


class FactorizedReduce(nn.Module):
    """Two 1x1 stride-2 convolutions, the second one pixel off, side by side (DARTS)."""

    def __init__(self, layer: L.FactorizedReduce) -> None:
        super().__init__()
        half = layer.cout // 2
        self.even = nn.Conv2d(layer.cin, half, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(layer.cin, layer.cout - half, 1, stride=2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, cin, H, W] -> [B, cout, ceil(H / 2), ceil(W / 2)]."""
        pad_h, pad_w = x.shape[2] % 2, x.shape[3] % 2
        shifted = F.pad(x, (0, pad_w, 0, pad_h)) if pad_h or pad_w else x
        return torch.cat([self.even(x), self.odd(shifted[:, :, 1:, 1:])], dim=1)


class Zero(nn.Module):
    """Zeros of the shape that a stride leaves."""

    def __init__(self, layer: L.Zero) -> None:
        super().__init__()
        self.stride = layer.stride

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, ceil(H / stride), ceil(W / stride)]."""
        return torch.zeros_like(x[:, :, :: self.stride, :: self.stride] if x.dim() == 4 else x)


class Pool(nn.Module):
    """Max or average pooling with "same" padding."""

    def __init__(self, layer: L.Pool) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, H / stride, W / stride]."""
        kernel = (min(self.layer.kernel, x.shape[2]), min(self.layer.kernel, x.shape[3]))
        padding = ((kernel[0] - 1) // 2, (kernel[1] - 1) // 2)
        if self.layer.kind == "max":
            return F.max_pool2d(x, kernel, self.layer.stride, padding)
        return F.avg_pool2d(x, kernel, self.layer.stride, padding, count_include_pad=False)


class Resize(nn.Module):
    """Averages down to a size."""

    def __init__(self, layer: L.Resize) -> None:
        super().__init__()
        self.size = layer.size

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, *size]."""
        return F.adaptive_avg_pool2d(x, self.size)


class GlobalPool(nn.Module):
    """Mean over positions."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C]."""
        return x.mean((2, 3))


def _conv(c: L.Conv) -> nn.Module:
    padding = (c.dilation * (c.kernel[0] - 1) // 2, c.dilation * (c.kernel[1] - 1) // 2)
    return nn.Conv2d(c.cin, c.cout, c.kernel, c.stride, padding, c.dilation, c.groups, c.bias)


def module(layer: L.Layer) -> nn.Module:
    """The torch module that one primitive describes."""
    match layer:
        case L.Conv():
            return _conv(layer)
        case L.BatchNorm(channels, affine):
            return nn.BatchNorm2d(channels, affine=affine)
        case L.Relu():
            return nn.ReLU()
        case L.Identity():
            return nn.Identity()
        case L.Dropout(rate):
            return nn.Dropout(rate)
        case L.Zero():
            return Zero(layer)
        case L.Pool():
            return Pool(layer)
        case L.Resize():
            return Resize(layer)
        case L.GlobalPool():
            return GlobalPool()
        case L.Linear(cin, cout):
            return nn.Linear(cin, cout)
        case L.FactorizedReduce():
            return FactorizedReduce(layer)
    raise TypeError(f"no module for {layer!r}")
