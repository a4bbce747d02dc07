"""What data is: images with labels, in three splits, and the protocol of whatever loads them.

Shapes: N images, C channels, H rows, W columns, K classes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from raynas.errors import DataError

Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Indices = npt.NDArray[np.int64]

STD_FLOOR = 1 / 255
"""A channel that varies by less than one grey level tells nothing; dividing by less would only blow it up."""


@dataclass(frozen=True, eq=False)
class Images:
    """Labelled images, all of one size.

    Args:
        pixels: [N, C, H, W], uint8 in 0..255, C-contiguous.
        labels: [N], int64; the index of each image's class.

    Raises:
        DataError: wrong dtype, shape or memory layout, or as many labels as there are not images.
    """

    pixels: Pixels
    labels: Labels

    def __post_init__(self) -> None:
        pixels, labels = self.pixels, self.labels
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or min(pixels.shape[1:]) == 0:
            raise DataError(f"pixels must be uint8 [N, C, H, W], but got {pixels.dtype} {list(pixels.shape)}")
        if not pixels.flags.c_contiguous:
            raise DataError("pixels must be C-contiguous; wrap them in numpy.ascontiguousarray(pixels)")
        if labels.dtype != np.int64 or labels.ndim != 1:
            raise DataError(f"labels must be int64 [N], but got {labels.dtype} {list(labels.shape)}")
        if len(pixels) != len(labels):
            raise DataError(f"every image needs one label, but got {len(pixels)} images and {len(labels)} labels")

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Indices) -> Images:
        """The images at `indices` [M], in that order, as a copy."""
        return Images(np.ascontiguousarray(self.pixels[indices]), self.labels[indices])


@dataclass(frozen=True, eq=False)
class Splits:
    """A data set, cut into what trains, what ranks architectures and what is reported once at the end.

    Args:
        train: at least one image of each class.
        val: at least one image. A search ranks architectures by it.
        test: may be empty. Only the final report may read it.
        classes: K >= 2 names; label k belongs to `classes[k]`.
        mean: C numbers in [0, 1], of the training pixels / 255.
        std: C numbers > 0, likewise.

    Raises:
        DataError: an empty or incomplete split, labels outside 0..K-1, splits of different image shapes.
    """

    train: Images
    val: Images
    test: Images
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            raise DataError(f"classification needs at least 2 classes, but got {list(self.classes)}")
        for part, images in (("train", self.train), ("val", self.val), ("test", self.test)):
            if len(images) == 0 and part != "test":
                raise DataError(f"the {part} split has no images; give it some, or let it be split off the others")
            if images.pixels.shape[1:] != self.input_shape:
                shape = list(images.pixels.shape[1:])
                raise DataError(f"{part} images are {shape}, training images {list(self.input_shape)}; make them alike")
            if len(images) and not 0 <= images.labels.min() <= images.labels.max() < len(self.classes):
                span = f"{images.labels.min()}..{images.labels.max()}"
                raise DataError(f"{part} labels must lie in 0..{len(self.classes) - 1}, but got {span}")
        counts = np.bincount(self.train.labels, minlength=len(self.classes))
        if not counts.all():
            name = self.classes[int(counts.argmin())]
            raise DataError(f"class {name!r} has no training image; add some, or drop the class everywhere")
        channels = self.input_shape[0]
        if not (len(self.mean) == len(self.std) == channels and min(self.std) > 0):
            raise DataError(f"{channels} channels need as many mean and std > 0, but got {self.mean} and {self.std}")

    @classmethod
    def of(cls, train: Images, val: Images, test: Images, classes: Iterable[str]) -> Splits:
        """The splits, with mean and std computed from `train` and nothing else."""
        mean, std = channel_statistics(train.pixels)
        return cls(train, val, test, tuple(classes), mean, std)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """One image's (C, H, W)."""
        _, channels, height, width = self.train.pixels.shape
        return channels, height, width

    def search_view(self) -> Splits:
        """The same without a single test image: what trials may see."""
        return replace(self, test=self.test.take(np.empty(0, np.int64)))


def channel_statistics(pixels: Pixels) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel, in units of the full scale (pixels / 255).

    Counts grey levels, so the sums are exact integers: the same on every machine, whatever the order of images.

    Args:
        pixels: [N, C, H, W], uint8.

    Returns:
        C means and C standard deviations; the latter are at least `STD_FLOOR`.

    Raises:
        DataError: no image at all.
    """
    if len(pixels) == 0:
        raise DataError("the train split has no images; give it some: mean and std are computed from them")
    counts = np.zeros((pixels.shape[1], 256), np.int64)  # [C, grey levels]
    for start in range(0, len(pixels), 4096):  # bincount widens its input to int64: do it a piece at a time
        piece = pixels[start : start + 4096]
        for channel, row in enumerate(counts):
            row += np.bincount(piece[:, channel].ravel(), minlength=256)
    levels = np.arange(256) / 255
    shares = counts / counts.sum(axis=1, keepdims=True)
    mean = shares @ levels
    variance = (shares * (levels - mean[:, None]) ** 2).sum(axis=1)
    std = np.maximum(np.sqrt(variance), STD_FLOOR)
    return tuple(mean.tolist()), tuple(std.tolist())


@runtime_checkable
class DataSource(Protocol):
    """Where data comes from: a frozen dataclass of JSON settings, so that `search.json` can hold it."""

    @property
    def name(self) -> str:
        """What kind of source this is, e.g. "cifar10"."""
        ...

    def check(self) -> None:
        """Looks, without loading: called before Ray starts, takes less than 0.2 s, imports no torch.

        Raises:
            DataError: what is missing or wrong, where, and the fix.
        """
        ...

    def load(self) -> Splits:
        """The data. The same settings give the same arrays, in every process and on every machine.

        Raises:
            DataError: as `check`, and whatever only shows on reading.
        """
        ...
