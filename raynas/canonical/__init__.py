"""Canonical keys: equal for equal networks, different for different ones, the same on every machine.

A graph is read as the expression that it computes, a DAG of op instances (`expression.py` says what is left out); two
graphs are equal when one renaming of instances makes their expressions the same. The key is exact, not a heuristic:
names given from the inputs up, equal for terms that unfold to the same tree, pin the expression down where they all
differ, which is the usual case and takes one pass. Where they do not, `twins.py` tells them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from raynas.canonical.expression import Expression, NodeLike
from raynas.canonical.twins import tell_apart

__all__ = ["canonical_key"]


def canonical_key(nodes: Sequence[NodeLike], output: int) -> str:
    """The key of a graph, 32 hexadecimal digits.

    Args:
        nodes: `(op, inputs, args)` in topological order.
        output: index of the output node.
    """
    expression = Expression(nodes)
    told = expression.values[output][1]
    if len(set(expression.names)) < len(expression.names):
        told += tell_apart(expression, expression.values[output])
    return blake2b(told, digest_size=16).hexdigest()
