"""Telling twins apart: terms of one name, so alike that only who shares what distinguishes two expressions.

A walk from the output, in an order that names alone decide, tells which of its twins each mention of a term means;
that settles nearly all. What it leaves open is settled by colour refinement over both directions and individualisation:
the smallest certificate of all, skipping choices that a found automorphism makes equivalent, the scheme of
McKay & Piperno 2014, "Practical graph isomorphism, II", https://arxiv.org/abs/1301.1493.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from raynas.canonical.expression import Expression, Terms


def tell_apart(expression: Expression, result: Terms) -> bytes:
    """What must be known of an expression besides its names; nothing where there are no twins.

    Args:
        expression: the terms.
        result: those whose sum is computed.
    """
    live = _live(expression, result)
    twins = _repeated([expression.names[t] for t in live])
    if not twins:
        return b""
    told: Any = _walk(expression, result, twins)
    return repr((sorted(twins), told) if told else _certificate(expression, result, live)).encode()


def _repeated(names: list[bytes]) -> set[bytes]:
    """Those that occur more than once."""
    return {name for name, count in Counter(names).items() if count > 1}


def _live(expression: Expression, result: Terms) -> list[int]:
    """The terms that the result depends on, in order."""
    live = set(result)
    stack = list(live)
    while stack:
        for terms, _ in expression.sources[stack.pop()]:
            for term in terms:
                if term not in live:
                    live.add(term)
                    stack.append(term)
    return sorted(live)


def _walk(expression: Expression, result: Terms, twins: set[bytes]) -> list[int] | None:
    """For each mention of a twin its number, counted by first mention; None where the walk does not settle them.

    Twins that are mentioned together for the first time may be taken in any order (told as -1) if they, and all twins
    below them, are mentioned only once: each is the mirror image of the others.
    """
    names = expression.names
    number: dict[int, int] = {}
    last: dict[bytes, int] = {}
    mirrored: set[int] = set()
    told: list[int] = []
    agenda = [(result, False)]
    for terms, below_mirrored in agenda:  # grows
        new: list[bytes] = []
        if len(terms) > 1:
            new = [names[t] for t in set(terms) if t not in number]
            terms = tuple(sorted(terms, key=lambda t: (names[t], number.get(t, len(names)))))
        for t in terms:
            name = names[t]
            if t in number:
                if name in twins:
                    if below_mirrored or t in mirrored:
                        return None
                    told.append(number[t])
                continue
            number[t] = last[name] = last.get(name, -1) + 1
            mirrors = name in twins and (below_mirrored or new.count(name) > 1)
            if mirrors:
                mirrored.add(t)
            if name in twins:
                told.append(-1 if mirrors else number[t])
            sources = expression.sources[t]
            if t in expression.unordered and len(set(sources)) > len({joined for _, joined in sources}):
                return None
            agenda += [(source, mirrors) for source, _ in sources]
    return told


def _certificate(expression: Expression, result: Terms, live: list[int]) -> tuple[Any, ...]:
    """The smallest description of the DAG over all orders of its terms that refinement leaves open."""
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
