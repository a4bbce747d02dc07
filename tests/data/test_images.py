from __future__ import annotations

import numpy as np
import pytest

from raynas.data import Images, Splits
from raynas.data.images import STD_FLOOR, channel_statistics
from raynas.errors import DataError


def images(count: int, classes: int = 2, shape: tuple[int, int, int] = (3, 4, 5)) -> Images:
    pixels = np.random.default_rng(count).integers(0, 256, (count, *shape), dtype=np.uint8)
    return Images(pixels, np.arange(count) % classes)


def test_take_keeps_images_with_their_labels_and_copies() -> None:
    whole = images(6)
    some = whole.take(np.array([5, 0]))
    np.testing.assert_array_equal(some.pixels, whole.pixels[[5, 0]])
    assert some.labels.tolist() == [1, 0]
    some.pixels[:] = 0
    assert whole.pixels[5].any()
    assert len(whole.take(np.empty(0, np.int64))) == 0


@pytest.mark.parametrize(
    ("pixels", "labels", "message"),
    [
        (np.zeros((2, 3, 4, 4), np.float32), np.zeros(2, np.int64), r"uint8 \[N, C, H, W\], but got float32"),
        (np.zeros((2, 4, 4), np.uint8), np.zeros(2, np.int64), r"but got uint8 \[2, 4, 4\]"),
        (np.zeros((2, 0, 4, 4), np.uint8), np.zeros(2, np.int64), r"\[2, 0, 4, 4\]"),
        (np.zeros((2, 4, 4, 3), np.uint8).transpose(0, 3, 1, 2), np.zeros(2, np.int64), "ascontiguousarray"),
        (np.zeros((2, 3, 4, 4), np.uint8), np.zeros(2, np.int32), "int64"),
        (np.zeros((2, 3, 4, 4), np.uint8), np.zeros((2, 1), np.int64), r"\[2, 1\]"),
        (np.zeros((2, 3, 4, 4), np.uint8), np.zeros(3, np.int64), "2 images and 3 labels"),
    ],
)
def test_malformed_images_are_refused(
    pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    labels: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    message: str,
) -> None:
    with pytest.raises(DataError, match=message):
        Images(pixels, labels)


@pytest.mark.parametrize(
    ("train", "val", "test", "classes", "message"),
    [
        (images(0), images(4), images(4), "ab", "train split has no images"),
        (images(4), images(0), images(4), "ab", "val split has no images"),
        (images(4), images(4), images(4), "a", "at least 2 classes"),
        (images(4), images(4, classes=3), images(4), "ab", r"val labels must lie in 0\.\.1, but got 0\.\.2"),
        (images(4), images(4, shape=(1, 4, 5)), images(4), "ab", r"val images are \[1, 4, 5\]"),
        (images(4), images(4), images(4, shape=(3, 5, 4)), "ab", r"test images are \[3, 5, 4\]"),
        (images(4), images(4), images(4), "abc", "class 'c' has no training image"),
    ],
)
def test_unusable_splits_are_refused(train: Images, val: Images, test: Images, classes: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Splits.of(train, val, test, classes)


def test_statistics_must_fit_the_channels() -> None:
    with pytest.raises(DataError, match="3 channels need as many mean"):
        Splits(images(4), images(4), images(4), ("a", "b"), (0.5,), (0.5,))
    with pytest.raises(DataError, match="std > 0"):
        Splits(images(4), images(4), images(4), ("a", "b"), (0.5, 0.5, 0.5), (0.5, 0.0, 0.5))


def test_statistics_ignore_validation_and_test_images() -> None:
    bright = Images(np.full((4, 3, 4, 5), 255, np.uint8), np.arange(4) % 2)
    assert Splits.of(images(4), bright, bright, "ab").mean == Splits.of(images(4), images(4), images(4), "ab").mean


def test_a_constant_channel_does_not_divide_by_zero() -> None:
    mean, std = channel_statistics(np.full((5, 1, 2, 2), 51, np.uint8))
    assert mean == pytest.approx([0.2])
    assert std == (STD_FLOOR,)


def test_statistics_do_not_depend_on_the_order_of_images(rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (5000, 2, 3, 3), dtype=np.uint8)  # more than one piece of 4,096
    assert channel_statistics(pixels) == channel_statistics(pixels[::-1])
