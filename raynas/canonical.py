"""Canonical keys: equal for equal networks, different for different ones, the same on every machine.

A graph is read as the expression that it computes. Identities vanish, zeros drop out of sums, nested sums are one
sum, branches that never reach the output are not part of it, and an op fed by nothing but zeros is zero. What remains
is a DAG of *terms* (op instances); two graphs are equal when one renaming of op instances makes their expressions the
same. An op with weights applied twice to one input is two terms (two sets of weights); pooling applied twice to one
input is one.

The key is exact, not a heuristic. Bottom-up hashes name every term; where all names differ they pin the expression
down (the usual case, one pass). Where terms are alike, colour refinement over both directions and individualisation of
the rest find the smallest certificate, skipping choices that a found automorphism makes equivalent: the scheme of
McKay & Piperno 2014, "Practical graph isomorphism, II", https://arxiv.org/abs/1301.1493.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from raynas.ops import CONCAT, INPUT, SUM, WEIGHTLESS

NodeLike = tuple[str, tuple[int, ...], tuple[tuple[str, object], ...]]
Value = tuple[int, ...]  # a sum of terms by index, sorted; () is zero
Term = tuple[bytes, tuple[Value, ...], bool]  # label, inputs, whether their order matters


def _digest(*parts: bytes) -> bytes:
    """16 bytes of the parts with their lengths, so that no two lists of parts read alike."""
    return blake2b(b"".join(len(p).to_bytes(4) + p for p in parts), digest_size=16).digest()


def canonical_key(nodes: Sequence[NodeLike], output: int, labels: Sequence[str | None]) -> str:
    """The key of a graph, 32 hexadecimal digits.

    Args:
        nodes: `(op, inputs, args)` in topological order.
        output: index of the output node.
        labels: per node, what stands for it instead of its op and arguments (nested graphs), or None.
    """
    terms, result = _expression(nodes, output, labels)
    names = _names(terms)
    value = _value_name(result, names)
    live = _live(terms, result)
    if len({names[t] for t in live}) == len(live):
        return blake2b(b"tree" + value, digest_size=16).hexdigest()
    return blake2b(b"dag" + _certificate(terms, result, names, live), digest_size=16).hexdigest()


def _expression(
    nodes: Sequence[NodeLike], output: int, labels: Sequence[str | None]
) -> tuple[list[Term], Value]:
    """Reads nodes as terms and the output as a sum of them."""
    terms: list[Term] = []
    values: list[Value] = []
    pooled: dict[Term, int] = {}
    inputs_seen = 0
    for (op, inputs, args), label in zip(nodes, labels, strict=True):
        if op == "identity":
            values.append(values[inputs[0]])
            continue
        if op == SUM:
            values.append(tuple(sorted(t for i in inputs for t in values[i])))
            continue
        if op == INPUT:
            term: Term = (b"input%d" % inputs_seen, (), True)
            inputs_seen += 1
        else:
            sources = tuple(values[i] for i in inputs)
            if op == "zero" or not any(sources):
                values.append(())
                continue
            name = label if label is not None else op + repr(args) if args else op
            term = (name.encode(), sources, op != CONCAT)
            if op in WEIGHTLESS:
                known = pooled.get(term)
                if known is not None:
                    values.append((known,))
                    continue
                pooled[term] = len(terms)
        values.append((len(terms),))
        terms.append(term)
    return terms, values[output]


def _value_name(value: Value, names: Sequence[bytes]) -> bytes:
    """The name of a sum: of its terms' names, in any order."""
    if len(value) == 1:
        return names[value[0]]
    return _digest(b"sum", *sorted([names[t] for t in value]))


def _names(terms: Sequence[Term]) -> list[bytes]:
    """Bottom-up names: equal for terms that unfold to the same tree."""
    names: list[bytes] = []
    for label, inputs, ordered in terms:
        parts = [_value_name(v, names) for v in inputs]
        names.append(_digest(label, *(parts if ordered else sorted(parts))))
    return names


def _live(terms: Sequence[Term], result: Value) -> list[int]:
    """The terms that the result depends on, in order."""
    live, stack = set(result), list(result)
    while stack:
        for value in terms[stack.pop()][1]:
            for term in value:
                if term not in live:
                    live.add(term)
                    stack.append(term)
    return sorted(live)


def _certificate(terms: Sequence[Term], result: Value, names: Sequence[bytes], live: Sequence[int]) -> bytes:
    """The smallest description of the DAG over all orders of its terms that refinement leaves open."""
    users: dict[int, list[tuple[int, bytes]]] = {t: [] for t in live}
    for t in live:
        _, inputs, ordered = terms[t]
        for position, value in enumerate(inputs):
            role = b"%d" % (position if ordered else 0)
            for source in value:
                users[source].append((t, role))
    outputs = {t: b"%d" % result.count(t) for t in live}

    def refine(colours: dict[int, bytes]) -> dict[int, bytes]:
        classes = len(set(colours.values()))
        while True:
            table: list[bytes] = [b""] * len(terms)
            for t, colour in colours.items():
                table[t] = colour
            new = {}
            for t in live:
                _, inputs, ordered = terms[t]
                below = [_value_name(v, table) for v in inputs]
                above = sorted(_digest(colours[user], role) for user, role in users[t])
                new[t] = _digest(colours[t], outputs[t], *(below if ordered else sorted(below)), b"^", *above)
            count = len(set(new.values()))
            if count == classes:
                return colours
            colours, classes = new, count

    def tied(colours: dict[int, bytes]) -> list[int]:
        groups: dict[bytes, list[int]] = {}
        for t, colour in colours.items():
            groups.setdefault(colour, []).append(t)
        alike = [(len(group), colour) for colour, group in groups.items() if len(group) > 1]
        return groups[min(alike)[1]] if alike else []

    def single_out(colours: dict[int, bytes], term: int) -> dict[int, bytes]:
        return refine({**colours, term: _digest(colours[term], b"!")})

    def describe(colours: dict[int, bytes]) -> bytes:
        rank = {t: i for i, t in enumerate(sorted(live, key=colours.__getitem__))}
        lines = []
        for t in sorted(live, key=colours.__getitem__):
            label, inputs, ordered = terms[t]
            sources = [sorted(rank[s] for s in value) for value in inputs]
            lines.append(label + repr(sources if ordered else sorted(sources)).encode())
        return _digest(*lines, repr(sorted(rank[t] for t in result)).encode())

    def greedy(colours: dict[int, bytes]) -> bytes:
        while group := tied(colours):
            colours = single_out(colours, group[0])
        return describe(colours)

    def search(colours: dict[int, bytes]) -> bytes:
        group = tied(colours)
        if not group:
            return describe(colours)
        leaves: set[bytes] = set()
        best: bytes | None = None
        for term in group:
            chosen = single_out(colours, term)
            leaf = greedy(chosen)
            if leaf in leaves:  # an automorphism maps an earlier choice to this one
                continue
            leaves.add(leaf)
            found = search(chosen)
            best = found if best is None or found < best else best
        return best if best is not None else describe(colours)

    return search(refine({t: names[t] for t in live}))
