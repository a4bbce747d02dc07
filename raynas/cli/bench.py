"""`raynas bench`: from what a person wrote to a comparison, and what it says in the terminal."""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table as Grid

from raynas import catalog
from raynas.bench import Benchmark, Budget, Coverage, TableSource, check_table, default_scheduler, sized, trials_for
from raynas.bench.files import check_folder, write_all
from raynas.bench.play import play_all
from raynas.bench.report import sections, subject, verdict
from raynas.bench.summary import Summary, summarise
from raynas.cli.live import duration, screen
from raynas.errors import ConfigError, unknown
from raynas.estimators.tabular import Table
from raynas.objectives import Objective
from raynas.records import Advises, Scheduler, Strategy
from raynas.spaces.function import as_space


@dataclass(frozen=True)
class Wanted:
    """The options of `raynas bench`."""

    table: str
    strategies: str
    budget: str
    space: str | None = None
    dataset: str | None = None
    fidelities: str | None = None
    scheduler: str | None = None
    objectives: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    workers: int = 1
    seeds: int = 30
    target: float | None = None
    processes: int | None = None


def bench(wanted: Wanted, *, out: Path | None, overwrite: bool, as_json: bool) -> None:
    """Plays the comparison and says who is better.

    Raises:
        ConfigError: something that was asked for cannot work; nothing ran.
    """
    benchmark, table, coverage = prepare(wanted)
    if wanted.processes is not None and wanted.processes < 1:
        raise ConfigError(f"processes must be at least 1, but got {wanted.processes}")
    if out is not None:
        check_folder(out, overwrite=overwrite)
    for label, strategy in benchmark.strategies:
        advice = strategy.advice(benchmark.workers) if isinstance(strategy, Advises) else ""
        if advice:
            sys.stderr.write(f"warning: {label}: {advice}\n")
    began = time.monotonic()
    with _progress(benchmark, quiet=as_json) as progress:
        traces = play_all(benchmark, wanted.processes, progress)
    seconds = time.monotonic() - began
    target = None if wanted.target is None else wanted.target / 100
    summary = summarise(benchmark, table, traces, target=target, known=coverage.known)
    pictures = write_all(summary, traces, out, "raynas " + shlex.join(sys.argv[1:])) if out else []
    if as_json:
        sys.stdout.write(json.dumps(summary.to_json(), indent=1) + "\n")
        return
    readings = sum(len(trace.trial) for trace in traces)
    _tell(summary, f"{readings:,} readings in {duration(seconds)}")
    if out:
        told = f", {', '.join(pictures)}" if pictures else " (pictures need matplotlib: pip install 'raynas[plots]')"
        screen().print(
            f"[bold]written[/bold] to {out}: bench.md, bench.json, evaluations.parquet{told}", highlight=False
        )


def prepare(wanted: Wanted) -> tuple[Benchmark, Table, Coverage]:
    """The comparison that options describe, checked.

    Raises:
        ConfigError: an option names something unknown, or does not fit the table.
    """
    budget = Budget.parse(wanted.budget)
    names = _labels(wanted.strategies)
    settings = _settings(wanted.settings, names)
    for name in names.values():
        catalog.look_up("strategy", name, catalog.STRATEGIES)
    if wanted.target is not None and not 0 < wanted.target <= 100:
        raise ConfigError(f"the target must be an accuracy in %, above 0 and at most 100, but got {wanted.target:g}")
    source = TableSource(wanted.table, wanted.dataset, _fidelities(wanted.fidelities))
    table = source.open()
    _check_space(wanted, table)
    coverage = check_table(table)
    scheduler = _scheduler(wanted.scheduler, table, settings.pop("scheduler", {}))
    workers = max(1, wanted.workers)
    trials = trials_for(budget, table, coverage, scheduler, workers)
    strategies = []
    for label, name in names.items():
        strategy = sized(catalog.STRATEGIES[name], budget, table, coverage, trials, workers)
        strategies.append((label, _with_settings(strategy, label, settings.get(label, {}))))
    objectives = tuple(map(Objective.parse, wanted.objectives)) or (Objective(),)
    benchmark = Benchmark(source, tuple(strategies), budget, scheduler, objectives, wanted.workers, wanted.seeds)
    benchmark.check(table, coverage)
    return benchmark, table, coverage


