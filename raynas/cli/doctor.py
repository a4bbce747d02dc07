"""`raynas doctor`: is this machine fit for a search?"""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import tempfile
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from raynas.errors import ConfigError
from raynas.machine import check_address, count_gpus


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes:
        what: its name.
        good: whether a search can work with it.
        found: what was seen, and the fix where it is not good.
    """

    what: str
    good: bool
    found: str


def examine(storage: Path, address: str | None) -> list[Finding]:
    """Looks at everything."""
    findings = [
        Finding("Python", True, f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        _package("torch"),
        _package("torchvision"),
        _package("ray"),
        _package("optuna"),
        _package("pyarrow"),
        _package("tensorboard"),
        Finding("CPUs", True, f"{os.cpu_count()}"),
        _gpus(),
        _memory(),
        _storage(storage),
        _disk(storage),
    ]
    if address:
        findings.append(_cluster(address))
    return findings


def _package(name: str) -> Finding:
    try:
        importlib.import_module(name)
        return Finding(name, True, metadata.version(name))
    except Exception as error:  # noqa: BLE001 - whatever a broken package raises is what must be told
        return Finding(name, False, f"{type(error).__name__}: {error}; reinstall raynas in a fresh environment")


def _gpus() -> Finding:
    cards = count_gpus()
    try:
        import torch

        seen = torch.cuda.device_count()
        names = ", ".join(torch.cuda.get_device_name(i) for i in range(seen))
    except Exception as error:  # noqa: BLE001 - likewise
        return Finding("GPUs", cards == 0, f"{cards} cards; torch cannot tell: {error}")
    if cards > seen:
        return Finding("GPUs", False, f"{cards} cards, but torch sees {seen}: driver and torch build do not match")
    return Finding("GPUs", True, names or "none: trials train on CPUs")


def _memory() -> Finding:
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    shm = Path("/dev/shm")  # noqa: S108 - Ray's object store lives there
    shared = shutil.disk_usage(shm).free / 2**30 if shm.is_dir() else 0.0
    good = free >= 2
    fix = "" if good else "; a search needs 2 GiB or more"
    return Finding("memory", good, f"{free:.1f} GiB free, {shared:.1f} GiB shared memory{fix}")


def _storage(storage: Path) -> Finding:
    place = storage
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        with tempfile.NamedTemporaryFile(dir=place) as probe:
            probe.write(b"raynas")
    except OSError as error:
        return Finding("storage", False, f"{storage} cannot be written ({error.strerror}); use --storage")
    return Finding("storage", True, f"{storage} can be written")


def _disk(storage: Path) -> Finding:
    place = storage
    while not place.exists() and place != place.parent:
        place = place.parent
    free = shutil.disk_usage(place).free / 2**30
    return Finding("disk", free >= 1, f"{free:.1f} GiB free" + ("" if free >= 1 else "; free 1 GiB or more"))


def _cluster(address: str) -> Finding:
    import ray

    from raynas.tune.run import session

    try:
        check_address(address)
        with session(address):
            have = ray.cluster_resources()
            return Finding("cluster", True, f"{address}: {have.get('CPU', 0):g} CPUs, {have.get('GPU', 0):g} GPUs")
    except ConfigError as error:
        return Finding("cluster", False, str(error))


def tell(findings: list[Finding]) -> None:
    """Prints the findings as a table."""
    table = Table.grid(padding=(0, 2))
    for finding in findings:
        mark = "[green]ok[/green]" if finding.good else "[red]!![/red]"
        table.add_row(mark, finding.what, finding.found)
    Console().print(table, highlight=False)
