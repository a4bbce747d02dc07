"""A search: the whole story in one dataclass."""

from __future__ import annotations

import dataclasses
import os
import platform
import re
import shlex
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from raynas import catalog
from raynas.checkpoints import DiskLimit, Keeper
from raynas.display import Display
from raynas.errors import AllTrialsFailed, ConfigError, Interrupted, StateError
from raynas.estimators import Train
from raynas.files import write_whole
from raynas.graph import Graph
from raynas.ledger import Ledger, Recorded
from raynas.loop import Listener, Loop
from raynas.objectives import Constraint, Objective
from raynas.outcome import Outcome
from raynas.records import (
    FAILED,
    RUNNING,
    Advises,
    Choose,
    Delivers,
    Estimator,
    Scheduler,
    Space,
    Strategy,
    Trial,
    usable,
)
from raynas.report.tensorboard import TensorBoardWriter
from raynas.run import BEST, CHECKPOINTS, RESULT, SEARCH, Run, best_of, read_settings, sealed
from raynas.schedulers import Asha
from raynas.search_checks import check_search
from raynas.seeds import seed_for
from raynas.spaces import Cells
from raynas.spaces.decide import replay
from raynas.spaces.function import as_space
from raynas.strategies import Auto

_ASHA = Asha()
"""Stands for rungs that fit the estimator's budget."""


