"""The order of the house: imports only point down, `ray` lives in one folder, errors are not asserts."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "raynas"

LAYERS = [
    {"errors", "seeds", "files"},
    {"machine", "settings"},
    {"layers"},
    {"ops"},
    {"canonical"},
    {"graph"},
    {"plan"},
    {"memory"},
    {"cost"},
    {"records"},
    {"objectives"},
    {"spaces"},
    {"strategies", "nn", "data", "schedulers", "ledger"},  # siblings
    {"estimators"},
    {"outcome", "watchdog", "crashes"},
    {"loop", "checkpoints", "mirror"},
    {"simulate", "display"},
    {"report"},
    {"run"},
    {"catalog"},
    {"recipe"},
    {"bench"},
    {"tune"},
    {"search_checks"},
    {"search"},
    {"cli", "testing"},
]
"""From the bottom up. A module may import from lower layers and from its own unit, never from a sibling."""

LAZY = {
    ("recipe", "search"),
    ("display", "search"),
    ("search_checks", "search"),
    ("objectives", "records"),
    ("records", "objectives"),
}
"""Exceptions: types only (TYPE_CHECKING), or a recipe's own check of what it returned."""

RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
FILES = sorted(ROOT.rglob("*.py"))


def unit(path):
    """`raynas/spaces/cell.py` -> `spaces`."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path):
    """All modules that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno
            if node.module == "raynas":
                yield from ((f"raynas.{alias.name}", node.lineno) for alias in node.names)


def test_every_module_has_a_layer():
    assert {unit(path) for path in FILES} - {"__init__"} == set(RANK)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path):
    here = unit(path)
    if here == "__init__":
        return
    for module, line in imports(path):
        parts = module.split(".")
        if parts[0] == "raynas" and len(parts) > 1 and parts[1] != here and (here, parts[1]) not in LAZY:
            assert RANK[parts[1]] < RANK[here], f"{path.name}:{line} imports {module}, which is not below it"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_ray_lives_in_one_folder(path):
    if unit(path) == "tune":
        return
    doctor = path.name == "doctor.py"  # it says whether Ray is installed and a cluster answers
    assert doctor or not any(module.split(".")[0] == "ray" for module, _ in imports(path))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_that_hides_errors_or_runs_text(path):
    for node in ast.walk(ast.parse(path.read_text())):
        suite = unit(path) == "testing"  # tests to inherit: they assert, and see whether parts can be pickled
        assert suite or not isinstance(node, ast.Assert), f"{path.name}:{node.lineno} asserts"
        assert not (isinstance(node, ast.ExceptHandler) and node.type is None), f"{path.name}:{node.lineno} bare except"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("eval", "exec"), f"{path.name}:{node.lineno} {node.func.id}"
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [getattr(node, "module", None) or "", *(a.name for a in node.names)]
            reader = path == ROOT / "data" / "batches.py"  # CIFAR is published so; its reader calls nothing
            forbidden = {"cloudpickle", "dill", "joblib", "yaml"} | (set() if suite or reader else {"pickle"})
            assert not forbidden & set(names), f"{path.name}:{node.lineno}"


def test_files_stay_small():
    assert {str(p.relative_to(ROOT)): n for p in FILES if (n := len(p.read_text().splitlines())) > 400} == {}
    assert not [p for p in FILES if p.stem in ("utils", "common", "helpers", "misc")]
