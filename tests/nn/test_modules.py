"""Primitive layers do what their descriptions say, and what the papers' code does."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from raynas import layers as L
from raynas.nn.modules import module

SIZES = [(1, 1), (1, 4), (2, 2), (5, 7), (8, 8)]
LAYERS = [
    *[
        L.Conv(4, 6, kernel, stride, dilation, groups, bias)
        for kernel, stride, dilation, groups, bias in [
            ((1, 1), 1, 1, 1, False),
            ((3, 3), 1, 1, 1, True),
            ((3, 3), 2, 1, 2, False),
            ((5, 5), 2, 2, 1, False),
            ((1, 7), 1, 1, 1, False),
            ((3, 1), 2, 1, 1, False),
        ]
    ],
    L.FactorizedReduce(4, 6),
    L.FactorizedReduce(4, 5),
    L.BatchNorm(4),
    L.BatchNorm(4, affine=False),
    L.Activation(),
    L.Identity(),
    L.Dropout(0.3),
    L.Zero(),
    L.Zero(2),
    L.Zero(3),
    *[L.Pool(kind, kernel, stride) for kind in ("max", "avg") for kernel in (2, 3, 5) for stride in (1, 2)],
    *[
        L.Pool("max", kernel, stride, padding)
        for kernel in (2, 3)
        for stride in (1, 2, 3)
        for padding in ("valid", "ceil")
    ],
    L.Conv(4, 6, (1, 7), (1, 2)),
    L.Conv(4, 6, (1, 1), 1, padded=False),
    L.Resize((1, 1)),
    L.GlobalPool(),
    L.Flatten(),
    L.Series(),
    L.Tokens(),
    L.Pad((9, 11)),
    L.Nearest((3, 9)),
    L.Channels(2),
    L.Channels(7),
    L.Linear(4, 3, bias=False),
    L.LayerNorm(4),
    L.SqueezeExcite(4, 2),
    L.SqueezeExcite(4, 3, "silu", "hardsigmoid"),
    L.DropPath(0.5),
    *[L.Activation(kind) for kind in L.ACTIVATIONS],
]
SERIES = [
    L.Conv(4, 6, (3,), 2),
    L.FactorizedReduce(4, 5, 1),
    L.BatchNorm(4, dims=1),
    L.Zero(2),
    L.Pool("max", 3, 2),
    L.Pool("max", 3, 2, "ceil"),
    L.Pool("avg", 3, 2),
    L.Resize((1,)),
    L.GlobalPool(),
    L.Flatten(),
    L.Series(),
    L.Tokens(),
    L.Pad((9,)),
    L.Nearest((3,)),
    L.Channels(7),
    L.Linear(4, 3),
    L.LayerNorm(4),
    L.SqueezeExcite(4, 2),
    L.DropPath(0.5),
    L.ClassToken(4),
    L.TakeToken(),
    L.Attention(4, 2, 3),
]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_shapes_and_parameters_are_as_described(layer, size):
    built = module(layer)
    assert sum(p.numel() for p in built.parameters()) == layer.params
    assert tuple(built(torch.randn(2, 4, *size)).shape[1:]) == layer.out((4, *size))


@pytest.mark.parametrize("length", [1, 2, 7])
@pytest.mark.parametrize("layer", SERIES, ids=str)
def test_series_and_tokens(layer, length):
    built = module(layer)
    assert sum(p.numel() for p in built.parameters()) == layer.params
    assert tuple(built(torch.randn(2, 4, length)).shape[1:]) == layer.out((4, length))


def test_positions_are_added():
    built = module(L.Positions(4, 7))
    assert sum(p.numel() for p in built.parameters()) == L.Positions(4, 7).params == 28
    x = torch.randn(2, 4, 7)
    assert torch.allclose(built(x) - x, built.vectors.T.expand(2, 4, 7), atol=1e-6)


def test_attention_is_that_of_torch():
    ours, theirs = module(L.Attention(8, 2, 4)), nn.MultiheadAttention(8, 2, batch_first=True)
    ours.inward.load_state_dict({"weight": theirs.in_proj_weight, "bias": theirs.in_proj_bias})
    ours.outward.load_state_dict(theirs.out_proj.state_dict())
    x = torch.randn(3, 5, 8)
    assert torch.allclose(ours(x.transpose(1, 2)).transpose(1, 2), theirs(x, x, x)[0], atol=1e-6)


def test_drop_path_drops_whole_samples_and_keeps_the_mean():
    built = module(L.DropPath(0.5))
    x = torch.ones(4000, 3, 2, 2)
    for progress in (1.0, 0.5):
        built.progress = progress
        dropped = built(x)
        kept = dropped[:, 0, 0, 0] > 0
        assert torch.equal(dropped, dropped[:, :1, :1, :1].expand_as(x))
        assert abs(float(kept.float().mean()) - (1 - 0.5 * progress)) < 0.05
        assert abs(float(dropped.mean()) - 1) < 0.05
    assert torch.equal(built.eval()(x), x)


@pytest.mark.parametrize("layer", [L.Linear(4, 3), L.Zero(2), L.Dropout(0.1), L.Identity(), L.Activation()], ids=str)
def test_vectors(layer):
    built = module(layer)
    assert sum(p.numel() for p in built.parameters()) == layer.params
    assert tuple(built(torch.randn(2, 4)).shape[1:]) == layer.out((4,))


def test_what_is_no_layer_is_refused():
    with pytest.raises(TypeError, match="no module for 'conv'"):
        module("conv")


def test_zero_is_zero():
    x = torch.full((1, 2, 5, 5), torch.inf)
    assert torch.equal(module(L.Zero(2))(x), torch.zeros(1, 2, 3, 3))


def test_averages_leave_padding_out():
    """As DARTS and NAS-Bench-201 do: an average of ones is one, at the border too."""
    ones = torch.ones(1, 1, 4, 4)
    assert torch.equal(module(L.Pool("avg"))(ones), ones)


def test_maxima_do_not_see_padding():
    low = torch.full((1, 1, 3, 3), -5.0)
    assert torch.equal(module(L.Pool("max"))(low), low)


@pytest.mark.parametrize("kind", ["max", "avg"])
def test_an_odd_pooling_of_stride_1_keeps_any_size(kind):
    """Beside convolutions that do: branches of a small image are not averaged down for the sake of one."""
    for size in SIZES:
        assert L.Pool(kind, 5).out((1, *size)) == (1, *size) == module(L.Pool(kind, 5))(torch.ones(1, *size)).shape


def test_factorized_reduce_is_that_of_darts():
    """quark0/darts, cnn/operations.py: even pixels beside odd ones."""
    built = module(L.FactorizedReduce(3, 4))
    x = torch.randn(2, 3, 8, 6)
    even = F.conv2d(x, built.even.weight, stride=2)
    odd = F.conv2d(x[:, :, 1:, 1:], built.odd.weight, stride=2)
    assert torch.equal(built(x), torch.cat([even, odd], 1))


def test_a_resize_averages():
    x = torch.arange(16.0).view(1, 1, 4, 4)
    assert torch.equal(module(L.Resize((2, 2)))(x), F.avg_pool2d(x, 2))
    assert torch.equal(module(L.Resize((1, 1)))(x), x.mean((2, 3), keepdim=True))
