"""The files of CIFAR, as published: pickles of Python 2 with one array and some lists.

A pickle may name any function and have it called. This reader knows what the published files name, arrays of NumPy and
their types, and puts plain containers in their place; all else that a file names is refused. Nothing in it is called.
"""

from __future__ import annotations

import io
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from raynas.data.images import Pixels
from raynas.errors import DataError

LARGEST = 2**29
"""Bytes of a file; the largest that is published has 155 MB."""


class _Type:
    """Stands for numpy.dtype: remembers the code that it was made with."""

    def __init__(self, code: Any = b"", *_: Any) -> None:
        self.code = code

    def __setstate__(self, state: Any) -> None:
        """Byte order and the like, which single bytes do not have."""


class _Array:
    """Stands for numpy.ndarray: remembers its shape, its type and its bytes."""

    shape: tuple[int, ...] = ()
    kind: Any = None
    columns_first: Any = False
    content: Any = b""

    def __setstate__(self, state: Any) -> None:
        _, self.shape, self.kind, self.columns_first, self.content = state

    def pixels(self) -> Pixels:
        """The array; raises ValueError where it is none of bytes."""
        code = self.kind.code if isinstance(self.kind, _Type) else None
        if code not in ("u1", b"u1") or not isinstance(self.content, bytes):
            raise ValueError(f"its array is not of type u1, but {code!r}")
        if math.prod(self.shape) != len(self.content):
            raise ValueError(f"its array of {list(self.shape)} holds {len(self.content)} bytes")
        return np.frombuffer(self.content, np.uint8).reshape(self.shape, order="F" if self.columns_first else "C")


def _array(*_: Any) -> _Array:
    return _Array()


KNOWN = {
    ("numpy.core.multiarray", "_reconstruct"): _array,
    ("numpy._core.multiarray", "_reconstruct"): _array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
}
"""What the files name, and what stands for it here."""


class _Reader(pickle.Unpickler):
    """Knows nothing but `KNOWN`."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in KNOWN:
            raise ValueError(f"it names {module}.{name}, which the published files do not")
        return KNOWN[module, name]


def read_batch(path: Path) -> dict[str, Any]:
    """What a file holds: name -> list or array.

    Raises:
        DataError: it is no such file, or names anything but arrays.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"it is larger than {LARGEST:,} bytes")
        told = _Reader(io.BytesIO(path.read_bytes()), encoding="bytes").load()
        return {_text(name): value.pixels() if isinstance(value, _Array) else value for name, value in told.items()}
    except Exception as error:  # an unpickler raises whatever a file makes it trip over
        told = " ".join(str(error).split())[:200]
        raise DataError(f"{path} is damaged: {told}; delete it and fetch it with download=True") from error


def labels(told: dict[str, Any], path: Path) -> list[int]:
    """The labels of a batch, the fine ones where there are two kinds; raises DataError where they are none."""
    found = told.get("labels", told.get("fine_labels"))
    if not isinstance(found, list) or not all(type(label) is int for label in found):
        raise DataError(f"{path} is damaged: it has no list of labels; delete it and fetch it with download=True")
    return found


def names(told: dict[str, Any], key: str, path: Path) -> tuple[str, ...]:
    """The classes' names; raises DataError where they are none."""
    found = told.get(key)
    if not isinstance(found, list):
        raise DataError(f"{path} is damaged: it has no {key}; delete it and fetch it with download=True")
    return tuple(_text(name) for name in found)


def _text(name: Any) -> str:
    return name.decode("latin1") if isinstance(name, bytes) else str(name)
