"""What a person sees while a search runs, and what it says at the end."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from raynas.display import Display
from raynas.loop import Loop
from raynas.ops import Scalar
from raynas.records import FAILED, FINISHED, RUNNING, STOPPED, Trial
from raynas.run import Run
from raynas.search import Search

PLAIN_EVERY_S = 5.0
"""Without a terminal, a line at most so often."""


def describe(answers: Mapping[str, Scalar]) -> str:
    """Answers in a line: their values, grouped by the first part of their addresses."""
    groups: dict[str, list[str]] = {}
    for address, value in answers.items():
        group, _, _ = address.partition("/")
        groups.setdefault(group, []).append(str(value))
    return " · ".join(f"{group} {' '.join(values)}" for group, values in groups.items())


def screen() -> Console:
    """The standard output; wide where it is a file or a pipe, so that nothing is cut."""
    console = Console()
    return console if console.is_terminal else Console(width=240)


def duration(seconds: float) -> str:
    """3 s, 2 min 5 s, 1 h 20 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


class Progressing:
    """Counts, the best so far and the time left, from what the loop tells."""

    def __init__(self) -> None:
        self.total = 0
        self.counts = {FINISHED: 0, STOPPED: 0, FAILED: 0}
        self.running: set[int] = set()
        self.budgets: dict[int, float] = {}
        self.best: Trial | None = None
        self.metric, self.sign = "score", 1.0
        self.began = time.monotonic()
        self.done_before = 0

    def start(self, search: Search, loop: Loop) -> None:
        """Takes over the trials that a resumed search already has."""
        self.total = search.trials
        objective = search.objectives[0]
        self.metric, self.sign = objective.metric, 1.0 if objective.maximise else -1.0
        for trial in loop.trials.values():
            if trial.status != RUNNING:
                self.ended(trial)
        self.done_before = self.done
        self.began = time.monotonic()

    @property
    def done(self) -> int:
        """Trials that ended."""
        return sum(self.counts.values())

    def ended(self, trial: Trial) -> None:
        """Counts a trial that ended."""
        self.counts[trial.status] += 1
        self.running.discard(trial.id)
        self.budgets[trial.id] = trial.budget
        if trial.score is not None and (self.best is None or self._rank(trial) > self._rank(self.best)):
            self.best = trial

    @staticmethod
    def _rank(trial: Trial) -> tuple[float, float]:
        return (trial.budget, trial.score or 0.0)

    def heard(self, event: str, trial: Trial) -> None:
        """A listener of the loop."""
        if event == "asked":
            self.running.add(trial.id)
        elif event == "measured":
            self.running.add(trial.id)  # a resumed search issues its unfinished trials again without asking
            self.budgets[trial.id] = trial.budget
        else:
            self.ended(trial)

    def left(self) -> str:
        """Time left by the pace of this session; empty as long as few trials ended (the first ones train longest)."""
        done = self.done - self.done_before
        if self.done >= self.total or done < max(3, self.total / 10):
            return ""
        return f"about {duration((time.monotonic() - self.began) / done * (self.total - self.done))} left"

    def counted(self) -> str:
        """Counts in a line."""
        parts = [f"{n} {status}" for status, n in self.counts.items() if n or status != FAILED]
        return f"{', '.join(parts)}, {len(self.running)} running · {sum(self.budgets.values()):g} epochs trained"

    def best_line(self) -> str:
        """The best so far and its architecture."""
        if self.best is None or self.best.score is None:
            return "no result yet"
        score = f"{self.metric} {self.sign * self.best.score:.4f} after {self.best.budget:g} epochs"
        return f"best: {score} (trial {self.best.id}) {describe(self.best.architecture.answers)}"


