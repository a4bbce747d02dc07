"""On files that look like the published ones but hold few images; and on the published Fashion-MNIST where it is."""

from __future__ import annotations

import contextlib
import functools
import gzip
import hashlib
import http.server
import pickle
import shutil
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torchvision
from data_contract import DataSourceContract

from raynas.data import Cifar10, DataSource, FashionMnist, Splits, cifar10, cifar100, fashion_mnist, vision
from raynas.errors import DataError

RAW = Path("FashionMNIST", "raw")


def idx(array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def write_fashion(root: Path, train: int = 300, test: int = 50) -> None:
    rng = np.random.default_rng(0)
    (root / RAW).mkdir(parents=True)
    for part, count in (("train", train), ("t10k", test)):
        pixels = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        (root / RAW / f"{part}-images-idx3-ubyte").write_bytes(idx(pixels))
        (root / RAW / f"{part}-labels-idx1-ubyte").write_bytes(idx((np.arange(count) % 10).astype(np.uint8)))


def pack(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replaces each file by its .gz, and the published checksums by theirs."""
    checksums = {}
    for file in list((root / RAW).iterdir()):
        packed = gzip.compress(file.read_bytes())
        file.with_name(file.name + ".gz").write_bytes(packed)
        file.unlink()
        checksums[file.name] = hashlib.md5(packed).hexdigest()
    monkeypatch.setattr(vision, "FASHION_MD5", {name: checksums[name] for name in vision.FASHION_MD5})


def write_cifar(root: Path, source: type[Cifar10]) -> None:
    rng = np.random.default_rng(0)
    labels, names = ("labels", "label_names") if source.classes == 10 else ("fine_labels", "fine_label_names")
    (root / source.folder).mkdir(parents=True)
    for file in source.files:
        content: dict[str, object] = {names: [f"class {k}" for k in range(source.classes)]}
        if "meta" not in file:
            count = 4 * source.classes
            content = {
                "data": rng.integers(0, 256, (count, 3072), dtype=np.uint8),
                labels: [*range(source.classes)] * 4,
            }
        (root / source.folder / file).write_bytes(pickle.dumps(content))


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """An address on this machine from which the files in `folder` can be downloaded."""

    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None: ...  # a client that is done may leave early

    with Server(("127.0.0.1", 0), functools.partial(Silent, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module", autouse=True)
def _cifar_of_any_checksum() -> Iterator[None]:
    """torchvision accepts our small files as if they were the published ones."""
    with pytest.MonkeyPatch.context() as patch:
        for dataset in (torchvision.datasets.CIFAR10, torchvision.datasets.CIFAR100):
            for files in ("train_list", "test_list"):
                patch.setattr(dataset, files, [[name, None] for name, _ in getattr(dataset, files)])
            patch.setattr(dataset, "meta", {**dataset.meta, "md5": None})
        yield


class TestFashionMnist(DataSourceContract):
    @classmethod
    def make(cls, folder: Path) -> DataSource:
        write_fashion(folder)
        return fashion_mnist(str(folder), train_size=100, val_size=60)

    def test_sizes(self, splits: Splits) -> None:
        assert [len(part) for part in (splits.train, splits.val, splits.test)] == [100, 60, 50]
        assert splits.input_shape == (1, 28, 28)
        assert np.bincount(splits.train.labels).tolist() == [10] * 10


class TestCifar10(DataSourceContract):
    @classmethod
    def make(cls, folder: Path) -> DataSource:
        write_cifar(folder, Cifar10)
        return cifar10(str(folder), val_size=50)

    def test_sizes(self, splits: Splits) -> None:
        assert [len(part) for part in (splits.train, splits.val, splits.test)] == [150, 50, 40]
        assert splits.classes[3] == "class 3"

    def test_pixels_are_where_the_file_has_them(self, source: Cifar10, splits: Splits) -> None:
        stored = pickle.loads(Path(source.root, source.folder, "test_batch").read_bytes())["data"]
        np.testing.assert_array_equal(splits.test.pixels.reshape(-1, 3072), stored)


class TestCifar100(DataSourceContract):
    @classmethod
    def make(cls, folder: Path) -> DataSource:
        write_cifar(folder, vision.Cifar100)
        return cifar100(str(folder), val_size=100)


def test_missing_files_are_named_with_the_fix(tmp_path: Path) -> None:
    write_fashion(tmp_path)
    (tmp_path / RAW / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError) as caught:
        fashion_mnist(str(tmp_path)).check()
    assert "missing FashionMNIST/raw/t10k-labels-idx1-ubyte.gz;" in str(caught.value)
    assert "download=True (--set data.download=true)" in str(caught.value)
    with pytest.raises(DataError, match="missing cifar-100-python/meta, cifar-100-python/train, cifar-100-python/test"):
        cifar100(str(tmp_path)).load()
    fashion_mnist(str(tmp_path), download=True).check()  # about to be fetched


@pytest.mark.parametrize(
    ("train_size", "val_size", "message"),
    [
        (5, 100, "at least 10, but got val_size=100 and train_size=5"),
        (-1, 100, "train_size=-1"),
        (None, 0, "val_size=0"),
        (59_901, 100, "60000 training images, fewer than val_size=100 and train_size=59901"),
        (None, 60_000, "val_size=60000"),
    ],
)
def test_impossible_sizes_are_refused(train_size: int | None, val_size: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        fashion_mnist(train_size=train_size, val_size=val_size).check()


def test_relative_roots_become_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert fashion_mnist().root == str(tmp_path / "data")


def test_a_larger_training_set_contains_a_smaller_one(tmp_path: Path) -> None:
    write_fashion(tmp_path)
    small, large = (fashion_mnist(str(tmp_path), train_size=size, val_size=60).load() for size in (50, 100))
    np.testing.assert_array_equal(small.val.pixels, large.val.pixels)
    np.testing.assert_array_equal(small.train.pixels, large.train.pixels[:50])


def test_packed_files_in_a_folder_that_nobody_may_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_fashion(tmp_path)
    source = fashion_mnist(str(tmp_path), val_size=60)
    unpacked = source.load()
    pack(tmp_path, monkeypatch)
    before = sorted(tmp_path.rglob("*"))
    np.testing.assert_array_equal(source.load().train.pixels, unpacked.train.pixels)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no IDX file"),
        (b"\x00\x00\x08", "no IDX file"),
        (b"\x00\x00\x0d\x01\x00\x00\x00\x00", "no IDX file of unsigned bytes"),
        (b"\x00\x00\x08\x03\x00\x00", "no IDX file"),
        (b"<html>404</html>", "no IDX file"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x05abc", r"\[5\] values announced, 3 found"),
        (b"\x00\x00\x08\x01\xff\xff\xff\xffabc", "damaged"),
    ],
)
def test_damaged_idx_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    write_fashion(tmp_path)
    (tmp_path / RAW / "train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(DataError, match=message):
        fashion_mnist(str(tmp_path), val_size=60).load()


def test_a_packed_file_with_another_checksum_is_refused(tmp_path: Path) -> None:
    write_fashion(tmp_path)
    (tmp_path / RAW / "train-images-idx3-ubyte.gz").write_bytes(b"half a download")
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz is damaged: its md5"):
        fashion_mnist(str(tmp_path), val_size=60).load()


def test_damaged_cifar_files_are_refused_before_unpickling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar(tmp_path, Cifar10)
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "test_list", [["test_batch", "0" * 32]])
    with pytest.raises(DataError, match="cifar-10-batches-py is damaged"):
        cifar10(str(tmp_path)).load()


def test_download_fetches_checks_and_leaves_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    dataset = torchvision.datasets.CIFAR10
    write_cifar(tmp_path / "origin", Cifar10)
    archive = tmp_path / "origin" / dataset.filename
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "origin" / Cifar10.folder, Cifar10.folder)
    monkeypatch.setattr(dataset, "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())
    source = cifar10(str(tmp_path / "new" / "root"), val_size=50, download=True)
    with served(archive.parent) as address:
        monkeypatch.setattr(dataset, "url", f"{address}/{archive.name}")
        assert len(source.load().train) == 150
    assert sorted(path.name for path in Path(source.root).iterdir()) == [Cifar10.folder, dataset.filename]

    # The server is gone. An archive that is there is unpacked without it, also over a half that was left behind.
    shutil.rmtree(Path(source.root, Cifar10.folder))
    Path(source.root, Cifar10.folder).mkdir()
    Path(source.root, Cifar10.folder, "test_batch").write_bytes(b"half")
    assert len(source.load().train) == 150
    assert capfd.readouterr() == ("", "")

    with pytest.raises(DataError, match=r"cannot fetch CIFAR10 to .*check the network"):
        cifar10(str(tmp_path / "other"), download=True).load()
    assert list((tmp_path / "other").iterdir()) == []


class TestPublishedFashionMnist:
    """The real files: 60,000 / 10,000 images, mean .2860."""

    def test_facts(self, shared_data: Path) -> None:
        splits = fashion_mnist(str(shared_data / "fashion-mnist")).load()
        assert [len(part) for part in (splits.train, splits.val, splits.test)] == [50_000, 10_000, 10_000]
        everything = (splits.train.pixels.sum() + splits.val.pixels.sum()) / (60_000 * 784 * 255)
        assert everything == pytest.approx(0.2860, abs=5e-5)
        assert splits.mean == pytest.approx([0.2860], abs=1e-3)
        assert splits.std == pytest.approx([0.3530], abs=2e-3)
        for part, count in ((splits.train, 5000), (splits.val, 1000), (splits.test, 1000)):
            assert np.bincount(part.labels).tolist() == [count] * 10

    def test_checksums_are_those_of_torchvision(self) -> None:
        theirs = {name.removesuffix(".gz"): md5 for name, md5 in torchvision.datasets.FashionMNIST.resources}
        assert theirs == vision.FASHION_MD5
        assert FashionMnist.name == "fashion_mnist"
        assert list(torchvision.datasets.FashionMNIST.classes)[-1] == "Ankle boot"
