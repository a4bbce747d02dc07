"""A space as an Optuna define-by-run search space: `suggest(space, trial)` inside an objective function.

Works with every Optuna sampler, conditional spaces included; needs nothing of Optuna but the trial it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from raynas.graph import Graph
from raynas.ops import Scalar
from raynas.records import Architecture, Choose, Domain, Options, Real, Space
from raynas.spaces.asking import Answering
from raynas.spaces.function import as_space


class OptunaTrial(Protocol):
    """The part of `optuna.Trial` that is used."""

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """One of `choices`."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """A number."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """A whole number."""


class _Suggesting(Answering):
    __slots__ = ("trial",)

    def __init__(self, trial: OptunaTrial) -> None:
        super().__init__({}, None)
        self.trial = trial

    def _answer(self, address: str, domain: Domain) -> Scalar:
        if isinstance(domain, Options):
            answer: Scalar = self.trial.suggest_categorical(address, list(domain))
            return answer
        if isinstance(domain, Real):
            return self.trial.suggest_float(address, domain.low, domain.high, log=domain.log)
        return self.trial.suggest_int(address, domain.low, domain.high, log=domain.log)


def suggest(space: Space | Callable[[Choose], Graph], trial: OptunaTrial) -> Architecture:
    """The architecture that an Optuna trial picks, each question a parameter named by its address.

    Args:
        space: a space, or a function that is one.
        trial: `optuna.Trial`.

    Raises:
        ValueError: of Optuna, where one address is asked with different options in different trials.
    """
    chosen = as_space(space)
    choose = _Suggesting(trial)
    return Architecture(chosen.name, choose.answers, chosen.decide(choose), choose.questions)
