"""A person's own images in a Parquet table: one row for each, encoded as JPEG, PNG or the like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from raynas.data.bombs import LONGEST_NAME, check_unfolded
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
            self._check_size(file.metadata)
        self._check_column(schema, "image", "encoded images (bytes)", types.is_binary, types.is_large_binary)
        self._check_column(
            schema, "label", "integers or strings", types.is_integer, types.is_string, types.is_large_string
        )
        if self.split is not None:
            self._check_column(schema, "split", "strings", types.is_string, types.is_large_string)

    def _check_size(self, metadata: Any) -> None:
        """Refuses what would fill the memory: pages that unfold to it, or rows of which there is nothing."""
        try:
            unfolded, packed = self._announced(metadata)
        except UnicodeDecodeError as error:
            raise DataError(f"{self.path} is no readable Parquet file: {error}") from error
        stored = Path(self.path).stat().st_size
        check_unfolded(unfolded, min(packed, stored), self.path)
        pixels = metadata.num_rows * self.channels * self.size**2
        check_unfolded(pixels, stored, f"{self.path} ({metadata.num_rows:,} rows)")

    def _announced(self, metadata: Any) -> tuple[int, int]:
        """Bytes of the columns that are read, unfolded and on disk."""
        used = {self.image, self.label, self.split}
        unfolded = packed = 0
        for group in range(metadata.num_row_groups):
            for index in range(metadata.num_columns):
                column = metadata.row_group(group).column(index)
                if column.path_in_schema.split(".")[0] in used:
                    unfolded += column.total_uncompressed_size
                    packed += column.total_compressed_size
        return unfolded, packed

    def _check_column(self, schema: Any, setting: str, what: str, *allowed: Callable[[Any], bool]) -> None:
        from pyarrow import DictionaryType, StructType

        column = getattr(self, setting)
        if schema.names.count(column) != 1:
            also = ", or to None to hold out the splits" if setting == "split" else ""
            raise DataError(
                f"{self.path} has columns {schema.names}, but {setting}={column!r}; set it to one of them{also}"
            )
        kind = schema.field(column).type
        if isinstance(kind, DictionaryType):  # how repeated values are stored, not what they are
            kind = kind.value_type
        if setting == "image" and isinstance(kind, StructType) and kind.get_field_index("bytes") >= 0:
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
            with self._open(*self._texts()) as file:
                labels, split = self._values(file, self.label), self._split(file)
                if not labels:
                    raise DataError(f"{self.path} has no rows; it needs one for each image")
                if max((len(name) for name in set(labels) if isinstance(name, str)), default=0) > LONGEST_NAME:
                    raise DataError(f"column {self.label!r} of {self.path} has names of over {LONGEST_NAME} characters")
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

    def _open(self, *texts: str) -> Any:
        """A pyarrow.parquet.ParquetFile; of columns of texts it reads each text once, however many rows have it."""
        from pyarrow import parquet

        try:
            file = parquet.ParquetFile(self.path, read_dictionary=list(texts))
            file.schema_arrow  # noqa: B018 - made of what the file says
            return file
        except Exception as error:  # Arrow, and extension types that others registered, raise what a file makes them
            raise DataError(f"{self.path} is no readable Parquet file: {error}") from error

    def _texts(self) -> list[str]:
        from pyarrow import types

        with self._open() as file:
            schema = file.schema_arrow
            return [c for c in (self.label, self.split) if c and types.is_string(schema.field(c).type)]

    def _values(self, file: Any, column: str) -> list[Any]:
        from pyarrow import types

        values: list[Any] = []
        for chunk in file.read(columns=[column]).column(0).chunks:
            if types.is_dictionary(chunk.type):
                known = chunk.dictionary.to_pylist()
                values += [None if index is None else known[index] for index in chunk.indices.to_pylist()]
            else:
                values += chunk.to_pylist()
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
            for cell in (scalar.as_py() for scalar in batch.column(0)):  # one at a time: rows may share one large image
                content = cell.get("bytes") if isinstance(cell, dict) else cell
                place = f"row {row} of {self.path}"
                if content is None:
                    raise DataError(f"{place} has no {self.image!r}; fill or remove it")
                pixels[row] = decode(content, size=self.size, channels=self.channels, place=place)
                row += 1
        return pixels
