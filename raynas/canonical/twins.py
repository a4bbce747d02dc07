"""Telling twins apart: terms of one name, so alike that only who shares what distinguishes two expressions.

A walk from the output, in an order that names alone decide, tells which of its twins each mention of a term means;
that settles nearly all. What it leaves open is settled by colour refinement over both directions and individualisation:
the smallest certificate of all, skipping choices that a found automorphism makes equivalent, the scheme of
McKay & Piperno 2014, "Practical graph isomorphism, II", https://arxiv.org/abs/1301.1493.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

from raynas.canonical.expression import Expression, Terms, Value


def tell_apart(expression: Expression, result: Value) -> bytes:
    """What must be known of an expression besides its names; nothing where there are no twins.

    Args:
        expression: the terms.
        result: the sum of terms that is computed.
    """
    parts = _parts(expression, result)
    names = sorted(parts.names)
    twins = {name for name, following in pairwise(names) if name == following}
    if not twins:
        return b""
    told: Any = None if _open_order(expression, parts) else _walk(parts, twins)
    if told is None:
        told = _certificate(expression, result[0], parts)
    return b"".join(sorted(twins)) + repr(told).encode()


class _Parts(NamedTuple):
    """The sums and terms that a result depends on, by index; the first is the result.

    Attributes:
        terms: what a part is: one term, or a sum of several.
        names: of the parts.
        below: what a part mentions, in groups without order: the inputs of a term one by one, all terms of a sum.
        groups: the groups that mention a part, numbered.
    """

    terms: list[Terms]
    names: list[bytes]
    below: list[list[list[int]]]
    groups: list[list[int]]


def _parts(expression: Expression, result: Value) -> _Parts:
    terms, names, below, groups = parts = _Parts([result[0]], [result[1]], [], [[-1]])
    known = {result[0]: 0}
    group = 0
    for own in terms:  # grows
        mentions: list[list[Value]]
        if len(own) == 1:
            mentions = [[source] for source in expression.sources[own[0]]]
        else:
            mentions = [[((t,), expression.names[t]) for t in own]]
        below.append([])
        for mentioned in mentions:
            found = []
            for part, name in mentioned:
                index = known.get(part)
                if index is None:
                    index = known[part] = len(terms)
                    terms.append(part)
                    names.append(name)
                    groups.append([])
                groups[index].append(group)
                found.append(index)
            below[-1].append(found)
            group += 1
    return parts


def _walk(parts: _Parts, twins: set[bytes]) -> list[int] | None:
    """For each mention of a twin which one it is, numbered by first mention; None where that remains open.

    Twins that the same groups mention are taken in any order, under one number, if all twins below them are mentioned
    nowhere else: each is the mirror image of the others. Where a twin is mentioned but once, no number is needed (-1).
    """
    _, names, below, groups = parts
    number: dict[int, int] = {}
    last: dict[bytes, int] = {}
    told: list[int] = []
    agenda = [([0], False)]
    for group, mirrored in agenda:  # grows
        if len(group) > 1:
            group = sorted(group, key=lambda part: (names[part], len(groups[part]), number.get(part, len(names))))
        for part in group:
            name, mentions = names[part], groups[part]
            if name not in twins:
                if part not in number:
                    number[part] = 0
                    agenda += [(mentioned, False) for mentioned in below[part]]
                continue
            if mirrored and len(mentions) > 1:
                return None
            if part not in number:
                alike = [p for p in set(group) if p not in number and names[p] == name]
                clones = [p for p in alike if len(groups[p]) == len(mentions)]
                if any(groups[p] != mentions for p in clones):
                    return None
                last[name] = last.get(name, -1) + 1
                for clone in clones:
                    number[clone] = last[name]
                    agenda += [(mentioned, mirrored or len(clones) > 1) for mentioned in below[clone]]
            told.append(number[part] if len(mentions) > 1 else -1)
    return told


def _open_order(expression: Expression, parts: _Parts) -> bool:
    """Whether some op without an order of its inputs has different ones of one name."""
    for term in expression.unordered:
        sources = expression.sources[term]
        if (term,) in parts.terms and len(set(sources)) > len({name for _, name in sources}):
            return True
    return False


def _certificate(expression: Expression, result: Terms, parts: _Parts) -> tuple[Any, ...]:
    """The smallest description of the DAG over all orders of its terms that refinement leaves open."""
    live = sorted(terms[0] for terms in parts.terms if len(terms) == 1)
    at = {t: i for i, t in enumerate(live)}
    names = [expression.names[t] for t in live]
    ordered = [t not in expression.unordered for t in live]
    below = [[[at[s] for s in terms] for terms, _ in expression.sources[t]] for t in live]
    above: list[list[tuple[int, int]]] = [[] for _ in live]
    for user, sources in enumerate(below):
        for position, source in enumerate(sources):
            for i in source:
                above[i].append((user, position if ordered[user] else 0))

    def told(i: int, colours: list[int]) -> tuple[tuple[int, ...], ...]:
        sources = [tuple(sorted([colours[s] for s in source])) for source in below[i]]
        return tuple(sources if ordered[i] else sorted(sources))

    def refine(colours: list[int]) -> list[int]:
        while True:
            users = [tuple(sorted([(colours[user], position) for user, position in pairs])) for pairs in above]
            finer = _ranks([(colour, told(i, colours), users[i]) for i, colour in enumerate(colours)])
            if max(finer) == max(colours):
                return colours
            colours = finer

    def single_out(term: int, colours: list[int]) -> list[int]:
        return refine(_ranks([(colour, i != term) for i, colour in enumerate(colours)]))

    def describe(colours: list[int]) -> tuple[Any, ...]:
        order = sorted(range(len(live)), key=colours.__getitem__)
        return tuple((names[i], told(i, colours)) for i in order), tuple(sorted(colours[at[t]] for t in result))

    def greedy(colours: list[int]) -> tuple[Any, ...]:
        while group := _tied(colours):
            colours = single_out(group[0], colours)
        return describe(colours)

    def search(colours: list[int]) -> tuple[Any, ...]:
        leaves: set[tuple[Any, ...]] = set()
        found: list[tuple[Any, ...]] = []
        for term in _tied(colours):
            chosen = single_out(term, colours)
            leaf = greedy(chosen)
            if leaf not in leaves:  # else an automorphism maps an earlier choice to this one
                leaves.add(leaf)
                found.append(search(chosen))
        return min(found) if found else describe(colours)

    return search(refine(_ranks([(name, result.count(t)) for name, t in zip(names, live, strict=True)])))


def _ranks(signs: list[Any]) -> list[int]:
    """For each sign its rank among the different ones."""
    rank = {sign: i for i, sign in enumerate(sorted(set(signs)))}
    return [rank[sign] for sign in signs]


def _tied(colours: list[int]) -> list[int]:
    """The terms of one colour, of the colour that the fewest share; empty where all differ."""
    groups: dict[int, list[int]] = {}
    for term, colour in enumerate(colours):
        groups.setdefault(colour, []).append(term)
    return min((group for _, group in sorted(groups.items()) if len(group) > 1), key=len, default=[])
