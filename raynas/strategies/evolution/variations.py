"""What becomes of parents. A child is always new; None where none was found."""

from __future__ import annotations

from raynas.records import Proposal
from raynas.spaces.decide import changed
from raynas.spaces.edit_path import path_crossover
from raynas.strategies.evolution.population import Choice, Individual, Population, Variation
from raynas.strategies.fresh import TRIES

PATIENCE = 8
"""Repeats until one more answer is changed at once."""


def mutation(population: Population, choose: Choice) -> Proposal | None:
    """The parent with one answer changed, or after one mutation of an `Editable` space."""
    return mutated(population, choose(population.members, population.rng))


def mutated(population: Population, parent: Individual) -> Proposal | None:
    """A mutation of this parent."""
    rng = population.rng
    for attempt in range(TRIES):  # where every single change of the parent gives a repeat: two at once, then three
        answers = parent.edits.draw(rng)
        if answers is None:
            answers = changed(parent.architecture, rng, 2 + attempt // PATIENCE)
        child = population.fresh.complete(answers)
        if child is not None:
            return Proposal(child, parent.trial)
    return None


def crossover_or_mutation(rate: float) -> Variation:
    """With this probability two parents are combined, else one is mutated; so too where combining gives a repeat.

    Parents are combined half way on their shortest edit path where the space tells graphs (`GraphCoded`), else answer
    by answer, aligned by their addresses. The child's parent of record is the one whose answers stand first.
    """

    def vary(population: Population, choose: Choice) -> Proposal | None:
        rng = population.rng
        mother = choose(population.members, rng)
        if rng.random() < rate:
            father = choose(population.members, rng)
            if father.trial != mother.trial:
                for _ in range(PATIENCE):
                    child = path_crossover(population.space, mother.architecture, father.architecture, rng)
                    if population.fresh.take(child):
                        return Proposal(child, mother.trial)
        return mutated(population, mother)

    return vary
