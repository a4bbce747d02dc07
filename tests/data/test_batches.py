"""The one reader of pickles: it reads what Python 2 and 3 write of arrays, and calls nothing that a file names."""

from __future__ import annotations

import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest

from raynas.data import batches
from raynas.data.batches import labels, names, read_batch
from raynas.data.download import unpack
from raynas.errors import DataError

PIXELS = np.arange(2 * 3072, dtype=np.int64).astype(np.uint8).reshape(2, 3072)


def python_2(pixels: np.ndarray) -> bytes:
    """The opcodes of a batch as it is published: short strings without an encoding, NumPy's names of 2009."""

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    dtype = (
        b"cnumpy\ndtype\n("
        + text(b"u1")
        + b"K\x00K\x01tR(K\x03"
        + text(b"|")
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    )
    raw = pixels.tobytes()
    state = b"(K\x01(K\x02M\x00\x0ct" + dtype + b"\x89T" + len(raw).to_bytes(4, "little") + raw + b"tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85" + text(b"b") + b"tR" + state
    return (
        b"\x80\x02}("
        + text(b"data")
        + array
        + text(b"labels")
        + b"](K\x03K\x07e"
        + text(b"batch_label")
        + text(b"1 of 5")
        + b"u."
    )


def test_what_python_2_wrote(tmp_path):
    (tmp_path / "data_batch_1").write_bytes(python_2(PIXELS))
    told = read_batch(tmp_path / "data_batch_1")
    np.testing.assert_array_equal(told["data"], PIXELS)
    assert labels(told, tmp_path) == [3, 7]
    assert told["data"].dtype == np.uint8


@pytest.mark.parametrize("protocol", [3, 4])
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_python_3_writes(tmp_path, protocol, order):
    content = {"data": np.asarray(PIXELS, order=order), "fine_labels": [1, 2], "fine_label_names": ["a", b"b"]}
    (tmp_path / "train").write_bytes(pickle.dumps(content, protocol))
    told = read_batch(tmp_path / "train")
    np.testing.assert_array_equal(told["data"], PIXELS)
    assert labels(told, tmp_path) == [1, 2]
    assert names(told, "fine_label_names", tmp_path) == ("a", "b")


class Bomb:
    def __init__(self, function: object, *arguments: object) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple:
        return self.function, self.arguments


def hostile() -> dict[str, object]:
    import os

    return {
        "a call": lambda canary: pickle.dumps({"data": Bomb(os.system, f"touch {canary}")}),
        "a call before anything": lambda canary: pickle.dumps(Bomb(open, str(canary), "w")),
        "eval": lambda canary: pickle.dumps(Bomb(eval, f"open({str(canary)!r}, 'w')")),
        "a name in NumPy": lambda canary: b"cnumpy\nfromfile\n(Vx\ntR.",
        "a name with dots": lambda canary: b"\x80\x04\x8c\x05numpy\x8c\x0ddtype.__class__\x93.",
        "an array of objects": lambda canary: pickle.dumps({"data": np.array([Bomb(open, str(canary), "w")], object)}),
        "an array of floats": lambda canary: pickle.dumps({"data": np.zeros(3)}),
        "a persistent id": lambda canary: b"Pcanary\n.",
        "an extension": lambda canary: b"\x82\x01.",
        "no dict": lambda canary: pickle.dumps([1]),
        "a shape of more": lambda canary: pickle.dumps({"data": PIXELS}).replace(b"M\x00\x0c", b"M\xff\x0c"),
        "cut": lambda canary: pickle.dumps({"data": PIXELS})[:-200],
        "nothing": lambda canary: b"",
        "a memo of 10 GB": lambda canary: b"\x80\x04r\xff\xff\xff\x7f.",
        "a text of 10 GB": lambda canary: b"\x80\x04\x8d" + (10**10).to_bytes(8, "little") + b"x.",
        "deep": lambda canary: b"\x80\x04" + b"(" * 200_000 + b"t" * 200_000 + b".",
    }  # fmt: skip


@pytest.mark.parametrize("name", hostile())
def test_a_hostile_file_is_refused_and_nothing_is_called(tmp_path, name):
    canary = tmp_path / "canary"
    (tmp_path / "test_batch").write_bytes(hostile()[name](canary))
    with pytest.raises(DataError, match="test_batch is damaged: .*fetch it with download=True"):
        read_batch(tmp_path / "test_batch")
    assert not canary.exists()


