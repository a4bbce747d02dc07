"""What this machine has and can reach, found out in milliseconds and without torch or Ray."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from raynas.errors import ConfigError


def count_gpus() -> int:
    """NVIDIA GPUs that this process may use, without importing torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([v for v in visible.split(",") if v.strip() not in ("", "-1")])
    cards = Path("/proc/driver/nvidia/gpus")
    return len(list(cards.iterdir())) if cards.is_dir() else 0


def check_address(address: str) -> None:
    """Whether something listens there; Ray itself takes minutes to find out.

    Raises:
        ConfigError: nothing does, or the address is none.
    """
    if address == "auto":
        return
    if "@" in address:
        raise ConfigError("address must carry no login: set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN instead")
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        raise ConfigError(f"address must be auto, HOST:PORT or ray://HOST:PORT, but got {address!r}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"no Ray cluster answers at {address!r} ({error}); start one with `ray start --head`"
        ) from None


def check_writable(storage: Path) -> None:
    """Makes a folder for runs, or raises ConfigError where that cannot be."""
    probe = storage
    try:
        while not probe.exists() and probe != probe.parent:
            probe = probe.parent
        if not probe.is_dir() or not os.access(probe, os.W_OK | os.X_OK):
            raise ConfigError(f"storage {storage} cannot be written: {probe} is no folder that you may write to")
        storage.mkdir(parents=True, exist_ok=True)
    except ConfigError:
        raise
    except (OSError, ValueError) as error:
        raise ConfigError(f"storage {str(storage)!r} cannot be made: {error}") from error
