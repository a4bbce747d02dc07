"""How long raynas takes to answer, and what it loads for that.

    python experiments/bench_startup.py                             # a minute
    python experiments/bench_startup.py --rounds 20

Every line is a fresh process, all of them in turn, round by round: an empty Python, the packages that a search needs,
`import raynas`, `raynas --help`, and bad input of every kind, which must be refused (exit 2, one line) before Ray or
torch are loaded. `modules` are those loaded when the process ends; `heavy` are the packages that cost seconds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measuring import show, spread

HEAVY = ("ray", "torch", "torchvision", "optuna", "sklearn", "tensorboard", "pyarrow", "numpy", "rich")

TELL = "import json, sys; sys.stdout.write('\\n' + json.dumps(sorted(sys.modules)))"
COMMAND = """
from raynas.cli.main import main
try:
    main()
except SystemExit as end:
    code = end.code
"""

IMPORTS = {
    "python": "pass",
    "import torch": "import torch",
    "from ray import tune": "from ray import tune",
    "import raynas": "import raynas",
    "raynas.Search()": "import raynas; raynas.Search()",
}
REFUSED = {
    "unknown space": ("--space", "cels"),
    "no trials": ("--trials", "0"),
    "unknown setting": ("--set", "space.widht=8"),
    "bad constraint": ("--constraint", "params<<1"),
    "unknown metric": ("--objective", "accuracy"),
    "data not there": ("--data", "fashion-mnist", "--data-dir", "/nowhere"),
    "GPUs not there": ("--gpus-per-trial", "64"),
    "recipe not there": ("nowhere.py",),
}


def once(code: str, arguments: tuple[str, ...], folder: str) -> tuple[float, set[str], int]:
    """Seconds, modules and exit code of a fresh Python."""
    command = [sys.executable, "-c", f"code = 0\n{code}\n{TELL}\nsys.exit(code)", *arguments]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    seconds = time.perf_counter() - began
    if not done.stdout.strip():
        raise SystemExit(f"{' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
    return seconds, set(json.loads(done.stdout.splitlines()[-1])), done.returncode


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog=Path(__file__).name
    )
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args(arguments)
    plans: dict[str, tuple[str, tuple[str, ...]]] = {name: (code, ()) for name, code in IMPORTS.items()}
    plans["raynas --help"] = (COMMAND, ("--help",))
    plans["raynas search --dry-run"] = (COMMAND, ("search", "--dry-run"))
    plans |= {f"refused: {name}": (COMMAND, ("search", *options)) for name, options in REFUSED.items()}
    seconds: dict[str, list[float]] = {name: [] for name in plans}
    loaded: dict[str, set[str]] = {}
    codes: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(args.rounds):
            for name, (code, options) in plans.items():
                spent, loaded[name], codes[name] = once(code, options, folder)
                seconds[name].append(spent)
    show(
        "from the start of a process to its end",
        ("what", "seconds", "exit", "modules", "heavy"),
        [
            (name, spread(spent), codes[name], len(loaded[name]), " ".join(p for p in HEAVY if p in loaded[name]))
            for name, spent in seconds.items()
        ],
        "Median (range) of the rounds.",
    )


if __name__ == "__main__":
    main()
