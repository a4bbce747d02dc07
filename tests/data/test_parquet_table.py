from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_contract import DataSourceContract
from PIL import Image

from raynas.data import DataSource, Parquet, Splits, parquet
from raynas.errors import DataError


def png(number: int, side: int = 8) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (side, side, 3), dtype=np.uint8)).save(stream, "PNG")
    return stream.getvalue()


IMAGES = [png(number) for number in range(30)]
LABELS = [number % 3 for number in range(30)]
SPLIT = ["train"] * 20 + ["validation"] * 4 + ["test"] * 6


def save(folder: Path, **columns: Any) -> str:
    pq.write_table(pa.table(columns), folder / "x.parquet", row_group_size=7)
    return str(folder / "x.parquet")


class TestPublishedSplits(DataSourceContract):
    @classmethod
    def make(cls, folder: Path) -> DataSource:
        dictionary = pa.array(SPLIT).dictionary_encode()
        return parquet(save(folder, image=IMAGES, label=LABELS, split=dictionary), size=8)

    def test_published_splits_are_kept(self, splits: Splits) -> None:
        assert [len(part) for part in (splits.train, splits.val, splits.test)] == [20, 4, 6]
        expected = np.asarray(Image.open(io.BytesIO(IMAGES[20]))).transpose(2, 0, 1)
        np.testing.assert_array_equal(splits.val.pixels[0], expected)
        assert splits.test.labels.tolist() == LABELS[24:]


class TestNoSplits(DataSourceContract):
    """As Hugging Face writes it: the image is a struct. Sizes differ from the wanted one."""

    @classmethod
    def make(cls, folder: Path) -> DataSource:
        cells = [{"bytes": content, "path": "x.png"} for content in IMAGES]
        names = [["emu", "cat", "dog"][label] for label in LABELS]
        return parquet(save(folder, image=cells, label=names), split=None, size=6, channels=1)

    def test_splits_are_balanced(self, splits: Splits) -> None:
        assert splits.classes == ("cat", "dog", "emu")
        assert splits.input_shape == (1, 6, 6)
        for part, each in ((splits.train, 6), (splits.val, 2), (splits.test, 2)):
            assert np.bincount(part.labels).tolist() == [each] * 3


@pytest.mark.parametrize(
    ("columns", "settings", "message"),
    [
        ({"jpeg": IMAGES}, {}, r"columns \['label', 'jpeg'\], but image='image'; set it to one of them"),
        ({"image": IMAGES}, {"label": "class"}, "but label='class'"),
        ({"image": IMAGES}, {"split": "split"}, "set it to one of them, or to None to hold out the splits"),
        ({"image": LABELS}, {}, r"column 'image' of .* must hold encoded images \(bytes\), but holds int64"),
        ({"image": IMAGES, "label": [0.5] * 30}, {}, "must hold integers or strings, but holds double"),
        ({"image": IMAGES, "label": [True] * 30}, {}, "holds bool"),
        ({"image": IMAGES, "label": [[1]] * 30}, {}, "holds list"),
        ({"image": IMAGES, "label": [-1] * 30}, {}, "label -1"),
        ({"image": IMAGES, "label": ["one"] * 30}, {}, "at least 2 classes"),
        ({"image": IMAGES, "label": [*LABELS[:29], None]}, {}, "row 29 of .* has no 'label'; fill or remove it"),
        ({"image": [*IMAGES[:9], None, *IMAGES[10:]]}, {}, "row 9 of .* has no 'image'"),
        ({"image": [*IMAGES[:9], b"bad", *IMAGES[10:]]}, {}, r"row 9 of .*x\.parquet is no image"),
        (
            {"image": pa.array([{"bytes": None}] * 30, pa.struct({"bytes": pa.binary()}))},
            {},
            "row 0 of .* has no 'image'",
        ),
        ({"image": [{"path": "x.png"}] * 30}, {}, "but holds struct<path"),
        ({"image": IMAGES, "split": ["train"] * 29 + ["dress"]}, {"split": "split"}, r"must hold .*, not \['dress'\]"),
        ({"image": IMAGES, "split": [None] * 30}, {"split": "split"}, "must hold strings, but holds null"),
        ({"image": IMAGES, "split": ["test"] * 30}, {"split": "split"}, "the train split has no images"),
        ({"image": pa.array([], pa.binary()), "label": pa.array([], pa.int64())}, {}, "has no rows"),
        ({"image": IMAGES}, {"size": 0}, "size must be at least 1"),
        ({"image": IMAGES}, {"channels": 4}, "channels must be 1"),
        ({"image": IMAGES}, {"val_fraction": 1.0}, "val_fraction=1.0"),
        ({"image": IMAGES}, {"val_fraction": 0.01}, "none of class|val split has no images"),
    ],
)
def test_unusable_tables_are_refused(
    tmp_path: Path, columns: dict[str, Any], settings: dict[str, Any], message: str
) -> None:
    path = save(tmp_path, **{"label": LABELS, **columns})
    with pytest.raises(DataError, match=message):
        Parquet(path, **{"split": None, **settings}).load()


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x\.parquet does not exist; set path="):
        parquet(str(tmp_path / "x.parquet")).check()
    (tmp_path / "x.parquet").write_bytes(b"PAR1 and nothing more")
    with pytest.raises(DataError, match="no readable Parquet file"):
        parquet(str(tmp_path / "x.parquet")).check()


def test_damaged_files_raise_nothing_else(tmp_path: Path) -> None:
    path = save(tmp_path, image=IMAGES, label=LABELS)
    whole = Path(path).read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(100):
        content = bytearray(whole)
        for at in rng.integers(4, len(content) - 8, 5):
            content[at] = rng.integers(256)
        Path(path).write_bytes(content)
        with contextlib.suppress(DataError):  # some damage hits padding
            parquet(path, split=None, size=8).load()


def test_cifar_jpeg(shared_data: Path) -> None:
    """Real images: 25,000 / 5,000, class balanced."""
    source = parquet(str(shared_data / "cifar10_jpeg_half.parquet"), image="jpeg")
    splits = source.load()
    assert splits.input_shape == (3, 32, 32)
    for part, each in ((splits.train, 2000), (splits.val, 500), (splits.test, 500)):
        assert np.bincount(part.labels).tolist() == [each] * 10
    assert splits.mean == pytest.approx([0.4914, 0.4822, 0.4465], abs=3e-3)  # those of CIFAR-10
    assert splits.std == pytest.approx([0.2470, 0.2435, 0.2616], abs=3e-3)
