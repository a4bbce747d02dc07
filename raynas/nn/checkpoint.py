"""Checkpoints without pickle: one safetensors file, its JSON metadata inside, written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn, optim

from raynas.errors import StateError


def write(path: Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Writes tensors and JSON metadata atomically: a temporary file, fsync, rename.

    Args:
        path: the file; its folder is made.
        tensors: name -> tensor, on any device.
        meta: a JSON object.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    data = save({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, {"json": json.dumps(meta)})
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Reads what `write` wrote: the tensors on the CPU and the metadata.

    Raises:
        StateError: the file is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            meta = json.loads((file.metadata() or {})["json"])
            return {name: file.get_tensor(name) for name in file.keys()}, meta  # noqa: SIM118 (no mapping)
    except (SafetensorError, KeyError, ValueError) as error:
        raise StateError(f"checkpoint {path} is damaged ({error}); delete it to start this trial afresh") from error


def training_state(model: nn.Module, optimizer: optim.Optimizer) -> dict[str, Tensor]:
    """Weights, buffers and the optimizer's tensors under flat names."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for index, slots in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{slot}": t for slot, t in slots.items() if isinstance(t, Tensor)}
    return tensors


def restore_training(tensors: Mapping[str, Tensor], model: nn.Module, optimizer: optim.Optimizer) -> None:
    """Puts a `training_state` back."""
    model.load_state_dict({k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")})
    state = optimizer.state_dict()
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, slot = name.split(".", 2)
            state["state"].setdefault(int(index), {})[slot] = tensor
    optimizer.load_state_dict(state)
