from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from data_contract import DataSourceContract
from PIL import Image

from raynas.data import DataSource, Splits, folder
from raynas.errors import DataError


def write(root: Path, *classes: str, count: int = 10, suffix: str = ".png", side: int = 8) -> Path:
    """`root`, with `count` images in each of the folders `classes`."""
    for index, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for number in range(count):
            rng = np.random.default_rng((index, number, len(root.name)))
            Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(
                root / name / f"{number}{suffix}"
            )
    return root


class TestFolderOfClasses(DataSourceContract):
    @classmethod
    def make(cls, folder_: Path) -> DataSource:
        return folder(str(write(folder_, "dog", "cat", "emu")), size=8)

    def test_classes_are_sorted_and_splits_balanced(self, splits: Splits) -> None:
        assert splits.classes == ("cat", "dog", "emu")
        for part, each in ((splits.train, 6), (splits.val, 2), (splits.test, 2)):
            assert np.bincount(part.labels).tolist() == [each] * 3


class TestFolderOfSplits(DataSourceContract):
    @classmethod
    def make(cls, folder_: Path) -> DataSource:
        write(folder_ / "train", "cat", "dog", suffix=".JPG", side=20)
        write(folder_ / "validation", "cat", "dog", count=3, side=16)
        write(folder_ / "test", "cat", "dog", count=4, side=12)
        return folder(str(folder_), size=12, channels=1)

    def test_published_splits_are_kept(self, splits: Splits) -> None:
        assert [len(part) for part in (splits.train, splits.val, splits.test)] == [20, 6, 8]
        assert splits.input_shape == (1, 12, 12)


def test_images_get_the_label_of_their_folder(tmp_path: Path) -> None:
    for name, level in (("black", 0), ("white", 255)):
        (tmp_path / name / "deeper").mkdir(parents=True)
        for number in range(10):
            where = tmp_path / name / ("deeper" if number % 2 else "") / f"{number}.png"
            Image.new("L", (4, 4), level).save(where)
    splits = folder(str(tmp_path), size=4).load()
    for part in (splits.train, splits.val, splits.test):
        np.testing.assert_array_equal(part.pixels[:, 0, 0, 0], part.labels * 255)


def test_what_is_no_image_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "a", "b")
    for name in ("notes.txt", ".hidden.png", "._0.png"):
        (tmp_path / "a" / name).write_text("no image")
    (tmp_path / "README.md").write_text("no class")
    (tmp_path / ".cache").mkdir()
    (tmp_path / "a" / "folder.png").mkdir()
    splits = folder(str(tmp_path)).load()
    assert sum(len(part) for part in (splits.train, splits.val, splits.test)) == 20


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        ([], r"holds 0 folders of images \[\]; at least 2"),
        (["a"], r"holds 1 folders of images \['a'\]"),
        (["a", "b", "test"], r"holds \['a', 'b', 'test'\]; it may hold train, val and test, or else the classes alone"),
        (["test/a", "test/b"], r"holds \['test'\]"),
        (["train/a", "train/b", "val/a", "validation/a"], r"holds \['train', 'val', 'validation'\]"),
        (["train/a"], r"train holds 1 folders"),
        (
            ["train/a", "train/b", "test/a", "test/c"],
            r"test holds the classes \['a', 'c'\], .*train \['a', 'b'\]; make",
        ),
        (["train/a", "train/b", "test"], r"test holds the classes \[\], "),
    ],
)
def test_other_layouts_are_refused(tmp_path: Path, folders: list[str], message: str) -> None:
    for name in folders:
        (tmp_path / name).mkdir(parents=True)
        Image.new("L", (4, 4)).save(tmp_path / name / "0.png")
    with pytest.raises(DataError, match=message):
        folder(str(tmp_path)).check()


def test_no_folder_no_image(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere is no folder; set root="):
        folder(str(tmp_path / "nowhere")).check()
    write(tmp_path, "a", "b")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty holds no image \(.bmp"):
        folder(str(tmp_path)).check()


def test_unreadable_images_are_named(tmp_path: Path) -> None:
    write(tmp_path, "a", "b")
    (tmp_path / "b" / "bad.jpg").write_bytes(b"half an image")
    with pytest.raises(DataError, match=r"b/bad\.jpg is no image"):
        folder(str(tmp_path)).load()


def test_too_few_images_to_split_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "common", count=20)
    write(tmp_path, "rare", count=2)
    with pytest.raises(DataError, match="none of class 'rare', which has 2 images"):
        folder(str(tmp_path)).load()


@pytest.mark.parametrize("settings", [{"size": 0}, {"channels": 2}, {"val_fraction": 0}, {"test_fraction": 0.9}])
def test_bad_settings_are_refused(tmp_path: Path, settings: dict[str, int]) -> None:
    with pytest.raises(DataError):
        folder(str(write(tmp_path, "a", "b")), **settings).check()
