"""Handwritten digits that come with scikit-learn: real images without a download."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from raynas.data.images import Images, Splits
from raynas.data.split import stratified_split
from raynas.errors import DataError
from raynas.settings import check_types

# 60/20/20 %. One validation image is 0.28 % of accuracy.
TRAIN, VAL, TEST = 1077, 360, 360


@dataclass(frozen=True)
class Digits:
    """1,797 grey images of 8x8 pixels, 10 classes: 1,077 to train, 360 to validate, 360 to test.

    Alpaydin and Kaynak 1998, the test part of "Optical Recognition of Handwritten Digits".
    https://archive.ics.uci.edu/dataset/80

    Args:
        seed: which images go into which split. Results under different seeds are not comparable.
    """

    name: ClassVar[str] = "digits"

    seed: int = 0

    def check(self) -> None:
        """Raises DataError: a seed that is none. The images cannot be missing: scikit-learn bundles them."""
        check_types(self, DataError)

    def load(self) -> Splits:
        """The images, with the original grey levels 0..16 spread over 0..255."""
        from sklearn.datasets import load_digits  # takes 2 s: only those who load pay

        digits = load_digits()
        pixels = np.rint(digits.images * (255 / 16)).astype(np.uint8)[:, None]  # [N, 1, 8, 8]
        images = Images(pixels, digits.target.astype(np.int64))
        classes = [str(digit) for digit in range(10)]
        val, test, train = stratified_split(images.labels, (VAL, TEST, TRAIN), classes, self.seed)
        return Splits.of(images.take(train), images.take(val), images.take(test), classes)
