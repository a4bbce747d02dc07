"""The parts of evolution: who becomes a parent, what becomes of parents, who leaves."""

from raynas.strategies.evolution.choices import pair, tournament
from raynas.strategies.evolution.population import (
    Choice,
    Individual,
    Members,
    Population,
    Survival,
    Variation,
    advice_for,
    at_once_for,
    size_for,
)
from raynas.strategies.evolution.survivals import oldest_leaves, worst_leaves
from raynas.strategies.evolution.variations import crossover_or_mutation, mutated, mutation

__all__ = [
    "Choice",
    "Individual",
    "Members",
    "Population",
    "Survival",
    "Variation",
    "advice_for",
    "at_once_for",
    "crossover_or_mutation",
    "mutated",
    "mutation",
    "oldest_leaves",
    "pair",
    "size_for",
    "tournament",
    "worst_leaves",
]
