"""The space of NAS-Bench-201 against the benchmark's own table."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import pytest

from raynas import spaces
from raynas.cost import cost
from raynas.errors import ArchitectureError, ConfigError
from raynas.nn import build
from raynas.plan import Task
from raynas.spaces.decide import replay
from raynas.spaces.nasbench201 import OPS, from_string, to_string
from raynas.testing.space import SpaceContract

TABLE = Path(__file__).parents[3] / "shared" / "data" / "nasbench201.parquet"
CIFAR10 = Task((3, 32, 32), 10)
ROW_0 = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"

table = pytest.mark.skipif(not TABLE.is_file(), reason=f"the benchmark's table is not at {TABLE}")


class TestNasBench201(SpaceContract):
    def make(self):
        return spaces.nasbench201(width=4, repeats=1)

    def small(self):
        return self.make()


def graph_of(string):
    return replay(spaces.nasbench201(), from_string(string)).graph


def rows(number=None):
    """(string, parameters, millions of multiply-adds) of all cells or of a sample."""
    read = pq.read_table(TABLE, columns=["arch", "params", "mflops"]).to_pydict()
    everything = list(zip(read["arch"], read["params"], read["mflops"], strict=True))
    return Random(0).sample(everything, number) if number else everything


def test_the_first_row_of_the_table():
    """Its facts, known without the file."""
    found = cost(graph_of(ROW_0), CIFAR10)
    assert (found.params, found.flops) == (129_306, 15_647_370)


def agrees(found, params, mflops):
    return found.params == params and found.flops / 1e6 == pytest.approx(mflops, rel=1e-6)


@table
def test_parameters_and_flops_equal_the_table():
    """All 15,625 rows, each against a cell with the same ops, which cost the same wherever they are."""
    known = {}
    for string, params, mflops in rows():
        ops = tuple(sorted(from_string(string).values()))
        if ops not in known:
            known[ops] = cost(graph_of(string), CIFAR10)
        assert agrees(known[ops], params, mflops), string
    for string, params, mflops in rows(100):
        assert agrees(cost(graph_of(string), CIFAR10), params, mflops), string


@table
@pytest.mark.long
def test_parameters_and_flops_equal_the_table_cell_by_cell():
    for string, params, mflops in rows():
        assert agrees(cost(graph_of(string), CIFAR10), params, mflops), string


@table
def test_built_networks_have_the_parameters_of_the_table():
    for string, params, _ in rows(6):
        network = build(graph_of(string), CIFAR10)
        assert sum(p.numel() for p in network.parameters()) == params


@table
def test_the_table_holds_exactly_this_space():
    strings = {string for string, _, _ in rows()}
    assert len(strings) == 15_625
    assert {to_string(a.answers) for a in spaces.enumerate_space(spaces.nasbench201())} == strings


class TestStrings:
    def test_round_trip(self):
        assert to_string(from_string(ROW_0)) == ROW_0
        assert from_string(ROW_0)["edge0to1"] == "avg_pool_3x3"
        assert from_string(ROW_0)["edge1to2"] == "skip_connect"

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("", "question 'cell': a cell reads .*, but got ''"),
            (ROW_0[:-1], "question 'cell': a cell reads "),
            (ROW_0 + "|none~3|", "question 'cell': a cell reads "),
            (ROW_0.replace("~1", "~0", 1), "question 'cell': a cell reads "),
            (
                ROW_0.replace("avg_pool_3x3", "max_pool_3x3"),
                "question 'edge0to1': the op must be one of .*'max_pool_3x3'",
            ),
        ],
    )
    def test_what_is_no_cell_is_refused(self, text, told):
        with pytest.raises(ArchitectureError, match=told):
            from_string(text)


def test_ops_are_in_the_order_of_the_benchmark():
    assert OPS == ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")


@pytest.mark.parametrize("field", ["width", "repeats"])
def test_wrong_settings_are_named(field):
    with pytest.raises(ConfigError, match=f"{field} must be a whole number of at least 1, but got 0"):
        spaces.nasbench201(**{field: 0})
