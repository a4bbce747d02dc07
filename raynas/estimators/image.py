"""Image classifiers: a network behind its own normalisation, so that what is shipped takes plain pixels."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from raynas.data import Images
from raynas.data.augment import Normalize
from raynas.graph import Graph
from raynas.nn.build import Network, build
from raynas.nn.training import Pixels
from raynas.plan import Task


def classifier(graph: Graph, task: Task, mean: Sequence[float], std: Sequence[float]) -> nn.Sequential:
    """`normalize` and `network` in a row.

    Args:
        graph: the architecture.
        task: shapes of the data.
        mean: per channel, of pixels in [0, 1].
        std: likewise.

    Returns:
        A module that takes [B, C, H, W] uint8 pixels, or floats in [0, 1], and answers [B, classes] logits.
    """
    return nn.Sequential(
        OrderedDict([("normalize", Normalize(tuple(mean), tuple(std))), ("network", build(graph, task))])
    )


def network_of(model: nn.Module) -> Network:
    """The network inside a `classifier`."""
    network = model.get_submodule("network")
    if not isinstance(network, Network):
        raise TypeError(f"expected a raynas classifier, but its network is {type(network).__name__}")
    return network


def pixels(images: Images, device: torch.device) -> Pixels:
    """Images on the device; on a CPU they share the memory of the (read-only) arrays."""
    return Pixels(_tensor(images.pixels, device), _tensor(images.labels, device))


def _tensor(array: NDArray[Any], device: torch.device) -> torch.Tensor:
    with warnings.catch_warnings():
        # Arrays from the object store are read-only; nothing here writes to them.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array).to(device)
