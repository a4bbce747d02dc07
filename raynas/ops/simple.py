"""Pooling, activations, norms, regularisation, and the ends of a network."""

from __future__ import annotations

from raynas.errors import GraphError
from raynas.layers import (
    Activation,
    Channels,
    Conv,
    Dropout,
    DropPath,
    Flatten,
    GlobalPool,
    Identity,
    Layer,
    Linear,
    Pool,
    Resize,
    Series,
    Shape,
    Zero,
)
from raynas.ops.arguments import Layers, norm


def max_pool(shape: Shape, *, kernel: int = 3, stride: int = 1, ceil: bool = False) -> Layers:
    """Largest value of each window; `ceil`: no padding, but a last window may reach beyond the edge."""
    return [Pool("max", kernel, stride, "ceil" if ceil else "same")]


def avg_pool(shape: Shape, *, kernel: int = 3, stride: int = 1) -> Layers:
    """Mean of each window, padding left out."""
    return [Pool("avg", kernel, stride)]


def resize(shape: Shape, *, size: int) -> Layers:
    """Averages down to `size` positions an axis, where there are more: the resolution that a network works at."""
    return [Resize(tuple(min(size, n) for n in shape[1:]))]


def batch_norm(shape: Shape, *, eps: float = 1e-5, momentum: float = 0.1) -> Layers:
    """Batch norm."""
    return [norm(shape, shape[0], eps, momentum)]


def bn_relu(shape: Shape) -> Layers:
    """Batch norm, ReLU: closes a pre-activation network."""
    return [norm(shape, shape[0]), Activation()]


def activation(shape: Shape, *, kind: str) -> Layers:
    """A nonlinear function."""
    return [Activation(kind)]


def dropout(shape: Shape, *, rate: float) -> Layers:
    """Regularisation while training."""
    return [Dropout(rate)]


def drop_path(shape: Shape, *, rate: float) -> Layers:
    """Drops a whole branch of a sample while training, ever more often up to `rate`."""
    return [DropPath(rate)]


def global_pool(shape: Shape) -> Layers:
    """(C, ...) -> (C,)."""
    return [GlobalPool()]


def flatten(shape: Shape) -> Layers:
    """(C, ...) -> (C * positions,)."""
    return [Flatten()]


def series(shape: Shape) -> Layers:
    """(C, H, W) -> (C, H * W); a vector becomes a series of one channel."""
    return [Series()]


def dense(shape: Shape, *, channels: int, activation: str = "relu", rate: float = 0.0) -> Layers:
    """Linear map of the channels, activation, dropout where `rate` is not 0: the layer of an MLP."""
    drop: list[Layer] = [Dropout(rate)] if rate else []
    return [Linear(shape[0], channels), Activation(activation), *drop]


def linear(shape: Shape, *, channels: int, bias: bool = True) -> Layers:
    """Linear map of the channels."""
    return [Linear(shape[0], channels, bias)]


def classifier(shape: Shape, *, classes: int) -> Layers:
    """Global pooling where there are positions left, then one logit per class."""
    pool: list[Layer] = [GlobalPool()] if len(shape) > 1 else []
    return [*pool, Linear(shape[0], classes)]


def auxiliary(shape: Shape, *, classes: int, imagenet: bool = False) -> Layers:
    """A second classifier in the middle, that training alone sees (Szegedy et al. 2015; as in DARTS).

    `imagenet`: with a smaller stride, and without the last batch norm, as the published code has it.
    """
    layers: list[Layer] = [Activation(), Pool("avg", 5, 2 if imagenet else 3, "valid")]
    for layer in layers:
        shape = layer.out(shape)
    window = tuple(min(2, n) for n in shape[1:])
    narrow = [Conv(shape[0], 128, (1,) * len(window)), norm(shape, 128), Activation()]
    wide: list[Layer] = [Conv(128, 768, window, padded=False)]
    if not imagenet:
        wide.append(norm(shape, 768))
    positions = wide[0].out((128, *shape[1:]))
    flat = Flatten().out(positions)
    return [*layers, *narrow, *wide, Activation(), Flatten(), Linear(flat[0], classes)]


def take_channels(shape: Shape, *, channels: int) -> Layers:
    """The first so many channels."""
    if channels > shape[0]:
        raise GraphError(f"op 'take_channels': channels must be at most the input's {shape[0]}, but got {channels}")
    return [Channels(channels)]


def identity(shape: Shape) -> Layers:
    """x."""
    return [Identity()]


def zero(shape: Shape, *, stride: int = 1) -> Layers:
    """`none`: cuts an edge."""
    return [Zero(stride)]
