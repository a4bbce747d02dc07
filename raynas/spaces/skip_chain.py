"""Chains of convolutions with skip connections by anchors: the space of the first search by reinforcement learning.

Zoph & Le 2017, "Neural Architecture Search with Reinforcement Learning", https://arxiv.org/abs/1611.01578, sections 3.2
and 3.3. A layer is a convolution with batch norm and ReLU; its anchor says for each earlier layer whether that feeds
it. Inputs are concatenated in depth, and what does not fit is repaired as the paper has it: a layer that nothing feeds
takes the image; layers that feed nothing are concatenated for the classifier; small inputs are padded with zeros. With
`zoph_le()` sizes, 15 layers, the space has 5.0e58 answers.
"""

from __future__ import annotations

from dataclasses import dataclass

from raynas.graph import Graph, GraphBuilder
from raynas.ops import CONCAT_PADDED, Scalar
from raynas.records import Answers, Choose
from raynas.settings import check_types
from raynas.spaces.checks import check_options, check_span, odd, whole


@dataclass(frozen=True)
class SkipChain:
    """The space. The defaults suit small images on a CPU; `zoph_le()` has the published sizes.

    Attributes:
        min_layers: fewest layers.
        max_layers: most layers.
        heights: of a filter.
        widths: of a filter.
        filters: how many a layer has.
        strides: vertical and horizontal strides to choose from; (1,) asks nothing.
    """

    min_layers: int = 2
    max_layers: int = 5
    heights: tuple[int, ...] = (1, 3, 5, 7)
    widths: tuple[int, ...] = (1, 3, 5, 7)
    filters: tuple[int, ...] = (8, 12, 16, 24)
    strides: tuple[int, ...] = (1, 2)

    def __post_init__(self) -> None:
        check_types(self)
        check_span(self, "min_layers", "max_layers")
        for field in ("heights", "widths"):
            check_options(self, field, "odd whole numbers of at least 1", odd)
        for field in ("filters", "strides"):
            check_options(self, field, "whole numbers of at least 1", whole)

    @property
    def name(self) -> str:
        """As on the command line."""
        return "skip_chain"

    def decide(self, choose: Choose) -> Graph:
        """Asks for the depth where it is open, then layer by layer for the filters, the strides and the anchor."""
        depth = self.max_layers
        if self.min_layers < self.max_layers:
            depth = choose("layers", tuple(range(self.min_layers, self.max_layers + 1)))
        g = GraphBuilder()
        image = g.input()
        layers: list[int] = []
        consumed: set[int] = set()
        for layer in range(depth):
            ask = choose.at(f"layer{layer}")
            height, width = ask("height", self.heights), ask("width", self.widths)
            filters = ask("filters", self.filters)
            strides = (1, 1)
            if self.strides != (1,):
                strides = ask("stride_height", self.strides), ask("stride_width", self.strides)
            feeding = [earlier for earlier in range(layer) if ask(f"from{earlier}", (False, True))]
            consumed.update(feeding)
            x = _together(g, [layers[i] for i in feeding] or [image])
            layers.append(
                g.add("conv_bn_relu", x, channels=filters, kernel=_sides(height, width), stride=_sides(*strides))
            )
        loose = [node for layer, node in enumerate(layers) if layer not in consumed]
        return g.build(g.add("classifier", _together(g, loose)))

    def count(self) -> int:
        """Sum over depths of the product over layers."""
        total, product = 0, 1
        choices = len(self.heights) * len(self.widths) * len(self.filters) * len(self.strides) ** 2
        for layer in range(self.max_layers):
            product *= choices * 2**layer
            total += product * (layer + 1 >= self.min_layers)
        return total

    def to_dag(self, answers: Answers) -> tuple[tuple[str, ...], frozenset[tuple[int, int]]]:
        """Layers, labelled with all that they are asked but their anchors, and what feeds what (see edit_path.py)."""
        layers = range(sum(address.endswith("/filters") for address in answers))
        labels = [" ".join(str(answers[f"layer{i}/{name}"]) for name in self._asked) for i in layers]
        edges = {(source, to) for to in layers for source in range(to) if answers[f"layer{to}/from{source}"]}
        return tuple(labels), frozenset(edges)

    def from_dag(self, labels: tuple[str, ...], edges: frozenset[tuple[int, int]]) -> dict[str, Scalar] | None:
        """The answers of a DAG; None where it has too few layers or too many."""
        if not self.min_layers <= len(labels) <= self.max_layers:
            return None
        answers: dict[str, Scalar] = {"layers": len(labels)} if self.min_layers < self.max_layers else {}
        for layer, label in enumerate(labels):
            numbers = zip(self._asked, label.split(), strict=True)
            answers |= {f"layer{layer}/{name}": int(number) for name, number in numbers}
            answers |= {f"layer{layer}/from{source}": (source, layer) in edges for source in range(layer)}
        return answers

    @property
    def _asked(self) -> tuple[str, ...]:
        strides = ("stride_height", "stride_width") if self.strides != (1,) else ()
        return ("height", "width", "filters", *strides)


def zoph_le(*, layers: int = 15, strides: bool = False) -> SkipChain:
    """The space at the published sizes: 15 layers without strides, or with predicted strides (in the paper 20)."""
    return SkipChain(layers, layers, filters=(24, 36, 48, 64), strides=(1, 2, 3) if strides else (1,))


def _together(g: GraphBuilder, nodes: list[int]) -> int:
    return g.add(CONCAT_PADDED, *nodes) if len(nodes) > 1 else nodes[0]


def _sides(height: int, width: int) -> int | str:
    """A kernel or stride as ops take it."""
    return height if height == width else f"{height}x{width}"
