"""Latency: measured on this machine's device, and predicted from a table of its ops.

A table holds the median time of every distinct step (its layers and the shape they are given); a prediction is the sum
over a network's steps. Architectures of one space share steps, so after a few networks nothing new is measured.
The idea is that of Cai et al. 2019, "ProxylessNAS", https://arxiv.org/abs/1812.00332, section 3.3.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from raynas.errors import StateError
from raynas.layers import Shape
from raynas.nn.modules import module
from raynas.ops import CONCAT
from raynas.plan import Plan, Step

LEAST_S = 0.01
"""A median is of so many seconds of runs at least,"""

LEAST_RUNS = 7
"""and of so many runs."""


def latency_ms(network: nn.Module, input_shape: Shape, *, batch_size: int = 1, device: str = "cpu") -> float:
    """Median time of one forward pass, in milliseconds; the network is left in evaluation mode.

    Args:
        network: on `device`; takes [B, *input_shape] floats.
        input_shape: of one input.
        batch_size: B.
        device: "cpu" or "cuda".
    """
    network.eval()
    x = torch.randn(batch_size, *input_shape, device=device)
    return _median_ms(lambda: network(x), device)


class LatencyTable:
    """Times of steps, on one device, at one batch size and number of threads.

    Args:
        device: "cpu" or "cuda".
        batch_size: inputs at once.
        threads: of the CPU, while measuring.
        path: a JSON file to begin from, if it is there, and for `save`.

    Raises:
        StateError: the file is damaged, or its times are of another device, batch size or number of threads.
    """

    def __init__(
        self, device: str = "cpu", *, batch_size: int = 1, threads: int = 1, path: str | Path | None = None
    ) -> None:
        self.device = device
        self.batch_size = batch_size
        self.threads = threads
        self.path = Path(path) if path else None
        self.times: dict[str, float] = {}
        """What a step is -> milliseconds."""
        if self.path and self.path.exists():
            self._read(self.path)

    def predict_ms(self, plan: Plan) -> float:
        """Predicted time of one forward pass, in milliseconds; steps that the table does not hold are measured."""
        total = 0.0
        threads = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            for step in plan.steps:
                if step.inputs and step.op != "auxiliary":
                    shapes = [plan.steps[i].shape for i in step.inputs]
                    key = f"{list(step.layers) or step.op} on {shapes}"
                    if key not in self.times:
                        self.times[key] = self._measure(step, shapes)
                    total += self.times[key]
        finally:
            torch.set_num_threads(threads)
        return total

    def save(self) -> None:
        """Writes the table to its file, whole or not at all."""
        if self.path is None:
            raise StateError("the table has no file: give it a path")
        data = self._about() | {"times_ms": self.times}
        fresh = self.path.with_suffix(".tmp")
        fresh.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n")
        os.replace(fresh, self.path)

    def _about(self) -> dict[str, Any]:
        name = torch.cuda.get_device_name() if self.device == "cuda" else "cpu"
        return {"device": name, "batch_size": self.batch_size, "threads": self.threads}

    def _read(self, path: Path) -> None:
        try:
            data = json.loads(path.read_text())
            self.times = {str(key): float(value) for key, value in data.pop("times_ms").items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StateError(f"{path} is no latency table: {error}") from error
        if data != self._about():
            raise StateError(f"{path} was measured with {data}, but {self._about()} is wanted: use another file")

    def _measure(self, step: Step, shapes: list[Shape]) -> float:
        inputs = [torch.randn(self.batch_size, *shape, device=self.device) for shape in shapes]
        if step.layers:
            network = nn.Sequential(*[module(layer) for layer in step.layers]).to(self.device).eval()
            return _median_ms(lambda: network(inputs[0]), self.device)
        return _median_ms(lambda: _join(step.op, inputs), self.device)


def _join(op: str, inputs: list[Tensor]) -> Tensor:
    if op == CONCAT:
        return torch.cat(inputs, dim=1)
    total = inputs[0]
    for other in inputs[1:]:
        total = total + other
    return total


@torch.inference_mode()
def _median_ms(run: Callable[[], object], device: str) -> float:
    """Median of enough runs, after two that warm up."""
    times: list[float] = []
    run()
    run()
    _wait(device)
    while len(times) < LEAST_RUNS or sum(times) < LEAST_S:
        started = time.perf_counter()
        run()
        _wait(device)
        times.append(time.perf_counter() - started)
    return 1e3 * sorted(times)[len(times) // 2]


def _wait(device: str) -> None:
    """Until the device has done what it was asked."""
    if device == "cuda":
        torch.cuda.synchronize()
