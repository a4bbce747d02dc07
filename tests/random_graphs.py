"""Random networks over the whole vocabulary, for tests that what is predicted is what is built."""

from __future__ import annotations

from random import Random

from raynas.graph import GraphBuilder

KERNELS = (1, 3, 5, "1x7", "3x1")


def random_network(seed):
    """Ops and joins of whatever came before, strides and widths at will, a classifier at the end."""
    rng = Random(seed)
    g = GraphBuilder()
    nodes = [g.input()]
    for _ in range(rng.randint(1, 8)):
        nodes.append(_node(g, rng, nodes[-4:]))
    return g.build(g.add("classifier", nodes[-1]))


def _node(g, rng, recent):
    one, stride, channels = rng.choice(recent), rng.choice((1, 2)), rng.choice((2, 3, 4))
    match rng.choice(("conv", "square", "pool", "sum", "sum", "concat", "reduce", "keep", "zero")):
        case "conv":
            op = rng.choice(("conv", "conv_bn", "conv_bn_relu", "relu_conv_bn"))
            return g.add(op, one, channels=channels, kernel=rng.choice(KERNELS), stride=stride)
        case "square":
            op = rng.choice(("sep_conv", "dil_conv", "depthwise_conv_bn_relu"))
            return g.add(op, one, channels=channels, kernel=rng.choice((3, 5)), stride=stride)
        case "pool":
            return g.add(rng.choice(("max_pool", "avg_pool")), one, kernel=rng.choice((2, 3, 5)), stride=stride)
        case "reduce":
            return g.add("factorized_reduce", one, channels=channels)
        case "keep":
            return g.add(rng.choice(("bn_relu", "identity")), one)
        case "zero":
            return g.add("zero", one, stride=stride)
        case join:
            return g.add(join, *[rng.choice(recent) for _ in range(rng.randint(1, 3))])
