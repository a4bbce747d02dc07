"""The cells of NASNet and of AmoebaNet: blocks that join two earlier states, any two, by an op on each.

Zoph et al. 2018, "Learning Transferable Architectures for Scalable Image Recognition",
https://arxiv.org/abs/1707.07012, section 3 and figure 3: five blocks, 13 ops, a block adds or concatenates; 2.29e18
cells, 5.2e36 pairs of a normal and a reduction cell. Real et al. 2019, "Regularized Evolution for Image Classifier
Architecture Search", https://arxiv.org/abs/1802.01548: eight of the ops, blocks add; 5.57e14 cells, 3.1e29 pairs.

A cell's output is the concatenation of all blocks that no block reads. What the papers leave open is as in DARTS'
code, which evaluates both: the stack of cells, ReLU before convolutions, and dilated convolutions are separable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from raynas.graph import Graph, GraphBuilder
from raynas.records import Choose
from raynas.spaces.checks import MOST, check_options, check_whole
from raynas.spaces.stack import Stack, edge

NASNET_OPS = (
    "skip_connect",
    "conv_3x1_1x3",
    "conv_7x1_1x7",
    "dil_conv_3x3",
    "avg_pool_3x3",
    "max_pool_3x3",
    "max_pool_5x5",
    "max_pool_7x7",
    "conv_1x1",
    "conv_3x3",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "sep_conv_7x7",
)
"""The 13 ops of Zoph et al., by the names of DARTS' code, in the paper's order."""

AMOEBANET_OPS = (
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "sep_conv_7x7",
    "avg_pool_3x3",
    "max_pool_3x3",
    "dil_conv_3x3",
    "conv_7x1_1x7",
)
"""The 8 ops of Real et al., in the paper's order."""

Edge = tuple[int, str]  # (source state, op)
Block = tuple[Edge, Edge, bool]  # left, right, whether it concatenates them


@dataclass(frozen=True)
class NasNet(Stack):
    """The space. The defaults suit small images on a CPU.

    A block that concatenates has twice the channels of one that adds; ops bring what they read from it back to the
    cell's width, skips and pools by a 1x1 convolution.

    Attributes:
        ops: what an edge may hold, of NASNET_OPS.
        blocks: of a cell; the papers' cells have 5.
        concat: whether blocks may concatenate; else they add.
        name: as on the command line.
    """

    ops: tuple[str, ...] = NASNET_OPS
    blocks: int = 3
    concat: bool = True
    name: str = "nasnet"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self, "ops", f"ops of {', '.join(NASNET_OPS)}", NASNET_OPS.__contains__)
        check_whole(self, "blocks", most=MOST)

    def decide(self, choose: Choose) -> Graph:
        """Asks for both cells: per block two states (0 and 1 are the cell's inputs), two ops and how to join."""
        normal = _cell(self._ask(choose, "normal"), reduction=False, drop_path=self.drop_path)
        if not self.reductions:
            return self.around(normal, None)
        return self.around(normal, _cell(self._ask(choose, "reduce"), reduction=True, drop_path=self.drop_path))

    def _ask(self, choose: Choose, cell: str) -> tuple[Block, ...]:
        genotype = []
        for block in range(self.blocks):
            here = f"{cell}/block{block}"
            left, right = [
                (int(choose(f"{here}/{side}/input", _states(block + 2))), choose(f"{here}/{side}/op", self.ops))
                for side in ("left", "right")
            ]
            concat = self.concat and choose(f"{here}/join", ("add", "concat")) == "concat"
            genotype.append((left, right, concat))
        return tuple(genotype)

    def count(self) -> int:
        """Per block, any two of the earlier states, an op on each, and how to join; for both cells."""
        joins = 2 if self.concat else 1
        cell = math.prod((block + 2) ** 2 * len(self.ops) ** 2 * joins for block in range(self.blocks))
        return cell ** (2 if self.reductions else 1)


def amoebanet(
    *, blocks: int = 3, layers: int = 3, width: int = 8, imagenet: bool = False, auxiliary: bool = False,
    drop_path: float = 0.0,
) -> NasNet:  # fmt: skip
    """The space of AmoebaNet, small like `NasNet`; the papers' size for CIFAR-10 is `blocks=5, layers=20, width=36`."""
    return NasNet(
        layers=layers, width=width, imagenet=imagenet, auxiliary=auxiliary, drop_path=drop_path, ops=AMOEBANET_OPS,
        blocks=blocks, concat=False, name="amoebanet",
    )  # fmt: skip


@lru_cache(maxsize=64)
def _states(number: int) -> tuple[str, ...]:
    """The first so many states, as texts."""
    return tuple(map(str, range(number)))


@lru_cache(maxsize=4096)
def _cell(genotype: tuple[Block, ...], *, reduction: bool, drop_path: float) -> Graph:
    """The motif: states 0 and 1 are the inputs, state n + 2 is block n; edges from the inputs stride in a reduction."""
    g = GraphBuilder()
    states = [g.input(), g.input()]
    wide: set[int] = set()  # states with twice the cell's width
    for left, right, concat in genotype:
        joined = [
            edge(
                g, op, states[source], stride=2 if reduction and source < 2 else 1, drop_path=drop_path,
                project=source in wide,
            )
            for source, op in (left, right)
        ]  # fmt: skip
        if concat:
            wide.add(len(states))
        states.append(g.add("concat" if concat else "sum", *joined))
    read = {source for left, right, _ in genotype for source, _ in (left, right)}
    loose = [states[state] for state in range(2, len(states)) if state not in read]
    return g.build(g.add("concat", *loose))
