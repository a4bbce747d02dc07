"""Files that somebody with bad intentions could put where raynas reads: each maker writes into a folder.

A file that is code, when it is unpickled or evaluated, makes the canary: a file of that name in the folder's parent.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

GB = 10**9


class Bomb:
    """Unpickled, it makes a file."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.canary),)


def pickled(folder: Path) -> bytes:
    return pickle.dumps(Bomb(folder.parent / "canary"))


def torch_file(folder: Path) -> bytes:
    """As `torch.save` writes it: a zip with a pickle in it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickled(folder))
        archive.writestr("archive/version", "3\n")
    return file.getvalue()


def safetensors(header: object, content: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + content


def tensor(begin: int, end: int, shape: list[int], dtype: str = "U8") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def deep(depth: int = 100_000) -> str:
    return "[" * depth + "]" * depth


WEIGHTS: dict[str, Callable[[Path], bytes]] = {
    "a pickle": pickled,
    "a file of torch": torch_file,
    "a header of 10 GB": lambda folder: safetensors({}, length=10 * GB),
    "a header of 2**64 bytes": lambda folder: safetensors({}, length=2**64 - 1),
    "a header of 90 MB that is not there": lambda folder: safetensors({}, length=90_000_000),
    "tensors that overlap": lambda folder: safetensors({"a": tensor(0, 8, [8]), "b": tensor(4, 12, [8])}, bytes(12)),
    "a tensor beyond the end": lambda folder: safetensors({"a": tensor(0, 10 * GB, [10 * GB])}, bytes(8)),
    "a shape of 2**62": lambda folder: safetensors({"a": tensor(0, 8, [2**31, 2**31])}, bytes(8)),
    "a negative offset": lambda folder: safetensors({"a": tensor(-8, 8, [16])}, bytes(16)),
    "a hole": lambda folder: safetensors({"a": tensor(4, 12, [8])}, bytes(12)),
    "a deep header": lambda folder: safetensors(deep().encode()),
    "deep metadata": lambda folder: safetensors({"__metadata__": {"json": deep(), "crc": "0"}}),
    "deep metadata whose checksum fits": lambda folder: safetensors(
        {"__metadata__": {"json": deep(), "crc": f"{zlib.crc32(deep().encode()):08x}"}}
    ),
    "metadata that is a list": lambda folder: safetensors(
        {"__metadata__": {"json": "[]", "crc": f"{zlib.crc32(b'[]'):08x}"}}
    ),
    "metadata that is no text": lambda folder: safetensors({"__metadata__": {"json": 3}}),
    "nothing": lambda folder: b"",
}


LEDGERS: dict[str, Callable[[Path], bytes]] = {
    "a pickle": pickled,
    "a file of torch": torch_file,
    "text": lambda folder: b"import os",
    "a header without pages": lambda folder: b"SQLite format 3\0" + bytes(84),
}

SETTINGS: dict[str, Callable[[Path], bytes]] = {
    "a pickle": pickled,
    "deep": lambda folder: deep().encode(),
    "deep inside": lambda folder: b'{"search": {"objectives": ' + deep().encode() + b"}}",
    "a number of a million digits": lambda folder: b'{"search": ' + b"9" * 10**6 + b"}",
    "200 MB": lambda folder: b" " * 200_000_000,
    "YAML": lambda folder: f"!!python/object/apply:builtins.open [{folder.parent / 'canary'}, w]".encode(),
    "Python": lambda folder: f"open({str(folder.parent / 'canary')!r}, 'w')".encode(),
    "no text": lambda folder: b"\xff\xfe\x00",
}


def png(width: int, height: int, content: bytes = b"") -> bytes:
    """A PNG that claims a size, whatever it holds."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", content or zlib.compress(bytes(9)))
        + chunk(b"IEND", b"")
    )


