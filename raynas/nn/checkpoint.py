"""Checkpoints without pickle: one safetensors file, its JSON metadata inside, written whole or not at all."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn, optim

from raynas.errors import StateError
from raynas.files import replacing


def write(path: Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Writes tensors, JSON metadata and a checksum atomically: a temporary file, fsync, rename.

    Args:
        path: the file; its folder is made.
        tensors: name -> tensor, on any device.
        meta: a JSON object.
    """
    stored = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(meta)
    with replacing(path) as partial:
        save_file(stored, partial, {"json": text, "crc": _crc(stored, text)})


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Reads what `write` wrote: the tensors on the CPU and the metadata.

    Raises:
        StateError: the file is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            told = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        if told["crc"] != _crc(tensors, told["json"]):
            raise ValueError("its checksum does not match")
        meta = json.loads(told["json"])
        if not isinstance(meta, dict):
            raise ValueError("its metadata is no JSON object")
        return tensors, meta
    except (SafetensorError, KeyError, ValueError, OSError, RecursionError) as error:
        raise StateError(f"{path} is damaged ({error})") from error


def _crc(tensors: Mapping[str, Tensor], text: str) -> str:
    """Of names, values and metadata: safetensors itself notices no changed byte of a weight."""
    crc = zlib.crc32(text.encode())
    for name in sorted(tensors):
        crc = zlib.crc32(tensors[name].flatten().view(torch.uint8).numpy().data, zlib.crc32(name.encode(), crc))
    return f"{crc:08x}"


def training_state(model: nn.Module, optimizer: optim.Optimizer) -> dict[str, Tensor]:
    """Weights, buffers and the optimizer's tensors under flat names."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for index, slots in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{slot}": t for slot, t in slots.items() if isinstance(t, Tensor)}
    return tensors


def restore_training(tensors: Mapping[str, Tensor], model: nn.Module, optimizer: optim.Optimizer) -> None:
    """Puts a `training_state` back.

    Raises:
        StateError: the state is of another network.
    """
    restore_model(tensors, model)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state = optimizer.state_dict()
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, slot = name.split(".", 2)
            like = parameters[int(index)]
            # Fused optimizers walk a weight and its slots in memory order, so both must be laid out alike.
            value = torch.empty_like(like).copy_(tensor) if tensor.shape == like.shape else tensor
            state["state"].setdefault(int(index), {})[slot] = value
    optimizer.load_state_dict(state)


def restore_model(tensors: Mapping[str, Tensor], model: nn.Module) -> None:
    """Puts the weights and buffers of a `training_state` back.

    Raises:
        StateError: the state is of another network.
    """
    weights = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise StateError(f"the checkpoint is of another network: {' '.join(str(error).split())}") from error
