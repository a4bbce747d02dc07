from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from data_contract import DataSourceContract

from raynas.data import DataSource, Npz, Splits, npz
from raynas.errors import DataError

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (30, 3, 6, 6), dtype=np.uint8)
Y = np.arange(30) % 3


def save(folder: Path, **arrays: npt.NDArray[Any]) -> Npz:
    np.savez(folder / "x.npz", **arrays)  # type: ignore[arg-type]
    return npz(str(folder / "x.npz"))


class TestOnePairOfArrays(DataSourceContract):
    @classmethod
    def make(cls, folder: Path) -> DataSource:
        return save(folder, x=X, y=Y)

    def test_splits_are_balanced(self, splits: Splits) -> None:
        for part, each in ((splits.train, 6), (splits.val, 2), (splits.test, 2)):
            assert np.bincount(part.labels).tolist() == [each] * 3


class TestPublishedSplits(DataSourceContract):
    @classmethod
    def make(cls, folder: Path) -> DataSource:
        names = np.array(["emu", "cat", "dog"])[Y]
        return save(folder, x_train=X[:20], y_train=names[:20], x_val=X[20:24], y_val=names[20:24],
                    x_test=X[24:], y_test=names[24:])  # fmt: skip

    def test_published_splits_are_kept(self, splits: Splits) -> None:
        np.testing.assert_array_equal(splits.train.pixels, X[:20])
        np.testing.assert_array_equal(splits.test.pixels, X[24:])
        assert splits.classes == ("cat", "dog", "emu")
        assert splits.val.labels.tolist() == [1, 2, 0, 1]


@pytest.mark.parametrize(
    ("x", "shape"),
    [
        (X, (3, 6, 6)),
        (X.transpose(0, 2, 3, 1), (3, 6, 6)),
        (X[:, 0], (1, 6, 6)),
        (X[:, :1], (1, 6, 6)),
        ((X / 255).astype(np.float32), (3, 6, 6)),
        ((X / 255).astype(np.float64).transpose(0, 2, 3, 1), (3, 6, 6)),
        (np.asfortranarray(X), (3, 6, 6)),
    ],
)
def test_every_layout_gives_the_same_pixels(tmp_path: Path, x: npt.NDArray[Any], shape: tuple[int, ...]) -> None:
    splits = save(tmp_path, x_train=x, y_train=Y, x_test=x, y_test=Y).load()
    assert splits.input_shape == shape
    np.testing.assert_array_equal(splits.test.pixels, X[:, : shape[0]])


def test_an_ambiguous_layout_is_asked_for(tmp_path: Path) -> None:
    x = X[:, :, :, :3]
    save(tmp_path, x=x, y=Y)
    path = str(tmp_path / "x.npz")
    with pytest.raises(DataError, match=r"\[30, 3, 6, 3\].*set channels_last to True or False"):
        npz(path).load()
    assert npz(path, channels_last=False).load().input_shape == (3, 6, 3)
    assert npz(path, channels_last=True).load().input_shape == (3, 3, 6)


def test_numbers_are_sorted_as_numbers(tmp_path: Path) -> None:
    splits = save(tmp_path, x_train=X, y_train=np.array([10, 9, 200])[Y], x_test=X, y_test=np.array([9] * 30)).load()
    assert splits.classes == ("9", "10", "200")
    assert splits.test.labels.tolist() == [0] * 30


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": X}, "must hold the arrays x and y, or x_train"),
        ({"images": X, "labels": Y}, r"but holds \['images', 'labels'\]"),
        ({"x": X, "y": Y, "x_train": X, "y_train": Y}, "must hold the arrays"),
        ({"x_train": X, "y_train": Y, "x_test": X}, "must hold the arrays"),
        ({"x_train": X, "y_train": Y, "x_valid": X, "y_valid": Y}, "'x_valid'"),
        ({"x_test": X, "y_test": Y}, "must hold the arrays"),
        ({"x": X, "y": Y[:29]}, r"x is \[30, 3, 6, 6\] and y \[29\]; there must be one label for each image"),
        ({"x": np.array(5), "y": Y}, r"x is \[\]"),
        ({"x": X[:0], "y": Y[:0]}, r"but is \[0, 3, 6, 6\]"),
        ({"x": X[:, 0, 0], "y": Y}, r"must be \[N, H, W\]"),
        ({"x": X.astype(np.int64), "y": Y}, "must be uint8, or float in .0, 1., but is int64"),
        ({"x": X > 9, "y": Y}, "but is bool"),
        ({"x": X.astype(np.float32), "y": Y}, r"floats must lie in \[0, 1\], but span 0.0..255.0"),
        ({"x": np.full((30, 6, 6), np.nan), "y": Y}, "span nan"),
        ({"x": X, "y": Y / 2}, "must hold one integer"),
        ({"x": X, "y": Y[:, None]}, r"but is int64 \[30, 1\]; convert it"),
        ({"x": X, "y": Y > 0}, "bool"),
        ({"x": X, "y": Y - 1}, "label -1"),
        ({"x": X, "y": Y * 0}, "at least 2 classes, but got .'0'."),
        ({"x": X, "y": np.arange(30)}, "none of class"),
        ({"x_train": X, "y_train": Y, "x_test": X, "y_test": Y.astype(str)}, "int64 .30., <U"),
        ({"x_train": X, "y_train": Y, "x_test": X, "y_test": Y + 1}, "class '3', which has 0 images"),
        ({"x_train": X, "y_train": Y, "x_test": X[:, :1], "y_test": Y}, r"test images are \[1, 6, 6\]"),
        ({"x": np.array([[None]]), "y": Y}, "Object arrays cannot be loaded"),
        ({"x": X, "y": np.array([object()] * 30)}, "without objects"),
    ],
)
def test_unusable_arrays_are_refused(tmp_path: Path, arrays: dict[str, npt.NDArray[Any]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        save(tmp_path, **arrays).load()


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x\.npz does not exist; set path="):
        npz(str(tmp_path / "x.npz")).check()
    with pytest.raises(DataError, match="is a folder, not a file"):
        npz(str(tmp_path)).check()
    np.save(tmp_path / "x.npy", X)
    with pytest.raises(DataError, match=r"x\.npy is no \.npz file"):
        npz(str(tmp_path / "x.npy")).check()
    with pytest.raises(DataError, match="val_fraction=2"):
        npz(str(tmp_path / "x.npz"), val_fraction=2).check()


def test_damaged_files_raise_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez_compressed(path, x=X, y=Y)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(200):
        content = bytearray(whole)
        for at in rng.integers(0, len(content), 4):
            content[at] = rng.integers(256)
        path.write_bytes(content[: rng.integers(1, len(content))] if rng.random() < 0.3 else content)
        with contextlib.suppress(DataError):  # some damage hits padding
            npz(str(path)).load()