def zeros(size: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join([packer.compress(bytes(2**20)) for _ in range(size >> 20)]) + packer.flush()


def postscript(folder: Path) -> bytes:
    return (
        f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n({folder.parent / 'canary'}) (w) file closefile\n".encode()
    )


IMAGES: dict[str, Callable[[Path], bytes]] = {
    "a pickle": pickled,
    "100,000 x 100,000 pixels": lambda folder: png(100_000, 100_000),
    "13,000 x 13,000 pixels that are there": lambda folder: png(13_000, 13_000, zeros(13_000 * 39_001)),
    "PostScript": postscript,
    "cut": lambda folder: png(64, 64)[:50],
}


def npz(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def npy(header: str, content: bytes = b"") -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + content


def array(value: object, *, pickled: bool = False) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(value), allow_pickle=pickled)
    return file.getvalue()


def objects(folder: Path) -> bytes:
    return array([Bomb(folder.parent / "canary")] * 20, pickled=True)


LABELS = array([0, 1] * 10)
NINE_GB = "{'descr': '|u1', 'fortran_order': False, 'shape': (1000, 3000, 3000), }"


def zip_bomb() -> bytes:
    """A member of 400 MB of zeros in 400 kB."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("x.npy", "w", force_zip64=True) as member:
            member.write(npy("{'descr': '|u1', 'fortran_order': False, 'shape': (4, 10000, 10000), }"))
            for _ in range(400):
                member.write(bytes(10**6))
        archive.writestr("y.npy", LABELS)
    return file.getvalue()


ARCHIVES: dict[str, Callable[[Path], bytes]] = {
    "a pickle": pickled,
    "an array of objects": lambda folder: npz({"x.npy": objects(folder), "y.npy": LABELS}),
    "labels that are objects": lambda folder: npz(
        {
            "x.npy": array(np.zeros((20, 8, 8), np.uint8)),
            "y.npy": array([Bomb(folder.parent / "canary")] * 20, pickled=True),
        }
    ),
    "a member that is a pickle": lambda folder: npz({"x.npy": pickled(folder), "y.npy": LABELS}),
    "members outside": lambda folder: npz({"../canary": b"x", "/tmp/canary": b"x", "x.npy": b"", "y.npy": b""}),
    "a header that is code": lambda folder: npz(
        {"x.npy": npy(f"open({str(folder.parent / 'canary')!r}, 'w')"), "y.npy": LABELS}
    ),
    "9 GB that are not there": lambda folder: npz({"x.npy": npy(NINE_GB), "y.npy": LABELS}),
    "a shape below 0": lambda folder: npz(
        {"x.npy": npy("{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 8, 8), }"), "y.npy": LABELS}
    ),
    "a zip bomb": lambda folder: zip_bomb(),
}


def parquet(columns: dict[str, object], metadata: dict[bytes, bytes] | None = None, **options: object) -> bytes:
    table = pa.table(columns)
    if metadata:
        fields = [f.with_metadata(metadata) if f.name == "image" else f for f in table.schema]
        table = table.cast(pa.schema(fields))
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


def cells(count: int, content: bytes | None = None) -> list[bytes]:
    if content is None:
        file = io.BytesIO()
        Image.new("RGB", (8, 8)).save(file, "PNG")
        content = file.getvalue()
    return [content] * count


def extension(name: bytes) -> Callable[[Path], bytes]:
    """Arrow has its extension types made from such metadata: pickles in pyarrow < 14.0.1 and in Ray < 2.55."""
    return lambda folder: parquet(
        {"image": cells(20), "label": [0, 1] * 10},
        {b"ARROW:extension:name": name, b"ARROW:extension:metadata": pickled(folder)},
    )


def rows_without_bytes(folder: Path) -> bytes:
    """Ten million rows that are one image and one label."""
    indices = pa.array(np.zeros(10**7, np.int32))
    return parquet(
        {
            "image": pa.DictionaryArray.from_arrays(indices, pa.array(cells(1))),
            "label": pa.DictionaryArray.from_arrays(indices, pa.array(["a"])),
        }
    )


def one_large_image(folder: Path) -> bytes:
    """A thousand rows that share 8 MB: more than their own size on disk, a thousand times."""
    content = cells(1)[0] + np.random.default_rng(0).bytes(8_000_000)
    indices = pa.array(np.arange(1000, dtype=np.int32) % 2)
    return parquet(
        {
            "image": pa.DictionaryArray.from_arrays(indices, pa.array([b"no image" + content, b"nor this" + content])),
            "label": pa.array(["a", "b"] * 500),
        },
        dictionary_pagesize_limit=2**30,
    )


TABLES: dict[str, Callable[[Path], bytes]] = {
    "a pickle": pickled,
    "an extension type of pyarrow": extension(b"arrow.py_extension_type"),
    "an extension type of Ray": extension(b"ray.data.arrow_tensor"),
    "another extension type of Ray": extension(b"ray.data.arrow_pickled_object"),
    "pages that unfold to 300 MB": lambda folder: parquet(
        {"image": cells(3, bytes(100_000_000)), "label": [0, 1, 0]}, compression="zstd", use_dictionary=False
    ),
    "rows without bytes": rows_without_bytes,
    "one large image for all rows": one_large_image,
    "a name of 256 kB for all rows": lambda folder: parquet(
        {"image": cells(200), "label": ["a" * 2**18] * 100 + ["b"] * 100}
    ),
    "deep columns": lambda folder: parquet({"image": [json.loads(deep(60))] * 20, "label": [0, 1] * 10}),
    "100,000 x 100,000 pixels": lambda folder: parquet(
        {"image": cells(20, png(100_000, 100_000)), "label": [0, 1] * 10}
    ),
}
