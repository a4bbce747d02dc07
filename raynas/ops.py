"""The named ops that architectures are made of: each is a short sequence of primitive layers.

One table, `OPS`, is the whole vocabulary. An op is a function of its input's shape and its arguments; the argument
names are the function's keywords, so a wrong one is refused by name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence

from raynas.errors import GraphError
from raynas.layers import (
    BatchNorm,
    Conv,
    Dropout,
    FactorizedReduce,
    GlobalPool,
    Identity,
    Layer,
    Linear,
    Pool,
    Relu,
    Shape,
    Zero,
)

Scalar = str | int | float | bool | None
Layers = Sequence[Layer]


def _kernel(kernel: int | str) -> tuple[int, int]:
    """3 -> (3, 3); "1x7" -> (1, 7)."""
    if isinstance(kernel, int):
        return (kernel, kernel)
    height, _, width = kernel.partition("x")
    if not (height.isdigit() and width.isdigit() and int(height) and int(width)):
        raise GraphError(f"a kernel is a number or HEIGHTxWIDTH, but got {kernel!r}")
    return (int(height), int(width))


def conv(shape: Shape, *, channels: int, kernel: int | str = 3, stride: int = 1) -> Layers:
    """A bare convolution."""
    return [Conv(shape[0], channels, _kernel(kernel), stride)]


def conv_bn(shape: Shape, *, channels: int, kernel: int | str = 3, stride: int = 1) -> Layers:
    """Convolution, batch norm: stems and projections."""
    return [Conv(shape[0], channels, _kernel(kernel), stride), BatchNorm(channels)]


def conv_bn_relu(shape: Shape, *, channels: int, kernel: int | str = 3, stride: int = 1) -> Layers:
    """Convolution, batch norm, ReLU: the layer of chains."""
    return [*conv_bn(shape, channels=channels, kernel=kernel, stride=stride), Relu()]


def relu_conv_bn(shape: Shape, *, channels: int, kernel: int | str = 3, stride: int = 1) -> Layers:
    """ReLU, convolution, batch norm: the order of DARTS and NAS-Bench-201."""
    return [Relu(), *conv_bn(shape, channels=channels, kernel=kernel, stride=stride)]


def _depthwise(cin: int, cout: int, kernel: int | str, stride: int, dilation: int) -> Layers:
    """ReLU, a depthwise and a pointwise convolution, batch norm."""
    return [
        Relu(),
        Conv(cin, cin, _kernel(kernel), stride, dilation, groups=cin),
        Conv(cin, cout, (1, 1)),
        BatchNorm(cout),
    ]


def sep_conv(shape: Shape, *, channels: int, kernel: int = 3, stride: int = 1) -> Layers:
    """Depthwise-separable convolution, applied twice; the stride is in the first (Zoph et al. 2018, DARTS)."""
    cin = shape[0]
    return [*_depthwise(cin, cin, kernel, stride, 1), *_depthwise(cin, channels, kernel, 1, 1)]


def dil_conv(shape: Shape, *, channels: int, kernel: int = 3, stride: int = 1) -> Layers:
    """Depthwise-separable convolution with dilation 2, applied once (DARTS)."""
    return _depthwise(shape[0], channels, kernel, stride, 2)


def depthwise_conv_bn_relu(shape: Shape, *, channels: int, kernel: int = 3, stride: int = 1) -> Layers:
    """Depthwise convolution, pointwise convolution, batch norm, ReLU: the layer of MobileNet."""
    cin = shape[0]
    return [
        Conv(cin, cin, _kernel(kernel), stride, groups=cin),
        BatchNorm(cin),
        Relu(),
        Conv(cin, channels, (1, 1)),
        BatchNorm(channels),
        Relu(),
    ]


def factorized_reduce(shape: Shape, *, channels: int) -> Layers:
    """Halves the resolution without losing every second pixel: `skip_connect` with stride 2 in DARTS."""
    if channels < 2:
        raise GraphError(f"op 'factorized_reduce': channels must be at least 2, one for each half, but got {channels}")
    return [Relu(), FactorizedReduce(shape[0], channels), BatchNorm(channels)]


def max_pool(shape: Shape, *, kernel: int = 3, stride: int = 1) -> Layers:
    """Largest value of each window."""
    return [Pool("max", kernel, stride)]


def avg_pool(shape: Shape, *, kernel: int = 3, stride: int = 1) -> Layers:
    """Mean of each window, padding left out."""
    return [Pool("avg", kernel, stride)]


def bn_relu(shape: Shape) -> Layers:
    """Batch norm, ReLU: closes a pre-activation network."""
    return [BatchNorm(shape[0]), Relu()]


def dropout(shape: Shape, *, rate: float) -> Layers:
    """Regularisation while training."""
    return [Dropout(rate)]


def global_pool(shape: Shape) -> Layers:
    """(C, H, W) -> (C,)."""
    return [GlobalPool()]


def classifier(shape: Shape, *, classes: int) -> Layers:
    """Global pooling where there are positions left, then one logit per class."""
    pool: list[Layer] = [GlobalPool()] if len(shape) > 1 else []
    return [*pool, Linear(shape[0], classes)]


def identity(shape: Shape) -> Layers:
    """x."""
    return [Identity()]


def zero(shape: Shape, *, stride: int = 1) -> Layers:
    """`none`: cuts an edge."""
    return [Zero(stride)]


OPS: Mapping[str, Callable[..., Layers]] = {
    op.__name__: op
    for op in (
        conv, conv_bn, conv_bn_relu, relu_conv_bn, sep_conv, dil_conv, depthwise_conv_bn_relu, factorized_reduce,
        max_pool, avg_pool, bn_relu, dropout, global_pool, classifier, identity, zero,
    )
}  # fmt: skip
"""Name -> the function that expands the op."""

INPUT, MOTIF, SUM, CONCAT = "input", "motif", "sum", "concat"
"""The structural ops: a graph's inputs, a nested graph, and the two ways to join branches."""

WEIGHTLESS = frozenset({"max_pool", "avg_pool", "global_pool"})
"""Ops that compute the same value wherever they are applied to the same input (see canonical.py)."""


ON_IMAGES = frozenset(OPS) - {"dropout", "classifier", "identity", "zero"}
"""Ops that need (C, H, W)."""


def expand(op: str, shape: Shape, args: Mapping[str, Scalar]) -> Layers:
    """The layers of one op.

    Args:
        op: a name of `OPS`.
        shape: the input's shape.
        args: the op's keyword arguments.

    Raises:
        GraphError: an unknown op, or arguments that it does not take.
    """
    if op not in OPS:
        raise GraphError(f"unknown op {op!r}; known: {', '.join(sorted(OPS))}")
    for name, value in args.items():
        if name == "rate":
            if type(value) not in (int, float) or not 0 <= value < 1:  # type: ignore[operator]
                raise GraphError(f"op {op!r}: rate must be a number in [0, 1), but got {value!r}")
        elif name == "kernel" and isinstance(value, str) and "conv" in op:
            continue  # "1x7": checked where it is read
        elif type(value) is not int or value < 1:
            raise GraphError(f"op {op!r}: {name} must be a whole number of at least 1, but got {value!r}")
    try:
        return OPS[op](shape, **args)
    except TypeError as error:
        takes = ", ".join(list(inspect.signature(OPS[op]).parameters)[1:]) or "no arguments"
        raise GraphError(f"op {op!r} takes {takes}, but got {dict(args)!r}") from error
