"""A comparison in words and tables: for the terminal and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from raynas.bench import statistics
from raynas.bench.summary import ALPHA, SHARES, Pair, Standing, Summary


class Section(NamedTuple):
    """A table. The first column is text, the others are figures.

    Attributes:
        title: above it.
        columns: heads.
        rows: cells.
        note: below it; may be empty.
    """

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    note: str


def sections(summary: Summary, *, short: bool = False) -> list[Section]:
    """The tables of a comparison: how each strategy did, when, and who is better than whom.

    Args:
        summary: the figures.
        short: of the pairs only those with the best strategy.
    """
    made = [_standings(summary), _course(summary)]
    return [*made, _pairs(summary, short)] if summary.pairs else made


def subject(summary: Summary) -> str:
    """What was compared, in a line."""
    made = summary.benchmark
    workers = f", {made.workers} workers" if made.workers > 1 else ""
    return f"{summary.table}: {made.budget} a search, {made.seeds} seed{'s' * (made.seeds > 1)}{workers}"


def verdict(summary: Summary) -> str:
    """Who won, in a sentence."""
    first, *others = summary.standings
    if not others:
        return f"{first.label} reaches {_percent(first.mean)} %."
    against = {pair.other: pair for pair in summary.pairs if pair.better == first.label}
    alike = [label for label, pair in against.items() if not pair.significant]
    if not alike:
        closest = against[others[0].label]
        than = "all others" if len(others) > 1 else others[0].label
        return f"{first.label} is better than {than}: {describe_pair(closest)}."
    named = alike[0] if len(alike) == 1 else f"{', '.join(alike[:-1])} and {alike[-1]}"
    return f"{first.label} has the highest mean, but chance explains its lead over {named}."


def describe_pair(pair: Pair) -> str:
    """How much better than whom, and how sure."""
    return f"{100 * pair.difference:+.2f} points on {pair.other}, p {_p_value(pair.p_value)}, A12 {pair.a12:.2f}"


def figure(value: float) -> str:
    """0.1, 2.5, 104, 12,000."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _standings(summary: Summary) -> Section:
    ranks = summary.ranking.ranks if summary.ranking else [math.nan] * len(summary.standings)
    regret = summary.best is not None
    columns = (
        "strategy", "validation %", "95 % of the mean", *(["regret"] if regret else []), "test %", "mean rank",
        "trials", "stopped", "failed",
    )  # fmt: skip
    rows = []
    for s, rank in zip(summary.standings, ranks, strict=True):
        interval = f"{_percent(float(s.curve.low[-1]))}-{_percent(float(s.curve.high[-1]))}"
        lost = [_points(summary.best - s.mean)] if summary.best is not None else []
        counts = (figure(s.trials), figure(s.stopped), figure(s.failed))
        test = _mean_sd(s.tests) if not math.isnan(s.tests.mean()) else ""
        rows.append((s.label, _mean_sd(s.finals), interval, *lost, test, _number(float(rank)), *counts))
    note = "Mean ± standard deviation over seeds of what the best trial so far is worth at the end of the budget. "
    if summary.best is not None:
        note += f"The best architecture has {_percent(summary.best)} %; the regret is the distance to it in points. "
    if summary.known < 1:
        note += f"The table knows {summary.known:.0%} of the space: other architectures are failed trials. "
    if summary.ranking:
        note += (
            f"Mean ranks that differ by less than {summary.ranking.distance:.2f} are not told apart "
            f"(Nemenyi, 5 %; Friedman p {_p_value(summary.ranking.p_value)})."
        )
    return Section("How good", columns, rows, note.strip())


def _course(summary: Summary) -> Section:
    budget = summary.benchmark.budget
    unit = " s" if budget.unit == "seconds" else ""
    shares = [f"at {figure(share * budget.amount)}{unit}" for share in SHARES]
    columns = ("strategy", *shares, "reach the target", "half by")
    rows = [
        (s.label, *(_percent(value) for value in s.shares), f"{100 * s.arrived:.0f} %", _when(s, unit))
        for s in summary.standings
    ]  # fmt: skip
    baseline = summary.benchmark.strategies[0][0]
    own = math.isclose(summary.target, next(s.mean for s in summary.standings if s.label == baseline))
    reason = f", what {baseline} reaches at the end on average" if own else ""
    note = f"Validation accuracy in %, mean over seeds. The target is {_percent(summary.target)} %{reason}."
    return Section("How fast", columns, rows, note)


def _pairs(summary: Summary, short: bool) -> Section:
    columns = ("pair", "points", "p (Wilcoxon, Holm)", "A12", "effect", "significant")
    rows = [
        (
            f"{p.better} - {p.other}", f"{100 * p.difference:+.3f}", _p_value(p.p_value), f"{p.a12:.2f}",
            statistics.effect(p.a12), "yes" if p.significant else "no",
        )
        for p in summary.pairs
        if not short or p.better == summary.standings[0].label
    ]  # fmt: skip
    number = len(summary.pairs)
    note = (
        f"Pairs of equal seeds, two-sided, corrected for {number} comparison{'s' * (number > 1)}; significant below "
        f"{ALPHA:g}. A12 is the probability that the first one is better in two random searches."
    )
    return Section("Who is better", columns, rows, note)


def markdown(summary: Summary, command: str, pictures: Sequence[str]) -> str:
    """The whole report.

    Args:
        summary: the figures.
        command: that made them.
        pictures: file names beside the report.
    """
    made = summary.benchmark
    lines = [f"# {subject(summary)}", "", f"**{verdict(summary)}**", ""]
    for section in sections(summary):
        lines += [f"## {section.title}", "", *_grid(section), "", section.note, ""]
    titles = {"curves": "Anytime performance", "ranks": "Mean ranks", "targets": "Time to target"}
    for picture in pictures:
        title = titles[Path(picture).stem]
        lines += [f"## {title}", "", f"![{title}]({picture})", ""]
    lines += ["## Settings", "", "| | |", "|---|---|"]
    lines += [f"| {label} | `{settings}` |" for label, settings in ((s.label, s.settings) for s in summary.standings)]
    lines += [
        f"| scheduler | {f'`{made.scheduler!r}`' if made.scheduler else 'none'} |",
        f"| objectives | {', '.join(map(str, made.objectives))} |",
        f"| table | `{made.source.path}` |",
        "",
        "Again:",
        "",
        f"    {command}",
        "",
        "Every evaluation is in `evaluations.parquet`, all figures are in `bench.json`.",
    ]
    return "\n".join(lines) + "\n"


def _grid(section: Section) -> list[str]:
    rule = ["---"] + ["---:"] * (len(section.columns) - 1)
    return [f"| {' | '.join(cells)} |" for cells in (section.columns, tuple(rule), *section.rows)]


def _mean_sd(values: statistics.Array) -> str:
    return f"{100 * values.mean():.2f} ± {100 * values.std():.2f}"


def _percent(value: float) -> str:
    return "" if math.isnan(value) else f"{100 * value:.2f}"


def _points(value: float) -> str:
    return f"{100 * value:.3f}"


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.2f}"


def _p_value(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else f"{value:.0e}" if value > 1e-99 else "< 1e-99"


def _when(standing: Standing, unit: str) -> str:
    return "never" if math.isinf(standing.arrival) else f"{figure(standing.arrival)}{unit}"
