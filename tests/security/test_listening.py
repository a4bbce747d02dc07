"""A local search opens no socket of raynas' own, and its dashboard stays off; what listens besides is Ray's own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.ray


PARTS = (
    "gcs_server",
    "raylet",
    "dashboard_agent",
    "runtime_env",
    "dashboard",
    "log_monitor",
    "ray::",
    "default_worker",
)
"""Ray's own processes; the driver listens too, for its workers."""

LOOPBACK = ("0100007F", "0" * 24 + "01000000")


def family(root: int) -> dict[int, str]:
    """The process and all that descend from it, with their commands."""
    parents, commands = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                commands[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ").strip()
            except OSError:
                continue  # it ended
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return {pid: commands.get(pid, "") for pid in found}


def listening(processes: dict[int, str]) -> set[tuple[str, str, int]]:
    """(command, address in hexadecimal, port) of their sockets that listen."""
    owners = {}
    for pid, command in processes.items():
        try:
            for link in Path(f"/proc/{pid}/fd").iterdir():
                owners[os.readlink(link)] = "driver" if "raynas.cli.main" in command else command
        except OSError:
            continue
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            address, port = fields[1].split(":")
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in owners:
                found.add((owners[f"socket:[{fields[9]}]"], address, int(port, 16)))
    return found


def kind(command: str) -> str:
    """The part of Ray that a command is."""
    return next((name for name in PARTS if name in command.lower()), command)


def test_no_socket_of_raynas_listens(tmp_path):
    command = [
        sys.executable,
        "-m",
        "raynas.cli.main",
        "search",
        "--space",
        "mlp",
        "--trials",
        "2",
        "--epochs",
        "1",
        "--json",
    ]
    search = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found: set[tuple[str, str, int]] = set()
    ends = time.monotonic() + 400
    while search.poll() is None and time.monotonic() < ends:
        found |= listening(family(search.pid))
        time.sleep(0.2)
    assert search.wait(1) == 0
    told = sorted({(kind(command), address, port) for command, address, port in found})
    Path(os.environ.get("RAYNAS_SOCKETS", tmp_path / "sockets.txt")).write_text("\n".join(map(str, told)))
    assert any(kind(command) == "raylet" for command, _, _ in found), "nothing was watched"
    assert 8265 not in {port for _, _, port in found}, "the dashboard listens"
    outside = {kind(command) for command, address, _ in found if address not in ("0100007F", "0" * 24 + "01000000")}
    assert outside <= {
        "gcs_server",
        "raylet",
        "dashboard_agent",
        "runtime_env",
        "ray::",
        "default_worker",
        "driver",
        "log_monitor",
    }
