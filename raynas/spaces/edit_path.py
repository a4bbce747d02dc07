"""How far two architectures are apart, and crossover half way between them.

Qiu & Miikkulainen 2023, "Shortest Edit Path Crossover", https://arxiv.org/abs/2210.14016. A network has many encodings
that differ in the order of its nodes, so crossing over answers that happen to have one address tears apart what belongs
together. Here the nodes of two labelled DAGs are matched so that the fewest edits lead from one to the other (unit
costs, definition 3.2), and the child is what half of them, in random order, make of one parent (definition 3.3). Edits
that need each other are kept in order (a node is there before its edges), so a child always lies on a shortest path.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import NamedTuple, Protocol, runtime_checkable

from raynas.graph import Graph
from raynas.ops import Scalar
from raynas.records import HYPERPARAMETER, Answers, Architecture, Space
from raynas.spaces.decide import complete, crossover

FIXED = ("input", "output")
"""Labels of nodes that are matched with their like alone."""

TRIES = 50
"""Random halves of a path that are tried for one that is a new architecture of the space, as in the paper's code."""

LIMIT = 20_000
"""Partial matchings that are looked at; for graphs of up to seven free nodes enough to be exact."""

Labels = tuple[str, ...]
Edges = frozenset[tuple[int, int]]


class Dag(NamedTuple):
    """A graph of labelled nodes; edges lead from lower to higher nodes."""

    labels: Labels
    edges: Edges


class Edit(NamedTuple):
    """One elementary edit of a DAG. New nodes are numbered on from the nodes that it has.

    Attributes:
        kind: "relabel", "insert_node", "delete_node", "insert_edge" or "delete_edge".
        at: the node, or the two nodes of the edge.
        label: of a relabelled or new node.
    """

    kind: str
    at: tuple[int, ...]
    label: str = ""


@runtime_checkable
class GraphCoded(Protocol):
    """A space whose answers are a labelled DAG in which the order of nodes says nothing."""

    def to_dag(self, answers: Answers) -> tuple[Labels, Edges]:
        """The DAG that answers tell: labels and edges, in topological order."""

    def from_dag(self, labels: Labels, edges: Edges) -> dict[str, Scalar] | None:
        """Answers that tell this DAG, all but hyperparameters; None where it is none of the space."""


def distance(one: Architecture, other: Architecture) -> int:
    """How many questions two architectures answer differently, or only one of them is asked. Cheap, in any space."""
    mine, theirs = one.answers, other.answers
    shared = mine.keys() & theirs.keys()
    return len(mine) + len(theirs) - 2 * len(shared) + sum(mine[address] != theirs[address] for address in shared)


def dag_of(graph: Graph) -> Dag:
    """The nodes of a graph, labelled with op and arguments; a motif with its key instead of its name."""
    keys = {name: motif.key for name, motif in graph.motifs}
    labels = tuple(
        " ".join([op, *(f"{k}={keys.get(str(v), v) if k == 'name' else v}" for k, v in args)])
        for op, _, args in graph.nodes
    )
    return Dag(labels, frozenset((i, to) for to, node in enumerate(graph.nodes) for i in node.inputs))


def edit_path(one: Dag, other: Dag) -> tuple[Edit, ...]:
    """The fewest edits that make `other` of `one`, but for the order of nodes; at most `LIMIT` matchings are tried."""
    search = _Matching(one, other)
    search.extend(0, 0, len(one.edges), len(other.edges))
    return search.edits()


def applied(dag: Dag, edits: tuple[Edit, ...]) -> Dag | None:
    """What edits make of a DAG, its nodes in topological order; None where there is a cycle."""
    labels: dict[int, str] = dict(enumerate(dag.labels))
    edges = set(dag.edges)
    for kind, at, label in edits:
        if kind in ("relabel", "insert_node"):
            labels[at[0]] = label
        elif kind == "delete_node":
            del labels[at[0]]
        elif kind == "insert_edge":
            edges.add((at[0], at[1]))
        else:
            edges.remove((at[0], at[1]))
    place: dict[int, int] = {}
    while len(place) < len(labels):
        blocked = {to for source, to in edges if source not in place}
        ready = [node for node in labels if node not in place and node not in blocked]
        if not ready:
            return None
        place[min(ready, key=lambda node: (labels[node] == "output", labels[node] != "input", node))] = len(place)
    return Dag(tuple(labels[node] for node in place), frozenset((place[a], place[b]) for a, b in edges))


def half(edits: tuple[Edit, ...], rng: Random) -> tuple[Edit, ...]:
    """The first half, rounded up, of the edits in a random order in which they can be made."""
    left = list(edits)
    taken: list[Edit] = []
    while len(taken) < (len(edits) + 1) // 2:
        missing = {edit.at[0] for edit in left if edit.kind == "insert_node"}
        joined = {node for edit in left if edit.kind == "delete_edge" for node in edit.at}
        ready = [
            edit
            for edit in left
            if not (edit.kind == "insert_edge" and missing & set(edit.at))
            and not (edit.kind == "delete_node" and edit.at[0] in joined)
        ]
        edit = ready[int(rng.random() * len(ready))]
        left.remove(edit)
        taken.append(edit)
    return tuple(taken)


