"""Spaces that break one promise each, and the test of the suite that must notice."""

from __future__ import annotations

import random
from dataclasses import dataclass

from raynas.graph import GraphBuilder

ASKED: list = []


@dataclass(frozen=True)
class Good:
    """A chain of two convolutions."""

    name: str = "good"

    def decide(self, choose):
        g = GraphBuilder()
        x = g.add("conv_bn_relu", g.input(), channels=choose("width", (4, 8)), kernel=choose("kernel", (1, 3, 5)))
        if choose("deep", (True, False)):
            x = g.add("conv_bn_relu", x, channels=choose("second", (4, 8)), kernel=3)
        return g.build(g.add("classifier", x))


@dataclass(frozen=True)
class Remembers(Good):
    """What it offers depends on how often it was asked."""

    def decide(self, choose):
        ASKED.append(1)
        choose("phase", tuple(range(1 + len(ASKED) % 3)))
        return super().decide(choose)


@dataclass(frozen=True)
class Luck(Good):
    """Draws besides asking."""

    def decide(self, choose):
        g = GraphBuilder()
        x = g.add("conv_bn_relu", g.input(), channels=choose("width", (4, 8)), kernel=random.choice((1, 3, 5)))
        return g.build(g.add("classifier", x))


@dataclass(frozen=True)
class Hashes(Good):
    """Networks of its own in every process."""

    def decide(self, choose):
        g = GraphBuilder()
        own = hash("alpha") % 997
        x = g.add("conv_bn_relu", g.input(), channels=choose("width", (4, 8)) + own, kernel=3)
        return g.build(g.add("classifier", x))


@dataclass(frozen=True)
class Miscounts(Good):
    def count(self):
        return 17


@dataclass(frozen=True)
class Misfits(Good):
    """Networks that only large images fit."""

    def decide(self, choose):
        g = GraphBuilder()
        image = g.add("conv_bn_relu", g.input(), channels=choose("width", (4, 8)), kernel=3)
        return g.build(g.add("sum", image, g.add("classifier", image, classes=3)))


CAUGHT = {
    Remembers: "test_answers_decide_everything",
    Luck: "test_no_global_random_state_is_touched",
    Hashes: "test_keys_are_the_same_in_another_process",
    Miscounts: "test_counts_what_it_enumerates",
    Misfits: "test_every_architecture_fits_every_task",
}
