"""Who leaves the population after somebody joined."""

from __future__ import annotations

from random import Random

from raynas.strategies.evolution.population import Members, Survival


def oldest_leaves(size: int) -> Survival:
    """The oldest, where there are more than so many."""

    def leave(members: Members, rng: Random) -> None:
        if len(members) > size:
            members.popleft()

    return leave


def worst_leaves(size: int) -> Survival:
    """The least fit, of equals the oldest, where there are more than so many."""

    def leave(members: Members, rng: Random) -> None:
        if len(members) > size:
            worst = min(range(len(members)), key=lambda place: members[place].fitness)
            del members[worst]

    return leave