def test_a_file_that_is_too_large(tmp_path):
    with (tmp_path / "train").open("wb") as file:
        file.truncate(batches.LARGEST + 1)
    with pytest.raises(DataError, match="larger than"):
        read_batch(tmp_path / "train")


@pytest.mark.parametrize("told", [{}, {"labels": 3}, {"labels": ["a"]}, {"fine_labels": [True]}])
def test_labels_must_be_a_list_of_numbers(told):
    with pytest.raises(DataError, match="no list of labels"):
        labels(told, Path("train"))
    with pytest.raises(DataError, match="it has no label_names"):
        names(told, "label_names", Path("meta"))


def archive(path: Path, *members: tarfile.TarInfo, content: bytes = b"good") -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            member.size = len(content) if member.isreg() else 0
            tar.addfile(member, io.BytesIO(content) if member.isreg() else None)
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mode = kind, link, 0o4777
    return made


# CVE-2025-4517: a chain of links longer than a path may be, so that Python's filter no longer sees where it leads.
DEEP = ["d" * 247 for _ in range(16)]
CHAIN = [
    made
    for level, step in enumerate("abcdefghijklmnop")
    for made in (
        member("/".join(DEEP[: level + 1]), tarfile.DIRTYPE),
        member("/".join([*DEEP[:level], step]), tarfile.SYMTYPE, DEEP[level]),
    )
]
ESCAPE = [
    *CHAIN,
    member("/".join("abcdefghijklmnop") + "/" + "l" * 254, tarfile.SYMTYPE, "../" * 16),
    member("escape", tarfile.SYMTYPE, "/".join("abcdefghijklmnop") + "/" + "l" * 254 + "/../../outside"),
    member("flaglink", tarfile.LNKTYPE, "escape/canary"),
    member("escape/canary"),
]


@pytest.mark.parametrize(
    "others",
    [
        [member("../canary")],
        [member("../../canary")],
        [member("{outside}/canary")],
        [member("link", tarfile.SYMTYPE, "{outside}"), member("link/canary")],
        [member("hard", tarfile.LNKTYPE, "{outside}/victim")],
        [member("folder", tarfile.SYMTYPE, "{outside}")],
        [member("pipe", tarfile.FIFOTYPE), member("device", tarfile.CHRTYPE)],
        ESCAPE,
    ],
    ids=[
        "parent",
        "grandparent",
        "absolute",
        "link",
        "hard link",
        "folder is a link",
        "devices",
        "CVE-2025-4517",
    ],
)
def test_only_what_was_asked_for_is_taken_out_of_an_archive(tmp_path, others):
    outside, target = tmp_path / "outside", tmp_path / "in" / "target"
    outside.mkdir()
    target.mkdir(parents=True)
    (outside / "victim").write_text("as before")
    for made in others:
        made.name, made.linkname = (text.format(outside=outside) for text in (made.name, made.linkname))
    packed = archive(tmp_path / "packed.tar.gz", *others, member("folder/good"))
    unpack(packed, ["folder/good"], target)
    assert [p.relative_to(tmp_path).as_posix() for p in sorted(tmp_path.rglob("*")) if not p.is_dir()] == [
        "in/target/folder/good", "outside/victim", "packed.tar.gz",
    ]  # fmt: skip
    assert (outside / "victim").read_text() == "as before"
    assert (target / "folder" / "good").read_bytes() == b"good"
    assert not (target / "folder" / "good").stat().st_mode & 0o7000


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_what_was_asked_for_must_be_a_regular_file(tmp_path, kind):
    packed = archive(tmp_path / "packed.tar.gz", member("folder/good", kind, "/etc/passwd"))
    with pytest.raises(tarfile.TarError, match="no regular file"):
        unpack(packed, ["folder/good"], tmp_path / "target")
    with pytest.raises(tarfile.TarError, match="has no file other"):
        unpack(packed, ["other"], tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_what_was_asked_for_must_not_be_large(tmp_path, monkeypatch):
    packed = archive(tmp_path / "packed.tar.gz", member("good"), content=b"x" * 101)
    monkeypatch.setattr("raynas.data.download.LARGEST", 100)
    with pytest.raises(tarfile.TarError, match="at most 100 bytes"):
        unpack(packed, ["good"], tmp_path)
