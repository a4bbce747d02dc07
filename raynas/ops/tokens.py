"""The layers of transformers, on tokens (D, L)."""

from __future__ import annotations

from raynas.layers import (
    Activation,
    Attention,
    ClassToken,
    Conv,
    Dropout,
    Layer,
    LayerNorm,
    Linear,
    Positions,
    Shape,
    TakeToken,
    Tokens,
)
from raynas.ops.arguments import Layers


def patches(shape: Shape, *, channels: int, size: int) -> Layers:
    """Cuts an image (or series) into patches and maps each linearly to a token; a patch is no larger than the image."""
    kernel = tuple(min(size, n) for n in shape[1:])
    return [Conv(shape[0], channels, kernel, kernel, bias=True, padded=False), Tokens()]


def class_token(shape: Shape) -> Layers:
    """Puts a learned token first, from which `take_token` reads the answer."""
    return [ClassToken(shape[0])]


def positions(shape: Shape, *, rate: float = 0.0) -> Layers:
    """Adds a learned vector to each token; dropout where `rate` is not 0."""
    drop: list[Layer] = [Dropout(rate)] if rate else []
    return [Positions(shape[0], shape[1]), *drop]


def take_token(shape: Shape) -> Layers:
    """The first token."""
    return [TakeToken()]


def layer_norm(shape: Shape, *, eps: float = 1e-6) -> Layers:
    """Normalises each position over its channels."""
    return [LayerNorm(shape[0], eps)]


def attention(shape: Shape, *, heads: int, width: int, rate: float = 0.0, eps: float = 1e-6) -> Layers:
    """Layer norm, self-attention with so many heads of that width, dropout: a branch beside an identity."""
    drop: list[Layer] = [Dropout(rate)] if rate else []
    return [LayerNorm(shape[0], eps), Attention(shape[0], heads, width), *drop]


def feed_forward(
    shape: Shape, *, hidden: int, activation: str = "gelu", rate: float = 0.0, eps: float = 1e-6
) -> Layers:
    """Layer norm, widening to `hidden`, activation, and back, with dropout: the other branch of a transformer."""
    drop: list[Layer] = [Dropout(rate)] if rate else []
    channels = shape[0]
    return [
        LayerNorm(channels, eps),
        Linear(channels, hidden),
        Activation(activation),
        *drop,
        Linear(hidden, channels),
        *drop,
    ]
