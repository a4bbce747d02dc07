"""What a fault test found: a row of the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Progress = Callable[[int, int], None]
"""Told how many of how many are done."""


@dataclass(frozen=True)
class Outcome:
    """A promise and how often it was broken.

    Attributes:
        promise: in a few words.
        runs: how often it was tried, with the unit.
        failures: how often it was broken; the figures of a measurement count as broken when they are over their limit.
        told: what else is worth a line.
        troubles: what went wrong, the first few in words.
        ours: whether it is raynas' promise; other programs are told beside it.
    """

    promise: str
    runs: str
    failures: int
    told: str = ""
    troubles: tuple[str, ...] = ()
    ours: bool = True


def skipped(promise: str, why: str) -> Outcome:
    """A test that cannot be made on this machine."""
    return Outcome(promise, "skipped", 0, why)
