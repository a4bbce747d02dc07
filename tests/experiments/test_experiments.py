"""The recipes construct and pass their checks, the scripts explain themselves, and raynas needs none of them."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from raynas.bench import TableSource
from raynas.estimators.tabular import MissingCell
from raynas.recipe import load_recipe
from raynas.spaces.decide import enumerate_space

ROOT = Path(__file__).parents[2]
EXPERIMENTS = ROOT / "experiments"
FASHION = ROOT.parent / "shared" / "data" / "fashion-mnist"
TABLE = ROOT.parent / "shared" / "data" / "nasbench201.parquet"
SCRIPTS = [
    "bench_overhead",
    "bench_startup",
    "bench_strategies",
    "bench_training",
    "digits_table",
    "nasbench201_table",
]
RECIPES = ["digits:demo", "digits:full", "fashion_mnist:small", "fashion_mnist:full"]


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipes_pass_their_checks(recipe, tmp_path, monkeypatch):
    if recipe.startswith("fashion") and not FASHION.is_dir():
        pytest.skip("no Fashion-MNIST beside the checkout")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAYNAS_DATA", str(FASHION))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")  # a recipe for GPUs is checked as on a machine that has one
    file, _, function = recipe.partition(":")
    search = load_recipe(f"{EXPERIMENTS / file}.py:{function}")
    search.check()
    assert search.strategy.population < search.trials


def test_fashion_mnist_is_looked_for_in_data(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAYNAS_DATA", raising=False)
    search = load_recipe(f"{EXPERIMENTS / 'fashion_mnist.py'}:small")
    assert search.estimator.data.root == str(tmp_path / "data")


@pytest.fixture
def main_of(monkeypatch):
    """The `main` of a script, imported as when Python runs it: its folder comes first."""
    monkeypatch.syspath_prepend(EXPERIMENTS)
    yield lambda name: __import__(name).main
    for name in (*SCRIPTS, "contenders", "measuring"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_explain_themselves(script, main_of, capsys):
    with pytest.raises(SystemExit) as end:
        main_of(script)(["--help"])
    assert end.value.code == 0
    assert f"python experiments/{script}.py" in capsys.readouterr().out


@pytest.mark.skipif(not TABLE.is_file(), reason="no table beside the checkout")
def test_the_published_table_is_near(main_of, capsys):
    main_of("nasbench201_table")(["--strategies", "random,evolution", "--seeds", "12", "--processes", "1"])
    told = capsys.readouterr().out
    lines = {name: figures.split() for name, figures in re.findall(r"^(\S.*?)   +(\S.*±.*)$", told, re.MULTILINE)}
    less = [float(lines[name][place]) for name in ("random", "evolution, repeats") for place in (-8, -1)]
    assert all(abs(value) < 0.5 for value in less)  # 0.3 over 500 searches
    assert "cifar100: validation accuracy after 200 epochs of the best of n cells, in %, 12 searches" in " ".join(
        told.split()
    )


@pytest.mark.parametrize("path", sorted(EXPERIMENTS.glob("*.py")), ids=lambda p: p.name)
def test_the_readme_names_every_file(path):
    assert path.name in (EXPERIMENTS / "README.md").read_text()


def test_raynas_needs_no_experiment():
    names = {"experiments", *(path.stem for path in EXPERIMENTS.glob("*.py"))}
    for path in (ROOT / "raynas").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules = [node.module]
            assert not {module.partition(".")[0] for module in modules} & names, path


def test_a_table_of_ones_own_is_benched(tmp_path, monkeypatch):
    """Two of its networks, really trained, as `raynas bench` opens them."""
    monkeypatch.syspath_prepend(EXPERIMENTS)
    import digits_table
    import pyarrow as pa
    import pyarrow.parquet as pq

    networks = list(enumerate_space(digits_table.narrow))
    rows = [digits_table.row_of(dict(network.answers)) for network in networks[:2]]
    assert all(0 <= row[f"val{epochs}"] <= 1 for row in rows for epochs in (1, 8))
    monkeypatch.setenv("DIGITS_TABLE", str(tmp_path / "table.parquet"))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "table.parquet")
    table = TableSource(f"{EXPERIMENTS}/digits_table.py:table").open()
    assert [reading.budget for reading in table.curve(networks[1])] == [1, 8]
    assert table.truth(networks[1]) == {"val_accuracy": rows[1]["val8"]}
    with pytest.raises(MissingCell):
        table.curve(networks[2])
    sys.modules.pop("digits_table")
