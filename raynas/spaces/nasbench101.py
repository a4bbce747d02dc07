"""The space of NAS-Bench-101: cells of up to seven vertices and nine edges, each vertex one of three ops.

Ying et al. 2019, "NAS-Bench-101: Towards Reproducible Neural Architecture Search", https://arxiv.org/abs/1902.09635;
the rules of cells, channels and hashes are those of https://github.com/google-research/nasbench. There are 2^21 * 3^5
= 509,607,936 answers and 423,624 different cells. The network: a 3x3 convolution, three stacks of modules with widths
C, 2C, 4C and a 2x2 max pooling between; each module is the cell. Edges into a vertex are added, those into the output
concatenated; what comes from the cell's input is projected by a 1x1 convolution.

Every answer decides a cell of the benchmark: vertices that lie on no path from the input to the output are pruned;
where there is no path, an edge from input to output is the cell; edges beyond nine are dropped, the longest (target -
source) first, of those the one with the lowest source, sparing any whose loss would leave no path.

Cells that differ in the order of their vertices alone decide one network: the one in the order that the benchmark
trained, the first of all that its enumeration (by edges, then by ops) meets. The order matters where channels do not
divide evenly.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import md5
from typing import NamedTuple

from raynas.errors import ArchitectureError, ConfigError
from raynas.graph import Graph, GraphBuilder
from raynas.ops import Scalar
from raynas.records import Choose
from raynas.settings import check_types
from raynas.spaces.checks import MOST, check_whole

OPS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
"""In the benchmark's own order, by which its hash numbers them."""

VERTICES, MAX_EDGES = 7, 9
"""Of a cell: at most so many."""

Edges = tuple[tuple[int, int], ...]  # (source, target), sorted; 0 is the cell's input, the largest its output
Matrix = list[list[int]]


class Cell(NamedTuple):
    """A cell of the benchmark.

    Attributes:
        edges: all on a path from the input to the output, nine at most.
        ops: of the vertices between input and output.
    """

    edges: Edges
    ops: tuple[str, ...]


