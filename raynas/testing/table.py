"""What every table of results must do. Inherit, and say how to open one.

class TestMine(TableContract):
    def make(self):
        return MyTable("results.csv")
"""

from __future__ import annotations

import math
from random import Random

import pytest

from raynas.errors import ConfigError
from raynas.estimators.tabular import METRICS, MissingCell, Table, Tabular
from raynas.records import Architecture
from raynas.spaces.decide import sample
from raynas.spaces.function import as_space
from raynas.testing.settings import untouched_randomness


def share(value: object) -> bool:
    """An accuracy in [0, 1], or NaN: none is known."""
    return isinstance(value, float | int) and (math.isnan(value) or 0 <= value <= 1)


class TableContract:
    """The suite; its methods are the promises."""

    looked_up = 300
    """So many random architectures are looked up."""

    def make(self) -> Table:
        """The table under test."""
        raise NotImplementedError

    def architectures(self) -> list[Architecture]:
        """Those that are looked up, some of them known to the table."""
        space, rng = as_space(self.make().space), Random(0)
        return [sample(space, rng) for _ in range(self.looked_up)]

    @pytest.fixture
    def table(self) -> Table:
        """A table, opened."""
        table = self.make()
        assert isinstance(table, Table)
        return table

    @pytest.fixture
    def known(self, table: Table) -> list[Architecture]:
        """Architectures that have an entry."""
        found = []
        for architecture in self.architectures():
            try:
                table.curve(architecture)
            except MissingCell:
                continue
            found.append(architecture)
        assert found, "no architecture that was looked up has an entry: say some in architectures()"
        return found

    def test_has_a_name_a_space_and_budgets(self, table: Table) -> None:
        assert isinstance(table.name, str)
        assert table.name
        assert as_space(table.space).name
        try:
            Tabular(table).check()
        except ConfigError as error:
            pytest.fail(str(error))

    def test_tells_its_metrics(self, table: Table) -> None:
        named = Tabular(table).metrics
        assert set(METRICS) <= set(named)
        assert len(set(named)) == len(named)

    def test_a_curve_has_a_reading_at_each_budget(self, table: Table, known: list[Architecture]) -> None:
        for architecture in known:
            assert tuple(reading.budget for reading in table.curve(architecture)) == tuple(table.budgets)

    def test_every_reading_holds_the_named_metrics_as_numbers(self, table: Table, known: list[Architecture]) -> None:
        """NaN is a number here: such a training fails."""
        named = Tabular(table).metrics
        for architecture in known:
            for _, metrics in table.curve(architecture):
                assert {name for name in named if not isinstance(metrics.get(name), float | int)} == set()
                assert share(metrics["val_accuracy"]), metrics

    def test_costs_add_up(self, table: Table, known: list[Architecture]) -> None:
        """What was spent up to a reading rises; epochs are at least those of the reading."""
        for architecture in known:
            curve = table.curve(architecture)
            for cost in ("train_s", "train_epochs"):
                spent = [reading.metrics[cost] for reading in curve]
                assert all(a <= b for a, b in zip((0.0, *spent), spent, strict=False)), (cost, spent)
            assert all(reading.metrics["train_epochs"] >= reading.budget for reading in curve)

    def test_the_truth_is_an_accuracy(self, table: Table, known: list[Architecture]) -> None:
        for architecture in known:
            truth = table.truth(architecture)
            assert "val_accuracy" in truth
            assert all(share(truth[name]) for name in ("val_accuracy", "test_accuracy") if name in truth), truth

    def test_best_is_the_highest_truth(self, table: Table, known: list[Architecture]) -> None:
        best = getattr(table, "best", {})
        if not best:
            pytest.skip("the table does not say what is best in it")
        assert "val_accuracy" in best
        for architecture in known:
            truth = table.truth(architecture)
            assert all(truth[name] <= best[name] for name in best if not math.isnan(truth[name])), truth

    def test_one_entry_is_one_answer(self, table: Table, known: list[Architecture]) -> None:
        """Asked again, in another order, and by a table that was opened anew."""
        first = [(table.curve(a), table.truth(a)) for a in known]
        again = self.make()
        other = [(again.curve(a), again.truth(a)) for a in reversed(known)]
        assert repr([*reversed(other)]) == repr(first)
        assert repr([(table.curve(a), table.truth(a)) for a in known]) == repr(first)

    def test_what_has_no_entry_is_missing(self, table: Table) -> None:
        """Neither half there, nor an error of another kind."""
        for architecture in self.architectures():
            try:
                table.curve(architecture)
            except MissingCell:
                with pytest.raises(MissingCell):
                    table.truth(architecture)
            else:
                table.truth(architecture)

    def test_no_global_random_state_is_touched(self, known: list[Architecture]) -> None:
        with untouched_randomness():
            table = self.make()
            for architecture in known[:20]:
                table.curve(architecture)
                table.truth(architecture)
