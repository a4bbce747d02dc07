"""Checks of settings that many spaces share: options that questions offer."""

from __future__ import annotations

from collections.abc import Callable

from raynas.errors import ConfigError
from raynas.settings import brief

Rule = Callable[[object], bool]

LARGEST, MOST, STAGES = 1_000_000_000, 1_000, 32
"""Of a whole number; of the parts of a network (layers, cells, blocks); of stages, each twice as wide as the last."""


def whole(value: object) -> bool:
    """A whole number of at least 1."""
    return type(value) is int and 1 <= value <= LARGEST


def few(value: object) -> bool:
    """How many parts a network can have: a whole number from 1 to MOST."""
    return whole(value) and value <= MOST  # type: ignore[operator]


def odd(value: object) -> bool:
    """An odd whole number of at least 1."""
    return whole(value) and value % 2 == 1  # type: ignore[operator]


def positive(value: object) -> bool:
    """A positive number."""
    return type(value) in (int, float) and 0 < value <= LARGEST  # type: ignore[operator]


def probability(value: object) -> bool:
    """A number in [0, 1)."""
    return type(value) in (int, float) and 0 <= value < 1  # type: ignore[operator]


def check_options(settings: object, field: str, rule: str, good: Rule) -> None:
    """Checks that a field is a tuple of options: at least one, none twice, all good.

    Args:
        settings: the space.
        field: name of its field.
        rule: what the options are, for the error ("whole numbers of at least 1").
        good: whether an option is so.

    Raises:
        ConfigError: it is not.
    """
    value = getattr(settings, field)
    if not isinstance(value, tuple) or not value or not all(map(good, value)) or len(set(value)) < len(value):
        raise ConfigError(f"{field} must be one or several different {rule}, but got {brief(value)}")


def check_whole(settings: object, *fields: str, least: int = 1, most: int = LARGEST) -> None:
    """Checks that fields are whole numbers.

    Raises:
        ConfigError: one is not, or is less than `least` or more than `most`.
    """
    for field in fields:
        value = getattr(settings, field)
        if type(value) is not int or value < least:
            raise ConfigError(f"{field} must be a whole number of at least {least}, but got {brief(value)}")
        if value > most:
            raise ConfigError(f"{field} must be at most {most:,}, but got {value}")


def check_span(settings: object, low: str, high: str) -> None:
    """Checks that two fields are the fewest and the most parts of a network.

    Raises:
        ConfigError: they are not: 1 <= low <= high <= MOST.
    """
    fewest, most = getattr(settings, low), getattr(settings, high)
    if not 1 <= fewest <= most:
        raise ConfigError(f"1 <= {low} <= {high} must hold, but got ({fewest}, {most})")
    check_whole(settings, high, most=MOST)


def check_rate(settings: object, *fields: str) -> None:
    """Checks that fields are probabilities below 1.

    Raises:
        ConfigError: one is not.
    """
    for field in fields:
        value = getattr(settings, field)
        if not probability(value):
            raise ConfigError(f"{field} must be a number in [0, 1), but got {value!r}")
