"""Small synthetic data, and the real data beside the checkout where there is any."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from raynas.data import DataSource, Splits

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"needs the real data in {SHARED}, which is not there")
    return SHARED


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="class")
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> DataSource:
    """What the test class makes; see data_contract.py."""
    made: DataSource = request.cls.make(tmp_path_factory.mktemp("source"))
    return made


@pytest.fixture(scope="class")
def splits(source: DataSource) -> Splits:
    return source.load()
