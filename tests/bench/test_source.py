"""Tables of a person's own: how they are found, and what is refused before anything runs."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
from table_files import cells, results, write
from toys import FILE, Toy

from raynas.bench import TableSource, check_table
from raynas.errors import ConfigError, DataError
from raynas.estimators.tables import NasBench201Table
from raynas.records import Measurement

sys.path.insert(0, str(Path(__file__).parent))


def wrote(tmp_path, text):
    (tmp_path / "mine.py").write_text(text)
    return f"{tmp_path / 'mine.py'}"


class TestSource:
    def test_a_parquet_file(self, tmp_path):
        path = write(tmp_path / "small.parquet", results(cells()[:50]))
        table = TableSource(str(path), "toy", (12, 200)).open()
        assert isinstance(table, NasBench201Table)
        assert table.budgets == (12, 200)

    def test_a_function(self, tmp_path):
        path = wrote(tmp_path, FILE)
        for text in (path, f"{path}:table"):
            assert TableSource(text).open() == Toy((1.0, 4.0), "toy one")
        assert TableSource(path, "two", (4,)).open() == Toy((4.0,), "toy two")

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            (
                "def table(dataset): return 3",
                r"must return a table \(an object with name, space, budgets, curve, truth\), but",
            ),
            ("def table(dataset): return 1 / 0", "fails: ZeroDivisionError: division by zero"),
            ("def tabel(): ...\ndef other(): ...", "has 2 public functions: say which"),
            ("import nothing_like_this", "fails to import: ModuleNotFoundError"),
            ("def table(fidelities): ...", "takes no dataset, but got 'two'"),
        ],
    )
    def test_functions_that_do_not_work(self, tmp_path, text, says):
        with pytest.raises(ConfigError, match=says):
            TableSource(wrote(tmp_path, text), "two").open()

    def test_nothing_there(self, tmp_path):
        with pytest.raises(ConfigError, match="table nowhere.py does not exist"):
            TableSource("nowhere.py").open()
        with pytest.raises(DataError, match=r"nowhere.parquet cannot be read as Parquet: no such file"):
            TableSource("nowhere.parquet").open()
        with pytest.raises(ConfigError, match="unknown function of table"):
            TableSource(wrote(tmp_path, FILE) + ":tabel").open()


class Broken(Toy):
    """Says something else at one place."""

    def __init__(self, says=None, curve=None, truth=None, **settings):
        super().__init__(**settings)
        self.__dict__.update(says=says, told=curve, worth=truth)

    def curve(self, architecture):
        if isinstance(self.told, Exception):
            raise self.told
        return super().curve(architecture) if self.told is None else self.told

    def truth(self, architecture):
        return super().truth(architecture) if self.worth is None else self.worth


def reading(budget=4.0, **metrics):
    return [Measurement(budget, {"val_accuracy": 0.5, **metrics})]


class TestCheck:
    def test_costs_are_measured(self):
        coverage = check_table(Toy((1.0, 4.0)))
        assert coverage.known == 1
        assert coverage.seconds == pytest.approx((10, 30))
        assert coverage.epochs == pytest.approx((1, 3))

    def test_costs_default_to_the_budget(self):
        coverage = check_table(Broken(curve=reading()))
        assert (coverage.seconds, coverage.epochs) == ((4,), (4,))

    def test_what_is_missing_is_counted(self):
        assert check_table(Toy(known=0.25)).known == pytest.approx(0.75, abs=0.1)

    @pytest.mark.parametrize(
        ("broken", "says"),
        [
            ({"budgets": (4.0, 1.0)}, "budgets of table 'toy' must be rising"),
            ({"known": 2.0}, "has a result for none of 200 random architectures of space 'nasbench201'"),
            ({"curve": reading(val_accuracy=math.nan)}, "has a result for none of 200"),
            ({"curve": []}, r"must have a reading at each of \(4.0,\), but has \(\)"),
            ({"curve": reading(3.0)}, r"must have a reading at each of \(4.0,\), but has \(3.0,\)"),
            ({"curve": reading(val_accuracy=51.0)}, r"val_accuracy must be in \[0, 1\], but the curve of .* says 51.0"),
            ({"truth": {"val_accuracy": -0.1}}, "but the truth of .* says -0.1"),
            ({"truth": {"val_accuracy": math.nan}}, "but the truth of .* says nan"),
            ({"truth": {}}, "but the truth of .* says None"),
            ({"curve": reading(train_s=-1)}, "train_s of the curve .* must be at least 0 and not fall"),
            ({"curve": reading(train_s=math.nan)}, "train_s of the curve"),
            ({"curve": reading(train_epochs=0)}, "train_epochs of the curve .* must be above 0"),
            ({"curve": ZeroDivisionError("division by zero")}, "table 'toy' fails: ZeroDivisionError: division"),
        ],
    )
    def test_refused(self, broken, says):
        with pytest.raises(ConfigError, match=says):
            check_table(Broken(**broken))

    def test_a_space_that_fails(self):
        class Odd(Toy):
            def space(self, choose):
                return choose()

        with pytest.raises(ConfigError, match="table 'toy' fails: TypeError: "):
            check_table(Odd())

    def test_metrics_that_are_asked_for(self):
        with pytest.raises(ConfigError, match="has no params_m; it has val_accuracy, train_s, train_epochs"):
            check_table(Toy(), ("params_m",))
