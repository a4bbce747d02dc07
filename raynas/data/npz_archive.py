"""A person's own images as NumPy arrays in one .npz file.

Shapes: N images, C channels, H rows, W columns.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from raynas.data.bombs import check_unfolded
from raynas.data.images import Images, Pixels, Splits
from raynas.data.labels import encode
from raynas.data.paths import absolute, check_file
from raynas.data.split import check_fractions, complete
from raynas.errors import DataError
from raynas.settings import check_types

EXPECTED = "x and y, or x_train and y_train (with x_val and y_val, x_test and y_test if published)"
SPLIT_ARRAYS = {part: (f"x_{part}", f"y_{part}") for part in ("train", "val", "test")}
MOST_CHANNELS = 4

# What numpy.load meets in files that are damaged, encrypted, pickled, or announce more than memory holds.
BROKEN = (OSError, ValueError, EOFError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Npz:
    """Arrays `x` and `y`, or `x_train`, `y_train` and so for `val` and `test`, as numpy.savez writes them.

    Images: [N, H, W], [N, H, W, C] or [N, C, H, W]; uint8, or floats in [0, 1]. Labels: [N], integers >= 0 or strings.
    Splits that have no arrays are held out of the training images.

    Args:
        path: the file; made absolute. Nothing in it is unpickled.
        channels_last: whether images are [N, H, W, C]. None: the side of at most 4 is the channels.
        val_fraction: in (0, 1), of the training images, if there is no `x_val`.
        test_fraction: in [0, 1), of the training images, if there is no `x_test`.
        seed: which images are held out.
    """

    name: ClassVar[str] = "npz"

    path: str
    channels_last: bool | None = None
    val_fraction: float = 0.2
    test_fraction: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", absolute(self.path))

    def check(self) -> None:
        """Raises DataError: no such file, no .npz file, or arrays of other names."""
        check_types(self, DataError)
        check_fractions(self.val_fraction, self.test_fraction)
        check_file(self.path)
        self._names()

    def load(self) -> Splits:
        """The images, as uint8.

        Raises:
            DataError: as `check`; pickled or damaged arrays; wrong dtype, shape or range; unequal numbers of images
                and labels; too few images to hold out the splits.
        """
        self.check()
        names = self._names()
        try:
            with np.load(self.path, allow_pickle=False) as file:
                for name in (name for pair in names.values() for name in pair):
                    self._check_size(file, name)
                xs, ys = ([file[pair[side]] for pair in names.values()] for side in (0, 1))
        except BROKEN as error:
            raise DataError(f"{self.path} cannot be read: {error}; numpy.savez writes it, without objects") from error
        for (x_name, y_name), x, y in zip(names.values(), xs, ys, strict=True):
            if y.shape[:1] != x.shape[:1]:
                sizes = f"{x_name} is {list(x.shape)} and {y_name} {list(y.shape)}"
                raise DataError(f"{self.path}: {sizes}; there must be one label for each image")
        labels, classes = encode(ys, f"{self.path}: {' '.join(y_name for _, y_name in names.values())}")
        pixels = [self._pixels(x, f"{self.path}: {x_name}") for (x_name, _), x in zip(names.values(), xs, strict=True)]
        parts = dict(zip(names, map(Images, pixels, labels), strict=True))
        return complete(
            parts["train"],
            parts.get("val"),
            parts.get("test"),
            classes=classes,
            val_fraction=self.val_fraction,
            test_fraction=self.test_fraction,
            seed=self.seed,
        )

    def _check_size(self, file: Any, name: str) -> None:
        """Refuses an array that claims to be larger than what is stored of it: room for it would be made first."""
        member = name if name in file.zip.namelist() else f"{name}.npy"
        stored = file.zip.getinfo(member).file_size
        with file.zip.open(member) as content:
            version = np.lib.format.read_magic(content)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, kind = read(content)
        if math.prod(shape) * kind.itemsize > stored:
            raise ValueError(f"{name} claims to be {list(shape)} of {kind}, but holds {stored} bytes")

    def _names(self) -> dict[str, tuple[str, str]]:
        """The names of the two arrays of each published split."""
        try:
            with zipfile.ZipFile(self.path) as archive:
                members = archive.infolist()
                check_unfolded(sum(m.file_size for m in members), Path(self.path).stat().st_size, self.path)
                found = {name.removesuffix(".npy") for name in archive.namelist()}
        except BROKEN as error:
            raise DataError(f"{self.path} is no .npz file: {error}; write it with numpy.savez") from error
        ours = {name for name in found if name in ("x", "y") or name.startswith(("x_", "y_"))}
        if ours == {"x", "y"}:
            return {"train": ("x", "y")}
        names = {part: pair for part, pair in SPLIT_ARRAYS.items() if not ours.isdisjoint(pair)}
        if "train" not in names or ours != {name for pair in names.values() for name in pair}:
            raise DataError(f"{self.path} must hold the arrays {EXPECTED}, but holds {sorted(found)}")
        return names

    def _pixels(self, x: npt.NDArray[Any], place: str) -> Pixels:
        """`x` as uint8 [N, C, H, W]."""
        if x.ndim not in (3, 4) or x.size == 0:
            raise DataError(f"{place} must be [N, H, W], [N, H, W, C] or [N, C, H, W], none 0, but is {list(x.shape)}")
        if x.dtype.kind == "f":
            if not (x.min() >= 0 and x.max() <= 1):  # so written, NaN is refused as well
                raise DataError(f"{place}: floats must lie in [0, 1], but span {x.min()}..{x.max()}")
            x = np.rint(x * 255).astype(np.uint8)
        if x.dtype != np.uint8:
            raise DataError(f"{place} must be uint8, or float in [0, 1], but is {x.dtype}; use x.astype(numpy.uint8)")
        if x.ndim == 3:
            return np.ascontiguousarray(x[:, None])
        channels_last = self.channels_last
        if channels_last is None:
            channels_last = x.shape[3] <= MOST_CHANNELS
            if channels_last == (x.shape[1] <= MOST_CHANNELS):
                raise DataError(f"{place} is {list(x.shape)}: set channels_last to True or False")
        return np.ascontiguousarray(x.transpose(0, 3, 1, 2) if channels_last else x)
