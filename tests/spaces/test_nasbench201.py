"""NAS-Bench-201 against its own table."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import pytest
from space_contract import SpaceContract

import raynas
from raynas.cost import cost
from raynas.errors import ArchitectureError
from raynas.nn import build
from raynas.plan import Task
from raynas.spaces.decide import enumerate_space, replay
from raynas.spaces.nasbench201 import from_string, to_string

TABLE = Path(__file__).parents[3] / "shared" / "data" / "nasbench201.parquet"
CIFAR = Task((3, 32, 32), 10)
FIRST = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
SPACE = raynas.spaces.nasbench201()


class TestNasBench201(SpaceContract):
    code = "nasbench201()"

    def make(self):
        return raynas.spaces.nasbench201()

    def small(self):
        return raynas.spaces.nasbench201(width=4, repeats=1)


def test_a_published_cell_has_its_published_cost():
    found = cost(replay(SPACE, from_string(FIRST)).graph, CIFAR)
    assert found.params == 129_306
    assert found.flops == 15_647_370


def test_the_15625_cells_are_5260_networks():
    assert len({a.key for a in enumerate_space(SPACE)}) == 5_260


@pytest.fixture(scope="module")
def table():
    if not TABLE.is_file():
        pytest.skip("../shared/data/nasbench201.parquet is not there")
    return pq.read_table(TABLE, columns=["arch", "params", "mflops"]).to_pylist()


def compare(rows):
    for row in rows:
        architecture = replay(SPACE, from_string(row["arch"]))
        assert to_string(architecture.answers) == row["arch"]
        found = cost(architecture.graph, CIFAR)
        assert found.params == row["params"], row["arch"]
        assert abs(found.flops / 1e6 - row["mflops"]) < 1e-4, row["arch"]


def test_parameters_and_flops_equal_the_tables(table):
    assert len(table) == 15_625
    compare(Random(0).sample(table, 1_500))


@pytest.mark.long
def test_parameters_and_flops_equal_the_tables_for_all_cells(table):
    compare(table)


def test_built_networks_have_exactly_those_parameters(table):
    for row in Random(1).sample(table, 12):
        network = build(replay(SPACE, from_string(row["arch"])).graph, CIFAR)
        assert sum(p.numel() for p in network.parameters()) == row["params"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("|nor_conv_7x7~0|+" + FIRST.split("+", 1)[1], "nor_conv_7x7"),
        ("|none~0|", "a cell reads"),
        (FIRST + "+|none~0|none~1|none~2|none~3|", "a cell reads"),
        (FIRST.replace("skip_connect~1", "skip_connect~0"), "a cell reads"),
        ("", "a cell reads"),
    ],
)
def test_strings_that_are_no_cell(text, says):
    with pytest.raises(ArchitectureError, match=says):
        from_string(text)
