"""The pictures of a comparison, with matplotlib (the extra `plots`): curves, ranks, times to the target."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from raynas.bench import statistics
from raynas.bench.summary import Summary
from raynas.errors import ConfigError

# The baseline is grey; the others are Okabe & Ito's (2008, "Color Universal Design"), told apart by everybody.
COLOURS = ("#7a7a7a", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)))

INK, FAINT = "#222222", "#d9d9d9"

STYLE = {
    "font.family": "sans-serif", "font.size": 10, "axes.titlesize": 12, "axes.titleweight": "bold",
    "axes.titlelocation": "left", "axes.titlepad": 12, "axes.edgecolor": "#888888", "axes.labelcolor": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "axes.axisbelow": True,
    "grid.color": FAINT, "grid.linewidth": 0.6, "xtick.color": INK, "ytick.color": INK, "text.color": INK,
    "legend.frameon": False, "figure.facecolor": "white", "savefig.facecolor": "white", "svg.hashsalt": "raynas",
}  # fmt: skip


def draw(summary: Summary, folder: Path) -> list[str]:
    """Draws all pictures, each as PNG and SVG.

    Returns:
        Names of the PNG files.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise ConfigError("pictures need matplotlib: pip install 'raynas[plots]'") from error
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    pictures: dict[str, Callable[[Summary, Any], None]] = {"curves": _curves, "targets": _targets}
    if len(summary.standings) > 1:
        pictures["ranks"] = _ranks
    made = []
    with matplotlib.rc_context(STYLE):  # a Figure of its own: no window, no global state
        for name, paint in pictures.items():
            figure = Figure(layout="constrained")
            FigureCanvasAgg(figure)
            paint(summary, figure)
            for ending in ("png", "svg"):
                metadata = {"Date": None} if ending == "svg" else None
                figure.savefig(folder / f"{name}.{ending}", dpi=160, metadata=metadata)
            made.append(f"{name}.png")
    return made


def _looks(summary: Summary) -> dict[str, dict[str, Any]]:
    """Colour and dashes by label; a strategy keeps them in all pictures, in the order in which they were named."""
    return {
        label: {"color": COLOURS[k % len(COLOURS)], "linestyle": DASHES[k // len(COLOURS) % len(DASHES)]}
        for k, (label, _) in enumerate(summary.benchmark.strategies)
    }


def _curves(summary: Summary, figure: Any) -> None:
    """Mean regret, or accuracy where the best is unknown, over what was spent."""
    figure.set_size_inches(7.6, 4.4)
    axes = figure.add_subplot()
    looks, best = _looks(summary), summary.best
    # Regrets fall by orders of magnitude, down to zero: below the floor the curve leaves the picture.
    floor = 0.002
    lowest = np.inf
    for standing in summary.standings:
        mean, low, high = (100 * part for part in standing.curve)
        if best is not None:
            mean, low, high = (100 * best - part for part in (mean, high, low))
            lowest = min(lowest, np.nanmin(mean))
            mean, low, high = (np.maximum(part, floor / 10) for part in (mean, low, high))
        axes.step(summary.grid, mean, where="post", linewidth=1.8, label=standing.label, **looks[standing.label])
        colour = looks[standing.label]["color"]
        axes.fill_between(summary.grid, low, high, step="post", color=colour, alpha=0.15, linewidth=0)
    axes.set_xscale("log")
    axes.set_xlim(summary.grid[0], summary.benchmark.budget.amount)
    if best is not None:
        axes.set_yscale("log")
        axes.set_ylim(bottom=max(floor, 0.7 * lowest))
    axes.set_xlabel(_spent(summary))
    axes.set_ylabel("simple regret (points)" if best is not None else "validation accuracy (%)")
    seeds = summary.benchmark.seeds
    axes.set_title(f"{summary.table}: {f'mean over {seeds} seeds and its 95 % band' if seeds > 1 else 'one seed'}")
    _plain_numbers(axes.xaxis, summary.benchmark.budget.amount)
    if best is not None:
        _plain_numbers(axes.yaxis)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))


