"""The layers of transformers as torch modules.

Tokens are [B, D, L] for the rest of the house and lie in memory as [B, L, D], so the transpositions here copy nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from raynas import layers as L


class ClassToken(nn.Module):
    """Puts a learned token first."""

    def __init__(self, layer: L.ClassToken) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(layer.channels))

    def forward(self, x: Tensor) -> Tensor:
        """[B, D, L] -> [B, D, L + 1]."""
        token = self.token.expand(len(x), 1, -1)
        return torch.cat([token, x.transpose(1, 2)], dim=1).transpose(1, 2)


class Positions(nn.Module):
    """Adds a learned vector to each token."""

    def __init__(self, layer: L.Positions) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.empty(layer.length, layer.channels).normal_(std=0.02))

    def forward(self, x: Tensor) -> Tensor:
        """[B, D, L] -> [B, D, L]."""
        return (x.transpose(1, 2) + self.vectors).transpose(1, 2)


class TakeToken(nn.Module):
    """The first token."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, D, L] -> [B, D]."""
        return x[:, :, 0]


class Attention(nn.Module):
    """Multi-head self-attention."""

    def __init__(self, layer: L.Attention) -> None:
        super().__init__()
        inner = layer.heads * layer.width
        self.heads = layer.heads
        self.inward = nn.Linear(layer.channels, 3 * inner)
        self.outward = nn.Linear(inner, layer.channels)

    def forward(self, x: Tensor) -> Tensor:
        """[B, D, L] -> [B, D, L]."""
        parts = self.inward(x.transpose(1, 2)).unflatten(2, (3, self.heads, -1))  # [B, L, 3, heads, width]
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value)  # [B, heads, L, width]
        told: Tensor = self.outward(mixed.transpose(1, 2).flatten(2)).transpose(1, 2)
        return told
