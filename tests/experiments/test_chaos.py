"""The fault tests themselves, with counts that take seconds; in a process of their own, since they fork."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHAOS = ROOT / "experiments" / "chaos.py"


def chaos(*arguments):
    """The exit code, the table's rows by promise, and all that was said."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, CHAOS, *map(str, arguments)], capture_output=True, text=True, env=environment, timeout=300
    )
    return done.returncode, done.stdout, done.stdout + done.stderr


def test_explains_itself():
    code, out, _ = chaos("--help")
    assert code == 0
    assert "python experiments/chaos.py --quick" in out


def test_kills(tmp_path):
    table = tmp_path / "table.md"
    code, out, said = chaos(
        "--only", "kills", "--kills", 10, "--strategies", "random", "evolution", "--quick", "--markdown", table
    )
    assert code == 0, said
    assert "Nothing failed." in out
    rows = [line.split(" | ") for line in table.read_text().splitlines()[2:]]
    assert len(rows) == 6
    assert all(row[2] == "0" for row in rows)
    kills, searches = map(int, re.findall(r"\d+", rows[0][1]))
    assert kills >= 10
    assert searches >= 5


def test_calls():
    code, out, said = chaos("--only", "calls", "--calls", 3)
    assert code == 0, said
    assert "3 of" in out or "skipped" in out


def test_damage():
    code, out, said = chaos("--only", "damage", "--damages", 12)
    assert code == 0, said
    assert "damaged ledger.sqlite " in out


def test_scale():
    code, out, said = chaos("--only", "scale", "--trials", 50)
    assert "50 trials: resume" in out, said
    assert code in (0, 1)  # fifty trials say nothing of the memory of one


def test_a_failure_is_told():
    """A fault test that finds something answers with 1 and says what."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); import chaos; from faults.outcome import Outcome\n"
    code += "chaos.RUN['scale'] = lambda args, progress: [Outcome('promise', '1', 1, '', ('trial 3 is lost',))]\n"
    code += "sys.exit(chaos.main(['--only', 'scale']))"
    done = subprocess.run([sys.executable, "-c", code, CHAOS.parent], capture_output=True, text=True)
    assert done.returncode == 1
    assert "1 failures" in done.stdout
    assert "trial 3 is lost" in done.stderr


DEFECTS = {
    "rungs that are not replayed": """
replay = Loop.replay
def forgetful(self, *arguments):
    replay(self, *arguments)
    self.rungs = self.rungs and type(self.rungs)(self.rungs.settings)
Loop.replay = forgetful
""",
    "records of which every third is not committed": """
append, count = Ledger.append, iter(range(10**6))
def lazy(self, *arguments, commit=True):
    append(self, *arguments, commit=commit and next(count) % 3 != 0)
Ledger.append = lazy
""",
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_kills_find_a_defect(defect):
    code = "import sys; sys.path.insert(0, sys.argv[1]); import chaos\n"
    code += f"from raynas.ledger import Ledger; from raynas.loop import Loop\n{DEFECTS[defect]}"
    code += "sys.exit(chaos.main('--only kills --kills 10 --strategies random --quick'.split()))"
    done = subprocess.run([sys.executable, "-c", code, CHAOS.parent], capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert "random" in done.stderr


@pytest.mark.parametrize("part", ["real", "beside"])
def test_ray_starts_only_where_it_is_asked_for(part):
    code = "import sys; sys.path.insert(0, sys.argv[1]); import chaos; print(chaos.parsed([]).only)"
    done = subprocess.run([sys.executable, "-c", code, CHAOS.parent], capture_output=True, text=True, check=True)
    assert part not in done.stdout
