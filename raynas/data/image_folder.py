"""A person's own images, sorted into one folder for each class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from raynas.data.decode import check_format, decode
from raynas.data.images import Images, Splits
from raynas.data.paths import absolute
from raynas.data.split import PARTS, check_fractions, complete
from raynas.errors import DataError
from raynas.settings import check_types

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".ppm", ".pgm", ".pbm", ".tif", ".tiff"})
"""What counts as an image, in either case; other files and hidden ones are passed over."""


@dataclass(frozen=True)
class Folder:
    """`<root>/<class>/*.png`, or `<root>/train/<class>/*.png` and so for `test` and, if published, `val`.

    Splits that have no folder are held out of the training images.

    Args:
        root: the folder; made absolute.
        size: pixels on each side; images of other sizes are scaled to it.
        channels: 1 (grey) or 3 (colour).
        val_fraction: in (0, 1), of the training images, if there is no folder `val`.
        test_fraction: in [0, 1), of the training images, if there is no folder `test`.
        seed: which images are held out.
    """

    name: ClassVar[str] = "folder"

    root: str
    size: int = 32
    channels: int = 3
    val_fraction: float = 0.2
    test_fraction: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", absolute(self.root))

    def check(self) -> None:
        """Raises DataError: no such folder, a layout other than the two, fewer than 2 classes, a class of no images."""
        check_types(self, DataError)
        check_format(self.size, self.channels)
        check_fractions(self.val_fraction, self.test_fraction)
        self._layout()

    def load(self) -> Splits:
        """The images, decoded and scaled.

        Raises:
            DataError: as `check`; an unreadable image, by its path; too few images to hold out the splits.
        """
        self.check()
        classes, folders = self._layout()
        parts = {part: self._read(folder, classes) for part, folder in folders.items()}
        return complete(
            parts["train"],
            parts.get("val"),
            parts.get("test"),
            classes=classes,
            val_fraction=self.val_fraction,
            test_fraction=self.test_fraction,
            seed=self.seed,
        )

    def _layout(self) -> tuple[list[str], dict[str, Path]]:
        """The class names, and the folder that holds the class folders of each published split."""
        root = Path(self.root)
        if not root.is_dir():
            raise DataError(f"{root} is no folder; set root= to the folder that holds one folder for each class")
        names = _subfolders(root)
        folders = {"train": root}
        if not PARTS.keys().isdisjoint(names):
            strange = [name for name in names if name not in PARTS]
            if strange or "train" not in names or len({PARTS[name] for name in names}) < len(names):
                raise DataError(f"{root} holds {names}; it may hold train, val and test, or else the classes alone")
            folders = {PARTS[name]: root / name for name in names}
        classes = _subfolders(folders["train"])
        if len(classes) < 2:
            raise DataError(
                f"{folders['train']} holds {len(classes)} folders of images {classes}; at least 2 are needed, one for "
                "each class: move the images of each class into a folder of its own"
            )
        for folder in folders.values():
            present = _subfolders(folder)
            if not present or not set(present) <= set(classes):
                raise DataError(f"{folder} holds the classes {present}, {folders['train']} {classes}; make them alike")
            for name in present:
                if next(_images(folder / name), None) is None:
                    raise DataError(f"{folder / name} holds no image ({' '.join(sorted(SUFFIXES))}); add some")
        return classes, folders

    def _read(self, folder: Path, classes: Sequence[str]) -> Images:
        files = [(file, label) for label, name in enumerate(classes) for file in sorted(_images(folder / name))]
        pixels = np.empty((len(files), self.channels, self.size, self.size), np.uint8)
        for row, (file, _) in enumerate(files):
            pixels[row] = decode(file, size=self.size, channels=self.channels, place=str(file))
        return Images(pixels, np.array([label for _, label in files], np.int64))


def _subfolders(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _images(folder: Path) -> Iterator[Path]:
    """Every image below, at any depth. macOS and others hide files with an image's suffix that are none."""
    return (
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()
    )
