from __future__ import annotations

import subprocess
import sys

import raynas.data

HEAVY = {"pyarrow", "ray", "sklearn", "torch", "torchvision"}


def test_importing_the_package_loads_nothing_heavy() -> None:
    command = [sys.executable, "-c", "import sys, raynas.data; print(*sys.modules)"]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert not HEAVY & set(loaded)


def test_the_public_names_are_there() -> None:
    assert raynas.data.__all__ == sorted(raynas.data.__all__)
    for name in raynas.data.__all__:
        assert hasattr(raynas.data, name)
    assert raynas.data.digits is raynas.data.Digits  # and not the module of the same name
