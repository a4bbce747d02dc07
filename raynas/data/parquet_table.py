"""A person's own images in a Parquet table: one row for each, encoded as JPEG, PNG or the like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from raynas.data.decode import check_format, decode
from raynas.data.images import Images, Pixels, Splits
from raynas.data.labels import encode
from raynas.data.paths import absolute, check_file
from raynas.data.split import PARTS, check_fractions, complete
from raynas.errors import DataError
from raynas.settings import check_types


@dataclass(frozen=True)
class Parquet:
    """A column of encoded images, a column of labels and, if published, a column that says which split.

    Args:
        path: the file; made absolute.
        image: the column of images: bytes, or a struct with a field `bytes`, as Hugging Face writes it.
        label: the column of labels: integers >= 0 or strings.
        split: the column of "train", "val" (or "validation") and "test". None: there is none, hold out both. Splits
            that no row names are held out of the training images.
        size: pixels on each side; images of other sizes are scaled to it.
        channels: 1 (grey) or 3 (colour).
        val_fraction: in (0, 1), of the training images, if no row is for validation.
        test_fraction: in [0, 1), of the training images, if no row is for testing.
        seed: which images are held out.
    """

    name: ClassVar[str] = "parquet"

    path: str
    image: str = "image"
    label: str = "label"
    split: str | None = "split"
    size: int = 32
    channels: int = 3
    val_fraction: float = 0.2
    test_fraction: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", absolute(self.path))

    def check(self) -> None:
        """Raises DataError: no such file, no Parquet file, or columns missing or of other types."""
        from pyarrow import types

        check_types(self, DataError)
        check_format(self.size, self.channels)
        check_fractions(self.val_fraction, self.test_fraction)
        check_file(self.path)
        with self._open() as file:
            schema = file.schema_arrow
        self._check_column(schema, "image", "encoded images (bytes)", types.is_binary, types.is_large_binary)
        self._check_column(
            schema, "label", "integers or strings", types.is_integer, types.is_string, types.is_large_string
        )
        if self.split is not None:
            self._check_column(schema, "split", "strings", types.is_string, types.is_large_string)

    def _check_column(self, schema: Any, setting: str, what: str, *allowed: Callable[[Any], bool]) -> None:
        from pyarrow import types

        column = getattr(self, setting)
        if schema.names.count(column) != 1:
            also = ", or to None to hold out the splits" if setting == "split" else ""
            raise DataError(
                f"{self.path} has columns {schema.names}, but {setting}={column!r}; set it to one of them{also}"
            )
        kind = schema.field(column).type
        if types.is_dictionary(kind):  # how repeated values are stored, not what they are
            kind = kind.value_type
        if setting == "image" and types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
            kind = kind.field("bytes").type
        if not any(allows(kind) for allows in allowed):
            raise DataError(f"column {column!r} of {self.path} must hold {what}, but holds {kind}")

    def load(self) -> Splits:
        """The images, decoded and scaled.

        Raises:
            DataError: as `check`; no rows; empty cells; an unreadable image, by its row; unknown split names; too few
                images to hold out the splits.
        """
        from pyarrow import ArrowException

        self.check()
        try:
            with self._open() as file:
                labels, split = self._values(file, self.label), self._split(file)
                if not labels:
                    raise DataError(f"{self.path} has no rows; it needs one for each image")
                (indices,), classes = encode([np.array(labels)], f"column {self.label!r} of {self.path}")
                images = Images(self._decode(file), indices)  # last, because it takes longest
        except (ArrowException, OSError) as error:
            raise DataError(f"{self.path} is damaged: {error}; write it again") from error
        parts = {part: images.take(np.flatnonzero(split == part)) for part in ("train", "val", "test")}
        return complete(
            parts["train"],
            parts["val"] if len(parts["val"]) else None,
            parts["test"] if len(parts["test"]) else None,
            classes=classes,
            val_fraction=self.val_fraction,
            test_fraction=self.test_fraction,
            seed=self.seed,
        )

    def _open(self) -> Any:
        """A pyarrow.parquet.ParquetFile."""
        from pyarrow import ArrowException, parquet

        try:
            return parquet.ParquetFile(self.path)
        except (ArrowException, OSError) as error:
            raise DataError(f"{self.path} is no readable Parquet file: {error}") from error

    def _values(self, file: Any, column: str) -> list[Any]:
        values: list[Any] = file.read(columns=[column]).column(0).to_pylist()
        if None in values:
            raise DataError(f"row {values.index(None)} of {self.path} has no {column!r}; fill or remove it")
        return values

    def _split(self, file: Any) -> npt.NDArray[np.str_]:
        """[N]: "train", "val" or "test" for each row."""
        if self.split is None:
            return np.full(file.metadata.num_rows, "train")
        words = self._values(file, self.split)
        if not PARTS.keys() >= set(words):
            strange = sorted(set(words) - PARTS.keys())
            raise DataError(f"column {self.split!r} of {self.path} must hold one of {' '.join(PARTS)}, not {strange}")
        return np.array([PARTS[word] for word in words], dtype=np.str_)

    def _decode(self, file: Any) -> Pixels:
        pixels = np.empty((file.metadata.num_rows, self.channels, self.size, self.size), np.uint8)
        row = 0
        for batch in file.iter_batches(batch_size=1024, columns=[self.image]):  # never all encoded images at once
            for cell in batch.column(0).to_pylist():
                content = cell.get("bytes") if isinstance(cell, dict) else cell
                place = f"row {row} of {self.path}"
                if content is None:
                    raise DataError(f"{place} has no {self.image!r}; fill or remove it")
                pixels[row] = decode(content, size=self.size, channels=self.channels, place=place)
                row += 1
        return pixels
