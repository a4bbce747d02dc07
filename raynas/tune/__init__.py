"""Everything that touches Ray: samplers and searchers for any `tune.Tuner`, and the runtime of raynas' own searches."""

from raynas.tune.domain import ArchitectureDomain, ArchitectureSampler, define_by_run, domain, param_space
from raynas.tune.searcher import StrategySearcher

__all__ = ["ArchitectureDomain", "ArchitectureSampler", "StrategySearcher", "define_by_run", "domain", "param_space"]
