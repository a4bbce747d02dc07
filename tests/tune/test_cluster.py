"""`--address`: a search in a process of its own joins a cluster that is already there, and leaves it there."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import ray

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]

COMMAND = [sys.executable, "-m", "raynas.cli.main"]


@pytest.fixture
def cluster():
    """Address of the test session's Ray, and the environment that its token needs."""
    environment = os.environ | {"RAY_AUTH_MODE": "token"}
    return ray.get_runtime_context().gcs_address, environment


def test_a_search_joins_a_cluster_and_leaves_it_running(cluster, tmp_path):
    address, environment = cluster
    command = [*COMMAND, "search", "--address", address, "--space", "chain", "--trials", "2", "--epochs", "1", "--json"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["trials"]["finished"] == 2
    assert ray.is_initialized()
    assert ray.get(ray.remote(lambda: 1).remote()) == 1


def test_a_cluster_without_the_gpus_is_refused_and_no_run_is_left(cluster, tmp_path):
    address, environment = cluster
    command = [*COMMAND, "search", "--address", address, "--gpus-per-trial", "2", "--name", "big"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "raynas: a trial needs 2 GPUs, but the cluster has 1"
    assert not (tmp_path / "runs" / "big").exists()


def test_doctor_sees_the_cluster(cluster, tmp_path):
    address, environment = cluster
    done = subprocess.run(
        [*COMMAND, "doctor", "--address", address, "--json"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    findings = {f["what"]: f for f in json.loads(done.stdout)}
    assert findings["cluster"]["good"], done.stdout
    assert "4 CPUs, 1 GPUs" in findings["cluster"]["found"]
    assert findings["torch"]["good"]
    assert findings["storage"]["good"]
