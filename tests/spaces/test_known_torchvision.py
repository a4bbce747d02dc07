"""Known networks against torchvision's: the same number of parameters, and with its weights the same outputs."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest
import torch
from torch import nn
from torchvision import models

from raynas import nn as networks
from raynas import spaces
from raynas.cost import cost
from raynas.nn.tokens import Attention, ClassToken, Positions
from raynas.plan import Task
from raynas.spaces.known import KNOWN, torchvision

IMAGENET = Task((3, 224, 224), 1000)

# Name -> parameters, as torchvision's documentation of the weights tells them; what makes the network; image size.
NETWORKS = {
    "resnet18": (11_689_512, models.resnet18, 64),
    "resnet50": (25_557_032, models.resnet50, 64),
    "googlenet": (6_624_904, lambda: models.googlenet(aux_logits=False, init_weights=False), 64),
    "mobilenet_v2": (3_504_872, models.mobilenet_v2, 64),
    "mobilenet_v3_large": (5_483_032, models.mobilenet_v3_large, 64),
    "mobilenet_v3_small": (2_542_856, models.mobilenet_v3_small, 64),
    "vit_b_16": (86_567_656, lambda: models.vit_b_16(image_size=64), 64),
}

CLASS_TOKENS = {"class_token"}
KINDS = {
    nn.Conv2d: "map",
    nn.Linear: "map",
    nn.BatchNorm2d: "batch norm",
    nn.LayerNorm: "layer norm",
    nn.MultiheadAttention: "attention",
    Attention: "attention",
    ClassToken: "token",
    Positions: "positions",
}


def test_all_networks_of_torchvision_are_tested():
    mine = {name for name, make in KNOWN.items() if make.__module__ == torchvision.__name__}
    assert mine == set(NETWORKS)


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters(name):
    assert cost(spaces.known(name).graph, IMAGENET).params == NETWORKS[name][0]


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_with_the_weights_of_torchvision(name):
    torch.manual_seed(0)
    _, make, size = NETWORKS[name]
    images = torch.randn(2, 3, size, size)
    theirs = make().eval()
    with torch.device("meta"):  # all of its weights are carried over, so none needs to be drawn
        ours = networks.build(spaces.known(name).graph, Task((3, size, size), 1000)).eval()
    ours = ours.to_empty(device="cpu")
    assert norms(ours) == norms(theirs)
    scramble(theirs)
    settle(theirs, torch.randn(4, 3, size, size))
    carry_over(theirs, ours, images)
    with torch.inference_mode():
        expected, found = theirs(images), ours(images)
    assert 0.1 < float(expected.std()) < 10
    assert float((found - expected).abs().max()) <= 1e-5


def norms(network):
    """What batch norms are set to."""
    return Counter((m.eps, m.momentum) for m in network.modules() if isinstance(m, nn.BatchNorm2d))


def scramble(network):
    """Draws all weights so that each makes a difference; some are born as zeros and ones."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.LayerNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0, module.in_features**-0.5)
            nn.init.normal_(module.bias, 0, 0.1)
    for name in CLASS_TOKENS & dict(network.named_parameters()).keys():
        nn.init.normal_(network.get_parameter(name))


def settle(network, images):
    """Gives batch norms running statistics of these images, and changes them at random."""
    found = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in found:
        norm.momentum = 1.0
    with torch.inference_mode():
        network.train()(images)
    network.eval()
    for norm in found:
        norm.running_var.mul_(torch.empty_like(norm.running_var).uniform_(0.5, 1.5)).add_(0.1)
        norm.running_mean.add_(torch.empty_like(norm.running_mean).normal_(0, 0.1))


def carry_over(theirs, ours, images):
    """Gives `ours` the weights of `theirs`: modules of one kind and shape are paired in the order in which they run."""
    sources, targets = in_order(theirs, images), in_order(ours, images)
    missing = dict.fromkeys(map(id, (*ours.parameters(), *ours.buffers())))
    for key in [key for key in targets if key[0] in ("token", "positions")]:  # torchvision has no modules for them
        [place] = told(targets.pop(key)[0])
        with torch.no_grad():
            place.copy_((theirs.class_token if key[0] == "token" else theirs.encoder.pos_embedding).view_as(place))
        del missing[id(place)]
    assert {key: len(modules) for key, modules in sources.items()} == {k: len(m) for k, m in targets.items()}
    for key, modules in sources.items():
        for source, target in zip(modules, targets[key], strict=True):
            for values, place in zip(told(source), told(target), strict=True):
                with torch.no_grad():
                    place.copy_(values.view_as(place))
                del missing[id(place)]
    assert not missing


def in_order(network, images):
    """(kind, shapes of the weights) -> modules in the order in which they run."""
    found = defaultdict(list)
    inside = {
        id(child) for m in network.modules() if isinstance(m, Attention) for child in m.modules() if child is not m
    }
    hooks = [
        module.register_forward_hook(lambda m, *_: found[key_of(m)].append(m))
        for module in network.modules()
        if isinstance(module, tuple(KINDS)) and id(module) not in inside
    ]
    with torch.inference_mode():
        network(images[:1])
    for hook in hooks:
        hook.remove()
    return dict(found)


def key_of(module):
    """What modules must have in common; a 1x1 convolution is a linear map."""
    kind = next(name for kind, name in KINDS.items() if isinstance(module, kind))
    shapes = (tuple(values.shape) for values in told(module))
    return kind, *(shape[:2] if shape[2:] == (1, 1) else shape for shape in shapes)


def told(module):
    """All numbers of a module, in one order in both houses."""
    return [*module.parameters(), *module.buffers()]