@dataclass(frozen=True)
class Search:
    """The choices that make a search.

    Attributes:
        space: what is searched: a space, or a function that asks and returns a graph.
        strategy: who proposes; by default `Auto`, whose levels fit the trials and the estimator's budget.
        estimator: what scores.
        scheduler: who goes on at each rung, by default ASHA with rungs that fit the estimator's budget; None: every
            trial gets its full budget.
        objectives: what is optimised; the first decides the winner.
        constraints: what must hold; those on params_m, flops_m and memory_mb are checked before a trial starts.
        trials: how many architectures are tried.
        concurrency: trials at once; None: as many as the CPUs and GPUs allow.
        cpus_per_trial: CPUs of a trial; its torch threads follow.
        gpus_per_trial: GPUs of a trial, may be a fraction.
        epoch_timeout_s: a trial fails when it gives no reading for so many seconds; None: no limit.
        trial_timeout_s: a trial fails when one worker works on it for more seconds; None: no limit.
        memory_gb_per_trial: a trial fails when its worker's resident memory exceeds so many GiB; None: no limit.
        disk_gb: the search stops when its folder holds more than so many GiB; None: no limit.
        mirror: where a copy of the run is kept up while it runs: a path, or a URI like s3://bucket/runs; None: nowhere.
        hours: the search stops after so many, to be resumed or not; None: no limit.
        address: of a Ray cluster to join; None: Ray starts here.
        storage: folder that holds runs.
        name: of this run's folder; None: made from the choices.
        seed: the same seed gives the same search (at concurrency 1; with more, results arrive in another order).
        recipe: the recipe file that made this search, as `path.py:function`; `raynas resume` reads it again.
    """

    space: Space | Callable[[Choose], Graph] = field(default_factory=Cells)
    strategy: Strategy = None  # type: ignore[assignment]  # __post_init__ fills it in
    estimator: Estimator = field(default_factory=Train)
    scheduler: Scheduler | None = _ASHA
    objectives: Sequence[Objective] = (Objective(),)
    constraints: Sequence[Constraint] = ()
    trials: int = 40
    concurrency: int | None = None
    cpus_per_trial: float = 1.0
    gpus_per_trial: float = 0.0
    epoch_timeout_s: float | None = None
    trial_timeout_s: float | None = None
    memory_gb_per_trial: float | None = None
    disk_gb: float | None = None
    mirror: str | None = None
    hours: float | None = None
    address: str | None = None
    storage: str = "runs"
    name: str | None = None
    seed: int = 0
    recipe: str | None = None

    def __post_init__(self) -> None:
        budget: Any = getattr(self.estimator, "budget", None)
        if not usable(budget):
            return  # `check` will say why
        if self.strategy is None and type(self.trials) is int:
            object.__setattr__(self, "strategy", Auto.for_search(max(1, self.trials), budget))
        if self.scheduler is _ASHA:
            object.__setattr__(self, "scheduler", Asha.for_budget(max(1, budget)))

    def check(self) -> None:
        """Checks everything that can be checked without Ray and torch.

        Raises:
            ConfigError: a choice cannot work; one line with the setting, its value and the fix.
        """
        check_search(self)

    def run(self, display: Display | None = None) -> Run:
        """Searches, and delivers the winner.

        Args:
            display: shows progress; None: nothing is shown.

        Raises:
            ConfigError: a choice cannot work, or the run's folder exists already.
            AllTrialsFailed: trial after trial failed alike.
            Interrupted: stopped by the person; carries the command that continues.
        """
        self.check()
        folder = self._new_folder()
        try:
            return self._go(folder, display)
        except ConfigError:  # found out late (no cluster, no room on it): leave nothing behind that was not a run
            if not Run(folder).trials:
                shutil.rmtree(folder)
            raise

    def resume(self, display: Display | None = None) -> Run:
        """Continues the run of this search's `storage` and `name`, stopped or killed, with the trials that are left.

        Raises:
            ConfigError: there is no such run.
            StateError: its record is damaged, or this search differs from the one that was recorded.
        """
        if self.name is None:
            raise ConfigError("to resume a search, give it the name of its run")
        folder = Path(self.storage) / self.name
        recorded = read_settings(folder)["search"]
        mine = self.to_json()
        for part in ("space", "strategy", "estimator", "scheduler", "objectives", "constraints", "seed"):
            if recorded[part] != mine[part]:
                raise StateError(
                    f"{folder} began with another {part}: {recorded[part]!r}, but now it is {mine[part]!r}"
                )
        self.check()
        self._record(folder)  # more trials than before, perhaps
        return self._go(folder, display)

    def to_json(self) -> dict[str, Any]:
        """All choices as JSON."""
        return {f.name: catalog.to_json(getattr(self, f.name)) for f in dataclasses.fields(self)}

    def label(self) -> str:
        """`space-data-strategy`, for names of runs."""
        data = getattr(self.estimator, "data", None)
        parts = (as_space(self.space).name, getattr(data, "name", ""), _kebab(type(self.strategy).__name__))
        return "-".join(re.sub(r"[^A-Za-z0-9_.-]+", "-", p)[:60] for p in parts if p)

    def _new_folder(self) -> Path:
        storage = Path(self.storage)
        if self.name is not None:
            folder = storage / self.name
            if folder.exists():
                raise ConfigError(
                    f"run {folder} exists; continue it with `raynas resume {shlex.quote(str(folder))}`, "
                    "or choose another --name"
                )
        else:
            number = 1
            while (folder := storage / f"{self.label()}-{number}").exists():
                number += 1
        try:
            folder.mkdir(parents=True)
        except FileExistsError:  # another search took the name this moment
            if self.name is None:
                return self._new_folder()
            raise ConfigError(f"run {folder} exists; choose another --name") from None
        self._record(folder)
        return folder

    def _record(self, folder: Path) -> None:
        packages = {package: metadata.version(package) for package in ("ray", "torch", "pyarrow")}
        settings = {
            "raynas": metadata.version("raynas"),
            "versions": packages | {"python": platform.python_version()},
            "names": {"space": as_space(self.space).name},
            "search": dataclasses.replace(self, name=folder.name).to_json(),
        }
        write_whole(folder / SEARCH, sealed(settings))

    def _go(self, folder: Path, display: Display | None) -> Run:
        if not self.mirror:
            return self._search(folder, display)
        from raynas.mirror import Mirror  # pyarrow costs a moment to import

        with Mirror(folder, self.mirror, display.warn if display else _silent):
            return self._search(folder, display)

    def _search(self, folder: Path, display: Display | None) -> Run:
        from raynas.tune import run as ray_run  # ray costs a second to import; checks come first

        space = as_space(self.space)
        say, warn = (display.stage, display.warn) if display else (_silent, _silent)
        ledger = Ledger.write(folder)
        board = TensorBoardWriter(folder, self.objectives[0].metric, maximise=self.objectives[0].maximise)
        keeper = Keeper(folder / CHECKPOINTS, self.constraints)
        listeners: list[Listener] = [keeper, board]
        if self.disk_gb:
            listeners.append(DiskLimit(folder, self.disk_gb))
        if display:
            listeners.append(display.heard)
        try:
            say("loading data")
            shared = self.estimator.load()
            loop = Loop(
                space,
                self.strategy,
                self.objectives,
                self.seed,
                trials=self.trials,
                constraints=self.constraints,
                task=self.estimator.task(shared),
                scheduler=self.scheduler,
                ledger=ledger,
                listeners=listeners,
            )
            loop.replay(ledger.events())
            if ledger.recovery:
                self._tell_recovery(loop, ledger, warn)
            self._take_in(loop, folder)
            for trial in loop.trials.values():
                if trial.status != RUNNING:
                    keeper("ended", trial)
                    board("ended", trial)
            ledger.append("opened", body={"process": os.getpid()})
            state = "stopped"
            try:
                if not self._over(loop):
                    say("starting Ray" if not self.address else f"joining Ray at {self.address}")
                    deadline = time.monotonic() + self.hours * 3600 if self.hours else None
                    resources = ray_run.Resources(
                        self.cpus_per_trial,
                        self.gpus_per_trial,
                        self.concurrency,
                        self.address,
                        self.epoch_timeout_s,
                        self.trial_timeout_s,
                        self.memory_gb_per_trial,
                    )
                    with ray_run.session(self.address):
                        if display:
                            display.start(self, loop)
                            self._advise(display, ray_run.slots(resources))
                        ray_run.run(
                            loop,
                            space,
                            self.estimator,
                            shared,
                            resources,
                            config=lambda trial: self._config(trial, folder),
                            rungs=self.scheduler.rungs if self.scheduler else (),
                            deadline=deadline,
                            tick=display.tick if display else _nothing,
                            say=warn,
                        )
                if self._over(loop):
                    if loop.trials and all(t.status == FAILED for t in loop.trials.values()):
                        first = next(iter(loop.trials.values()))
                        raise AllTrialsFailed(len(loop.trials), first.reason, "failed, and no other ended; the first")
                    state = "finished"
                    self._deliver(folder, ledger.trials(), space, say)
            except (Interrupted, KeyboardInterrupt) as stop:
                code = stop.exit_code if isinstance(stop, Interrupted) else 130
                raise Interrupted(f"raynas resume {shlex.quote(str(folder))}", code) from None
            finally:
                ledger.append("closed", body={"state": state})
                if display:
                    display.stop()
        finally:
            board.close()
            ledger.close()
        run = Run(folder)
        run.to_parquet()
        return run

    def _tell_recovery(self, loop: Loop, ledger: Ledger, warn: Callable[[str], None]) -> None:
        warn(ledger.recovery)
        for trial in loop.trials.values():
            ledger.keep(trial.architecture.graph)
        loop.note(ledger.recovery)

    def _take_in(self, loop: Loop, folder: Path) -> None:
        """Records the outcomes that workers kept while there was nobody to report them to."""
        for trial in list(loop.running.values()):
            outcome = Outcome.read(self._folder(trial.id, folder), trial.architecture.identity)
            if outcome is not None and not loop.failure:
                loop.conclude(trial.id, outcome)

    def _advise(self, display: Display, workers: int) -> None:
        advice = self.strategy.advice(min(workers, self.trials)) if isinstance(self.strategy, Advises) else ""
        if advice:
            display.warn(advice)

    def _over(self, loop: Loop) -> bool:
        return not loop.running and (loop.exhausted or len(loop.trials) >= self.trials)

    def _config(self, trial: Trial, folder: Path) -> dict[str, Any]:
        return {
            "trial": trial.id,
            "arch": dict(trial.architecture.answers),
            "seed": seed_for(self.seed, "trial", trial.id),
            "folder": str(self._folder(trial.id, folder).resolve()),
        }

    @staticmethod
    def _folder(trial: int, folder: Path) -> Path:
        """Where a trial keeps what it needs to go on."""
        return folder / CHECKPOINTS / f"{trial:05d}"

    def _deliver(self, folder: Path, trials: Sequence[Recorded], space: Space, say: Callable[[str], None]) -> None:
        """Hands over the winner's trained network and reads the test split, once."""
        winner = best_of(trials, self.constraints)
        done = folder / BEST / RESULT
        if winner is None or not isinstance(self.estimator, Delivers):
            return
        with suppress(StateError):  # damaged: it is delivered again
            if Run(folder).result.get("trial") == winner.id:
                return
        say("testing the winner")
        architecture = replay(space, winner.answers)
        checkpoints = self._folder(winner.id, folder)
        metrics = self.estimator.deliver(architecture, str(checkpoints), str(folder / BEST))
        write_whole(done, sealed({"trial": winner.id, "metrics": metrics}))


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


def _silent(text: str) -> None:
    """Shows nothing."""


def _nothing() -> None:
    """Does nothing."""
