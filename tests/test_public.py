"""The public face: what `import raynas` gives, what it costs, and that every default works."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
from fakes import Fake

import raynas
from raynas import catalog
from raynas.loop import Loop
from raynas.objectives import Objective
from raynas.records import Estimator, Scheduler, Space, Strategy


def test_all_names_resolve():
    assert sorted(raynas.__all__) == dir(raynas)
    for name in raynas.__all__:
        assert getattr(raynas, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Serach'"):
        raynas.Serach  # noqa: B018


def test_no_module_hides_a_name():
    """Python puts an imported submodule where the name of the same spelling was."""
    modules = {path.stem for path in Path(raynas.__file__).parent.glob("*.py")}
    assert not modules & {name for name in raynas.__all__ if name not in ("data", "spaces", "tune")}


def test_the_face_is_frozen():
    assert raynas.__all__ == [
        "Architecture", "Asha", "Auto", "Bananas", "Choose", "Constraint", "Context", "Controller", "External",
        "FileSearch", "Finals", "Genetic", "Graph", "GraphBuilder", "Grid", "LargeScaleEvolution", "LocalSearch",
        "Measurement", "Nsga2", "Objective", "OptunaSearch", "Ppo", "Proposal", "RandomSearch", "RegularizedEvolution",
        "Reinforce", "RidgeSearch", "Run", "Search", "Train", "Trial", "data", "model", "spaces", "tune",
    ]  # fmt: skip


@pytest.mark.parametrize("code", ["import raynas", "import raynas; raynas.Search().check()", "import raynas.cli.main"])
def test_nothing_heavy_is_loaded(code, tmp_path):
    check = f"{code}; import sys; print([m for m in ('torch', 'ray', 'sklearn', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", catalog.SPACES)
@pytest.mark.parametrize("strategy", catalog.STRATEGIES)
def test_default_parts_fit_together(name, strategy, tmp_path):
    space = catalog.SPACES[name]()
    made = catalog.STRATEGIES[strategy]()
    if strategy == "file":
        made = raynas.FileSearch(str(tmp_path / "listed.jsonl"))
        lines = [json.dumps(raynas.spaces.sample(space, seed).to_json()) for seed in range(8)]
        Path(made.path).write_text("\n".join(lines))
    loop = Loop(space, made, [Objective()], 0, trials=4)
    while trial := loop.next():
        loop.end(trial.id, "not run")
    assert len(loop.trials) == 4


def test_parts_keep_their_contracts():
    assert all(isinstance(make(), Space) for make in catalog.SPACES.values())
    assert all(isinstance(make(), Strategy) for make in catalog.STRATEGIES.values())
    assert all(isinstance(make(), Estimator) for make in catalog.ESTIMATORS.values())
    assert isinstance(catalog.SCHEDULERS["asha"](), Scheduler)
    assert isinstance(Fake(), Estimator)


def test_settings_survive_json():
    search = raynas.Search(constraints=(raynas.Constraint("params_m", "<=", 1.0),), hours=2.5)
    for field in dataclasses.fields(search):
        value = getattr(search, field.name)
        assert catalog.from_json(catalog.to_json(value)) == value


def test_early_stopping_fits_the_epochs_unless_it_is_chosen():
    assert raynas.Search().scheduler == raynas.Asha((1, 3, 9))
    assert raynas.Search(estimator=raynas.Train(epochs=2)).scheduler == raynas.Asha((2,))
    assert raynas.Search(estimator=raynas.Train(epochs=27)).scheduler == raynas.Asha((1, 3, 9, 27))
    chosen = raynas.Asha((1, 3, 9))
    assert raynas.Search(estimator=raynas.Train(epochs=27), scheduler=chosen).scheduler is chosen
    assert raynas.Search(scheduler=None).scheduler is None
