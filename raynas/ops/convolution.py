"""Convolutions, on images and on series."""

from __future__ import annotations

from raynas.errors import GraphError
from raynas.layers import Activation, Conv, FactorizedReduce, Layer, Shape, SqueezeExcite
from raynas.ops.arguments import Layers, axes, norm


def _conv(
    shape: Shape, channels: int, kernel: int | str, stride: int | str, dilation: int = 1, groups: int = 1,
    bias: bool = False,
) -> Conv:  # fmt: skip
    dims = len(shape) - 1
    strides = stride if isinstance(stride, int) else axes("stride", stride, dims)
    return Conv(shape[0], channels, axes("kernel", kernel, dims), strides, dilation, groups, bias)


def conv(
    shape: Shape, *, channels: int, kernel: int | str = 3, stride: int | str = 1, groups: int = 1, bias: bool = False
) -> Layers:
    """A bare convolution; kernels and strides are numbers or "HEIGHTxWIDTH"."""
    return [_conv(shape, channels, kernel, stride, groups=groups, bias=bias)]


def conv_bn(
    shape: Shape, *, channels: int, kernel: int | str = 3, stride: int | str = 1, eps: float = 1e-5,
    momentum: float = 0.1,
) -> Layers:  # fmt: skip
    """Convolution, batch norm: stems and projections."""
    return [_conv(shape, channels, kernel, stride), norm(shape, channels, eps, momentum)]


def conv_bn_relu(shape: Shape, *, channels: int, kernel: int | str = 3, stride: int | str = 1) -> Layers:
    """Convolution, batch norm, ReLU: the layer of chains."""
    return [*conv_bn(shape, channels=channels, kernel=kernel, stride=stride), Activation()]


def conv_bn_act(
    shape: Shape, *, channels: int, kernel: int | str = 3, stride: int | str = 1, dilation: int = 1, groups: int = 1,
    activation: str = "relu", eps: float = 1e-5, momentum: float = 0.1,
) -> Layers:  # fmt: skip
    """Convolution, batch norm, any activation: the layer of most hand-made networks."""
    base = _conv(shape, channels, kernel, stride, dilation, groups)
    return [base, norm(shape, channels, eps, momentum), Activation(activation)]


def relu_conv_bn(shape: Shape, *, channels: int, kernel: int | str = 3, stride: int | str = 1) -> Layers:
    """ReLU, convolution, batch norm: the order of DARTS and NAS-Bench-201."""
    return [Activation(), *conv_bn(shape, channels=channels, kernel=kernel, stride=stride)]


def _depthwise(shape: Shape, cout: int, kernel: int | str, stride: int, dilation: int) -> Layers:
    """ReLU, a depthwise and a pointwise convolution, batch norm."""
    cin = shape[0]
    return [
        Activation(),
        _conv(shape, cin, kernel, stride, dilation=dilation, groups=cin),
        _conv(shape, cout, 1, 1),
        norm(shape, cout),
    ]


def sep_conv(shape: Shape, *, channels: int, kernel: int = 3, stride: int = 1) -> Layers:
    """Depthwise-separable convolution, applied twice; the stride is in the first (Zoph et al. 2018, DARTS)."""
    return [*_depthwise(shape, shape[0], kernel, stride, 1), *_depthwise(shape, channels, kernel, 1, 1)]


def dil_conv(shape: Shape, *, channels: int, kernel: int = 3, stride: int = 1) -> Layers:
    """Depthwise-separable convolution with dilation 2, applied once (DARTS)."""
    return _depthwise(shape, channels, kernel, stride, 2)


def factorized_conv(shape: Shape, *, channels: int, kernel: int = 7, stride: int = 1) -> Layers:
    """ReLU, a 1xK and a Kx1 convolution, batch norm (NASNet, AmoebaNet: K is 3 or 7); on series two of length K."""
    dims = len(shape) - 1
    across, along = ((1, kernel), (kernel, 1)) if dims == 2 else ((kernel,), (kernel,))
    first, second = ((1, stride), (stride, 1)) if dims == 2 else ((stride,), (1,))
    return [
        Activation(),
        Conv(shape[0], channels, across, first),
        Conv(channels, channels, along, second),
        norm(shape, channels),
    ]


def depthwise_conv_bn_relu(shape: Shape, *, channels: int, kernel: int = 3, stride: int = 1) -> Layers:
    """Depthwise convolution, pointwise convolution, batch norm, ReLU: the layer of MobileNet."""
    cin = shape[0]
    return [
        _conv(shape, cin, kernel, stride, groups=cin),
        norm(shape, cin),
        Activation(),
        _conv(shape, channels, 1, 1),
        norm(shape, channels),
        Activation(),
    ]


def depthwise_bn_relu(shape: Shape, *, kernel: int = 3, stride: int = 1) -> Layers:
    """Depthwise convolution alone, batch norm, ReLU: each channel by itself."""
    cin = shape[0]
    return [_conv(shape, cin, kernel, stride, groups=cin), norm(shape, cin), Activation()]


def inverted_bottleneck(
    shape: Shape, *, channels: int, hidden: int, kernel: int = 3, stride: int = 1, squeezed: int = 0,
    activation: str = "relu6", gate: str = "sigmoid", eps: float = 1e-5, momentum: float = 0.1,
) -> Layers:  # fmt: skip
    """Widens to `hidden` channels, convolves depthwise, narrows to `channels` (MobileNetV2; the MBConv of MnasNet).

    Sandler et al. 2018, https://arxiv.org/abs/1801.04381. Nothing is widened where `hidden` is the input's channels.
    `squeezed` is the hidden width of a squeeze-and-excitation after the depthwise convolution; 0: there is none.
    """
    layers: list[Layer] = []
    if hidden != shape[0]:
        layers += conv_bn_act(shape, channels=hidden, kernel=1, activation=activation, eps=eps, momentum=momentum)
    wide = (hidden, *shape[1:])
    layers += [
        _conv(wide, hidden, kernel, stride, groups=hidden),
        norm(shape, hidden, eps, momentum),
        Activation(activation),
    ]
    if squeezed:
        layers.append(SqueezeExcite(hidden, squeezed, gate=gate))
    return [*layers, _conv(wide, channels, 1, 1), norm(shape, channels, eps, momentum)]


def squeeze_excite(shape: Shape, *, squeezed: int, gate: str = "sigmoid") -> Layers:
    """Scales channels by gates that depend on all channels' means."""
    return [SqueezeExcite(shape[0], max(1, squeezed), gate=gate)]


def factorized_reduce(shape: Shape, *, channels: int) -> Layers:
    """Halves the resolution without losing every second pixel: `skip_connect` with stride 2 in DARTS."""
    if channels < 2:
        raise GraphError(f"op 'factorized_reduce': channels must be at least 2, one for each half, but got {channels}")
    return [Activation(), FactorizedReduce(shape[0], channels, len(shape) - 1), norm(shape, channels)]
