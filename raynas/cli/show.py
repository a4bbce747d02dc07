"""`raynas show` and `raynas list`."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Mapping
from typing import Any

from rich.table import Table

from raynas import catalog
from raynas.cli.live import describe, duration, screen
from raynas.errors import SpaceError, unknown
from raynas.run import Run, pareto
from raynas.spaces import count

TABLES: Mapping[str, Mapping[str, Any]] = {
    "spaces": catalog.SPACES,
    "strategies": catalog.STRATEGIES,
    "estimators": catalog.ESTIMATORS,
    "schedulers": catalog.SCHEDULERS,
    "data": catalog.DATA,
}


def show_run(run: Run, *, top: int, front_only: bool) -> None:
    """Prints how a run stands and its best trials."""
    console = screen()
    summary = run.summary()
    counts = ", ".join(f"{n} {status}" for status, n in summary["trials"].items() if n)
    console.print(
        f"[bold]{summary['name']}[/bold]: {summary['state']} · {counts} · "
        f"{summary['epochs_trained']:g} epochs trained · {duration(summary['wall_s'])}",
        highlight=False,
    )
    if run.result:
        told = ", ".join(f"{name} {value:.4f}" for name, value in run.result["metrics"].items())
        console.print(f"delivered: trial {run.result['trial']}, {told}", highlight=False)
    if front_only:
        chosen = pareto(run.trials, run.constraints)
    else:
        chosen = sorted(
            (t for t in run.trials if t.score is not None), key=lambda t: (t.budget, t.score or 0.0), reverse=True
        )
    table = Table(box=None, padding=(0, 2, 0, 0), expand=True)
    shown = [o.metric for o in run.objectives]
    shown += [m for m in ("params_m", "flops_m", "train_s") if m not in shown]
    for column in ("trial", "key", "status", "epochs", *shown):
        table.add_column(column, justify="left" if column in ("key", "status") else "right", min_width=len(column))
    table.add_column("architecture", overflow="ellipsis", no_wrap=True, ratio=1)
    for t in chosen[:top]:
        values = [f"{t.metrics[m]:.4g}" if m in t.metrics else "" for m in shown]
        table.add_row(str(t.id), t.key[:8], t.status, f"{t.budget:g}", *values, describe(t.answers))
    if chosen:
        console.print(table)
    reasons: dict[str, int] = {}
    for t in run.trials:
        if t.reason:
            reasons[t.reason] = reasons.get(t.reason, 0) + 1
    for reason, times in sorted(reasons.items(), key=lambda item: -item[1])[:5]:
        console.print(f"[red]{times} failed[/red]: {reason}", highlight=False)


def show_catalog(what: str, *, as_json: bool) -> None:
    """Prints what can be named.

    Raises:
        ConfigError: there is no such list.
    """
    if what not in TABLES:
        raise unknown("list", what, TABLES)
    rows = [_row(what, name, factory) for name, factory in TABLES[what].items()]
    if as_json:
        sys.stdout.write(json.dumps(rows, indent=1) + "\n")
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in rows[0]:
        table.add_column(column)
    for row in rows:
        table.add_row(*(str(v) for v in row.values()))
    screen().print(table)


def _row(what: str, name: str, factory: Any) -> dict[str, str]:
    row = {"name": name}
    if what == "spaces":
        space = factory()
        try:
            size = count(space)
            row["size"] = f"{size:,}" if size < 10**7 else f"{size:.2e}"
        except SpaceError:
            row["size"] = "infinite"
        module = inspect.getmodule(type(space))
        about = inspect.getdoc(module) if module else ""
        if factory.__name__ == name and inspect.isfunction(factory):
            about = inspect.getdoc(factory)
        row["paper"] = catalog.PAPERS.get(name, "")
    elif factory() is None if name == "none" else False:
        about = "Every trial gets its full budget."
    else:
        about = inspect.getdoc(factory)
    row["about"] = (about or "").split("\n\n")[0].replace("\n", " ")
    return row
