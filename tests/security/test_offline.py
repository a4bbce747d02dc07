"""Without a network: imports and a dry run work, and nothing is asked of it."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

WATCHED = """
import sys
def hook(name, arguments):
    if name in ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto"):
        print("NETWORK", name, arguments, file=sys.stderr)
sys.addaudithook(hook)
"""
PROGRAMS = {
    "import": "import raynas, raynas.cli.build, raynas.data, raynas.bench",
    "dry run": "from raynas.cli.main import main; sys.argv = ['raynas', 'search', '--dry-run']; main()",
    "data": "import raynas; assert len(raynas.data.digits().load().train) == 1077",
    "lists": "from raynas.cli.main import main; sys.argv = ['raynas', 'list', 'strategies']; main()",
}


def isolated() -> list[str]:
    """What starts a command without any network but loopback, where the machine allows that."""
    command = [shutil.which("unshare") or "false", "-rn"]
    works = subprocess.run([*command, "true"], check=False, capture_output=True).returncode == 0
    return command if works else []


@pytest.mark.parametrize("name", PROGRAMS)
def test_works_without_a_network_and_asks_nothing_of_it(name, tmp_path):
    done = subprocess.run(
        [*isolated(), sys.executable, "-c", WATCHED + PROGRAMS[name]],
        cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "NETWORK" not in done.stderr


def test_the_watch_hears_what_it_listens_for(tmp_path):
    program = "import socket; socket.socket().connect_ex(('127.0.0.1', 9))"
    done = subprocess.run([sys.executable, "-c", WATCHED + program], capture_output=True, text=True, check=True)
    assert "NETWORK socket.connect" in done.stderr
