"""A space as a Ray Tune search-space sampler.

`tune.Tuner(trainable, param_space={"arch": domain(space), "lr": tune.loguniform(1e-3, 1e-1)})` works in a Ray program
that uses nothing else of raynas; `raynas.model(space, config["arch"])` is the network.
"""

from __future__ import annotations

from collections.abc import Callable
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


def param_space(space: Space | Callable[[Choose], Graph]) -> dict[str, Domain]:
    """A space without conditions as a plain dict of Tune's own domains, for any Tune searcher.

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
    return {address: _domain(question) for address, question in first.questions.items()}


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
