"""Search spaces, and what can be done with any of them.

`chain()`, `cells()`, `darts()` and `nasbench201()` are spaces; so is any function that asks and returns a graph.
"""

from raynas.spaces.cell import Cells, darts
from raynas.spaces.cell import Cells as cells
from raynas.spaces.chain import Chain
from raynas.spaces.chain import Chain as chain
from raynas.spaces.convolution1d import Convolution1d
from raynas.spaces.convolution1d import Convolution1d as conv1d
from raynas.spaces.decide import (
    count,
    crossover,
    enumerate_space,
    from_json,
    mutate,
    neighbours,
    replay,
    sample,
)
from raynas.spaces.edit_path import distance, path_crossover
from raynas.spaces.function import FunctionSpace
from raynas.spaces.hierarchical import Hierarchical
from raynas.spaces.hierarchical import Hierarchical as hierarchical
from raynas.spaces.inception import Inception, googlenets
from raynas.spaces.inception import Inception as inception
from raynas.spaces.known import known
from raynas.spaces.large_scale import LargeScale
from raynas.spaces.large_scale import LargeScale as large_scale
from raynas.spaces.mlp import Mlp
from raynas.spaces.mlp import Mlp as mlp
from raynas.spaces.mobile import Mobile, MobileStage, mobilenets_v2, mobilenets_v3, ofa_mobilenetv3, proxylessnas
from raynas.spaces.mobile import Mobile as mobile
from raynas.spaces.nasbench101 import NasBench101
from raynas.spaces.nasbench101 import NasBench101 as nasbench101
from raynas.spaces.nasbench201 import NasBench201
from raynas.spaces.nasbench201 import NasBench201 as nasbench201
from raynas.spaces.nasnet import NasNet, amoebanet
from raynas.spaces.nasnet import NasNet as nasnet
from raynas.spaces.nats_size import NatsSize
from raynas.spaces.nats_size import NatsSize as nats_size
from raynas.spaces.residual import Residual, resnets
from raynas.spaces.residual import Residual as residual
from raynas.spaces.skip_chain import SkipChain, zoph_le
from raynas.spaces.skip_chain import SkipChain as skip_chain
from raynas.spaces.transformer import Transformer, autoformer, vits
from raynas.spaces.transformer import Transformer as transformer

__all__ = [
    "Cells",
    "Chain",
    "Convolution1d",
    "FunctionSpace",
    "Hierarchical",
    "Inception",
    "LargeScale",
    "Mlp",
    "Mobile",
    "MobileStage",
    "NasBench101",
    "NasBench201",
    "NasNet",
    "NatsSize",
    "Residual",
    "SkipChain",
    "Transformer",
    "amoebanet",
    "autoformer",
    "cells",
    "chain",
    "conv1d",
    "count",
    "crossover",
    "darts",
    "distance",
    "enumerate_space",
    "from_json",
    "googlenets",
    "hierarchical",
    "inception",
    "known",
    "large_scale",
    "mlp",
    "mobile",
    "mobilenets_v2",
    "mobilenets_v3",
    "mutate",
    "nasbench101",
    "nasbench201",
    "nasnet",
    "nats_size",
    "neighbours",
    "ofa_mobilenetv3",
    "path_crossover",
    "proxylessnas",
    "replay",
    "residual",
    "resnets",
    "sample",
    "skip_chain",
    "transformer",
    "vits",
    "zoph_le",
]
