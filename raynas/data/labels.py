"""From labels as people write them to indices into the class names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from raynas.data.bombs import LONGEST_NAME
from raynas.data.images import Labels
from raynas.errors import DataError


def encode(parts: Sequence[npt.NDArray[Any]], place: str) -> tuple[list[Labels], tuple[str, ...]]:
    """Indices into the sorted distinct labels of all parts together, and those as names.

    Args:
        parts: each [N], all integers >= 0 (sorted as numbers) or all strings.
        place: where they come from, for the error.

    Returns:
        For each part [N] indices in 0..K-1, and K names.

    Raises:
        DataError: other types, or negative numbers, which usually mark images without a label.
    """
    kinds = {"int" if part.dtype.kind in "iu" else "str" if part.dtype.kind == "U" else "" for part in parts}
    if len(kinds) > 1 or "" in kinds or any(part.ndim != 1 for part in parts):
        found = ", ".join(f"{part.dtype} {list(part.shape)}" for part in parts)
        raise DataError(
            f"{place} must hold one integer (or one string) for each image, but is {found}; "
            "convert it, e.g. y.astype(int).reshape(-1)"
        )
    labels = np.concatenate([part.astype(np.int64) if "int" in kinds else part for part in parts])
    if "int" in kinds and len(labels) and labels.min() < 0:
        raise DataError(f"{place} holds the label {labels.min()}; count from 0, and remove images without a label")
    if "str" in kinds and labels.dtype.itemsize > 4 * LONGEST_NAME:
        raise DataError(f"{place} holds a name of more than {LONGEST_NAME:,} characters; give the classes shorter ones")
    names, indices = np.unique(labels, return_inverse=True)
    ends = np.cumsum([len(part) for part in parts])
    return np.split(indices.astype(np.int64), ends[:-1]), tuple(str(name) for name in names)
