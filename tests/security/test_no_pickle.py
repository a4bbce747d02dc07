"""Nothing that a run holds is unpickled or run as code: by an audit of a process that reads one, and by the source."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import raynas
from raynas.checkpoints import Keeper
from raynas.errors import RaynasError
from raynas.estimators import Train
from raynas.ledger import Ledger
from raynas.loop import Loop
from raynas.run import Run
from raynas.seeds import seed_for

ROOT = Path(raynas.__file__).parent


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """A finished run of three networks for digits, made without Ray."""
    from driver import Driver

    folder = tmp_path_factory.mktemp("runs") / "first"
    folder.mkdir()
    search = raynas.Search(
        raynas.spaces.mlp(max_layers=2, widths=(8, 16)),
        raynas.RandomSearch(),
        Train(epochs=1),
        trials=3,
        storage=str(folder.parent),
        name=folder.name,
    )
    told = {"raynas": "0", "versions": {}, "names": {"space": "mlp"}, "search": search.to_json()}
    (folder / "search.json").write_text(json.dumps(told))
    ledger = Ledger.write(folder)
    checkpoints = folder / "checkpoints"
    shared = search.estimator.load()
    loop = Loop(
        search.space, search.strategy, search.objectives, search.seed, trials=search.trials, ledger=ledger,
        task=search.estimator.task(shared), listeners=[Keeper(checkpoints, ())],
    )  # fmt: skip
    Driver(loop, search.estimator, folder=str(checkpoints)).run()
    ledger.append("closed", body={"state": "finished"})
    ledger.close()
    run = Run(folder)
    best = run.best()
    metrics = search.estimator.deliver(best.architecture, str(checkpoints / f"{best.trial:05d}"), str(folder / "best"))
    (folder / "best" / "result.json").write_text(json.dumps({"trial": best.trial, "metrics": metrics}))
    assert seed_for(0, "trial", 1) != seed_for(0, "trial", 2)
    return folder


# Imports are done when the audit begins; what is imported later is compiled, but not from the run.
PROGRAM = """
import json, sys
from pathlib import Path
import pandas, pyarrow.parquet, torch, raynas, raynas.nn.checkpoint, raynas.cli.show, raynas.cli.build
import raynas.estimators.winner
import raynas.report.tables

events, importing = [], [0]
FORBIDDEN = {"pickle.find_class", "marshal.loads", "code.__new__", "subprocess.Popen", "os.system", "os.exec",
             "os.posix_spawn", "socket.connect", "socket.bind"}

def inside_import():
    frame = sys._getframe()
    while frame:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False

def hook(name, arguments):
    if (name in FORBIDDEN or name in ("exec", "compile")) and not inside_import():
        frame, where = sys._getframe(), []
        while frame:
            where.append(f"{frame.f_code.co_filename}:{frame.f_lineno}")
            frame = frame.f_back
        events.append([name, repr(arguments)[:200], where[1:4]])

folder = Path(sys.argv[1])
run = raynas.Run(folder)  # once without the audit: lazy imports
sys.addaudithook(hook)
if len(sys.argv) > 2:
    exec(sys.argv[2])
