"""Files that unfold to more than anybody has: refused by what they announce, before they are unfolded."""

from __future__ import annotations

from raynas.errors import DataError

FREE = 2**28
"""Bytes that any file may unfold to."""

RATIO = 100
"""So many times its size on disk a larger one may unfold to; photographs shrink to a tenth, drawings to a fortieth."""

LONGEST_NAME = 1_000
"""Characters in the name of a class."""


def check_unfolded(unfolded: int, packed: int, place: str) -> None:
    """Refuses what would fill the memory.

    Args:
        unfolded: bytes that a file announces.
        packed: bytes on disk.
        place: which file, for the error.

    Raises:
        DataError: it is too much for what is there.
    """
    if unfolded > FREE and unfolded > RATIO * packed:
        raise DataError(
            f"{place} would unfold from {packed:,} to {unfolded:,} bytes, more than {RATIO} times as many, "
            "as no images do; write it again without what repeats"
        )