def _labels(text: str) -> dict[str, str]:
    """Label -> name, from "random,small=evolution"."""
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        label, equals, name = part.partition("=")
        if label in found:
            raise ConfigError(f"strategies need different labels, but got {label!r} twice: write NEW={name or label}")
        if not label or (equals and not name):
            raise ConfigError(f"a strategy is NAME or LABEL=NAME, but got {part!r}")
        found[label] = name or label
    if not found:
        raise ConfigError(f"name at least one strategy of {', '.join(catalog.STRATEGIES)}, but got {text!r}")
    return found


def _settings(texts: Sequence[str], labels: dict[str, str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        part, dot, field = key.strip().partition(".")
        if not equals or not dot:
            raise ConfigError(f"--set takes STRATEGY.FIELD=VALUE or scheduler.FIELD=VALUE, but got {text!r}")
        if part not in (*labels, "scheduler"):
            raise unknown("strategy in --set", part, (*labels, "scheduler"))
        found.setdefault(part, {})[field] = value.strip()
    return found


def _fidelities(text: str | None) -> tuple[int, ...]:
    if text is None:
        return ()
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"fidelities are epochs like 12,200, but got {text!r}") from None


def _check_space(wanted: Wanted, table: Table) -> None:
    own = as_space(table.space).name
    if wanted.space is None or wanted.space == own:
        return
    if wanted.space not in catalog.SPACES:
        raise unknown("space", wanted.space, {*catalog.SPACES, own})
    raise ConfigError(f"table {wanted.table} holds results of space {own!r}, but got space {wanted.space!r}")


def _scheduler(name: str | None, table: Table, settings: dict[str, str]) -> Scheduler | None:
    usual = default_scheduler(table)
    if name is not None:
        made = catalog.look_up("scheduler", name, catalog.SCHEDULERS)
        if name == "asha" and usual is None:
            raise ConfigError("scheduler asha needs several budgets: add --fidelities, e.g. 12,200")
        usual = usual if name == "asha" else made()
    if not settings:
        return usual
    if not dataclasses.is_dataclass(usual):
        raise ConfigError(f"no scheduler is used, but got --set scheduler.{next(iter(settings))}=...")
    changed: Any = catalog.with_settings(usual, settings, "scheduler")
    return changed  # type: ignore[no-any-return]


def _with_settings(strategy: Strategy, label: str, settings: dict[str, str]) -> Strategy:
    if not settings:
        return strategy
    changed: Strategy = catalog.with_settings(strategy, settings, label)
    return changed


@contextmanager
def _progress(benchmark: Benchmark, *, quiet: bool) -> Iterator[Any]:
    """A bar on the standard error, where that is a terminal."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield None
        return
    total = benchmark.seeds * len(benchmark.strategies)
    columns = (
        TextColumn("searches"), BarColumn(bar_width=None), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True, expand=True) as bar:
        task = bar.add_task("searches", total=total)
        yield lambda ended: bar.advance(task, ended)


def _tell(summary: Summary, cost: str) -> None:
    console = screen()
    console.print(f"[bold]{subject(summary)}[/bold] ({cost})\n", highlight=False)
    for section in sections(summary, short=True):
        grid = Grid(
            title=section.title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0), caption="",
        )  # fmt: skip
        for place, column in enumerate(section.columns):
            grid.add_column(column, justify="right" if place else "left", no_wrap=not place)
        for row in section.rows:
            grid.add_row(*row)
        console.print(grid, highlight=False)
        console.print(section.note, highlight=False, style="dim", width=min(console.width, 110))
        console.print()
    console.print(f"[bold green]{verdict(summary)}[/bold green]", highlight=False)
