"""Telling twins apart: terms of one name, so alike that only who shares what distinguishes two expressions.

A walk from the output, in an order that names alone decide, tells which of its twins each mention of a term means;
that settles nearly all. What it leaves open is settled by colour refinement over both directions and individualisation:
the smallest certificate of all, skipping choices that a found automorphism makes equivalent, the scheme of
McKay & Piperno 2014, "Practical graph isomorphism, II", https://arxiv.org/abs/1301.1493.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from raynas.canonical.expression import Expression, Terms, Value


def tell_apart(expression: Expression, result: Value) -> bytes:
    """What must be known of an expression besides its names; nothing where there are no twins.

    Args:
        expression: the terms.
        result: the sum of terms that is computed.
    """
    parts, groups = _parts(expression, result)
    names = sorted(parts.values())
    twins = {name for name, following in pairwise(names) if name == following}
    if not twins:
        return b""
    told = _walk(expression, result, groups, twins) or _certificate(expression, result[0], parts)
    return b"".join(sorted(twins)) + repr(told).encode()


def _below(expression: Expression, terms: Terms) -> list[list[Value]]:
    """What a part mentions, in groups whose order is known: a term its inputs one by one, a sum all its terms."""
    if len(terms) == 1:
        return [[source] for source in expression.sources[terms[0]]]
    return [[((t,), expression.names[t]) for t in terms]]


def _parts(expression: Expression, result: Value) -> tuple[dict[Terms, bytes], dict[Terms, list[int]]]:
    """The sums and terms that the result depends on, each with its name and the groups that mention it."""
    parts: dict[Terms, bytes] = {}
    groups: dict[Terms, list[int]] = {}
    agenda = [[result]]
    for index, group in enumerate(agenda):  # grows
        for terms, name in group:
            if terms in parts:
                groups[terms].append(index)
            else:
                parts[terms], groups[terms] = name, [index]
                agenda += _below(expression, terms)
    return parts, groups


def _walk(
    expression: Expression, result: Value, groups: Mapping[Terms, list[int]], twins: set[bytes]
) -> list[int] | None:
    """For each mention of a twin which one it is, numbered by first mention; None where that remains open.

    Twins that the same groups mention are taken in any order, under one number, if all twins below them are mentioned
    nowhere else: each is the mirror image of the others.
    """
    number: dict[Terms, int] = {}
    last: dict[bytes, int] = {}
    told: list[int] = []
    agenda = [([result], False)]
    for group, mirrored in agenda:  # grows
        if len(group) > 1:
            group.sort(key=lambda value: (value[1], len(groups[value[0]]), number.get(value[0], len(groups))))
        for terms, name in group:
            mentions = groups[terms]
            twin = name in twins
            if twin and mirrored and len(mentions) > 1:
                return None
            if terms not in number:
                clones = [terms]
                if twin and len(group) > 1:
                    alike = {t for t, other in group if other == name and t not in number}
                    clones = [t for t in alike if len(groups[t]) == len(mentions)]
                    if any(groups[t] != mentions for t in clones):
                        return None
                last[name] = last.get(name, -1) + 1
                for clone in clones:
                    number[clone] = last[name]
                    if _tied_inputs(expression, clone):
                        return None
                    agenda += [(below, twin and (mirrored or len(clones) > 1)) for below in _below(expression, clone)]
            if twin:
                told.append(number[terms] if len(mentions) > 1 else -1)
    return told


def _tied_inputs(expression: Expression, terms: Terms) -> bool:
    """Whether the order of an unordered op's inputs is open: some are different, but of one name."""
    if len(terms) > 1 or terms[0] not in expression.unordered:
        return False
    sources = expression.sources[terms[0]]
    return len(set(sources)) > len({name for _, name in sources})


def _certificate(expression: Expression, result: Terms, parts: Mapping[Terms, bytes]) -> tuple[Any, ...]:
    """The smallest description of the DAG over all orders of its terms that refinement leaves open."""
    live = sorted(terms[0] for terms in parts if len(terms) == 1)
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