@dataclass(frozen=True)
class NasBench101:
    """The space. The default network suits small images on a CPU; the benchmark's is `width=128, modules=3`.

    Attributes:
        width: channels of the first stack (C).
        modules: a stack; the benchmark's is 3.
        vertices: of a cell at most, input and output included: 3 to 7; the benchmark's is 7.
    """

    width: int = 16
    modules: int = 1
    vertices: int = VERTICES

    def __post_init__(self) -> None:
        check_whole(self, "modules", most=MOST)
        check_whole(self, "width")
        check_whole(self, "vertices", least=3)
        if self.vertices > VERTICES:
            raise ConfigError(f"vertices must be at most {VERTICES}, but got {self.vertices}")
        if self.width < self.vertices - 2:
            told = f"width must be at least {self.vertices - 2}, a channel for each vertex"
            raise ConfigError(f"{told}, but got {self.width}")
        check_types(self)

    @property
    def name(self) -> str:
        """As on the command line."""
        return "nasbench101"

    def decide(self, choose: Choose) -> Graph:
        """Asks for each pair of vertices whether there is an edge, and for each vertex between for its op."""
        edges = [pair for pair, address in _pairs(self.vertices) if choose(address, (False, True))]
        ops = [choose(f"op{vertex}", OPS) for vertex in range(1, self.vertices - 1)]
        cell = _cell(tuple(edges), tuple(ops))
        widths = [self.width * 2**stack for stack in range(3)]
        stacks = {f"stack{stack}": _module(cell, width) for stack, width in enumerate(widths)}
        return _skeleton(self.width, self.modules).around(**stacks)

    def count(self) -> int:
        """2 for each pair of vertices, 3 ops for each vertex between."""
        return int(2 ** (self.vertices * (self.vertices - 1) // 2) * len(OPS) ** (self.vertices - 2))

    def to_dag(self, answers: Mapping[str, Scalar]) -> tuple[tuple[str, ...], frozenset[tuple[int, int]]]:
        """Labels and edges of the cell that answers decide, "input" and "output" among them (see edit_path.py)."""
        matrix, labels = to_matrix(answers)
        edges = {(i, j) for i, row in enumerate(matrix) for j, entry in enumerate(row) if entry}
        return tuple(labels), frozenset(edges)

    def from_dag(self, labels: tuple[str, ...], edges: frozenset[tuple[int, int]]) -> dict[str, Scalar] | None:
        """The answers of such a cell; None where it is too large or leads nowhere."""
        last, output = len(labels) - 1, self.vertices - 1
        if not 0 < len(_pruned(sorted(edges), last)) <= MAX_EDGES or last > output:
            return None
        moved = {(source, output if to == last else to) for source, to in edges}
        answers: dict[str, Scalar] = {address: pair in moved for pair, address in _pairs(self.vertices)}
        return answers | {f"op{v}": labels[v] if v < last else OPS[0] for v in range(1, output)}


@lru_cache(maxsize=8)
def _pairs(vertices: int) -> tuple[tuple[tuple[int, int], str], ...]:
    """All pairs (source, target), column by column of the matrix, and the addresses of their questions."""
    return tuple(
        ((source, target), f"edge{source}to{target}") for target in range(1, vertices) for source in range(target)
    )


def _pruned(edges: Sequence[tuple[int, int]], output: int) -> list[tuple[int, int]]:
    """The edges that lie on a path from vertex 0 to the output."""
    reached, reaching = {0}, {output}
    for source, target in sorted(edges):
        if source in reached:
            reached.add(target)
    for target, source in sorted([(target, source) for source, target in edges], reverse=True):
        if target in reaching:
            reaching.add(source)
    on_path = reached & reaching
    return [edge for edge in edges if edge[0] in on_path and edge[1] in on_path]


def _repaired(edges: Sequence[tuple[int, int]], output: int) -> list[tuple[int, int]]:
    """The edges of a valid cell: pruned, connected, nine at most."""
    kept = _pruned(edges, output) or [(0, output)]
    while len(kept) > MAX_EDGES:
        longest_first = sorted(kept, key=lambda edge: (edge[0] - edge[1], edge))
        fewer = (_pruned([edge for edge in kept if edge != dropped], output) for dropped in longest_first)
        kept = next(left for left in fewer if left)
    return kept


@lru_cache(maxsize=4096)
def _cell(edges: Edges, ops: tuple[str, ...]) -> Cell:
    """The cell that answers decide, its vertices in the order in which the benchmark trained it."""
    output = len(ops) + 1
    kept = _repaired(edges, output)
    vertices = sorted({vertex for edge in kept for vertex in edge})
    between, last = vertices[1:-1], len(vertices) - 1
    place = {0: 0, output: last}
    found: tuple[int, tuple[int, ...], Edges] | None = None
    for order in itertools.permutations(range(1, last)):
        place.update(zip(between, order, strict=True))
        moved = [(place[source], place[target]) for source, target in kept]
        if any(source > target for source, target in moved):
            continue
        bits = sum(1 << source + target * (target - 1) // 2 for source, target in moved)
        if found is None or bits <= found[0]:
            labels = dict(zip(order, [OPS.index(ops[vertex - 1]) for vertex in between], strict=True))
            this = bits, tuple([labels[vertex] for vertex in range(1, last)]), tuple(sorted(moved))
            found = this if found is None else min(found, this)
    if found is None:  # the order that was asked is always one
        raise ArchitectureError("cell", edges, "edges must lead from lower to higher vertices")
    return Cell(found[2], tuple([OPS[label] for label in found[1]]))


def channels(cell: Cell, width: int) -> tuple[int, ...]:
    """How many channels each vertex between input and output has where the cell's output has `width`.

    The output's channels are split evenly among the vertices that feed it, the first ones get the remainder; another
    vertex has as many as the largest that it feeds.
    """
    output = len(cell.ops) + 1
    feeding = [source for source, target in cell.edges if target == output and source]
    found = {vertex: width // len(feeding) + (i < width % len(feeding)) for i, vertex in enumerate(feeding)}
    for vertex in range(output - 1, 0, -1):
        if vertex not in found:
            found[vertex] = max(found[target] for source, target in cell.edges if source == vertex)
    return tuple([found[vertex] for vertex in range(1, output)])


@lru_cache(maxsize=4096)
def _module(cell: Cell, width: int) -> Graph:
    """The motif of a cell whose output has `width` channels."""
    g = GraphBuilder()
    inputs = g.input()
    widths = channels(cell, width)
    output = len(cell.ops) + 1
    values: list[int] = [inputs]
    for vertex, op in enumerate(cell.ops, 1):
        own = widths[vertex - 1]
        joined = []
        for source, target in cell.edges:
            if target == vertex and source == 0:
                joined.append(g.add("conv_bn_relu", inputs, channels=own, kernel=1))
            elif target == vertex:
                wider = widths[source - 1] > own
                joined.append(g.add("take_channels", values[source], channels=own) if wider else values[source])
        x = joined[0] if len(joined) == 1 else g.add("sum", *joined)
        if op == "maxpool3x3":
            values.append(g.add("max_pool", x, kernel=3))
        else:
            values.append(g.add("conv_bn_relu", x, channels=own, kernel=int(op[4])))
    feeding = [values[source] for source, target in cell.edges if target == output and source]
    branches = [g.add("concat", *feeding) if len(feeding) > 1 else feeding[0]] if feeding else []
    if (0, output) in cell.edges:
        branches.append(g.add("conv_bn_relu", inputs, channels=width, kernel=1))
    return g.build(branches[0] if len(branches) == 1 else g.add("sum", *branches))


@lru_cache(maxsize=64)
def _skeleton(width: int, modules: int) -> Graph:
    """The network around the modules."""
    g = GraphBuilder()
    x = g.add("conv_bn_relu", g.input(), channels=width, kernel=3)
    for stack in range(3):
        if stack:
            x = g.add("max_pool", x, kernel=2, stride=2, ceil=True)
        for _ in range(modules):
            x = g.cell(f"stack{stack}", x, width=width * 2**stack)
    return g.build(g.add("classifier", x))


def to_matrix(answers: Mapping[str, Scalar]) -> tuple[Matrix, list[str]]:
    """The adjacency matrix and the labels, "input" and "output" among them, of the cell that answers decide.

    Pruned, repaired and in the benchmark's order: as its table holds it.
    """
    vertices = 2 + sum(address.startswith("op") for address in answers)
    edges = tuple([pair for pair, address in _pairs(vertices) if answers[address]])
    cell = _cell(edges, tuple([str(answers[f"op{vertex}"]) for vertex in range(1, vertices - 1)]))
    size = len(cell.ops) + 2
    matrix = [[int((row, column) in cell.edges) for column in range(size)] for row in range(size)]
    return matrix, ["input", *cell.ops, "output"]


def from_matrix(matrix: Sequence[Sequence[int]], ops: Sequence[str]) -> dict[str, Scalar]:
    """An adjacency matrix and the labels of its vertices -> answers of the space with seven vertices.

    Args:
        matrix: [V, V] of 0 and 1, V from 2 to 7; entry (i, j) says whether there is an edge from vertex i to j. What
            pruning removes does not count.
        ops: V labels; the first and the last, those of input and output, are not looked at.

    Raises:
        ArchitectureError: the matrix is not square or not upper triangular, holds other entries, does not connect
            input and output or has more than nine edges on paths between them; a label is none of OPS.
    """
    edges = _edges_of(matrix, ops)
    output = VERTICES - 1
    place = {len(matrix) - 1: output}
    moved = {(place.get(source, source), place.get(target, target)) for source, target in edges}
    answers: dict[str, Scalar] = {address: pair in moved for pair, address in _pairs(VERTICES)}
    for vertex in range(1, output):
        answers[f"op{vertex}"] = ops[vertex] if vertex < len(matrix) - 1 else OPS[0]
    return answers


def nasbench_hash(matrix: Sequence[Sequence[int]], ops: Sequence[str]) -> str:
    """The benchmark's own key of a cell: 32 hexadecimal digits, equal for cells that differ in vertex order alone.

    Args:
        matrix: as for `from_matrix`.
        ops: as for `from_matrix`.

    Raises:
        ArchitectureError: as `from_matrix`.
    """
    edges = _pruned(_edges_of(matrix, ops), len(matrix) - 1)
    vertices = sorted({vertex for edge in edges for vertex in edge})
    labels = [-1, *[OPS.index(ops[vertex]) for vertex in vertices[1:-1]], -2]
    sources = [[vertices.index(s) for s, t in edges if t == vertex] for vertex in vertices]
    targets = [[vertices.index(t) for s, t in edges if s == vertex] for vertex in vertices]
    hashes = [_md5(str((len(o), len(i), label))) for o, i, label in zip(targets, sources, labels, strict=True)]
    for _ in vertices:
        hashes = [
            _md5("|".join(["".join(sorted([hashes[v] for v in near])) for near in (i, o)] + [own]))
            for i, o, own in zip(sources, targets, hashes, strict=True)
        ]
    return _md5(str(sorted(hashes)))


def _md5(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()


def _edges_of(matrix: Sequence[Sequence[int]], ops: Sequence[str]) -> list[tuple[int, int]]:
    """The edges of a matrix that is a cell of the benchmark."""
    size = len(matrix)
    rows = [list(row) for row in matrix]
    if not 2 <= size <= VERTICES or any(len(row) != size for row in rows):
        raise ArchitectureError("matrix", rows, f"the matrix must be square, of 2 to {VERTICES} vertices")
    if any(entry not in (0, 1) for row in rows for entry in row):
        raise ArchitectureError("matrix", rows, "entries must be 0 or 1")
    edges = [(source, target) for source in range(size) for target in range(size) if rows[source][target]]
    if any(source >= target for source, target in edges):
        raise ArchitectureError("matrix", rows, "the matrix must be upper triangular")
    if len(ops) != size:
        raise ArchitectureError("ops", list(ops), f"there must be {size} labels, one a vertex")
    for vertex, op in enumerate(ops[1:-1], 1):
        if op not in OPS:
            raise ArchitectureError(f"op{vertex}", op, f"the op must be one of {OPS}")
    left = _pruned(edges, size - 1)
    if not left:
        raise ArchitectureError("matrix", rows, "there must be a path from the first vertex to the last")
    if len(left) > MAX_EDGES:
        raise ArchitectureError("matrix", rows, f"there must be at most {MAX_EDGES} edges on paths to the last vertex")
    return edges
