"""Fully connected networks, for tables; images and series are flattened.

Depth, width, activation, dropout, normalisation and residual connections, as the tabular literature tunes them: Zimmer
et al. 2021, "Auto-PyTorch Tabular", https://arxiv.org/abs/2006.13799 (funnels and residual networks); Gorishniy et al.
2021, "Revisiting Deep Learning Models for Tabular Data", https://arxiv.org/abs/2106.11959. A funnel asks for its first
width, from which the others fall evenly to the narrowest there is; a free network asks for the width of every layer.
The default space has 42,624 answers.
"""

from __future__ import annotations

from dataclasses import dataclass

from raynas.graph import Graph, GraphBuilder
from raynas.layers import ACTIVATIONS
from raynas.records import Choose
from raynas.settings import check_types
from raynas.spaces.checks import check_options, check_span, probability, whole

FUNNEL, FREE = "funnel", "free"
NORMS = ("none", "layer_norm")


@dataclass(frozen=True)
class Mlp:
    """The space.

    Attributes:
        min_layers: fewest hidden layers.
        max_layers: most hidden layers.
        shapes: "funnel", "free" or both.
        widths: of a hidden layer.
        activations: of all layers; names of raynas.layers.ACTIVATIONS.
        rates: of dropout after each layer; 0: none.
        norms: before each layer: "none" or "layer_norm".
        residual: whether layers but the first may add their input to their output, mapped linearly if widths differ.
    """

    min_layers: int = 1
    max_layers: int = 4
    shapes: tuple[str, ...] = (FUNNEL, FREE)
    widths: tuple[int, ...] = (16, 32, 64, 128)
    activations: tuple[str, ...] = ("relu", "gelu", "tanh")
    rates: tuple[float, ...] = (0.0, 0.1, 0.3)
    norms: tuple[str, ...] = NORMS
    residual: bool = True

    def __post_init__(self) -> None:
        check_types(self)
        check_span(self, "min_layers", "max_layers")
        check_options(self, "shapes", "of funnel, free", (FUNNEL, FREE).__contains__)
        check_options(self, "widths", "whole numbers of at least 1", whole)
        check_options(self, "activations", f"of {', '.join(ACTIVATIONS)}", ACTIVATIONS.__contains__)
        check_options(self, "rates", "numbers in [0, 1)", probability)
        check_options(self, "norms", "of none, layer_norm", NORMS.__contains__)

    @property
    def name(self) -> str:
        """As on the command line."""
        return "mlp"

    def decide(self, choose: Choose) -> Graph:
        """Asks for what all layers share, then for the widths and the residual connections."""
        depth = choose("layers", tuple(range(self.min_layers, self.max_layers + 1)))
        activation, rate = choose("activation", self.activations), choose("rate", self.rates)
        norm, free = choose("norm", self.norms), choose("shape", self.shapes) == FREE
        width = 0 if free else choose("width", self.widths)
        widths = [width + round((min(self.widths) - width) * layer / max(1, depth - 1)) for layer in range(depth)]
        g = GraphBuilder()
        x = g.add("flatten", g.input())
        before = 0
        for layer, width in enumerate(widths):
            ask = choose.at(f"layer{layer}") if free else choose
            width = ask("width", self.widths) if free else width
            y = g.add(norm, x) if norm != "none" else x
            y = g.add("dense", y, channels=width, activation=activation, **({"rate": rate} if rate else {}))
            if self.residual and layer and ask("residual", (False, True)):
                short = x if width == before else g.add("linear", x, channels=width, bias=False)
                y = g.add("sum", y, short)
            x, before = y, width
        return g.build(g.add("classifier", x))

    def count(self) -> int:
        """Sum over depths and shapes."""
        widths, residual = len(self.widths), 2 if self.residual else 1
        total = 0
        for depth in range(self.min_layers, self.max_layers + 1):
            total += widths * (residual if depth > 1 else 1) * (FUNNEL in self.shapes)
            total += widths**depth * residual ** (depth - 1) * (FREE in self.shapes)
        return total * len(self.activations) * len(self.rates) * len(self.norms)
