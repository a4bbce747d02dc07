"""The official files of NATS-Bench, through a small fake of the package's interface."""

from __future__ import annotations

import math
import sys
from random import Random
from types import ModuleType

import pytest

from raynas.bench import TableSource, check_table
from raynas.errors import ConfigError, DataError
from raynas.estimators.nats import NatsTable
from raynas.estimators.tabular import MissingCell
from raynas.spaces import nasbench201, nats_size, replay, sample
from raynas.spaces.nasbench201 import from_string
from raynas.testing.table import TableContract

CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
OTHER = "|none~0|+|none~0|none~1|+|none~0|none~1|avg_pool_3x3~2|"
TSS, SSS = "NATS-tss-v1_0-3ffb9-simple", "NATS-sss-v1_0-50262-simple"


class FakeApi:
    """Answers like `nats_bench.create(...)` of version 1.8 for two networks; accuracies follow the question."""

    def __init__(self, path, space, fast_mode, verbose):
        self.asked = (path, space, fast_mode, verbose)
        self.strings = [CELL, OTHER] if space == "tss" else ["8:16:24:32:40", "64:64:64:64:64"]
        self.queries = []

    def __len__(self):
        return len(self.strings)

    def query_index_by_arch(self, arch):
        return self.strings.index(arch) if arch in self.strings else -1

    def get_more_info(self, index, dataset, iepoch=None, hp="12", is_random=True):
        assert iepoch is None
        assert is_random is False
        self.queries.append((index, dataset, hp))
        found = {
            "train-accuracy": 99.0, "train-loss": 0.1, "train-all-time": 10.0 * int(hp), "train-per-time": 10.0,
            "test-accuracy": 80.0 + index,
        }  # fmt: skip
        if dataset != "cifar10":
            found |= {"valid-accuracy": 70.0 - index + int(hp) / 100, "valid-per-time": 3.0, "valid-all-time": 99.0}
        if dataset == "cifar10-valid":
            found["test-accuracy"] = 1.0
        return found


@pytest.fixture
def nats(monkeypatch):
    module = ModuleType("nats_bench")
    module.create = lambda path, space, fast_mode=False, verbose=True: FakeApi(path, space, fast_mode, verbose)
    monkeypatch.setitem(sys.modules, "nats_bench", module)
    return module


@pytest.fixture
def folder(tmp_path):
    (tmp_path / TSS).mkdir()
    return tmp_path / TSS


def cell(text=CELL):
    return replay(nasbench201(), from_string(text))


class TestTopology(TableContract):
    """The fake knows two of the cells that are looked up."""

    @pytest.fixture(autouse=True)
    def files(self, nats, folder):
        self.folder = folder

    def make(self):
        return NatsTable(self.folder, "cifar100", (12, 200))

    def architectures(self):
        return [cell(), cell(OTHER), *(sample(nasbench201(), Random(seed)) for seed in range(20))]


class TestBestOfAFile(TestTopology):
    @pytest.fixture(autouse=True)
    def files(self, nats, tmp_path):
        self.folder = tmp_path / "NATS-tss-v1_0-3ffb9.pickle.pbz2"
        self.folder.touch()


def test_topology(nats, folder):
    table = NatsTable(folder)
    assert (table.space, table.budgets, table.name) == (nasbench201(), (200,), "NATS-tss-v1_0-3ffb9 cifar10")
    assert table._api.asked == (str(folder), "tss", True, False)
    (reading,) = table.curve(cell())
    assert reading.budget == 200
    assert reading.metrics == {"val_accuracy": pytest.approx(0.72), "train_s": 2003, "train_epochs": 200}


def test_cifar10_is_tested_with_networks_that_saw_all_images(nats, folder):
    assert NatsTable(folder).truth(cell()) == {"val_accuracy": pytest.approx(0.72), "test_accuracy": 0.8}
    table = NatsTable(folder, "cifar100")
    assert table.truth(cell(OTHER)) == {"val_accuracy": pytest.approx(0.71), "test_accuracy": 0.81}
    assert table._api.queries == [(1, "cifar100", "200")]


def test_trainings_add_up(nats, folder):
    first, second = NatsTable(folder, "ImageNet16-120", (12, 200)).curve(cell())
    assert (first.metrics["train_s"], second.metrics["train_s"]) == (123, 123 + 2003)
    assert (first.metrics["train_epochs"], second.metrics["train_epochs"]) == (12, 212)


def test_curves_are_kept(nats, folder):
    table = NatsTable(folder)
    assert table.curve(cell()) is table.curve(cell())
    assert len(table._api.queries) == 1


def test_size(nats, tmp_path):
    (tmp_path / SSS).mkdir()
    table = NatsTable(tmp_path / SSS, "cifar100", (1, 90))
    assert (table.space, table.budgets) == (nats_size(), (1, 90))
    architecture = replay(nats_size(), nats_size().from_string("8:16:24:32:40"))
    assert [m.metrics["val_accuracy"] for m in table.curve(architecture)] == pytest.approx([0.7001, 0.709])
    assert [query[2] for query in table._api.queries] == ["01", "90"]


def test_missing_networks(nats, folder):
    with pytest.raises(MissingCell):
        NatsTable(folder).curve(sample(nasbench201(), Random(0)))


def test_times_that_are_none(nats, folder):
    table = NatsTable(folder)
    table._api.get_more_info = lambda *args, **kwargs: {"train-all-time": None, "valid-accuracy": 50.0}
    (reading,) = table.curve(cell())
    assert math.isnan(reading.metrics["train_s"])


def test_the_best_of_a_file(nats, folder, tmp_path):
    (tmp_path / "NATS-tss-v1_0-3ffb9.pickle.pbz2").touch()
    table = NatsTable(tmp_path / "NATS-tss-v1_0-3ffb9.pickle.pbz2")
    assert table._api.asked[2] is False
    assert table.best == {"val_accuracy": pytest.approx(0.72), "test_accuracy": 0.81}
    assert NatsTable(folder).best == {}


def test_the_bench_opens_it(nats, folder):
    table = TableSource(str(folder), "cifar100", (12, 200)).open()
    assert isinstance(table, NatsTable)
    assert table.dataset == "cifar100"
    with pytest.raises(ConfigError, match="none of 200 random architectures"):  # the fake knows two of 15,625
        check_table(table)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (("cifar11",), "unknown data set of NATS-Bench 'cifar11'; did you mean 'cifar10'"),
        (("cifar10", (50,)), r"must be some of 12, 200, rising, but got \(50,\)"),
        (("cifar10", (200, 12)), "must be some of 12, 200, rising"),
    ],
)
def test_wrong_settings(nats, folder, settings, says):
    with pytest.raises(ConfigError, match=says):
        NatsTable(folder, *settings)


def test_a_name_that_tells_no_space(nats, tmp_path):
    with pytest.raises(ConfigError, match="must hold -tss- or -sss-"):
        NatsTable(tmp_path)


def test_without_the_package(monkeypatch, folder):
    monkeypatch.setitem(sys.modules, "nats_bench", None)
    with pytest.raises(ConfigError, match=r"needs the package nats_bench: pip install 'raynas\[nats\]'"):
        NatsTable(folder)


def test_files_that_cannot_be_read(nats, folder, tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        NatsTable(tmp_path / "NATS-tss-none.pickle.pbz2")

    def broken(*args, **kwargs):
        raise ValueError("Can not find key[meta_archs] in the dict\nmore")

    nats.create = broken
    with pytest.raises(DataError, match="nats_bench cannot read .*: ValueError: Can not find key"):
        NatsTable(folder)
