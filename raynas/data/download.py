"""Fetching a torchvision data set so that nobody ever reads half of it."""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from raynas.data.batches import LARGEST
from raynas.errors import DataError

# What a broken line, a refused folder, a wrong checksum and a truncated archive look like.
BROKEN = (OSError, RuntimeError, EOFError, http.client.HTTPException, tarfile.TarError, zlib.error)


def fetch(dataset: Any, root: Path, members: Sequence[str] = ()) -> None:
    """Downloads and unpacks next to the final place, then moves it in, file by file.

    Each move is atomic, so neither an interruption nor another trial that fetches at the same time does harm.

    Args:
        dataset: a class of torchvision.datasets with `download=`. It verifies every checksum.
        root: the folder that holds the data set's own folder; made if need be. An archive that is already there is
            unpacked instead of downloaded.
        members: files that are taken out of the archive; none: the data set has no archive.

    Raises:
        DataError: no network, no permission, no space, or a wrong checksum.
    """
    from torchvision.datasets.utils import check_integrity, download_url

    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=root) as place, quiet():
            if members:
                archive = root / dataset.filename
                if not check_integrity(str(archive), dataset.tgz_md5):
                    download_url(dataset.url, place, dataset.filename, dataset.tgz_md5)
                    archive = Path(place, dataset.filename)
                unpack(archive, members, Path(place))
            else:
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


def unpack(archive: Path, members: Sequence[str], target: Path) -> None:
    """Takes files out of a tar archive, by names that are known before: what else it holds, and where, does not matter.

    Python's own filter for archives could be got round before 3.11.13.

    Args:
        archive: the tar file, packed or not.
        members: names of regular files in it, relative.
        target: the folder that gets them, in subfolders as they are named.

    Raises:
        tarfile.TarError: one is missing, is no regular file, or is too large.
    """
    with tarfile.open(archive) as tar:
        for name in members:
            try:
                member = tar.getmember(name)
            except KeyError as error:
                raise tarfile.TarError(f"{archive} has no file {name}") from error
            content = tar.extractfile(member) if member.isreg() and member.size <= LARGEST else None
            if content is None:
                raise tarfile.TarError(f"{name} in {archive} is no regular file of at most {LARGEST:,} bytes")
            final = target / name
            final.parent.mkdir(parents=True, exist_ok=True)
            with content, final.open("xb") as file:
                shutil.copyfileobj(content, file)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Swallows torchvision's progress bar: a search has its own display, which two writers would garble."""
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        yield
