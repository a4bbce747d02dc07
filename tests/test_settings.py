from __future__ import annotations

from dataclasses import dataclass

import pytest

from raynas.errors import ConfigError, DataError
from raynas.settings import LARGEST_WHOLE, brief, check_types, fits


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        ("int", [0, -5, LARGEST_WHOLE - 1], [1.0, True, "1", None, LARGEST_WHOLE, -LARGEST_WHOLE, 10**5000]),
        ("float", [0, 0.5, float("inf")], [True, "1", None, 10**400]),
        ("str", ["", "é", "a b"], [b"a", None, "a\n", "\0", "\x7f", "x" * 4097]),
        ("bool", [True, False], [0, 1, "true", None]),
        ("int | None", [3, None], ["3", 0.5]),
        ("tuple[int, ...]", [(), (1, 2)], [[1], (1.5,), (1, None), 1]),
        ("tuple[tuple[float, int], ...]", [((1, 2), (0.5, 3))], [((1,),), ((1, 0.5),), (1, 2)]),
        ("tuple[str | None, bool]", [("a", True), (None, False)], [("a",), (1, True)]),
        ("RidgeSearch", [3, None, object()], []),
    ],
)
def test_what_an_annotation_says(annotation, good, bad):
    assert [fits(value, annotation) for value in good] == [True] * len(good)
    assert [fits(value, annotation) for value in bad] == [False] * len(bad)


@dataclass(frozen=True)
class Settings:
    width: int = 8
    ops: tuple[str, ...] = ()


def test_the_field_its_type_and_the_value_are_named():
    check_types(Settings(9, ("a",)))
    with pytest.raises(ConfigError, match=r"^width must be of type int, but got 2\.5$"):
        check_types(Settings(2.5))
    with pytest.raises(DataError, match=r"^ops must be of type tuple\[str, \.\.\.\], but got \('a', 3\)$"):
        check_types(Settings(ops=("a", 3)), DataError)


class Silent:
    def __repr__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    "value", ["a\nb", "x" * 10_000, 10**5000, Silent(), [["\r"]] * 500], ids=lambda v: type(v).__name__
)
def test_any_value_is_told_in_one_short_line(value):
    told = brief(value)
    assert 0 < len(told) <= 200
    assert len(told.splitlines()) == 1
