"""Plain PyTorch code as an architecture: a space whose function returns a module.

To be sampled, costed and shaped the code runs on torch's meta device, where a weight has a shape and no memory; weights
are drawn when the network is built. torch is loaded by the person's own code, or when a network is costed or built.
"""

from __future__ import annotations

import functools
import importlib
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar

from raynas.errors import GraphError
from raynas.graph import Graph
from raynas.layers import Shape, size
from raynas.records import HYPERPARAMETER, Answers


def weightless() -> AbstractContextManager[Any]:
    """Modules made inside have weights of the meta device: shapes without memory."""
    torch = sys.modules.get("torch")
    return torch.device("meta") if torch else nullcontext()


def graph_of_code(function: str, answers: Answers, make: Callable[[], Any]) -> Graph:
    """The network that a function's code is, at some answers.

    Two such networks are equal when the function and its answers are.

    Args:
        function: its name.
        answers: what it was answered.
        make: calls it again with the same answers.
    """
    told = {a: v for a, v in answers.items() if not a.startswith(HYPERPARAMETER)}
    return Graph.of_code(functools.partial(Code, make), function, json.dumps(told, sort_keys=True))


def is_code(value: object) -> bool:
    """Whether a function returned PyTorch code: a module, or a list of them that are applied one after the other."""
    torch = sys.modules.get("torch")
    if torch is None:
        return False
    if isinstance(value, torch.nn.Module):
        return True
    return isinstance(value, Sequence) and bool(value) and all(isinstance(v, torch.nn.Module) for v in value)


@dataclass(frozen=True)
class Code:
    """A layer that is plain PyTorch code, for inputs of one shape.

    Attributes:
        make: returns the module, or a list of modules.
        shape: of one input.
    """

    make: Callable[[], Any]
    shape: Shape

    saves_input: ClassVar[bool] = True
    saves_output: ClassVar[bool] = False

    def out(self, shape: Shape) -> Shape:
        """What the code makes of it."""
        return self._facts.out

    @property
    def params(self) -> int:
        """Trainable weights."""
        return self._facts.params

    def flops(self, shape: Shape) -> int:
        """Multiply-adds of matrix products and convolutions, as torch counts them; biases are left out."""
        return self._facts.flops

    def saves(self, shape: Shape) -> float:
        """What autograd keeps besides the input and the weights."""
        return self._facts.saves

    def module(self) -> Any:
        """The module, with freshly drawn weights."""
        torch = importlib.import_module("torch")
        made = _module(torch, self.make())
        if any(torch.nn.parameter.is_lazy(p) for p in (*made.parameters(), *made.buffers())):
            self._run(torch, made, "cpu")  # lazy layers learn their sizes from a first input
        return made

    @property
    def _facts(self) -> _Facts:
        return _facts(self)

    def _run(self, torch: Any, module: Any, device: str) -> Any:
        training = module.training
        try:
            with torch.no_grad():
                return module.eval()(torch.zeros(2, *self.shape, device=device))
        except Exception as error:  # whatever a person's code raises
            raise GraphError(f"code fails on an input of shape {self.shape}: {error}") from error
        finally:
            module.train(training)


@dataclass(frozen=True)
class _Facts:
    out: Shape
    params: int
    flops: int
    saves: float


def _module(torch: Any, made: Any) -> Any:
    return made if isinstance(made, torch.nn.Module) else torch.nn.Sequential(*made)


@functools.lru_cache(maxsize=1024)
def _facts(code: Code) -> _Facts:
    """Runs the code on the meta device."""
    torch = importlib.import_module("torch")
    counter = importlib.import_module("torch.utils.flop_counter").FlopCounterMode(display=False)
    with torch.device("meta"):
        module = _module(torch, code.make())
        result = code._run(torch, module, "meta")
        if not isinstance(result, torch.Tensor) or result.dim() < 2 or len(result) != 2:
            told = list(result.shape) if isinstance(result, torch.Tensor) else type(result).__name__
            raise GraphError(f"code must answer a tensor [batch, ...], but on a batch of 2 it answered {told}")
        kept: dict[Any, int] = {}
        mine = {id(t) for t in (*module.parameters(), *module.buffers())}

        def keep(tensor: Any) -> Any:
            if id(tensor) not in mine:
                kept[id(tensor), tensor.shape] = tensor.numel() * tensor.element_size()
            return tensor

        x = torch.zeros(2, *code.shape)
        with counter:
            module.eval()(x[:1])
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            module.train()(x)
    saved = sum(kept.values()) / 4 / len(x) - size(code.shape)
    params = sum(p.numel() for p in module.parameters() if p.requires_grad)
    return _Facts(tuple(result.shape[1:]), params, counter.get_total_flops() // 2, max(0.0, saved))
