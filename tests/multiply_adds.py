"""Multiply-adds counted while a network runs, by the shapes that really occur."""

from __future__ import annotations

import torch
from torch import nn


def multiply_adds(network, task):
    """Of all convolutions and linear maps that run on one input: their weights times the positions of their outputs."""
    total = 0

    def count(module, _, output):
        nonlocal total
        weights = sum(p.numel() for p in module.parameters())
        total += weights * output[0, 0].numel() if isinstance(module, nn.Conv2d) else weights

    modules = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    hooks = [module.register_forward_hook(count) for module in modules]
    network.eval()(torch.zeros(1, *task.input_shape))
    for hook in hooks:
        hook.remove()
    return total
