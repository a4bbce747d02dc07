"""The IDX format, in which MNIST and its successors are published.

http://yann.lecun.com/exdb/mnist/: two zero bytes, the type (8 = unsigned byte), the number of dimensions, each
dimension as a big-endian 32-bit integer, then the values.
"""

from __future__ import annotations

import gzip
import hashlib
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

from raynas.errors import DataError

UNSIGNED_BYTE = 8


def is_there(path: Path) -> bool:
    """Whether `read_idx(path)` finds the file, packed or not."""
    return path.is_file() or packed(path).is_file()


def packed(path: Path) -> Path:
    """Where the file is as it was published: `<path>.gz`."""
    return path.with_name(path.name + ".gz")


def read_idx(path: Path, md5: str) -> npt.NDArray[np.uint8]:
    """The array in `<path>.gz`, or else in `<path>`, which may lie in a folder that cannot be written.

    Args:
        path: the file's name when unpacked.
        md5: of the packed file. That one is preferred, because it can be verified: an unpacking that was interrupted
            leaves a file that looks whole.

    Raises:
        DataError: damaged, or not an array of unsigned bytes.
    """
    if packed(path).is_file():
        path = packed(path)
        raw = path.read_bytes()
        found = hashlib.md5(raw, usedforsecurity=False).hexdigest()
        if found != md5:
            raise DataError(f"{path} is damaged: its md5 is {found}, not {md5}; delete it and fetch it again")
        raw = gzip.decompress(raw)
    else:
        raw = path.read_bytes()
    start = 4 + 4 * raw[3] if len(raw) > 3 else 4
    if raw[:3] != bytes((0, 0, UNSIGNED_BYTE)) or len(raw) < start:
        raise DataError(f"{path} is no IDX file of unsigned bytes; it begins with {raw[:4]!r}; fetch it again")
    shape = np.frombuffer(raw, ">u4", count=raw[3], offset=4).tolist()
    if len(raw) - start != math.prod(shape):
        raise DataError(f"{path} is damaged: {shape} values announced, {len(raw) - start} found; fetch it again")
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape).copy()  # a copy, because bytes are read-only
