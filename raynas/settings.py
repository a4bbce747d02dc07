"""Settings are frozen dataclasses of JSON values: do they hold what is written beside their fields?"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any

from raynas.errors import ConfigError

LONGEST_TEXT = 4096
"""Characters of a text; no path may be longer."""

LARGEST_WHOLE = 2**63
"""Whole numbers stay below it, either way: beyond, neither floats nor files hold them."""

CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check_types(settings: Any, error: type[ConfigError] = ConfigError) -> None:
    """Checks that every field of a dataclass holds what its annotation says; called first in `__post_init__`.

    Known are int, float (whole numbers count), str (one line), bool, None, tuples of them and unions with `|`; any
    other annotation allows anything.

    Args:
        settings: the dataclass.
        error: what is raised.

    Raises:
        ConfigError: a field holds something else.
    """
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name, None)
        if field.init and not fits(value, str(field.type)):
            raise error(f"{field.name} must be of type {field.type}, but got {brief(value)}")


def fits(value: object, annotation: str) -> bool:
    """Whether a value is what an annotation says."""
    return any(_is(value, kind) for kind in _split(annotation, "|"))


def brief(value: object) -> str:
    """A value in one line of at most 200 characters, for errors."""
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - a whole number of 5,000 digits, or somebody's own class
        text = f"a {type(value).__name__} that cannot be told: {error}"
    text = " ".join(text.split())
    return text if len(text) <= 200 else f"{text[:150]}... ({len(text):,} characters)"


def _is(value: object, kind: str) -> bool:
    if kind in _SCALARS:
        return _SCALARS[kind](value)
    if kind.startswith("tuple[") and kind.endswith("]"):
        inner = _split(kind[len("tuple[") : -1], ",")
        if not isinstance(value, tuple):
            return False
        if inner[-1] == "...":
            return all(fits(item, inner[0]) for item in value)
        return len(value) == len(inner) and all(map(fits, value, inner))
    return True


def _whole(value: object) -> bool:
    return type(value) is int and -LARGEST_WHOLE < value < LARGEST_WHOLE


def _number(value: object) -> bool:
    return _whole(value) or isinstance(value, float)


def _text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_TEXT and not CONTROL.search(value)


_SCALARS: Mapping[str, Callable[[object], bool]] = {
    "int": _whole,
    "float": _number,
    "str": _text,
    "bool": lambda value: isinstance(value, bool),
    "None": lambda value: value is None,
}


def _split(text: str, mark: str) -> list[str]:
    """The parts between marks that stand outside of brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "[") - (character == "]")
        if character == mark and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]