class TerminalDisplay:
    """A progress bar and three lines that are redrawn."""

    def __init__(self) -> None:
        self.state = Progressing()
        self.console = Console(stderr=True)
        self.bar = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=None), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"), expand=True,
        )  # fmt: skip
        self.task = self.bar.add_task("starting", total=None, left="")
        self.live = Live(self._draw(), console=self.console, auto_refresh=True, refresh_per_second=4, transient=True)
        self.live.start()

    def start(self, search: Search, loop: Loop) -> None:
        """See `Display`."""
        self.state.start(search, loop)
        self.bar.reset(self.task, total=search.trials, description="trials", left="")
        self.tick()

    def stage(self, text: str) -> None:
        """See `Display`."""
        self.bar.update(self.task, description=text)
        self.live.update(self._draw())

    def warn(self, text: str) -> None:
        """See `Display`."""
        self.console.print(f"warning: {text}", markup=False, highlight=False)

    def heard(self, event: str, trial: Trial) -> None:
        """See `Display`."""
        self.state.heard(event, trial)
        self.tick()

    def tick(self) -> None:
        """See `Display`."""
        self.bar.update(self.task, completed=self.state.done, description="trials", left=self.state.left())
        self.live.update(self._draw())

    def stop(self) -> None:
        """See `Display`."""
        self.live.stop()

    def _draw(self) -> Group:
        lines = [self.state.counted(), self.state.best_line()] if self.state.total else []
        return Group(self.bar, *(Text(line, overflow="ellipsis", no_wrap=True) for line in lines))


class PlainDisplay:
    """A line now and then, for logs."""

    def __init__(self) -> None:
        self.state = Progressing()
        self.said_at = 0.0
        self.best = ""

    def start(self, search: Search, loop: Loop) -> None:
        """See `Display`."""
        self.state.start(search, loop)

    def stage(self, text: str) -> None:
        """See `Display`."""
        self._say(text)

    def warn(self, text: str) -> None:
        """See `Display`."""
        self._say(f"warning: {text}")

    def heard(self, event: str, trial: Trial) -> None:
        """See `Display`."""
        self.state.heard(event, trial)
        if trial.status == FAILED:
            self._say(f"trial {trial.id} failed: {trial.reason}")

    def tick(self) -> None:
        """See `Display`."""
        if time.monotonic() - self.said_at >= PLAIN_EVERY_S:
            self.said_at = time.monotonic()
            state = self.state
            self._say(" · ".join(filter(None, (f"{state.done}/{state.total} trials", state.counted(), state.left()))))
            if state.best and state.best_line() != self.best:
                self.best = state.best_line()
                self._say(self.best)

    def stop(self) -> None:
        """See `Display`."""

    def _say(self, text: str) -> None:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def display() -> Display:
    """A display that fits where the output goes."""
    return TerminalDisplay() if sys.stderr.isatty() else PlainDisplay()


def finish(run: Run, *, as_json: bool) -> None:
    """Says what a search found and what to do with it."""
    summary = run.summary()
    if as_json:
        sys.stdout.write(json.dumps(summary, indent=1) + "\n")
        return
    console = screen()
    best, trials = summary["best"], summary["trials"]
    table = Table.grid(padding=(0, 2))
    if best:
        metrics = best["metrics"]
        if "test_accuracy" in metrics:
            table.add_row("[bold]test accuracy[/bold]", f"[bold green]{metrics['test_accuracy']:.2%}[/bold green]")
        table.add_row(run.objectives[0].metric, f"{best['score']:.4f}")
        if "params_m" in metrics:
            table.add_row(
                "size", f"{metrics['params_m'] * 1e3:,.1f} k params, {metrics['flops_m']:.2f} M multiply-adds"
            )
        table.add_row("architecture", f"trial {best['trial']}, key {best['key'][:8]}: {describe(best['answers'])}")
    else:
        table.add_row("[bold]no result[/bold]", "no trial has a score")
    failed = f", {trials['failed']} failed" if trials["failed"] else ""
    table.add_row(
        "search",
        f"{trials['asked']} architectures ({trials['finished']} trained in full, {trials['stopped']} stopped early"
        f"{failed}), {summary['epochs_trained']:g} epochs, {duration(summary['wall_s'])}",
    )
    if summary["state"] != "finished":
        table.add_row("stopped", f"continue with: raynas resume {run.folder}")
    if run.result:
        table.add_row("network", f"{run.folder}/best/ (architecture.json, model.safetensors)")
    table.add_row("look", f"raynas show {run.folder}   tensorboard --logdir {run.folder}/tensorboard")
    console.print(table, highlight=False)
