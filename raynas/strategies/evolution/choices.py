"""Who becomes a parent."""

from __future__ import annotations

from random import Random

from raynas.strategies.evolution.population import Choice, Individual, Members


def tournament(size: int) -> Choice:
    """The fittest of so many, drawn with replacement: of equals the first that was drawn."""

    def choose(members: Members, rng: Random) -> Individual:
        random, count = rng.random, len(members)
        best = members[int(random() * count)]
        for _ in range(size - 1):
            rival = members[int(random() * count)]
            if rival.fitness > best.fitness:
                best = rival
        return best

    return choose


def pair(members: Members, rng: Random) -> tuple[Individual, Individual]:
    """Two different members, drawn at random, the fitter one first: of equals the younger."""
    one = int(rng.random() * len(members))
    other = int(rng.random() * (len(members) - 1))
    older, younger = sorted((one, other + (other >= one)))
    if members[older].fitness > members[younger].fitness:
        return members[older], members[younger]
    return members[younger], members[older]
