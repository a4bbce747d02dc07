"""Primitive layers as values: what each makes of a shape, how many weights it has, what it costs.

Every named op (`raynas/ops`) is a short sequence of these, so shapes, parameters, FLOPs and memory of any architecture
are known without torch, and `raynas/nn/modules.py` needs one line per primitive to build them.

Shapes are `(C, H, W)` for images, `(C, L)` for series and tokens, `(C,)` for vectors; the batch dimension is left out
and channels come first everywhere.
`flops` counts multiply-adds, the convention of the NAS literature (NAS-Bench-201, DARTS, MobileNet): batch norm,
activations and additions are not counted.
"""

from raynas.layers.base import Layer, Plain, Shape, size
from raynas.layers.convolution import Conv, FactorizedReduce, Linear
from raynas.layers.pointwise import ACTIVATIONS, Activation, Dropout, DropPath, Identity, Zero
from raynas.layers.pooling import GlobalPool, Pool, Resize
from raynas.layers.reshaping import Channels, Flatten, Nearest, Pad, Series
from raynas.layers.scaling import BatchNorm, LayerNorm, SqueezeExcite
from raynas.layers.tokens import Attention, ClassToken, Positions, TakeToken, Tokens

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "Attention",
    "BatchNorm",
    "Channels",
    "ClassToken",
    "Conv",
    "DropPath",
    "Dropout",
    "FactorizedReduce",
    "Flatten",
    "GlobalPool",
    "Identity",
    "Layer",
    "LayerNorm",
    "Linear",
    "Nearest",
    "Pad",
    "Plain",
    "Pool",
    "Positions",
    "Resize",
    "Series",
    "Shape",
    "SqueezeExcite",
    "TakeToken",
    "Tokens",
    "Zero",
    "size",
]
