"""Multiply-adds counted while a network runs, by the shapes that really occur."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from raynas.nn import Network
from raynas.nn.tokens import Attention
from raynas.plan import Task

MAPS = nn.Conv1d | nn.Conv2d | nn.Linear


def multiply_adds(network: Network, task: Task) -> int:
    """Of all convolutions and linear maps that run on one input: their weights times the positions of their outputs.

    Attention adds two products over all pairs of tokens.
    """
    total = 0

    def count(module: Any, _: Any, output: torch.Tensor) -> None:
        nonlocal total
        weights = sum(p.numel() for p in module.parameters())
        channels = module.out_features if isinstance(module, nn.Linear) else module.out_channels
        total += weights * output[0].numel() // channels

    def pairs(module: Any, inputs: tuple[torch.Tensor, ...], _: Any) -> None:
        nonlocal total
        total += 2 * inputs[0].shape[2] ** 2 * module.outward.in_features

    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, MAPS)]
    hooks += [m.register_forward_hook(pairs) for m in network.modules() if isinstance(m, Attention)]
    network.eval()(torch.zeros(1, *task.input_shape))
    for hook in hooks:
        hook.remove()
    return total
