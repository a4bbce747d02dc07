"""An estimator that fails in every way, at every place where real ones fail: 20 kinds x 7 phases."""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from fakes import Fake
from torch import nn

from raynas.nn import checkpoint
from raynas.records import Measurement


class CannotTravel(Exception):
    """No pickle of it can be made."""

    def __init__(self):
        super().__init__("cannot travel")
        self.file = open(os.devnull)  # noqa: SIM115


class CannotTell(Exception):
    def __str__(self):
        raise ValueError("no words")


def forever():
    return forever()


def raising(error):
    def act():
        raise error()

    return act


QUICK = {
    "ValueError": raising(lambda: ValueError("bad value")),
    "TypeError": raising(lambda: TypeError("bad type")),
    "KeyError": raising(lambda: KeyError("missing")),
    "IndexError": lambda: [0].pop(5),
    "ZeroDivisionError": lambda: 1 / 0,
    "RuntimeError": raising(lambda: RuntimeError("shapes do not match")),
    "MemoryError": raising(MemoryError),
    "RecursionError": forever,
    "AssertionError": raising(lambda: AssertionError("no")),
    "StopIteration": raising(StopIteration),
    "GeneratorExit": raising(GeneratorExit),
    "KeyboardInterrupt": raising(KeyboardInterrupt),
    "SystemExit": lambda: sys.exit(3),
    "OSError": lambda: Path("/nowhere/at/all").read_text(),
    "UnicodeDecodeError": lambda: b"\xff".decode(),
    "OutOfMemoryError": raising(lambda: torch.OutOfMemoryError("CUDA out of memory")),
    "CannotTravel": raising(CannotTravel),
    "CannotTell": raising(CannotTell),
}
CRASHES = {"segmentation fault": lambda: ctypes.string_at(0), "os._exit": lambda: os._exit(1)}
KINDS = {**QUICK, **CRASHES}
PHASES = ("import", "build", "forward", "backward", "eval", "report", "checkpoint")


class Backward(torch.autograd.Function):
    @staticmethod
    def forward(context, x, act):
        context.act = act
        return x.clone()

    @staticmethod
    def backward(context, gradient):
        context.act()
        return gradient, None


class Net(nn.Module):
    def __init__(self, phase, act):
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.phase, self.act = phase, act
        if phase == "build":
            act()

    def forward(self, x):
        if self.phase == ("forward" if self.training else "eval"):
            self.act()
        x = self.layer(x)
        return Backward.apply(x, self.act) if self.phase == "backward" else x


class Metrics(Mapping):
    """Metrics that fail when they are read."""

    def __init__(self, act):
        self.act = act

    def __getitem__(self, name):
        return self.act()

    def __iter__(self):
        return iter(("val_accuracy",))

    def __len__(self):
        return 1


@dataclass(frozen=True)
class Exploding(Fake):
    """Trial n fails in phase n % 7 and kind n % 20 of `kinds`, after one good epoch where the phase has one.

    Every eighth trial is well.
    """

    kinds: tuple[str, ...] = tuple(KINDS)

    def case(self, trial):
        if trial % 8 == 0:
            return None, None
        number = trial - 1 - trial // 8
        return PHASES[number % len(PHASES)], self.kinds[number // len(PHASES) % len(self.kinds)]

    def estimate(self, architecture, context):
        phase, kind = self.case(context.trial)
        act = KINDS[kind] if kind else None
        if phase == "import":
            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / f"module{context.trial}.py").write_text("import builtins\nbuiltins.act()\n")
                import builtins

                builtins.act = act
                sys.path.insert(0, folder)
                try:
                    __import__(f"module{context.trial}")
                finally:
                    sys.path.remove(folder)
        net = Net(phase, act)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for epoch in range(1, self.epochs + 1):
            net.train()
            net(torch.ones(1, 2)).sum().backward()
            optimizer.step()
            net.eval()
            with torch.inference_mode():
                net(torch.ones(1, 2))
            if phase == "checkpoint":
                net.register_state_dict_post_hook(lambda *_: act())
            if context.folder and phase == "checkpoint":
                checkpoint.write(Path(context.folder) / "state.safetensors", net.state_dict(), {})
            good = {"val_accuracy": self.score(architecture, context, epoch)}
            yield Measurement(epoch, Metrics(act) if phase == "report" and epoch == 2 else good)
