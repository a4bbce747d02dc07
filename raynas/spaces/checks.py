"""Checks of settings that many spaces share: options that questions offer."""

from __future__ import annotations

from collections.abc import Callable

from raynas.errors import ConfigError

Rule = Callable[[object], bool]


def whole(value: object) -> bool:
    """A whole number of at least 1."""
    return type(value) is int and value >= 1


def odd(value: object) -> bool:
    """An odd whole number of at least 1."""
    return type(value) is int and value >= 1 and value % 2 == 1


def positive(value: object) -> bool:
    """A positive number."""
    return type(value) in (int, float) and value > 0  # type: ignore[operator]


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
        raise ConfigError(f"{field} must be one or several different {rule}, but got {value!r}")


def check_whole(settings: object, *fields: str, least: int = 1) -> None:
    """Checks that fields are whole numbers.

    Raises:
        ConfigError: one is not, or is less than `least`.
    """
    for field in fields:
        value = getattr(settings, field)
        if type(value) is not int or value < least:
            raise ConfigError(f"{field} must be a whole number of at least {least}, but got {value!r}")


def check_rate(settings: object, *fields: str) -> None:
    """Checks that fields are probabilities below 1.

    Raises:
        ConfigError: one is not.
    """
    for field in fields:
        value = getattr(settings, field)
        if not probability(value):
            raise ConfigError(f"{field} must be a number in [0, 1), but got {value!r}")
