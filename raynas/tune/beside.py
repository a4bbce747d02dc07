"""Tune's own domains beside an architecture in a `param_space`: searched jointly, as hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ray.tune.search.sample import Categorical, Domain, Float, LogUniform
from ray.tune.search.sample import Integer as TuneInteger

from raynas.errors import ConfigError
from raynas.graph import Graph
from raynas.records import HYPERPARAMETER, Choose, Space
from raynas.tune.domain import ArchitectureDomain


def domains_in(config: Mapping[str, Any], prefix: str = "") -> dict[str, Domain]:
    """The domains of a `param_space` and of the dicts in it, by their path joined with "/".

    Raises:
        ConfigError: a domain where Tune would hand it over unresolved: in a list, in a `choice`, a second architecture,
            a grid search.
    """
    found: dict[str, Domain] = {}
    for name, value in config.items():
        path = f"{prefix}{name}"
        if isinstance(value, ArchitectureDomain):
            raise ConfigError(f"param_space: {path!r} is a second architecture; a searcher has one, named 'arch'")
        if isinstance(value, Domain):
            found[path] = value
        elif isinstance(value, Mapping):
            if "grid_search" in value:
                raise ConfigError(
                    f"param_space: {path!r} is a grid search, which no searcher resolves: use tune.choice"
                )
            found |= domains_in(value, f"{path}/")
        elif hides_a_domain(value):
            raise ConfigError(f"param_space: {path!r} holds a domain inside a list: put it in a dict")
    return found


def hides_a_domain(value: object) -> bool:
    """Whether a domain is somewhere inside lists and dicts."""
    if isinstance(value, Mapping):
        return any(hides_a_domain(v) for v in value.values())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return any(hides_a_domain(v) for v in value)
    return isinstance(value, Domain)


@dataclass(frozen=True)
class BesideTune:
    """A space joined with the Tune domains that stand beside it in a `param_space`, asked as hyperparameters."""

    space: Space
    domains: dict[str, Domain]

    @property
    def name(self) -> str:
        """The space's."""
        return self.space.name

    def decide(self, choose: Choose) -> Graph:
        """Asks for the hyperparameters, then for the architecture."""
        for name, domain in self.domains.items():
            _ask(choose, HYPERPARAMETER + name, domain)
        return self.space.decide(choose)


def _ask(choose: Choose, address: str, domain: Domain) -> None:
    sampler = domain.get_sampler()
    if type(sampler).__name__.strip("_") not in ("Uniform", "LogUniform"):
        raise ConfigError(f"{address}: {type(sampler).__name__} is not supported beside an architecture")
    log = isinstance(sampler, LogUniform)
    if isinstance(domain, Categorical):
        if any(hides_a_domain(option) for option in domain.categories):
            raise ConfigError(f"{address}: a choice inside a choice reaches no trial; ask for it in the space instead")
        choose(address, tuple(domain.categories))
    elif isinstance(domain, TuneInteger):
        choose.integer(address, domain.lower, domain.upper - 1, log=log)
    elif isinstance(domain, Float):
        choose.real(address, domain.lower, domain.upper, log=log)
    else:
        raise ConfigError(f"{address}: {domain!r} is not supported beside an architecture")
