"""Graphs: what an architecture is made of. The one thing that is built, drawn, costed and hashed.

A `Graph` is a DAG of named ops with arguments, immutable, hashable and JSON. Cells are *motifs*: stored once under a
name and referenced by nodes with a width and a stride, so that a network of twenty cells stays small. Inside a motif
the argument values `"$width"` and `"$stride"` stand for those of the reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

from raynas.canonical import canonical_key
from raynas.errors import GraphError
from raynas.ops import CONCAT, INPUT, MOTIF, OPS, SUM, Scalar

WIDTH, STRIDE = "$width", "$stride"
"""Stand, inside a motif, for the width and the stride of the node that references it."""

Args = tuple[tuple[str, Scalar], ...]


class Node(NamedTuple):
    """One op: its name, the indices of its inputs (all smaller than its own) and its arguments, sorted by name."""

    op: str
    inputs: tuple[int, ...] = ()
    args: Args = ()


@dataclass(frozen=True)
class Graph:
    """A DAG of ops.

    Attributes:
        nodes: in topological order; nodes with op "input" are the graph's inputs, in order.
        output: index of the node whose value the graph computes.
        motifs: name -> graph, for the nodes with op "motif".
    """

    nodes: tuple[Node, ...]
    output: int
    motifs: tuple[tuple[str, Graph], ...] = ()

    @cached_property
    def key(self) -> str:
        """32 hexadecimal digits, equal for equal networks on every machine (see raynas/canonical.py)."""
        if not self.motifs:
            return canonical_key(self.nodes, self.output)
        keys = [(name, motif.key) for name, motif in self.motifs]
        # The skeleton sees a motif as the rank of its key: the names that a space gave its motifs do not matter,
        # and a search in which only the cells change hashes its skeleton once.
        distinct = sorted({key for _, key in keys})
        ranks = tuple((name, distinct.index(key)) for name, key in keys)
        text = ".".join((_skeleton_key(self.nodes, self.output, ranks), *distinct))
        return blake2b(text.encode(), digest_size=16).hexdigest()

    def motif(self, name: str) -> Graph:
        """The motif of that name."""
        return dict(self.motifs)[name]

    @property
    def inputs(self) -> int:
        """How many inputs the graph has."""
        return sum(node.op == INPUT for node in self.nodes)

    def to_json(self) -> dict[str, Any]:
        """A compact JSON object; `from_json` inverts it."""
        data: dict[str, Any] = {
            "nodes": [[n.op, list(n.inputs), dict(n.args)] if n.args else [n.op, list(n.inputs)] for n in self.nodes],
            "output": self.output,
        }
        if self.motifs:
            data["motifs"] = {name: motif.to_json() for name, motif in self.motifs}
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Graph:
        """The graph that `to_json` told.

        Raises:
            GraphError: the data is no graph: a missing field, an input that is no earlier node, an unknown motif.
        """
        try:
            motifs = tuple((str(name), cls.from_json(motif)) for name, motif in data.get("motifs", {}).items())
            nodes = tuple(
                Node(str(op), tuple(int(i) for i in inputs), tuple(sorted(dict(*args).items())))
                for op, inputs, *args in data["nodes"]
            )
            graph = cls(nodes, int(data["output"]), motifs)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise GraphError(f"this is no graph: {type(error).__name__}: {error}") from error
        graph.check()
        return graph

    def check(self) -> None:
        """Raises GraphError where the graph is no DAG, or names ops or motifs that do not exist."""
        motifs = dict(self.motifs)
        if not 0 <= self.output < len(self.nodes):
            raise GraphError(f"output must be one of the {len(self.nodes)} nodes, but got {self.output}")
        for index, (op, inputs, args) in enumerate(self.nodes):
            if op not in OPS and op not in (INPUT, MOTIF, SUM, CONCAT):
                raise GraphError(f"node {index}: unknown op {op!r}; known: {', '.join(sorted(OPS))}")
            if any(not 0 <= i < index for i in inputs):
                raise GraphError(f"node {index} ({op}): inputs must be earlier nodes, but got {inputs}")
            if bool(inputs) == (op == INPUT):
                raise GraphError(f"node {index} ({op}): only inputs, and all of them, have no inputs")
            if op == MOTIF:
                name = dict(args).get("name")
                if name not in motifs:
                    raise GraphError(f"node {index}: unknown motif {name!r}; known: {', '.join(motifs) or 'none'}")
                wanted = motifs[str(name)].inputs
                if len(inputs) != wanted:
                    raise GraphError(f"node {index}: motif {name!r} has {wanted} inputs, but got {len(inputs)}")


@lru_cache(maxsize=4096)
def _skeleton_key(nodes: tuple[Node, ...], output: int, ranks: tuple[tuple[str, int], ...]) -> str:
    """The canonical key of a graph whose motifs are told apart by rank."""
    rank = dict(ranks)
    named = [
        Node(op, inputs, tuple((k, rank[str(v)] if k == "name" else v) for k, v in args))
        if op == MOTIF
        else Node(op, inputs, args)
        for op, inputs, args in nodes
    ]
    return canonical_key(named, output)


class GraphBuilder:
    """Writes a graph node by node: `x = g.input(); x = g.add("conv_bn_relu", x, channels=16); g.build(x)`."""

    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self._motifs: dict[str, Graph] = {}

    def input(self) -> int:
        """Adds the next input of the graph and returns its node."""
        self._nodes.append(Node(INPUT))
        return len(self._nodes) - 1

    def add(self, op: str, *inputs: int, **args: Scalar) -> int:
        """Adds an op on earlier nodes and returns its node."""
        self._nodes.append(Node(op, inputs, tuple(sorted(args.items()))))
        return len(self._nodes) - 1

    def define(self, name: str, motif: Graph) -> None:
        """Stores a motif under a name, for `cell` to reference."""
        self._motifs[name] = motif

    def cell(self, name: str, *inputs: int, width: int, stride: int = 1) -> int:
        """Adds a reference to a motif and returns its node."""
        return self.add(MOTIF, *inputs, name=name, width=width, stride=stride)

    def build(self, output: int) -> Graph:
        """The graph that computes `output`."""
        return Graph(tuple(self._nodes), output, tuple(sorted(self._motifs.items())))
