"""What all tests share: one real Ray per test session."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# The same examples in every run, and no clock: a busy machine is no failure.
hypothesis.settings.register_profile(
    "calm", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("calm")

sys.path.insert(0, str(Path(__file__).parent))  # tests import their helpers by name


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ids with an address in them differ between the processes of a parallel run, which then refuses to start."""
    for item in items:
        if re.search(r"0x[0-9a-f]{8}", item.nodeid):
            raise pytest.UsageError(f"give the parameters of {item.nodeid} ids that every process agrees on")


@pytest.fixture(scope="session")
def ray_session() -> Iterator[None]:
    """A local Ray with 4 declared CPUs and 1 declared GPU: shares can be tested without the hardware."""
    import fakes
    import ray

    os.environ.setdefault("RAY_raylet_start_wait_time_s", "180")
    ray.init(
        address="local", num_cpus=4, num_gpus=1, include_dashboard=False, log_to_driver=False,
        logging_level=logging.ERROR,
    )  # fmt: skip
    ray.cloudpickle.register_pickle_by_value(fakes)  # workers cannot import test modules
    yield
    ray.shutdown()
