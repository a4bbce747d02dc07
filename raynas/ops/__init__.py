"""The named ops that architectures are made of: each is a short sequence of primitive layers.

One table, `OPS`, is the whole vocabulary. An op is a function of its input's shape and its arguments; the argument
names are the function's keywords, so a wrong one is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping

from raynas.errors import GraphError
from raynas.layers import Shape
from raynas.ops import convolution as c
from raynas.ops import simple as s
from raynas.ops import tokens as t
from raynas.ops.arguments import Layers, Op, Scalar, check

__all__ = [
    "CODE", "CONCAT", "CONCAT_PADDED", "INPUT", "JOINS", "KEEPS_CHANNELS", "MOTIF", "OPS", "SUM", "SUM_LIKE_FIRST",
    "WEIGHTLESS", "Layers", "Op", "Scalar", "expand", "misfit",
]  # fmt: skip

OPS: Mapping[str, Op] = {
    op.__name__: op
    for op in (
        c.conv, c.conv_bn, c.conv_bn_relu, c.conv_bn_act, c.relu_conv_bn, c.sep_conv, c.dil_conv, c.factorized_conv,
        c.depthwise_conv_bn_relu, c.depthwise_bn_relu, c.inverted_bottleneck, c.squeeze_excite, c.factorized_reduce,
        s.max_pool, s.avg_pool, s.resize, s.batch_norm, s.bn_relu, s.activation, s.dropout, s.drop_path, s.global_pool,
        s.flatten, s.series, s.dense, s.linear, s.classifier, s.auxiliary, s.take_channels, s.identity, s.zero,
        t.patches, t.class_token, t.positions, t.take_token, t.layer_norm, t.attention, t.feed_forward,
    )
}  # fmt: skip
"""Name -> the function that expands the op."""

INPUT, MOTIF, CODE = "input", "motif", "code"
"""A graph's inputs, a nested graph, and plain PyTorch code."""

SUM, CONCAT, SUM_LIKE_FIRST, CONCAT_PADDED = "sum", "concat", "sum_like_first", "concat_padded"
JOINS = frozenset({SUM, CONCAT, SUM_LIKE_FIRST, CONCAT_PADDED})
"""The ways to join branches: fitted to the smallest resolution and the most channels; side by side; fitted to the first
branch by nearest pixels and cut or zero channels (Real et al. 2017); side by side, small ones padded with zeros
(Zoph & Le 2017)."""

WEIGHTLESS = frozenset(
    {"max_pool", "avg_pool", "resize", "global_pool", "activation", "flatten", "series", "take_token",
     "take_channels"}
)  # fmt: skip
"""Ops that compute the same value wherever they are applied to the same input (see raynas/canonical)."""

KEEPS_CHANNELS = WEIGHTLESS | {
    "zero", "dropout", "drop_path", "batch_norm", "bn_relu", "squeeze_excite", "class_token", "positions", "layer_norm",
    "depthwise_bn_relu",
}  # fmt: skip
"""Ops whose every output channel comes from the same channel of the input."""

_ANYWHERE = frozenset(
    {"dropout", "drop_path", "dense", "linear", "classifier", "identity", "zero", "activation", "flatten", "series",
     "layer_norm", "batch_norm", "bn_relu", "take_channels"}
)  # fmt: skip
_TOKENS = frozenset({"class_token", "positions", "take_token", "attention"})


def misfit(op: str, shape: Shape) -> str | None:
    """What an op needs that an input of `shape` is not, or None."""
    if op in _TOKENS and len(shape) != 2:
        return "tokens (channels, length)"
    return "an image or a series" if len(shape) == 1 and op in OPS and op not in _ANYWHERE else None


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
    check(op, OPS[op], args)
    return OPS[op](shape, **args)
