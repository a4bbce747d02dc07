"""The two hooks by which Ray Tune drives a `Loop`: a searcher that asks it and a scheduler that reports to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from ray.tune.experiment import Trial as TuneTrial
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from raynas.loop import Loop
from raynas.records import Measurement, Trial


class LoopSearcher(Searcher):
    """Issues the loop's trials while there are free slots.

    Args:
        loop: who is asked.
        config: what the trial runner needs to know of a trial, flat and small.
        slots: how many trials may run at once.
    """

    def __init__(self, loop: Loop, config: Callable[[Trial], dict[str, Any]], slots: int) -> None:
        super().__init__(metric="score", mode="max")
        self.loop = loop
        self.config = config
        self.slots = slots
        self.ids: dict[str, int] = {}
        self.stopped: set[str] = set()
        self.errors: dict[str, str] = {}

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
        for budget, metrics in result.get("measurements", ()):
            if not self.loop.measure(self.ids[trial_id], Measurement(budget, metrics)):
                self.stopped.add(trial_id)
                return False
        return True

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Records how a trial ended. One that the session's end cut short stays unfinished and will be resumed."""
        number = self.ids[trial_id]
        if error:
            self.loop.end(number, self.errors.pop(trial_id, "worker: died"))
        elif trial_id in self.stopped:
            self.stopped.discard(trial_id)
            self.loop.end(number, stopped=True)
        elif result and result.get("ended"):
            go_on = self.report(trial_id, result)
            self.stopped.discard(trial_id)
            self.loop.end(number, result.get("reason", ""), stopped=not go_on and not result.get("full"))
        else:
            return
        del self.ids[trial_id]

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
        """Keeps the last line of the error for the record."""
        lines = str(trial.get_error() or "worker died").strip().splitlines()
        self.searcher.errors[trial.trial_id] = f"worker: {lines[-1][:300]}"

    def on_trial_result(self, tune_controller: Any, trial: TuneTrial, result: dict[str, Any]) -> str:
        """CONTINUE or STOP."""
        return str(TrialScheduler.CONTINUE if self.searcher.report(trial.trial_id, result) else TrialScheduler.STOP)

    def on_trial_complete(self, tune_controller: Any, trial: TuneTrial, result: dict[str, Any]) -> None:
        """The searcher hears it."""

    def on_trial_remove(self, tune_controller: Any, trial: TuneTrial) -> None:
        """The searcher hears it."""

    def choose_trial_to_run(self, tune_controller: Any) -> TuneTrial | None:
        """The oldest pending trial."""
        while self.pending and self.pending[0].status != TuneTrial.PENDING:
            self.pending.popleft()
        return self.pending[0] if self.pending else None

    def debug_string(self) -> str:
        """For Tune's tables."""
        return "raynas"

    def __getstate__(self) -> dict[str, Any]:
        """See LoopSearcher."""
        return {}
