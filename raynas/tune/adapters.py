"""The two hooks by which Ray Tune drives a `Loop`: a searcher that asks it and a scheduler that reports to it."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray.tune.experiment import Trial as TuneTrial
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from raynas.crashes import why_crashed
from raynas.errors import AllTrialsFailed, StorageError
from raynas.loop import Loop
from raynas.outcome import Outcome
from raynas.records import Measurement, Trial
from raynas.watchdog import why_killed

DEATHS = 3
"""A trial whose worker dies more often than that without getting any further is to blame itself, and fails."""

BACK_OFF_S = (0.0, 2.0, 5.0, 15.0, 30.0)
"""Waits before a trial is started again after its first, second, ... death; the last one for all further ones."""

INFRASTRUCTURE = ("node has died", "node was terminated", "preempted", "is unavailable")
"""What Ray says where no trial can be to blame."""


@dataclass
class Deaths:
    """Of one trial's workers.

    Attributes:
        budget: how far the trial was at the last one.
        alike: how many in a row happened there.
        total: all of them.
        until: on the clock of `time.monotonic`, when it may start again.
        reason: why it may not.
        traceback: where it failed.
    """

    budget: float = -1.0
    alike: int = 0
    total: int = 0
    until: float = 0.0
    reason: str = ""
    traceback: str = ""

    def happened(self, budget: float, *, blameless: bool) -> None:
        """Counts one more; from one again where the trial got further since the last. Nobody counts a lost machine."""
        if not blameless:
            self.alike = self.alike + 1 if budget == self.budget else 1
        self.budget = budget
        self.until = time.monotonic() + BACK_OFF_S[min(self.total, len(BACK_OFF_S) - 1)]
        self.total += 1


class LoopSearcher(Searcher):
    """Issues the loop's trials while there are free slots.

    Args:
        loop: who is asked.
        config: what the trial runner needs to know of a trial, flat and small.
        slots: how many trials may run at once.
        say: told what a person should know.
    """

    def __init__(
        self, loop: Loop, config: Callable[[Trial], dict[str, Any]], slots: int, say: Callable[[str], None]
    ) -> None:
        super().__init__(metric="score", mode="max")
        self.loop = loop
        self.config = config
        self.slots = slots
        self.say = say
        self.ids: dict[str, int] = {}
        self.stopped: set[str] = set()
        self.deaths: dict[str, Deaths] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next trial's configuration; None: not now; `FINISHED`: the search is over."""
        if len(self.ids) >= self.slots:
            return None
        trial = self.loop.next()
        if trial is None:
            over = self.loop.exhausted or self.loop.failure or len(self.loop.trials) >= self.loop.limit
            return str(Searcher.FINISHED) if over else None
        self.ids[trial_id] = trial.id
        return self.config(trial)

    def report(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Records a result's measurements and says whether the trial goes on."""
        number = self.ids[trial_id]
        self._note(number, result)
        if "halted" in result:
            self.loop.fail(StorageError(self.config(self.loop.running[number])["folder"], result["halted"]))
        for budget, metrics in result.get("measurements", ()):
            if not self.loop.measure(number, Measurement(budget, metrics)):
                self.stopped.add(trial_id)
                return False
        return True

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Records how a trial ended. One that the session's end cut short stays unfinished and will be resumed."""
        number = self.ids[trial_id]
        deaths = self.deaths.pop(trial_id, None)
        if deaths and deaths.reason:
            self.loop.end(number, deaths.reason, traceback=deaths.traceback)
        elif trial_id in self.stopped:
            self.loop.end(number, stopped=True)
        elif result and "outcome/identity" in result:
            self._note(number, result)
            told = {name: result[f"outcome/{name}"] for name in ("identity", "reason", "traceback", "full")}
            readings = [Measurement(*m) for m in result["measurements"]]
            self.loop.conclude(number, Outcome(measurements=readings, **told))
        else:
            return
        self.stopped.discard(trial_id)
        del self.ids[trial_id]

    def _note(self, number: int, result: dict[str, Any]) -> None:
        for text in result.get("notes", ()):
            self.loop.note(text, number)
            self.say(text)

    def died(self, trial_id: str, error: str) -> None:
        """Decides what becomes of a trial whose worker died: started again after a while, or failed.

        Args:
            trial_id: Tune's.
            error: what Ray says of it.
        """
        trial = self.loop.running[self.ids[trial_id]]
        deaths = self.deaths.setdefault(trial_id, Deaths())
        deaths.happened(trial.budget, blameless=any(words in error for words in INFRASTRUCTURE))
        folder = Path(self.config(trial)["folder"])
        crash, deaths.traceback = why_crashed(folder)
        exited = re.search(r"exit(?:s| with) (?:with an )?exit code (\d+)", error)
        if killed := why_killed(folder) or crash:
            deaths.reason = killed
        elif exited:
            deaths.reason = f"worker: exited with code {exited[1]} in epoch {trial.budget + 1:g}"
        elif "creation task" in error:  # it never came to the trial: unpickling or importing failed, and will again
            deaths.reason, deaths.traceback = f"setup: {_last_line(error)}", error
            if not any(t.measurements for t in self.loop.trials.values()):  # no worker can be set up for any trial
                self.loop.fail(AllTrialsFailed(len(self.ids), deaths.reason, "could not begin", error))
        elif deaths.alike > DEATHS:
            deaths.reason = f"worker: died {deaths.alike} times in epoch {trial.budget + 1:g}: {_last_line(error)}"

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the ledger is the truth, and Tune's own restore is never used."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing."""

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Nothing."""

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles its tuner at the start; a loop holds an open database and stays here."""
        return {}


class LoopScheduler(TrialScheduler):
    """Reports every result to the loop, stops whom it stops, and keeps its own queue of pending trials.

    Tune's own FIFO walks all trials for each choice, so its cost a trial grows with the search.
    """

    _supports_buffered_results = False

    def __init__(self, searcher: LoopSearcher) -> None:
        super().__init__()
        self.searcher = searcher
        self.pending: deque[TuneTrial] = deque()

    def on_trial_add(self, tune_controller: Any, trial: TuneTrial) -> None:
        """Queues the trial."""
        self.pending.append(trial)

    def on_trial_error(self, tune_controller: Any, trial: TuneTrial) -> None:
        """A worker died; Tune will queue the trial again."""
        try:  # Tune's `get_error` looks where the text will be copied later
            text = Path(trial.error_file).read_text(errors="replace")
        except (OSError, TypeError):
            text = ""
        self.searcher.died(trial.trial_id, text.rpartition("Failure # ")[2].partition("\n")[2])

    def on_trial_result(self, tune_controller: Any, trial: TuneTrial, result: dict[str, Any]) -> str:
        """CONTINUE or STOP."""
        return str(TrialScheduler.CONTINUE if self.searcher.report(trial.trial_id, result) else TrialScheduler.STOP)

    def on_trial_complete(self, tune_controller: Any, trial: TuneTrial, result: dict[str, Any]) -> None:
        """The searcher hears it."""

    def on_trial_remove(self, tune_controller: Any, trial: TuneTrial) -> None:
        """The searcher hears it."""

    def choose_trial_to_run(self, tune_controller: Any) -> TuneTrial | None:
        """The oldest pending trial that need not wait after the death of its worker."""
        for _ in range(len(self.pending)):
            trial = self.pending[0]
            deaths = self.searcher.deaths.get(trial.trial_id)
            if trial.status != TuneTrial.PENDING:
                self.pending.popleft()
            elif deaths and deaths.reason:
                self.pending.popleft()
                tune_controller.stop_trial(trial)
            elif deaths and time.monotonic() < deaths.until:
                self.pending.rotate(-1)
            else:
                return trial
        return None

    def debug_string(self) -> str:
        """For Tune's tables."""
        return "raynas"

    def __getstate__(self) -> dict[str, Any]:
        """See LoopSearcher."""
        return {}


def _last_line(error: str) -> str:
    lines = [line.strip() for line in error.splitlines() if line.strip()]
    return lines[-1].partition(" Some common causes")[0][-300:] if lines else "nobody knows why"
