"""The arguments of ops: JSON scalars, read and checked."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from raynas.errors import GraphError
from raynas.layers import ACTIVATIONS, BatchNorm, Layer, Shape

Scalar = str | int | float | bool | None
Layers = Sequence[Layer]
Op = Callable[..., Layers]


def axes(what: str, value: int | str, dims: int) -> tuple[int, ...]:
    """A length for each axis: 3 -> (3, 3); "1x7" -> (1, 7).

    Args:
        what: "kernel" or "stride", for the error.
        value: as above.
        dims: how many axes there are.

    Raises:
        GraphError: the text is no HEIGHTxWIDTH, or there are not two axes.
    """
    if isinstance(value, int):
        return (value,) * dims
    height, _, width = value.partition("x")
    if not (height.isdigit() and width.isdigit() and int(height) and int(width)):
        raise GraphError(f"a {what} is a number or HEIGHTxWIDTH, but got {value!r}")
    if dims != 2:
        raise GraphError(f"{what} {value!r} needs an image, but got {dims} axes")
    return (int(height), int(width))


def norm(shape: Shape, channels: int, eps: float = 1e-5, momentum: float = 0.1) -> BatchNorm:
    """Batch norm of so many channels at the positions of `shape`."""
    return BatchNorm(channels, dims=len(shape) - 1, eps=eps, momentum=momentum)


@lru_cache
def _parameters(op: Op) -> tuple[Mapping[str, str], frozenset[str]]:
    """Name -> annotation of an op's arguments, and those that it needs. Reading a signature costs 40 microseconds."""
    arguments = list(inspect.signature(op).parameters.items())[1:]
    return {n: str(p.annotation) for n, p in arguments}, frozenset(n for n, p in arguments if p.default is p.empty)


def check(name: str, op: Op, args: Mapping[str, Scalar]) -> None:
    """Checks what a graph gives an op.

    Raises:
        GraphError: an argument that the op does not take, one that it needs and does not get, or a value out of range.
    """
    parameters, needed = _parameters(op)
    if not needed <= args.keys() <= parameters.keys():
        takes = ", ".join(parameters) or "no arguments"
        raise GraphError(f"op {name!r} takes {takes}, but got {dict(args)!r}")
    for argument, value in args.items():
        rule = _rule(argument, parameters[argument], value)
        if rule:
            raise GraphError(f"op {name!r}: {argument} must be {rule}, but got {value!r}")


def _rule(argument: str, annotation: str, value: Scalar) -> str | None:
    """What a value should have been, or None where it is right."""
    number = type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
    match annotation:
        case "bool":
            return None if isinstance(value, bool) else "true or false"
        case "float" if argument == "rate":
            return None if number and 0 <= value < 1 else "a number in [0, 1)"  # type: ignore[operator]
        case "float":
            return None if number and value > 0 else "a positive number"  # type: ignore[operator]
        case "str":
            return None if value in ACTIVATIONS else f"one of {', '.join(ACTIVATIONS)}"
        case "int | str" if isinstance(value, str):
            return None  # "1x7": checked where it is read
        case _ if argument == "squeezed":
            return None if type(value) is int and value >= 0 else "a whole number of at least 0"
        case _:
            return None if type(value) is int and value >= 1 else "a whole number of at least 1"
