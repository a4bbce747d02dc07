"""Hands over a trained network, and opens what was handed over."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from raynas.cost import cost
from raynas.errors import StateError
from raynas.estimators.image import classifier, pixels
from raynas.estimators.training import STATE
from raynas.files import write_whole
from raynas.graph import Graph
from raynas.nn import checkpoint, training
from raynas.plan import Task
from raynas.records import Architecture, Choose, Space
from raynas.spaces.decide import replay
from raynas.spaces.function import as_space

if TYPE_CHECKING:
    from raynas.estimators.train import Train

ARCHITECTURE, WEIGHTS = "architecture.json", "model.safetensors"


def deliver(recipe: Train, architecture: Architecture, folder: str, out: str) -> dict[str, float]:
    """See `Train.deliver`."""
    path = Path(folder) / STATE
    if not path.exists():
        raise StateError(f"{path} is missing: the trial's trained weights are gone")
    tensors, _ = checkpoint.read(path)
    data = recipe.data.load()
    task = recipe.task(data)
    model = classifier(architecture.graph, task, data.mean, data.std)
    checkpoint.restore_model(tensors, model)
    target = Path(out)
    told = architecture.to_json() | {
        "input_shape": list(task.input_shape),
        "classes": list(data.classes),
        "mean": list(data.mean),
        "std": list(data.std),
    }
    write_whole(target / ARCHITECTURE, (json.dumps(told, indent=1) + "\n").encode())
    checkpoint.write(target / WEIGHTS, model.state_dict(), {"key": architecture.key})
    if not len(data.test):
        return {}
    accuracy, loss = training.evaluate(model, pixels(data.test, torch.device("cpu")))
    return {"test_accuracy": accuracy, "test_loss": loss}


def open_model(folder: Path, space: Space | Callable[[Choose], Any] | None = None) -> nn.Module:
    """The network that `deliver` wrote, in evaluation mode.

    Args:
        folder: that `deliver` wrote to.
        space: where the architecture comes from; needed where the network is plain PyTorch code, which no file holds.

    Returns:
        A plain module that takes [B, C, H, W] pixels (uint8, or floats in [0, 1]) and answers [B, classes] logits.

    Raises:
        StateError: a file is missing or damaged.
    """
    try:
        told: dict[str, Any] = json.loads((folder / ARCHITECTURE).read_text())
        task = Task(tuple(told["input_shape"]), len(told["classes"]))
        graph = replay(as_space(space), told["answers"]).graph if space else Graph.from_json(told["graph"])
        if cost(graph, task).params * 3 > (folder / WEIGHTS).stat().st_size:  # four bytes each: build no giant in vain
            raise ValueError(f"{WEIGHTS} is too small for this architecture")
        model = classifier(graph, task, told["mean"], told["std"])
        tensors, meta = checkpoint.read(folder / WEIGHTS)
        if meta["key"] != told["key"]:
            raise ValueError(f"{WEIGHTS} belongs to architecture {meta['key']}, {ARCHITECTURE} tells {told['key']}")
        model.load_state_dict(tensors)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, StateError) as error:
        raise StateError(f"{folder} holds no readable network: {error}") from error
    return model.eval()