def _targets(summary: Summary, figure: Any) -> None:
    """Share of seeds that reached the target, over what was spent."""
    figure.set_size_inches(7.6, 4.0)
    axes = figure.add_subplot()
    looks = _looks(summary)
    for standing in sorted(summary.standings, key=lambda s: (-s.arrived, s.arrival)):
        share = 100 * statistics.ecdf(standing.arrivals, summary.grid * (1 + 1e-9))
        axes.step(
            summary.grid, share, where="post", linewidth=1.8, label=f"{standing.label}  {100 * standing.arrived:.0f} %",
            **looks[standing.label],
        )  # fmt: skip
    axes.set_xscale("log")
    first = min(float(standing.arrivals.min()) for standing in summary.standings)
    end = summary.benchmark.budget.amount
    axes.set_xlim(max(summary.grid[0], min(0.7 * first, 0.1 * end)), end)
    axes.set_ylim(0, 102)
    axes.set_xlabel(_spent(summary))
    axes.set_ylabel("seeds that reached it (%)")
    axes.set_title(f"{summary.table}: time to {100 * summary.target:.2f} % validation accuracy")
    _plain_numbers(axes.xaxis, summary.benchmark.budget.amount)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))


def _ranks(summary: Summary, figure: Any) -> None:
    """Mean ranks on a line; bars join those that are not told apart (the diagram of Demšar 2006)."""
    if summary.ranking is None:
        return
    ranks, distance = [float(r) for r in summary.ranking.ranks], summary.ranking.distance
    order = sorted(range(len(ranks)), key=lambda k: ranks[k])
    groups = statistics.cliques(ranks, distance)
    rows = (len(order) + 1) // 2
    height = 1.3 + 0.16 * len(groups) + 0.3 * rows
    figure.set_size_inches(7.6, height)
    axes = figure.add_subplot()
    axes.set_axis_off()
    lowest, highest = 1.0, float(len(ranks))
    margin = 0.28 * (highest - lowest)
    axes.set_xlim(lowest - margin, highest + margin)
    bottom = -(0.16 * len(groups) + 0.3 * rows + 0.25)
    axes.set_ylim(bottom, 1.05)
    axes.plot([lowest, highest], [0, 0], color=INK, linewidth=1.2)
    for tick in range(1, len(ranks) + 1):
        axes.plot([tick, tick], [0, 0.09], color=INK, linewidth=1.2)
        axes.text(tick, 0.14, str(tick), ha="center", va="bottom", fontsize=9)
    shown = min(distance, highest - lowest)
    axes.plot([lowest, lowest + shown], [0.52, 0.52], color="#666666", linewidth=3, solid_capstyle="butt")
    axes.text(lowest, 0.6, f"critical difference {distance:.2f}", ha="left", va="bottom", fontsize=9, color="#666666")
    for row, group in enumerate(groups):
        y = -0.1 - 0.16 * row
        ends = [ranks[group[0]] - 0.006 * (highest - lowest), ranks[group[-1]] + 0.006 * (highest - lowest)]
        axes.plot(ends, [y, y], color=INK, linewidth=3.5, solid_capstyle="butt")
    looks = _looks(summary)
    for place, k in enumerate(order):
        left = place < rows
        y = -(0.16 * len(groups) + 0.25 + 0.3 * (place if left else len(order) - 1 - place))
        side = lowest - 0.04 * margin if left else highest + 0.04 * margin
        colour = looks[summary.standings[k].label]["color"]
        axes.plot([ranks[k], ranks[k], side], [0, y, y], color=colour, linewidth=1.3)
        axes.plot([ranks[k]], [0], "o", color=colour, markersize=5, clip_on=False)
        told = f"{summary.standings[k].label}  {ranks[k]:.2f}"
        axes.text(side, y, f"{told} " if left else f" {told}", ha="right" if left else "left", va="center")
    axes.set_title(f"{summary.table}: mean rank over seeds, 1 is best")


def _spent(summary: Summary) -> str:
    return "simulated seconds" if summary.benchmark.budget.unit == "seconds" else "full trainings spent"


def _plain_numbers(axis: Any, end: float | None = None) -> None:
    """0.1, 1, 20, 12,000 on a logarithmic axis, not too many; and its end, where that is a round number of its own."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter

    low, high = sorted(axis.get_view_interval())
    steps = (1.0,) if high / low > 3000 else (1.0, 3.0) if high / low > 60 else (1.0, 2.0, 5.0)
    ticks = [float(t) for t in LogLocator(subs=steps).tick_values(low, high) if low * 0.999 <= t <= high * 1.001]
    if end is not None:
        room = (high / low) ** 0.07
        ticks = [tick for tick in ticks if tick * room < end] + [end]
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_formatter(NullFormatter())
