"""Graphs: what an architecture is made of. The one thing that is built, drawn, costed and hashed.

A `Graph` is a DAG of named ops with arguments, immutable, hashable and JSON. Cells are *motifs*: stored once under a
name and referenced by nodes with a width and a stride, so that a network of twenty cells stays small. Inside a motif
the argument values `"$width"` and `"$stride"` stand for those of the reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, ClassVar, NamedTuple, Protocol

from raynas.canonical import canonical_key
from raynas.errors import GraphError
from raynas.layers import Layer, Shape
from raynas.ops import CODE, INPUT, JOINS, MOTIF, OPS, Scalar

WIDTH, STRIDE = "$width", "$stride"
"""Stand, inside a motif, for the width and the stride of the node that references it."""

STRUCTURE: Mapping[str, frozenset[str]] = {
    INPUT: frozenset(),
    **{join: frozenset() for join in JOINS},
    MOTIF: frozenset({"name", "width", "stride"}),
    CODE: frozenset({"function", "answers"}),
}
"""The ops that are no layers, and the arguments that each must have."""

Args = tuple[tuple[str, Scalar], ...]


class Code(Protocol):
    """Makes the layer that plain PyTorch code is, for an input of a given shape."""

    def __call__(self, shape: Shape) -> Layer:
        """The layer."""


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

    # Kept once worked out, beside the fields: no part of the value.
    _key: ClassVar[str | None] = None
    _skeleton: ClassVar[_Skeleton | None] = None
    _code: ClassVar[Code | None] = None

    @property
    def key(self) -> str:
        """32 hexadecimal digits, equal for equal networks on every machine (see raynas/canonical)."""
        if self._key is None:
            if self.motifs:
                motifs = dict(self.motifs)
                key = self.skeleton.key([(motifs.get(name) or self.motif(name)).key for name in self.skeleton.motifs])
            else:
                key = canonical_key(self.nodes, self.output)
            object.__setattr__(self, "_key", key)
            return key
        return self._key

    @property
    def skeleton(self) -> _Skeleton:
        """What this graph's key has in common with those of all graphs made by `around`."""
        if self._skeleton is None:
            skeleton = _Skeleton(self.nodes, self.output)
            object.__setattr__(self, "_skeleton", skeleton)
            return skeleton
        return self._skeleton

    def around(self, **motifs: Graph) -> Graph:
        """The same nodes, with motifs added: what a space returns that searches the cells of a fixed network."""
        graph = Graph(self.nodes, self.output, tuple(sorted((*self.motifs, *motifs.items()))))
        object.__setattr__(graph, "_skeleton", self.skeleton)  # a search hashes these nodes once
        return graph

    @classmethod
    def of_code(cls, code: Code, function: str, answers: str) -> Graph:
        """A network that is plain PyTorch code.

        Args:
            code: makes it.
            function: name of the function that returns it.
            answers: what the function was answered, as JSON with sorted keys: with the name, all that the key knows.
        """
        named = (("answers", answers), ("function", function))
        graph = cls((Node(INPUT), Node(CODE, (0,), named), Node("classifier", (1,))), 2)
        object.__setattr__(graph, "_code", code)
        return graph

    @property
    def code(self) -> Code:
        """What makes the network of `of_code`.

        Raises:
            GraphError: the graph was read from a file, which holds no code.
        """
        if self._code is None:
            names = [dict(node.args)["function"] for node in self.nodes if node.op == CODE]
            raise GraphError(f"the graph is code of function {', '.join(map(str, names))}: replay its answers there")
        return self._code

    def motif(self, name: str) -> Graph:
        """The motif of that name.

        Raises:
            GraphError: there is none.
        """
        for known, motif in self.motifs:
            if known == name:
                return motif
        raise GraphError(f"unknown motif {name!r}; known: {', '.join(name for name, _ in self.motifs) or 'none'}")

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
                Node(op, tuple(inputs), tuple(sorted(dict(*args).items()))) for op, inputs, *args in data["nodes"]
            )
            graph = cls(nodes, data["output"], motifs)
        except GraphError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise GraphError(f"this is no graph: {type(error).__name__}: {error}") from error
        graph.check()
        return graph

    def check(self) -> None:
        """Raises GraphError where the graph is no DAG, or names ops or motifs that do not exist."""
        for index, node in enumerate(self.nodes):
            _check_node(index, node)
            if node.op == MOTIF:
                name = str(dict(node.args)["name"])
                wanted = self.motif(name).inputs
                if len(node.inputs) != wanted:
                    raise GraphError(f"node {index}: motif {name!r} has {wanted} inputs, but got {len(node.inputs)}")
        _check_index("output", self.output, len(self.nodes))


