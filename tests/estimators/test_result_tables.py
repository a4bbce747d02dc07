"""Parquet files of results."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest
from table_files import cells, results, write

from raynas.errors import ConfigError, DataError
from raynas.estimators.tables import CurveTable, NasBench201Table, SixEdges, open_table
from raynas.estimators.tabular import MissingCell, Tabular
from raynas.loop import Loop
from raynas.objectives import Objective
from raynas.simulate import simulate
from raynas.spaces import count, nasbench201, replay, sample
from raynas.spaces.decide import enumerate_space
from raynas.spaces.nasbench201 import ADDRESSES, from_string, to_string
from raynas.strategies import RandomSearch
from raynas.testing.table import TableContract

DATA = Path(__file__).parents[2].parent / "shared" / "data"
REAL = pytest.mark.skipif(not DATA.is_dir(), reason="no tables beside the checkout")
STRONG = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
WEAK = "|none~0|+|none~0|none~1|+|none~0|none~1|avg_pool_3x3~2|"


def cell(text):
    return replay(nasbench201(), from_string(text))


@pytest.fixture
def columns():
    return results([STRONG, WEAK])


class TestNasBench201Contract(TableContract):
    @pytest.fixture(autouse=True)
    def files(self, tmp_path):
        drawn = [sample(nasbench201(), Random(seed)) for seed in range(self.looked_up)]
        columns = results(list({to_string(a.answers): None for a in drawn[::2]}))
        columns["toy_val12"][0] = columns["toy_val200"][1] = None
        self.path = write(tmp_path / "some.parquet", columns)

    def make(self):
        return open_table(self.path, "toy", (12, 200))

    def architectures(self):
        return [sample(nasbench201(), Random(seed)) for seed in range(self.looked_up)]


class TestCurvesContract(TableContract):
    @pytest.fixture(autouse=True)
    def files(self, tmp_path):
        codes = ["".join(map(str, answers)) for answers in itertools.product(range(5), repeat=6)]
        rows = Random(0).sample(codes, 8000)
        self.path = write(
            tmp_path / "curves.parquet",
            {
                "code": rows, "seconds": [40.0 + int(code) / 1e6 for code in rows], "epochs": [4] * len(rows),
                "test_acc": [10.0 + 10 * int(code[0]) for code in rows],
                "val_correct": [[int(code[0]) * n for n in (1000, 2000, 3000, 4000)] for code in rows],
            },
        )  # fmt: skip

    def make(self):
        return open_table(self.path, fidelities=(1, 4))


class TestNasBench201:
    def test_one_training(self, columns, tmp_path):
        table = open_table(write(tmp_path / "small.parquet", columns), "toy")
        assert isinstance(table, NasBench201Table)
        assert table.name == "small toy"
        assert table.space == nasbench201()
        assert table.budgets == (200,)
        (reading,) = table.curve(cell(STRONG))
        assert reading.budget == 200
        assert reading.metrics == {
            "val_accuracy": pytest.approx(0.89), "train_s": pytest.approx(200 * 1.5), "train_epochs": 200,
            "params_m": pytest.approx(0.6), "flops_m": 60, "latency_ms_phone": 10,
        }  # fmt: skip
        assert set(reading.metrics) == set(Tabular(table).metrics)
        assert table.truth(cell(STRONG)) == {"val_accuracy": pytest.approx(0.89), "test_accuracy": pytest.approx(0.88)}
        assert table.best == table.truth(cell(STRONG))

    def test_two_trainings_of_their_own(self, columns, tmp_path):
        table = open_table(write(tmp_path / "small.parquet", columns), "toy", (12, 200))
        first, second = table.curve(cell(WEAK))
        assert (first.budget, second.budget) == (12, 200)
        assert first.metrics["val_accuracy"] == pytest.approx(0.8 * 0.42)
        assert second.metrics["val_accuracy"] == pytest.approx(0.42)
        assert (first.metrics["train_epochs"], second.metrics["train_epochs"]) == (12, 212)
        assert (first.metrics["train_s"], second.metrics["train_s"]) == (12, 212)
        assert table.truth(cell(WEAK))["val_accuracy"] == pytest.approx(0.42)

    def test_a_short_training_is_judged_by_the_long_one(self, columns, tmp_path):
        table = open_table(write(tmp_path / "small.parquet", columns), "toy", (12,))
        assert table.budgets == (12,)
        assert table.truth(cell(STRONG))["val_accuracy"] == pytest.approx(0.89)

    @pytest.mark.parametrize("column", ["toy_val12", "toy_val200", "toy_sec_per_epoch"])
    @pytest.mark.parametrize("value", [None, math.nan, math.inf])
    def test_rows_with_a_hole_are_missing(self, columns, column, value, tmp_path):
        columns[column][0] = value
        table = open_table(write(tmp_path / "small.parquet", columns), "toy", (12, 200))
        with pytest.raises(MissingCell, match="no result for architecture"):
            table.curve(cell(STRONG))
        with pytest.raises(MissingCell):
            table.truth(cell(STRONG))
        assert len(table.curve(cell(WEAK))) == 2
        assert table.best["val_accuracy"] == pytest.approx(0.42)

    def test_holes_that_nobody_looks_at_do_not_matter(self, columns, tmp_path):
        columns["toy_val12"][0] = columns["params"][0] = columns["toy_test200"][0] = None
        table = open_table(write(tmp_path / "small.parquet", columns), "toy")
        (reading,) = table.curve(cell(STRONG))
        assert math.isnan(reading.metrics["params_m"])
        assert math.isnan(table.truth(cell(STRONG))["test_accuracy"])
        assert table.best == {"val_accuracy": pytest.approx(0.89), "test_accuracy": pytest.approx(0.41)}

    def test_no_test_accuracy(self, columns, tmp_path):
        del columns["toy_test200"]
        table = open_table(write(tmp_path / "small.parquet", columns), "toy")
        assert set(table.truth(cell(STRONG))) == {"val_accuracy"} == set(table.best)

    @pytest.mark.parametrize("column", ["toy_val12", "toy_sec_per_epoch"])
    def test_a_missing_column(self, columns, column, tmp_path):
        del columns[column]
        with pytest.raises(ConfigError, match=f"small.parquet has no column '{column}'; it has arch, "):
            open_table(write(tmp_path / "small.parquet", columns), "toy", (12, 200))

    def test_a_column_of_text(self, columns, tmp_path):
        columns["toy_val200"] = ["89.0", "n/a"]
        with pytest.raises(DataError, match="column 'toy_val200' of .* must hold numbers, but holds string"):
            open_table(write(tmp_path / "small.parquet", columns), "toy")

    def test_no_complete_row(self, columns, tmp_path):
        columns["toy_val200"] = [None, math.nan]
        with pytest.raises(ConfigError, match="has no complete row: one with a number in each of toy_sec_per_epoch"):
            open_table(write(tmp_path / "small.parquet", columns), "toy")

    def test_an_unknown_data_set(self, columns, tmp_path):
        with pytest.raises(ConfigError, match="unknown data set of the table 'tov'; did you mean 'toy'"):
            open_table(write(tmp_path / "small.parquet", columns), "tov")
        with pytest.raises(ConfigError, match="has no column DATASET_val200"):
            open_table(write(tmp_path / "small.parquet", {"arch": [STRONG]}))

    @pytest.mark.parametrize("fidelities", [(200, 12), (12, 12), (50,), (0, 200)])
    def test_other_fidelities(self, columns, fidelities, tmp_path):
        with pytest.raises(ConfigError, match="must be some of 12, 200, rising, but got"):
            open_table(write(tmp_path / "small.parquet", columns), "toy", fidelities)

    def test_every_cell_is_found(self, tmp_path):
        table = open_table(write(tmp_path / "all.parquet", results(cells())), "toy")
        rng = Random(0)
        for _ in range(300):
            table.curve(sample(table.space, rng))


class TestCurves:
    @pytest.fixture
    def columns(self):
        return {
            "code": ["222222", "000000"], "seconds": [40.0, 20.0], "epochs": [4, 4], "test_acc": [80.0, 10.0],
            "val_correct": [[10_000, 15_000, 18_000, 20_000], [2500] * 4],
        }  # fmt: skip

    @pytest.fixture
    def good(self):
        return replay(SixEdges(), dict.fromkeys(ADDRESSES, "conv_0"))

    def test_reads_at_epochs(self, columns, good, tmp_path):
        table = open_table(write(tmp_path / "curves.parquet", columns), fidelities=(1, 3))
        assert isinstance(table, CurveTable)
        assert table.name == "curves"
        assert table.budgets == (1, 3)
        assert [(m.budget, m.metrics["val_accuracy"], m.metrics["train_s"]) for m in table.curve(good)] == [
            (1, 0.4, 10), (3, 0.72, 30),
        ]  # fmt: skip
        assert table.truth(good) == table.best == {"val_accuracy": 0.8, "test_accuracy": 0.8}

    def test_the_end_by_default(self, columns, good, tmp_path):
        table = open_table(write(tmp_path / "curves.parquet", columns))
        assert table.budgets == (4,)
        assert table.curve(good)[0].metrics["train_epochs"] == 4

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("val_correct", None), ("val_correct", []), ("val_correct", [1, 2]), ("val_correct", [1, None, 3, 4]),
            ("seconds", None), ("test_acc", math.nan),
        ],
    )  # fmt: skip
    def test_rows_with_a_hole_are_missing(self, columns, column, value, good, tmp_path):
        columns[column][0] = value
        table = open_table(write(tmp_path / "curves.parquet", columns))
        with pytest.raises(MissingCell, match="conv_0 conv_0"):
            table.curve(good)
        assert table.best["val_accuracy"] == 0.1

    def test_a_missing_column(self, columns, tmp_path):
        del columns["seconds"]
        with pytest.raises(ConfigError, match=r"has no column 'seconds'; it has code, epochs"):
            open_table(write(tmp_path / "curves.parquet", columns))

    @pytest.mark.parametrize("epochs", [(1, 5), (0, 4), (3, 1)])
    def test_epochs_that_no_curve_has(self, columns, epochs, tmp_path):
        with pytest.raises(ConfigError, match=r"must be rising and in \[1, 4\], but got"):
            open_table(write(tmp_path / "curves.parquet", columns), fidelities=epochs)

    def test_a_data_set_is_not_asked_for(self, columns, tmp_path):
        with pytest.raises(ConfigError, match="has one data set"):
            open_table(write(tmp_path / "curves.parquet", columns), "cifar10")

    def test_the_space_tells_cells_apart(self):
        assert count(SixEdges()) == 15_625
        rng = Random(0)
        keys = {sample(SixEdges(), rng).key for _ in range(50)}
        assert len(keys) > 40
        kinds = [replay(SixEdges(), dict.fromkeys(ADDRESSES, op)).key for op in SixEdges.OPS]
        assert len(set(kinds)) == 5


def test_what_is_no_table(tmp_path):
    with pytest.raises(DataError, match=r"nowhere.parquet cannot be read as Parquet: no such file"):
        open_table(tmp_path / "nowhere.parquet")
    (tmp_path / "text.parquet").write_text("hello, this is text")
    with pytest.raises(DataError, match="text.parquet cannot be read as Parquet: .*magic bytes"):
        open_table(tmp_path / "text.parquet")
    with pytest.raises(ConfigError, match=r"no table that raynas knows \(its columns: a, b\)"):
        open_table(write(tmp_path / "other.parquet", pa.table({"a": [1], "b": [2]})))


@REAL
class TestReal:
    """Facts of the files (see their README)."""

    @pytest.mark.parametrize(
        ("dataset", "val", "test"), [("cifar10", 91.6067, 94.3733), ("cifar100", 73.4933, 73.5133)]
    )
    def test_nasbench201(self, dataset, val, test):
        table = open_table(DATA / "nasbench201.parquet", dataset, (12, 200))
        assert 100 * table.best["val_accuracy"] == pytest.approx(val, abs=1e-3)
        assert 100 * table.best["test_accuracy"] == pytest.approx(test, abs=1e-3)

    def test_the_first_row(self):
        text = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
        (reading,) = open_table(DATA / "nasbench201.parquet").curve(cell(text))
        assert reading.metrics["params_m"] == pytest.approx(0.129306)
        assert reading.metrics["flops_m"] == pytest.approx(15.64737)
        assert reading.metrics["train_s"] == pytest.approx(200 * 7.2211, abs=0.1)

    def test_cells_without_a_path_stay_at_chance(self):
        table = open_table(DATA / "spikenas_curves.parquet", fidelities=(5, 100))
        chance = [
            a for a in enumerate_space(table.space) if table.truth(a)["test_accuracy"] == pytest.approx(0.1, abs=1e-6)
        ]
        assert len(chance) == 341
        dead = replay(table.space, dict.fromkeys(ADDRESSES, "none"))
        assert dead in chance
        assert {a.key for a in chance} == {dead.key}

    def test_same_seed_same_trace(self):
        table = open_table(DATA / "nasbench201.parquet", "cifar100", (12, 200))
        run = [
            list(simulate(Loop(table.space, RandomSearch(), [Objective()], 7), Tabular(table), trainings=20))
            for _ in range(2)
        ]
        assert run[0] == run[1]
