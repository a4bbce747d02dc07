"""Primitive layers do what their descriptions say, and what the papers' code does."""

from __future__ import annotations

import pytest
import torch
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
    L.Relu(),
    L.Identity(),
    L.Dropout(0.3),
    L.Zero(),
    L.Zero(2),
    L.Zero(3),
    *[L.Pool(kind, kernel, stride) for kind in ("max", "avg") for kernel in (2, 3, 5) for stride in (1, 2)],
    L.Resize((1, 1)),
    L.GlobalPool(),
]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_shapes_and_parameters_are_as_described(layer, size):
    built = module(layer)
    assert sum(p.numel() for p in built.parameters()) == layer.params
    assert tuple(built(torch.randn(2, 4, *size)).shape[1:]) == layer.out((4, *size))


@pytest.mark.parametrize("layer", [L.Linear(4, 3), L.Zero(2), L.Dropout(0.1), L.Identity(), L.Relu()], ids=str)
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
