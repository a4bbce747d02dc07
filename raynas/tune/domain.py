"""A space as a Ray Tune search-space sampler.

`tune.Tuner(trainable, param_space={"arch": domain(space), "lr": tune.loguniform(1e-3, 1e-1)})` works in a Ray program
that uses nothing else of raynas; `raynas.model(space, config["arch"])` is the network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
from ray import tune
from ray.tune.search.sample import Domain, Sampler

from raynas.errors import ConfigError, SpaceError
from raynas.graph import Graph
from raynas.records import Choose, Integer, Options, Space
from raynas.spaces.asking import Answering
from raynas.spaces.decide import replay, sample
from raynas.spaces.function import as_space
from raynas.spaces.suggest import suggest


class ArchitectureSampler(Sampler):
    """Draws every answer at random, from the generator that Tune hands over."""

    def sample(
        self, domain: ArchitectureDomain, config: Any = None, size: int = 1, random_state: Any = None
    ) -> dict[str, Any] | list[dict[str, Any]]:
        """Answers, or a list of `size` of them.

        Args:
            domain: whose space is sampled.
            config: unused.
            size: how many.
            random_state: None, an int seed, or a NumPy generator of either kind.
        """
        rng = Random(_seed(random_state))
        drawn = [dict(sample(domain.space, rng).answers) for _ in range(size)]
        return drawn if size > 1 else drawn[0]


class ArchitectureDomain(Domain):
    """All architectures of a space; a sample is the answers, a flat JSON object."""

    default_sampler_cls = ArchitectureSampler

    def __init__(self, space: Space) -> None:
        self.space = space

    def sample(self, config: Any = None, size: int = 1, random_state: Any = None) -> Any:
        """A sample, or a list of `size` samples."""
        return self.get_sampler().sample(self, config=config, size=size, random_state=random_state)

    def is_valid(self, value: Any) -> bool:
        """Whether `value` is answers of the space."""
        try:
            replay(self.space, value)
        except (SpaceError, TypeError):
            return False
        return True

    @property
    def domain_str(self) -> str:
        """For Tune's tables."""
        return self.space.name


def domain(space: Space | Callable[[Choose], Graph]) -> ArchitectureDomain:
    """A Tune `Domain` over a space (or a function that is one)."""
    return ArchitectureDomain(as_space(space))


def param_space(space: Space | Callable[[Choose], Graph]) -> dict[str, Any]:
    """A space without conditions as plain dicts of Tune's own domains, for any Tune searcher.

    Addresses with "/" become dicts in dicts, as Tune wants them; `raynas.model` takes what the trainable gets.

    Raises:
        ConfigError: the answer to one question decides which others are asked, or what they offer.
    """
    space = as_space(space)
    rng = Random(0)
    first = Answering({}, rng)
    space.decide(first)
    for _ in range(64):  # a condition that 64 random architectures do not show is found when the answers are replayed
        other = Answering({}, rng)
        space.decide(other)
        if other.questions != first.questions:
            changed = set(other.questions.items()) ^ set(first.questions.items())
            address = min(address for address, _ in changed)
            raise ConfigError(
                f"space {space.name!r} is conditional (question {address!r} is not always asked alike): "
                "use raynas.tune.domain(space) or a StrategySearcher"
            )
    return nested({address: _domain(question) for address, question in first.questions.items()})


def define_by_run(space: Space | Callable[[Choose], Graph]) -> Callable[[Any], dict[str, Any]]:
    """A space, conditions included, for Ray Tune's `OptunaSearch(define_by_run(space), metric=..., mode=...)`.

    The trainable gets the answers as `config["arch"]`; Optuna's own parameters stand beside it, "/" written as ".".
    """
    return _DefineByRun(as_space(space))


@dataclass(frozen=True)
class _DefineByRun:
    """A callable that can be pickled: Tune's snapshots of the searcher hold it."""

    space: Space

    def __call__(self, trial: Any) -> dict[str, Any]:
        architecture = suggest(self.space, _Dotted(trial))
        return {"arch": dict(architecture.answers), **nested(architecture.hyperparameters)}


class _Dotted:
    """An Optuna trial whose parameter names may hold "/": Tune would take them for paths."""

    def __init__(self, trial: Any) -> None:
        self._trial = trial

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """One of `choices`."""
        return self._trial.suggest_categorical(name.replace("/", "."), choices)

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """A number."""
        return float(self._trial.suggest_float(name.replace("/", "."), low, high, log=log))

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """A whole number."""
        return int(self._trial.suggest_int(name.replace("/", "."), low, high, log=log))


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Paths joined with "/" as dicts of dicts."""
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        *above, name = path.split("/")
        branch = tree
        for step in above:
            branch = branch.setdefault(step, {})
        branch[name] = value
    return tree


def _domain(question: Any) -> Domain:
    if isinstance(question, Options):
        return tune.choice(list(question))
    if isinstance(question, Integer):
        made = tune.lograndint if question.log else tune.randint
        return made(question.low, question.high + 1)
    return tune.loguniform(question.low, question.high) if question.log else tune.uniform(question.low, question.high)


def _seed(state: Any) -> int | None:
    """A seed from whatever Tune passes."""
    if state is None or isinstance(state, int):
        return state
    rng = getattr(state, "rng", state)  # Tune wraps NumPy's generators
    if rng is None:
        return None
    if isinstance(rng, np.random.Generator):
        return int(rng.integers(2**63 - 1))
    if hasattr(rng, "randint"):
        return int(rng.randint(2**31 - 1))
    return int(rng)
