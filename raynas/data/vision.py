"""Data sets that the literature compares on, in the form that torchvision downloads.

The published test images are the test split; validation images are held out of the published training images.
Shapes: N images, C channels, H rows, W columns.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from raynas.data.batches import labels, names, read_batch
from raynas.data.download import fetch
from raynas.data.idx import is_there, packed, read_idx
from raynas.data.images import Images, Splits
from raynas.data.paths import absolute
from raynas.data.split import stratified_split
from raynas.errors import DataError
from raynas.settings import check_types

FASHION_MD5 = {
    "train-images-idx3-ubyte": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte": "bb300cfdad3c16e7a12a480ee83cd310",
}


@dataclass(frozen=True)
class Published(ABC):
    """The settings that these data sets share.

    Args:
        root: the folder that torchvision calls root; made absolute. It is only read, unless `download` is set.
        train_size: train on this many images, balanced by class and the same every time; a smaller number gives a
            subset of what a larger one gives. None: all that are not held out.
        val_size: images held out to rank architectures by. 10,000 tell accuracies near 90 % to 0.3 points (one
            standard error).
        download: fetch the files if they are missing.
        seed: which images are held out.
    """

    name: ClassVar[str]
    published: ClassVar[int]
    """How many training images there are."""
    classes: ClassVar[int]

    root: str = "data"
    train_size: int | None = None
    val_size: int = 10_000
    download: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", absolute(self.root))

    @abstractmethod
    def missing(self) -> list[str]:
        """Paths that are not there, below `root`."""

    @abstractmethod
    def fetch(self) -> None:
        """Downloads everything to `root`."""

    @abstractmethod
    def read(self) -> tuple[Images, Images, tuple[str, ...]]:
        """The published training images, test images and class names."""

    def check(self) -> None:
        """Raises DataError: files missing, or sizes that do not fit the published number of images."""
        check_types(self, DataError)
        least = self.classes
        if self.val_size < least or (self.train_size is not None and self.train_size < least):
            raise DataError(
                f"{self.name} has {least} classes, so val_size and train_size must be at least {least}, "
                f"but got val_size={self.val_size} and train_size={self.train_size}"
            )
        if self.val_size + (self.train_size or least) > self.published:
            raise DataError(
                f"{self.name} has {self.published} training images, fewer than val_size={self.val_size} and "
                f"train_size={self.train_size or least} together; lower one of them"
            )
        if not self.download and (missing := self.missing()):
            raise DataError(
                f"{self.name} is not in {self.root}: missing {', '.join(missing)}; set root (--data-dir) to the folder "
                "that holds them, or fetch them with download=True (--set data.download=true)"
            )

    def load(self) -> Splits:
        """The splits. Downloads first, if allowed and needed."""
        self.check()
        if self.missing():
            self.fetch()
        images, test, classes = self.read()
        train_size = len(images) - self.val_size if self.train_size is None else self.train_size
        in_val, in_train = stratified_split(images.labels, (self.val_size, train_size), classes, self.seed)
        return Splits.of(images.take(in_train), images.take(in_val), test, classes)


@dataclass(frozen=True)
class FashionMnist(Published):
    """70,000 grey images of 28x28 pixels: 10 kinds of clothing, harder than digits.

    Xiao et al. 2017, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms".
    https://arxiv.org/abs/1708.07747

    The four files are read as published (`<root>/FashionMNIST/raw/*.gz`) or unpacked, whichever is there.
    """

    name: ClassVar[str] = "fashion_mnist"
    published: ClassVar[int] = 60_000
    classes: ClassVar[int] = 10

    def _path(self, file: str) -> Path:
        return Path(self.root, "FashionMNIST", "raw", file)

    def missing(self) -> list[str]:
        """The IDX files that are neither packed nor unpacked there."""
        absent = [packed(self._path(file)) for file in FASHION_MD5 if not is_there(self._path(file))]
        return [path.relative_to(self.root).as_posix() for path in absent]

    def fetch(self) -> None:
        """Through torchvision.datasets.FashionMNIST."""
        from torchvision.datasets import FashionMNIST

        fetch(FashionMNIST, Path(self.root))

    def read(self) -> tuple[Images, Images, tuple[str, ...]]:
        """Straight from the files: torchvision would unpack them first, which a read-only folder forbids."""
        arrays = [read_idx(self._path(file), md5) for file, md5 in FASHION_MD5.items()]
        # The four arrays are [N, H, W], [N], [N, H, W], [N]; grey images have one channel.
        train, test = (Images(x[:, None], y.astype(np.int64)) for x, y in (arrays[:2], arrays[2:]))
        names = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag")
        return train, test, (*names, "Ankle boot")


@dataclass(frozen=True)
class Cifar10(Published):
    """60,000 colour images of 32x32 pixels, 10 classes.

    Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images".
    https://www.cs.toronto.edu/~kriz/cifar.html
    """

    name: ClassVar[str] = "cifar10"
    published: ClassVar[int] = 50_000
    classes: ClassVar[int] = 10
    folder: ClassVar[str] = "cifar-10-batches-py"
    files: ClassVar[tuple[str, ...]] = ("batches.meta", *(f"data_batch_{i}" for i in range(1, 6)), "test_batch")

    @staticmethod
    def _dataset() -> Any:
        from torchvision.datasets import CIFAR10

        return CIFAR10

    def missing(self) -> list[str]:
        """The files of the unpacked archive that are not there."""
        paths = [f"{self.folder}/{file}" for file in self.files]
        return [path for path in paths if not Path(self.root, path).is_file()]

    def fetch(self) -> None:
        """From where torchvision.datasets fetches it; an archive that is already there is only unpacked."""
        fetch(self._dataset(), Path(self.root), [f"{self.folder}/{file}" for file in self.files])

    def read(self) -> tuple[Images, Images, tuple[str, ...]]:
        """Verifies the checksums that torchvision.datasets knows, then reads with `batches`, which calls nothing."""
        from torchvision.datasets.utils import check_integrity

        dataset, where = self._dataset(), Path(self.root, self.folder)
        meta = dataset.meta["filename"], dataset.meta["md5"]
        for file, md5 in (*dataset.train_list, *dataset.test_list, meta):
            if not check_integrity(str(where / file), md5):
                raise DataError(f"{where} is damaged: {file} is not as published; delete it and fetch it again")
        classes = names(read_batch(where / meta[0]), dataset.meta["key"], where / meta[0])
        train, test = ([where / file for file, _ in files] for files in (dataset.train_list, dataset.test_list))
        return _images(train), _images(test), classes


@dataclass(frozen=True)
class Cifar100(Cifar10):
    """60,000 colour images of 32x32 pixels, 100 (fine) classes. As `Cifar10` otherwise."""

    name: ClassVar[str] = "cifar100"
    classes: ClassVar[int] = 100
    folder: ClassVar[str] = "cifar-100-python"
    files: ClassVar[tuple[str, ...]] = ("meta", "train", "test")

    @staticmethod
    def _dataset() -> Any:
        from torchvision.datasets import CIFAR100

        return CIFAR100


def _images(paths: Sequence[Path]) -> Images:
    """The batches one after the other; each is [N, 3072], the red pixels of an image before the green and the blue."""
    pixels, found = [], []
    for path in paths:
        told = read_batch(path)
        batch = told.get("data")
        if not isinstance(batch, np.ndarray) or batch.ndim != 2 or batch.shape[1] != 3 * 32 * 32:
            raise DataError(f"{path} is damaged: its data is not [N, 3072]; delete it and fetch it with download=True")
        pixels.append(batch.reshape(-1, 3, 32, 32))
        found += labels(told, path)
    return Images(np.concatenate(pixels), np.array(found, np.int64))
