"""Fetching a torchvision data set so that nobody ever reads half of it."""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from raynas.errors import DataError

# What a broken line, a refused folder, a wrong checksum and a truncated archive look like.
BROKEN = (OSError, RuntimeError, EOFError, http.client.HTTPException, tarfile.TarError, zlib.error)


def fetch(dataset: Any, root: Path) -> None:
    """Downloads and unpacks next to the final place, then moves it in, file by file.

    Each move is atomic, so neither an interruption nor another trial that fetches at the same time does harm.

    Args:
        dataset: a class of torchvision.datasets with `download=`. It verifies every checksum.
        root: the folder that holds the data set's own folder; made if need be. An archive that is already there is
            unpacked instead of downloaded.

    Raises:
        DataError: no network, no permission, no space, or a wrong checksum.
    """
    from torchvision.datasets.utils import check_integrity

    archive = getattr(dataset, "filename", None)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=root) as place, quiet():
            if archive and check_integrity(root / archive, dataset.tgz_md5):
                Path(place, archive).symlink_to(root / archive)
            dataset(place, download=True)
            for file in sorted(Path(place).rglob("*")):
                if file.is_file() and not file.is_symlink():
                    final = root / file.relative_to(place)
                    final.parent.mkdir(parents=True, exist_ok=True)
                    os.replace(file, final)
    except BROKEN as error:
        raise DataError(
            f"cannot fetch {dataset.__name__} to {root}: {error}; check the network and the folder's permissions, "
            "or copy the files there from elsewhere"
        ) from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Swallows torchvision's progress bar: a search has its own display, which two writers would garble."""
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        yield
