from __future__ import annotations

import pytest

from raynas.errors import GraphError
from raynas.layers import Conv
from raynas.ops import OPS, WEIGHTLESS, expand

IMAGE = (4, 9, 7)


def shape_and_params(op, shape, **args):
    layers = expand(op, shape, args)
    params = 0
    for layer in layers:
        shape, params = layer.out(shape), params + layer.params
    return shape, params


@pytest.mark.parametrize(
    ("op", "args", "shape", "params"),
    [
        ("conv", {"channels": 6}, (6, 9, 7), 4 * 6 * 9),
        ("conv", {"channels": 6, "kernel": "1x7", "stride": 2}, (6, 5, 4), 4 * 6 * 7),
        ("conv_bn", {"channels": 6, "kernel": 1}, (6, 9, 7), 4 * 6 + 12),
        ("conv_bn_relu", {"channels": 6, "kernel": 5, "stride": 2}, (6, 5, 4), 4 * 6 * 25 + 12),
        ("relu_conv_bn", {"channels": 6}, (6, 9, 7), 4 * 6 * 9 + 12),
        ("sep_conv", {"channels": 6, "stride": 2}, (6, 5, 4), (4 * 9 + 4 * 4 + 8) + (4 * 9 + 4 * 6 + 12)),
        ("dil_conv", {"channels": 6, "kernel": 5}, (6, 9, 7), 4 * 25 + 4 * 6 + 12),
        ("depthwise_conv_bn_relu", {"channels": 6}, (6, 9, 7), 4 * 9 + 8 + 4 * 6 + 12),
        ("depthwise_bn_relu", {"kernel": 5, "stride": 2}, (4, 5, 4), 4 * 25 + 8),
        ("factorized_reduce", {"channels": 6}, (6, 5, 4), 4 * 6 + 12),
        ("conv_bn_act", {"channels": 6, "activation": "hardswish"}, (6, 9, 7), 4 * 6 * 9 + 12),
        ("conv_bn_act", {"channels": 6, "groups": 2, "eps": 1e-3}, (6, 9, 7), 2 * 6 * 9 + 12),
        ("factorized_conv", {"channels": 6, "stride": 2}, (6, 5, 4), 4 * 6 * 7 + 6 * 6 * 7 + 12),
        (
            "inverted_bottleneck",
            {"channels": 6, "hidden": 8, "stride": 2, "squeezed": 2},
            (6, 5, 4),
            (4 * 8 + 16) + (8 * 9 + 16) + (2 * 8 * 2 + 2 + 8) + (8 * 6 + 12),
        ),
        ("inverted_bottleneck", {"channels": 6, "hidden": 4}, (6, 9, 7), (4 * 9 + 8) + (4 * 6 + 12)),
        ("squeeze_excite", {"squeezed": 2}, (4, 9, 7), 2 * 4 * 2 + 2 + 4),
        ("batch_norm", {"eps": 1e-3}, (4, 9, 7), 8),
        ("activation", {"kind": "gelu"}, (4, 9, 7), 0),
        ("drop_path", {"rate": 0.2}, (4, 9, 7), 0),
        ("flatten", {}, (252,), 0),
        ("series", {}, (4, 63), 0),
        ("linear", {"channels": 6, "bias": False}, (6, 9, 7), 24),
        ("dense", {"channels": 6, "rate": 0.1}, (6, 9, 7), 30),
        ("patches", {"channels": 6, "size": 3}, (6, 6), 4 * 6 * 9 + 6),
        ("patches", {"channels": 6, "size": 8}, (6, 1), 4 * 6 * 8 * 7 + 6),
        ("layer_norm", {}, (4, 9, 7), 8),
        ("feed_forward", {"hidden": 16}, (4, 9, 7), 8 + 4 * 16 + 16 + 16 * 4 + 4),
        ("auxiliary", {"classes": 3}, (3,), (4 * 128 + 256) + (128 * 768 * 2 + 1536) + (768 * 3 + 3)),
        ("max_pool", {"stride": 2, "ceil": True}, (4, 4, 3), 0),
        ("max_pool", {"stride": 2}, (4, 5, 4), 0),
        ("avg_pool", {"kernel": 5}, (4, 9, 7), 0),
        ("resize", {"size": 8}, (4, 8, 7), 0),
        ("bn_relu", {}, (4, 9, 7), 8),
        ("dropout", {"rate": 0.2}, (4, 9, 7), 0),
        ("global_pool", {}, (4,), 0),
        ("classifier", {"classes": 3}, (3,), 4 * 3 + 3),
        ("take_channels", {"channels": 3}, (3, 9, 7), 0),
        ("identity", {}, (4, 9, 7), 0),
        ("zero", {"stride": 2}, (4, 5, 4), 0),
    ],
)
def test_shapes_and_parameters(op, args, shape, params):
    assert shape_and_params(op, IMAGE, **args) == (shape, params)