def _check_node(index: int, node: Node) -> None:
    op, inputs, args = node
    if not isinstance(op, str) or (op not in OPS and op not in STRUCTURE):
        raise GraphError(f"node {index}: unknown op {op!r}; known: {', '.join(sorted((*OPS, *STRUCTURE)))}")
    for source in inputs:
        _check_index(f"node {index} ({op}): an input", source, index)
    if bool(inputs) == (op == INPUT):
        raise GraphError(f"node {index} ({op}): only inputs, and all of them, have no inputs, but got {inputs}")
    for name, value in args:
        if not isinstance(value, str | int | float | None):
            raise GraphError(f"node {index} ({op}): argument {name!r} must be a JSON scalar, but got {value!r}")
    if op in STRUCTURE and {name for name, _ in args} != STRUCTURE[op]:
        raise GraphError(
            f"node {index} ({op}): takes {sorted(STRUCTURE[op]) or 'no arguments'}, but got {dict(args)!r}"
        )


def _check_index(what: str, index: object, nodes: int) -> None:
    if type(index) is not int or not 0 <= index < nodes:
        raise GraphError(f"{what} must be one of the {nodes} nodes before, but got {index!r}")


class _Skeleton:
    """What the keys of graphs have in common that differ in their motifs alone.

    It sees a motif as the rank of its key: the names that a space gave its motifs do not matter.
    """

    def __init__(self, nodes: tuple[Node, ...], output: int) -> None:
        self.nodes = nodes
        self.output = output
        self.keys: dict[tuple[int, ...], str] = {}
        used = {output}
        for index in range(output, -1, -1):
            if index in used:
                used.update(nodes[index].inputs)
        self.motifs = sorted({str(dict(nodes[i].args)["name"]) for i in used if nodes[i].op == MOTIF})

    def key(self, keys: list[str]) -> str:
        """The key of the graph whose motifs, in the order of `motifs`, have these keys."""
        distinct = sorted(set(keys))
        ranks = tuple([distinct.index(key) for key in keys])
        own = self.keys.get(ranks)
        if own is None:
            own = self.keys[ranks] = canonical_key(self._ranked(ranks), self.output)
        return blake2b("".join([own, *distinct]).encode(), digest_size=16).hexdigest()

    def _ranked(self, ranks: tuple[int, ...]) -> list[Node]:
        rank = dict(zip(self.motifs, ranks, strict=True))
        return [
            Node(op, inputs, tuple((k, rank.get(str(v), -1) if k == "name" else v) for k, v in args))
            if op == MOTIF
            else Node(op, inputs, args)
            for op, inputs, args in self.nodes
        ]


class GraphBuilder:
    """Writes a graph node by node: `x = g.input(); x = g.add("conv_bn_relu", x, channels=16); g.build(x)`.

    All methods raise GraphError where what they are given makes no graph.
    """

    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self._motifs: dict[str, Graph] = {}

    def input(self) -> int:
        """Adds the next input of the graph and returns its node."""
        self._nodes.append(Node(INPUT))
        return len(self._nodes) - 1

    def add(self, op: str, *inputs: int, **args: Scalar) -> int:
        """Adds an op on earlier nodes and returns its node."""
        node = Node(op, inputs, tuple(sorted(args.items())))
        _check_node(len(self._nodes), node)
        self._nodes.append(node)
        return len(self._nodes) - 1

    def define(self, name: str, motif: Graph) -> None:
        """Stores a motif under a name, for `cell` to reference."""
        self._motifs[name] = motif

    def cell(self, name: str, *inputs: int, width: int, stride: int = 1) -> int:
        """Adds a reference to a motif, defined here or added by `Graph.around`, and returns its node."""
        return self.add(MOTIF, *inputs, name=name, width=width, stride=stride)

    def build(self, output: int) -> Graph:
        """The graph that computes `output`."""
        _check_index("output", output, len(self._nodes))
        return Graph(tuple(self._nodes), output, tuple(sorted(self._motifs.items())))
