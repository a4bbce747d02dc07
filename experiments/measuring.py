"""What the benchmarks share: tables, medians, and runs of this Python in a process of its own."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


def show(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], note: str = "") -> None:
    """Prints a table: the first column is text, the others are figures."""
    console = Console(width=None if sys.stdout.isatty() else 160)  # in a file nothing is cut
    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 3, 0, 0))
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left")
    for row in rows:
        table.add_row(*(told(cell) for cell in row))
    console.print(table, highlight=False)
    if note:
        console.print(note, highlight=False, style="dim")
    console.print()


def told(value: object) -> str:
    """A figure with three digits that count; None is nothing."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def spread(values: Sequence[float], unit: str = "") -> str:
    """The median, and the range where there is one."""
    middle = f"{told(float(statistics.median(values)))}{unit}"
    if len(values) < 2:
        return middle
    return f"{middle} ({told(float(min(values)))}-{told(float(max(values)))})"


def apart(script: str, *arguments: object) -> Any:
    """Runs a script in a process of its own and returns the JSON of its last line.

    Contenders measured in one process would share what the first of them imported, started and set in the environment.
    """
    command = [sys.executable, script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])