run = raynas.Run(folder)
summary = run.summary()
raynas.cli.show.show_run(run, top=5, front_only=False)
answer = run.best().model()(torch.zeros(1, 1, 8, 8))
state = raynas.nn.checkpoint.read(next(folder.glob("checkpoints/*/state.safetensors")))
run.to_parquet()
rows = pyarrow.parquet.read_table(folder / "trials.parquet").num_rows
raynas.cli.build.remake_search(folder).check()
print("\\n" + json.dumps([events, summary["trials"]["finished"], rows, list(answer.shape), len(state)]))
"""


def audited(*arguments: str) -> list:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_reading_a_run_unpickles_and_runs_nothing(run_folder):
    events, finished, rows, shape, _ = audited(str(run_folder))
    assert events == []
    assert (finished, rows, shape) == (3, 3, [1, 10])


def test_the_audit_hears_what_it_listens_for(run_folder):
    program = "import pickle, collections; pickle.loads(pickle.dumps(collections.OrderedDict))"
    events, *_ = audited(str(run_folder), program)
    assert {name for name, *_ in events} >= {"pickle.find_class", "exec"}


def test_a_run_holds_no_pickle(run_folder):
    known = {".json", ".sqlite", ".lock", ".count", ".parquet", ".safetensors"}
    files = [p for p in run_folder.rglob("*") if p.is_file()]
    assert {p.suffix for p in files} <= known
    assert len(files) >= 8
    for path in files:
        assert not path.read_bytes().startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK"))


LOADERS = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "yaml"}

EXCEPTIONS = {
    "data/batches.py": "CIFAR is published as pickles; its reader knows arrays alone and calls nothing",
    "testing/": "suites that check that parts survive Ray's transport",
    "estimators/nats.py": "nats_bench, by the authors of the files, unpickles them: see its documentation",
    "tune/": "Ray's own transport between its processes",
}


def calls(tree: ast.AST) -> list[tuple[str, ast.Call]]:
    """The calls in a file by the names that are written: "torch.load", "eval"."""
    return [(ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def faults(source: str) -> list[str]:
    """What no file may do, as far as its source tells."""
    tree, found = ast.parse(source), []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in LOADERS]
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in LOADERS:
            found.append(str(node.module))
    for name, call in calls(tree):
        given = {k.arg: ast.unparse(k.value) for k in call.keywords}
        if name in ("eval", "exec", "compile", "__import__", "builtins.eval", "builtins.exec"):
            found.append(name)
        if name.endswith(("torch.load", "load_state_dict_from_url")) and given.get("weights_only") != "True":
            found.append(name)
        if name in ("np.load", "numpy.load") and given.get("allow_pickle", "False") != "False":
            found.append(name)
        if name.endswith((".extractall", ".unpack_archive", "Tuner.restore", ".read_pickle")):
            found.append(name)
        if name.startswith("subprocess.") and given.get("shell", "False") != "False":
            found.append(name)
    return found


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_file_loads_code(path):
    if not any(path.relative_to(ROOT).as_posix().startswith(exception) for exception in EXCEPTIONS):
        assert faults(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from cloudpickle import loads",
        "import yaml",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "eval(text)",
        "np.load(path, allow_pickle=True)",
        "tarfile.open(path).extractall(target)",
        "subprocess.run(text, shell=True)",
    ],
)
def test_the_scan_finds_what_it_looks_for(source):
    assert len(faults(source)) == 1


def test_the_one_unpickler_has_a_list_of_what_it_knows():
    tree = ast.parse((ROOT / "data" / "batches.py").read_text())
    assert [name for name, _ in calls(tree) if name.startswith("pickle.")] == []
    readers = [
        n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and "pickle.Unpickler" in map(ast.unparse, n.bases)
    ]
    assert [[f.name for f in r.body if isinstance(f, ast.FunctionDef)] for r in readers] == [["find_class"]]


def test_torch_load_is_never_called_so_that_no_variable_can_weaken_it(run_folder, monkeypatch):
    """TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD turns `torch.load` into an unpickler of anything."""
    assert not [
        p for p in ROOT.rglob("*.py") for name, _ in calls(ast.parse(p.read_text())) if name.endswith("torch.load")
    ]
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")

    def forbidden(*args, **kwargs):
        raise AssertionError("torch.load was called")

    monkeypatch.setattr(torch, "load", forbidden)
    assert Run(run_folder).best().model()(torch.zeros(1, 1, 8, 8)).shape == (1, 10)
    state = next(run_folder.glob("checkpoints/*/state.safetensors"))
    (state.parent / "other.safetensors").write_bytes(b"\x80\x04.")
    with pytest.raises(RaynasError, match="damaged"):
        raynas.nn.checkpoint.read(state.parent / "other.safetensors")
    (state.parent / "other.safetensors").unlink()