@pytest.mark.parametrize(
    ("op", "args", "shape", "params"),
    [
        ("class_token", {}, (4, 10), 4),
        ("positions", {}, (4, 9), 36),
        ("take_token", {}, (4,), 0),
        ("attention", {"heads": 2, "width": 3}, (4, 9), 8 + 4 * 18 + 18 + 6 * 4 + 4),
        ("conv_bn_relu", {"channels": 6, "stride": 2}, (6, 5), 4 * 6 * 3 + 12),
        ("conv_bn_act", {"channels": 6, "kernel": 5, "dilation": 4, "stride": 2}, (6, 5), 4 * 6 * 5 + 12),
        ("factorized_reduce", {"channels": 6}, (6, 5), 4 * 6 + 12),
        ("factorized_conv", {"channels": 6, "kernel": 3}, (6, 9), 4 * 6 * 3 + 6 * 6 * 3 + 12),
        ("series", {}, (4, 9), 0),
        ("auxiliary", {"classes": 3}, (3,), (4 * 128 + 256) + (128 * 768 * 2 + 1536) + (768 * 3 + 3)),
    ],
)
def test_on_tokens_and_series(op, args, shape, params):
    assert shape_and_params(op, (4, 9), **args) == (shape, params)


def test_all_ops_are_tested_above():
    marks = [*test_shapes_and_parameters.pytestmark, *test_on_tokens_and_series.pytestmark]
    assert {op for mark in marks for op, *_ in mark.args[1]} == set(OPS)


def test_every_op_is_in_the_table_under_its_own_name():
    assert all(name == op.__name__ and op.__doc__ for name, op in OPS.items())


def test_a_classifier_takes_vectors():
    assert shape_and_params("classifier", (4,), classes=3) == ((3,), 15)


def test_weightless_ops_have_no_weights():
    args = {"take_channels": {"channels": 2}, "activation": {"kind": "relu"}, "resize": {"size": 2}}
    on = {"take_token": (4, 9)}
    assert all(shape_and_params(op, on.get(op, IMAGE), **args.get(op, {}))[1] == 0 for op in WEIGHTLESS)


def test_dilation_is_two_and_keeps_the_size():
    assert expand("dil_conv", IMAGE, {"channels": 4})[1] == Conv(4, 4, (3, 3), 1, 2, groups=4)


@pytest.mark.parametrize(
    ("op", "args", "told"),
    [
        ("convolution", {}, "unknown op 'convolution'; known: activation, attention, auxiliary"),
        ("conv", {"width": 3}, "op 'conv' takes channels, kernel, stride, groups, bias, but got {'width': 3}"),
        ("conv", {}, "op 'conv' takes channels, kernel, stride, groups, bias, but got {}"),
        ("conv", {"channels": 3, "kernel": "3by3"}, "a kernel is a number or HEIGHTxWIDTH, but got '3by3'"),
        ("conv", {"channels": 3, "kernel": "3x0"}, "a kernel is a number or HEIGHTxWIDTH, but got '3x0'"),
        ("conv", {"channels": 3, "kernel": 0}, "op 'conv': kernel must be a whole number of at least 1, but got 0"),
        ("max_pool", {"stride": "2"}, "op 'max_pool': stride must be a whole number of at least 1, but got '2'"),
        ("conv", {"channels": 3, "bias": 1}, "op 'conv': bias must be true or false, but got 1"),
        ("activation", {"kind": "selu"}, "op 'activation': kind must be one of relu, relu6"),
        ("dropout", {"rate": 1}, r"op 'dropout': rate must be a number in \[0, 1\), but got 1"),
        ("batch_norm", {"eps": 0}, "op 'batch_norm': eps must be a positive number, but got 0"),
        ("zero", {"stride": 0}, "op 'zero': stride must be a whole number of at least 1, but got 0"),
        ("identity", {"stride": 2}, "op 'identity' takes no arguments, but got {'stride': 2}"),
        ("take_channels", {"channels": 5}, "op 'take_channels': channels must be at most the input's 4, but got 5"),
    ],
)
def test_wrong_use_is_named(op, args, told):
    with pytest.raises(GraphError, match=told):
        expand(op, IMAGE, args)
