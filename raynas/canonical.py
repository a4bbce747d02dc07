"""Canonical keys: equal for equal networks, different for different ones, the same on every machine.

A graph is read as the expression that it computes. Identities vanish, zeros drop out of sums, nested sums are one
sum, branches that never reach the output are not part of it, and an op fed by nothing but zeros is zero. What remains
is a DAG of *terms* (op instances); two graphs are equal when one renaming of op instances makes their expressions the
same. An op with weights applied twice to one input is two terms (two sets of weights); pooling applied twice to one
input is one. A concatenation has no order, as what follows mixes all channels; only where a sum lines its channels up
with others does it keep one.

The key is exact, not a heuristic. Bottom-up names, equal for terms that unfold to the same tree, pin the expression
down where they all differ (the usual case, one pass). Where some terms are *twins* of one name, a walk from the output
tells which of them is meant each time. What even that leaves open is settled by colour refinement over both directions
and individualisation: the smallest certificate of all, skipping choices that a found automorphism makes equivalent,
the scheme of McKay & Piperno 2014, "Practical graph isomorphism, II", https://arxiv.org/abs/1301.1493.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

from raynas.ops import CONCAT, INPUT, SUM, WEIGHTLESS

Args = tuple[tuple[str, object], ...]
NodeLike = tuple[str, tuple[int, ...], Args]
Terms = tuple[int, ...]  # a sum of terms, by index; () is zero
Value = tuple[Terms, bytes]  # and the names of these terms, sorted and joined
Term = tuple[bytes, tuple[Value, ...], bool]  # name, inputs, whether the inputs have an order

ZERO: Value = ((), b"")

KEEPS_CHANNELS = WEIGHTLESS | {"identity", "zero", "dropout", "bn_relu", SUM, CONCAT}
"""Ops that make an output channel of one channel of an input (or, summing, of each) and nothing else."""


def canonical_key(nodes: Sequence[NodeLike], output: int) -> str:
    """The key of a graph, 32 hexadecimal digits.

    Args:
        nodes: `(op, inputs, args)` in topological order.
        output: index of the output node.
    """
    expression = _Expression(nodes)
    terms, (result, told) = expression.terms, expression.values[output]
    names = [term[0] for term in terms]
    if len(set(names)) < len(names):
        live = _live(terms, result)
        twins = {name for name, many in Counter([names[t] for t in live]).items() if many > 1}
        if twins:
            told += repr(_walk(terms, result, twins) or _certificate(terms, result, live)).encode()
    return blake2b(told, digest_size=16).hexdigest()


@lru_cache(maxsize=1 << 16)
def _name(op: str, args: Args, *inputs: bytes) -> bytes:
    """16 bytes, the same for terms with the same op, arguments and names of inputs."""
    # True, 1 and 1.0 are one argument, as they are to the cache.
    plain = [(k, int(v) if isinstance(v, bool) or (isinstance(v, float) and v.is_integer()) else v) for k, v in args]
    return blake2b(repr((op, plain, inputs)).encode(), digest_size=16).digest()


class _Expression:
    """A graph read as terms, and the value of each node: a sum of them."""

    def __init__(self, nodes: Sequence[NodeLike]) -> None:
        self.nodes = nodes
        self.terms: list[Term] = []
        self.values: list[Value] = []
        self.shared: dict[tuple[bytes, Terms], Value] = {}
        self.in_order: set[int] | None = None
        for index, (op, inputs, args) in enumerate(nodes):  # every proposal of every search passes through this loop
            if op == SUM:
                value = self.sum(inputs)
            elif op == "identity":
                value = self.values[inputs[0]]
            elif len(inputs) != 1:
                value = self.join(index)
            else:
                source = self.values[inputs[0]]
                if op == "zero" or not source[0]:
                    value = ZERO
                elif op in WEIGHTLESS:
                    value = self.once(_name(op, args, source[1]), source)
                else:
                    value = self.term(_name(op, args, source[1]), (source,))
            self.values.append(value)

    def term(self, name: bytes, sources: tuple[Value, ...], ordered: bool = True) -> Value:
        """A new term."""
        self.terms.append((name, sources, ordered))
        return (len(self.terms) - 1,), name

    def once(self, name: bytes, *sources: Value) -> Value:
        """The term of an op without weights: one for each value that it is applied to."""
        read = tuple([tuple(sorted(terms)) for terms, _ in sources])
        value = self.shared.get((name, read))
        if value is None:
            value = self.shared[name, read] = self.term(name, sources)
        return value

    def sum(self, inputs: Sequence[int]) -> Value:
        """All terms of the inputs."""
        alive = [self.values[i] for i in inputs if self.values[i][0]]
        if len(alive) == 1:
            return alive[0]
        terms = tuple([t for value in alive for t in value[0]])
        return terms, b"".join(sorted([self.terms[t][0] for t in terms]))

    def join(self, index: int) -> Value:
        """The value of an input, or of an op on several."""
        op, inputs, args = self.nodes[index]
        if not inputs:
            position = sum(node[0] == INPUT for node in self.nodes[:index])
            return self.term(_name(op, (("position", position),)), ())
        if not any(self.values[i][0] for i in inputs):
            return ZERO
        sources = [self.values[i] if self.values[i][0] else self.blank(i) for i in inputs]
        if self.in_order is None:
            self.in_order = _in_order(self.nodes)
        ordered = op != CONCAT or index in self.in_order
        if not ordered:
            sources.sort(key=lambda value: value[1])
        return self.term(_name(op, (*args, ("ordered", ordered)), *[told for _, told in sources]), tuple(sources), ordered)

    def blank(self, index: int) -> Value:
        """A zero that others are concatenated to: how many channels it fills is part of the network."""
        return self.once(_name("zero", (("channels", repr(_width(self.nodes, index))),)))
