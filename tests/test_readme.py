"""The README's Python blocks run as they stand, in a folder of their own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_there_are_blocks():
    assert len(BLOCKS) == 3


@pytest.mark.ray
@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_block_runs(number, tmp_path):
    code = BLOCKS[number] + "\nimport sys; sys.exit(0)\n"
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning:raynas", "-c", code],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    if "best.model()" in code:
        assert (tmp_path / "runs").is_dir()
        assert "edge" not in done.stdout
        assert "normal/node0/inputs" in done.stdout


def test_named_files_exist():
    for path in re.findall(r"\]\(([^)h][^)]*)\)", README):
        assert (Path(__file__).parents[1] / path).exists(), path