def path_crossover(space: Space, mother: Architecture, father: Architecture, rng: Random) -> Architecture:
    """A child half way on a shortest edit path, if possible other than its parents; hyperparameters are either's.

    A space that is not `GraphCoded`, and parents between which no half of a path was found that is an architecture,
    get the uniform crossover that is aligned on addresses (`raynas.spaces.crossover`).
    """
    if not isinstance(space, GraphCoded):
        return crossover(space, mother, father, rng)
    mixed = {
        address: father.answers[address] if address in father.answers and rng.random() < 0.5 else value
        for address, value in mother.answers.items()
        if address.startswith(HYPERPARAMETER)
    }
    one, other = Dag(*space.to_dag(mother.answers)), Dag(*space.to_dag(father.answers))
    edits = edit_path(one, other)
    if not edits:
        return complete(space, {**mother.answers, **mixed}, rng)
    child = None
    for _ in range(TRIES):
        between = applied(one, half(edits, rng))
        answers = space.from_dag(*between) if between else None
        if answers is not None:
            child = complete(space, {**mixed, **answers}, rng)
            if child.key not in (mother.key, father.key):
                return child
    return child or crossover(space, mother, father, rng)


class _Matching:
    """Branch and bound over the matchings of two DAGs, each filled up with null nodes to the size of the other.

    Definition 4.4 of the paper; no optimum deletes one node and inserts another, since matching the two costs no more.
    """

    def __init__(self, one: Dag, other: Dag) -> None:
        ours, theirs = _filled(one.labels, other.labels), _filled(other.labels, one.labels)
        self.labels = ours, theirs
        self.edges = one.edges, other.edges
        degree = Counter(node for edge in one.edges for node in edge)
        self.order = sorted(range(len(one.labels)), key=lambda node: (ours[node] not in FIXED, -degree[node], node))
        self.mapping: dict[int, int] = {}
        self.best: dict[int, int] = {}
        self.cost = len(ours) + len(theirs) + len(one.edges) + len(other.edges) + 1  # more than any
        self.seen = 0

    def extend(self, depth: int, cost: int, ours: int, theirs: int) -> None:
        """Matches the nodes of `order` from `depth` on, where `ours` and `theirs` edges are not matched yet."""
        self.seen += 1
        least = cost + self._bound(depth, ours, theirs)
        if least >= self.cost or (self.best and self.seen > LIMIT):
            return
        if depth == len(self.order):  # the rest is null, and the bound exact
            self.cost, self.best = least, dict(self.mapping)
            return
        node = self.order[depth]
        used = set(self.mapping.values())
        candidates = []
        null = False
        for match, label in enumerate(self.labels[1]):
            if match not in used and _may(self.labels[0][node], label) and not (label is None and null):
                null = null or label is None  # one null node is like another
                candidates.append((*self._added(node, match), match))
        for added, mine, its, match in sorted(candidates):
            self.mapping[node] = match
            self.extend(depth + 1, cost + added, ours - mine, theirs - its)
            del self.mapping[node]

    def _added(self, node: int, match: int) -> tuple[int, int, int]:
        """What matching two nodes costs, and how many edges lead from either to matched ones."""
        added = int(self.labels[0][node] != self.labels[1][match])
        mine = its = 0
        for known, partner in self.mapping.items():
            for edge, image in (((node, known), (match, partner)), ((known, node), (partner, match))):
                here, there = edge in self.edges[0], image in self.edges[1]
                added, mine, its = added + (here != there), mine + here, its + there
        return added, mine, its

    def _bound(self, depth: int, ours: int, theirs: int) -> int:
        """What the nodes that are left cost at least: labels that have no like, and edges that are too many."""
        left = Counter(self.labels[0][node] for node in self.order[depth:])
        used = set(self.mapping.values())
        free = Counter(label for match, label in enumerate(self.labels[1]) if match not in used)
        nulls = len(self.labels[0]) - len(self.order)
        left[None] += nulls
        return sum((free - left).values()) + abs(ours - theirs)

    def edits(self) -> tuple[Edit, ...]:
        """The edits of the best matching: nodes, then edges."""
        ours, theirs = self.labels
        rest = [match for match in range(len(theirs)) if match not in set(self.best.values())]
        mapping = {**self.best, **dict(zip(range(len(self.order), len(ours)), rest, strict=True))}
        found = []
        for node, match in sorted(mapping.items()):
            label, wanted = ours[node], theirs[match]
            if label != wanted:
                kind = "insert_node" if label is None else "delete_node" if wanted is None else "relabel"
                found.append(Edit(kind, (node,), wanted or ""))
        back = {match: node for node, match in mapping.items()}
        wanted_edges = {(back[source], back[to]) for source, to in self.edges[1]}
        found += [Edit("delete_edge", edge) for edge in sorted(self.edges[0] - wanted_edges)]
        return (*found, *(Edit("insert_edge", edge) for edge in sorted(wanted_edges - self.edges[0])))


def _filled(labels: Labels, others: Labels) -> list[str | None]:
    """Labels, and null nodes for those that the others have more, of each fixed label and of the free ones."""
    kinds = [Counter(label if label in FIXED else None for label in side) for side in (labels, others)]
    return [*labels, *[None] * (kinds[1] - kinds[0]).total()]


def _may(label: str | None, match: str | None) -> bool:
    """Whether nodes of these labels can be matched."""
    return label == match or None in (label, match) or (label not in FIXED and match not in FIXED)
