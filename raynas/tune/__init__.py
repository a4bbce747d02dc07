"""Everything that touches Ray: samplers and searchers for any `tune.Tuner`, and the runtime of raynas' own searches."""

from raynas.tune.domain import ArchitectureDomain, ArchitectureSampler, domain, param_space
from raynas.tune.searcher import StrategySearcher

__all__ = ["ArchitectureDomain", "ArchitectureSampler", "StrategySearcher", "domain", "param_space"]
