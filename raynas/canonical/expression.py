"""A graph read as the expression that it computes: sums of terms, where a term is an op instance on such sums.

Identities vanish, zeros drop out of sums, nested sums are one sum, and an op fed by nothing but zeros is zero. An op
with weights applied twice to one input is two terms (two sets of weights); pooling applied twice to one input is one.
A concatenation has no order, as what follows it mixes all channels by weights; only where a sum lines its channels up
with others, or an op takes the first of them, does it keep the order that it was given. A zero in it fills channels,
and stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

from raynas.ops import CONCAT, CONCAT_PADDED, INPUT, JOINS, KEEPS_CHANNELS, SUM, SUM_LIKE_FIRST, WEIGHTLESS

Args = tuple[tuple[str, object], ...]
NodeLike = tuple[str, tuple[int, ...], Args]
Terms = tuple[int, ...]  # a sum of terms, by index, sorted; () is zero
Value = tuple[Terms, bytes]  # a sum, and the names of its terms, sorted and joined

ZERO: Value = ((), b"")

SHARED = WEIGHTLESS | {"zero", "times"}
"""Ops that compute the same value wherever they are applied to the same input."""

TRANSPARENT = frozenset({"identity", SUM})
"""Ops that, on one input, are that input."""

UNORDERED = frozenset({CONCAT, CONCAT_PADDED})
"""Joins whose inputs have no order, unless a sum lines their channels up."""

LINES_UP = KEEPS_CHANNELS | TRANSPARENT | {"times"}
"""Ops whose every output channel comes from the same channel of each input."""


class Expression:
    """The terms of a graph, and the value of each of its nodes.

    Attributes:
        names: of the terms, in topological order; equal for terms that unfold to the same tree.
        sources: what each term is applied to.
        unordered: terms whose sources have no order.
        values: of the nodes.
    """

    __slots__ = ("_multiples", "_nodes", "_shared", "names", "sources", "unordered", "values")

    def __init__(self, nodes: Sequence[NodeLike]) -> None:
        self._nodes = nodes
        self._shared: dict[tuple[bytes, tuple[Value, ...]], Value] = {}
        self._multiples: dict[int, tuple[int, int]] = {}  # term -> the term that it is so many times
        self.unordered: set[int] = set()
        self.names: list[bytes] = []
        self.sources: list[tuple[Value, ...]] = []
        values: list[Value] = []
        self.values = values
        for op, inputs, args in nodes:  # all proposals of all searches pass through this loop: it is written for speed
            if len(inputs) == 1:
                value = values[inputs[0]]
                if op == "zero":
                    value = ZERO
                elif op not in TRANSPARENT and value[0]:
                    value = self._term(op, _name(op, args, value[1]), (value,))
            elif op == SUM:
                value = self._sum([values[i] for i in inputs if values[i][0]])
            elif inputs:
                value = self._join(op, inputs, args)
            else:
                value = self._term(op, _name(op, (("position", _position(nodes, len(values))),)), ())
            values.append(value)

    def _term(self, op: str, name: bytes, sources: tuple[Value, ...]) -> Value:
        """A new term, or where the op has no weights the one that there is."""
        value = (len(self.names),), name
        if op in SHARED:
            known = self._shared.setdefault((name, sources), value)
            if known is not value:
                return known
        self.names.append(name)
        self.sources.append(sources)
        return value

    def _sum(self, values: list[Value]) -> Value:
        """All terms of the values together."""
        if len(values) == 1:
            return values[0]
        terms = [t for terms, _ in values for t in terms]
        if len(set(terms)) < len(terms) or self._multiples:
            terms = self._multiplied(terms)
        return tuple(sorted(terms)), b"".join(sorted([self.names[t] for t in terms]))

    def _multiplied(self, terms: list[int]) -> list[int]:
        """The terms without repeats, a multiple of itself for each that is repeated: sums of sums stay small."""
        times: Counter[int] = Counter()
        for t in terms:
            base, many = self._multiples.get(t, (t, 1))
            times[base] += many
        found = []
        for term, many in times.items():
            if many > 1:
                base, name = term, self.names[term]
                ((term,), _) = self._term("times", _name("times", (("many", many),), name), (((base,), name),))
                self._multiples[term] = (base, many)
            found.append(term)
        return found

    def _join(self, op: str, inputs: tuple[int, ...], args: Args) -> Value:
        """The value of an op on several inputs."""
        sources = [self.values[i] for i in inputs]
        alive = [terms for terms, _ in sources if terms]
        if not alive:
            return ZERO
        if len(alive) < len(sources):  # a zero among others fills channels: how many, is all it is
            widths = _widths(self._nodes[: len(self.values)])
            sources = [s if s[0] else self._term("zero", widths[i], ()) for s, i in zip(sources, inputs, strict=True)]
        ordered = op not in UNORDERED or len(self.values) in _lined_up(self._nodes)
        if not ordered:
            sources.sort(key=lambda value: value[1])
            self.unordered.add(len(self.names))
        name = _name(op, (*args, ("ordered", ordered)), *[names for _, names in sources])
        return self._term(op, name, tuple(sources))


@lru_cache(maxsize=1 << 16)
def _name(op: str, args: Args, *inputs: bytes) -> bytes:
    """16 bytes, the same for terms with the same op, arguments and names of inputs."""
    # True, 1 and 1.0 are one argument, as they are to the cache.
    plain = [(k, int(v) if isinstance(v, bool) or (isinstance(v, float) and v.is_integer()) else v) for k, v in args]
    return blake2b(repr((op, plain, inputs)).encode(), digest_size=16).digest()


def _position(nodes: Sequence[NodeLike], index: int) -> int:
    """Which of the graph's inputs a node is."""
    return sum(op == INPUT for op, _, _ in nodes[:index])


def _lined_up(nodes: Sequence[NodeLike]) -> set[int]:
    """The nodes whose channels a sum lines up with others, or of which the first are taken."""
    found: set[int] = set()
    for index in reversed(range(len(nodes))):
        op, inputs, _ = nodes[index]
        joins = op in (SUM, SUM_LIKE_FIRST) and len(inputs) > 1
        if joins or op == "take_channels" or (index in found and (op in LINES_UP or op in JOINS)):
            found.update(inputs)
    return found


def _widths(nodes: Sequence[NodeLike]) -> list[bytes]:
    """For each node a name of what decides how many channels it has, as far as the graph alone tells."""
    widths: list[bytes] = []
    for index, (op, inputs, args) in enumerate(nodes):
        below = sorted(widths[i] for i in inputs)
        channels = dict(args).get("channels")
        if channels is not None:
            width = _name("width", (("channels", channels),))
        elif op == INPUT:
            width = _name("width", (("position", _position(nodes, index)),))
        elif op == SUM_LIKE_FIRST:
            width = widths[inputs[0]]
        elif op in LINES_UP and op not in ("flatten", "series"):
            width = below[0] if len(set(below)) == 1 else _name("max", (), *sorted(set(below)))
        else:
            width = _name(op, args, *below)
        widths.append(width)
    return widths
