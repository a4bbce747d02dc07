"""Spaces that are functions, in a module that another process imports quickly."""

from __future__ import annotations

from raynas.graph import GraphBuilder


def everything(choose):
    """Conditional questions, options that depend on answers, all kinds of scalars, joint hyperparameters."""
    choose.real("train/lr", 1e-4, 1e-1, log=True)
    choose.integer("train/batch", 16, 256, log=True)
    choose("train/nesterov", (True, False))
    choose("train/schedule", (None, "cosine"))
    g = GraphBuilder()
    x = g.input()
    depth = choose.integer("depth", 1, 3)
    for layer in range(depth):
        x = g.add("conv_bn_relu", x, channels=choose(f"width{layer}", (4, 8, 16)[: depth + 1]), kernel=3)
        if choose(f"dropout{layer}", (False, True)):
            x = g.add("dropout", x, rate=choose.real(f"rate{layer}", 0.1, 0.5))
    return g.build(g.add("classifier", x))


def countable(choose):
    g = GraphBuilder()
    x = g.add("conv", g.input(), channels=choose.integer("width", 3, 5))
    if choose("deep", (False, True)):
        x = g.add("conv", x, channels=choose("second", [1, 2]))
    return g.build(g.add("classifier", x))


def one(choose):
    g = GraphBuilder()
    return g.build(g.add("conv", g.input(), channels=choose("width", (8,))))


def flat(choose):
    g = GraphBuilder()
    x = g.input()
    for i in range(4):
        x = g.add("conv", x, channels=choose(f"width{i}", (1, 2, 3)))
    return g.build(x)
