"""The loop that every runtime drives: ask, record, measure, decide, tell.

Ray Tune (raynas/tune) and the tests call the same three methods: `next`, `measure`, `end`. The loop is a pure function
of its settings and of the events, so a run is resumed by replaying its ledger: the strategy is asked again, what it
answers must equal what was recorded, and the state is what it was.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from raynas.cost import STATIC_METRICS, cost
from raynas.errors import AllTrialsFailed, Exhausted, PluginError, RaynasError, StateError
from raynas.ledger import Event, Ledger
from raynas.objectives import Constraint, Objective, scores
from raynas.plan import Task
from raynas.records import (
    FAILED,
    FINISHED,
    STOPPED,
    Measurement,
    Proposal,
    Rungs,
    Scheduler,
    Space,
    Strategy,
    Trial,
    usable,
)
from raynas.seeds import seed_for

ALIKE = 10
"""So many failures in a row with one reason end a search."""

INFEASIBLE = 10_000
"""Proposals that may break a constraint one after the other."""

Listener = Callable[[str, Trial], None]
"""Called with "asked", "measured" or "ended" and the trial, after it was recorded."""


class Loop:
    """The state of a search.

    Args:
        space: what is searched.
        strategy: who proposes.
        objectives: what is optimised; the first is the score.
        seed: of the search.
        trials: how many trials at most; None: until the space is exhausted.
        constraints: those on static metrics refuse a proposal before it becomes a trial.
        task: shapes of the data, for static metrics; needed with such constraints.
        scheduler: who goes on at each rung; None: everybody.
        ledger: where events are recorded; None: nowhere.
        listeners: told of every event.
    """

    def __init__(
        self,
        space: Space,
        strategy: Strategy,
        objectives: Sequence[Objective],
        seed: int,
        *,
        trials: int | None = None,
        constraints: Sequence[Constraint] = (),
        task: Task | None = None,
        scheduler: Scheduler | None = None,
        ledger: Ledger | None = None,
        listeners: Sequence[Listener] = (),
    ) -> None:
        self.objectives = tuple(objectives)
        self.limit = math.inf if trials is None else trials
        self.task = task
        self.static = [c for c in constraints if c.metric in STATIC_METRICS]
        self.ledger = ledger
        self.listeners = tuple(listeners)
        self.proposer = strategy.begin(space, self.objectives, seed_for(seed, "strategy"))
        self.rungs: Rungs | None = scheduler.begin() if scheduler else None
        self.compared = frozenset(scheduler.rungs if scheduler else ())
        self.trials: dict[int, Trial] = {}
        self.running: dict[int, Trial] = {}
        self.exhausted = False
        self.failure: RaynasError | None = None
        self._again: list[Trial] = []
        self._alike = (0, "")

    @property
    def done(self) -> bool:
        """Whether nothing is left to ask and nobody is running."""
        return not self.running and (self.exhausted or self.failure is not None or len(self.trials) >= self.limit)

    def next(self) -> Trial | None:
        """The next trial to run: one that a stopped session left unfinished, or a new one.

        Returns:
            None where there is none now; `done` tells whether there will be one.
        """
        if self.failure:
            return None
        if self._again:
            return self._again.pop(0)
        if self.exhausted or len(self.trials) >= self.limit:
            return None
        try:
            proposal = self._propose()
        except Exhausted:
            self.exhausted = True
            return None
        if proposal is None:
            if not self.running:
                raise PluginError(type(self.proposer).__name__, "has no proposal although nothing is running")
            return None
        trial = self._open(proposal)
        if self.ledger:
            self.ledger.asked(trial.id, trial.architecture, trial.parent)
        self._heard("asked", trial)
        return trial

    def measure(self, trial_id: int, measurement: Measurement) -> bool:
        """Records a reading and says whether the trial goes on. A reading that is known already changes nothing."""
        trial = self.running[trial_id]
        if measurement.budget <= trial.budget:
            return True
        values = scores(self.objectives, measurement.metrics)
        if self.ledger:
            self.ledger.measured(trial_id, measurement, values)
        go_on = self._measured(trial_id, measurement)
        self._heard("measured", self.running[trial_id])
        return go_on

    def end(self, trial_id: int, reason: str = "", *, stopped: bool = False) -> Trial:
        """Records that a trial ended.

        Args:
            trial_id: which.
            reason: why it failed; empty: it did not.
            stopped: it was stopped before its full budget.
        """
        trial = self.running[trial_id]
        if not reason and trial.scores is None:
            reason = self._unusable(trial)
        status = FAILED if reason else STOPPED if stopped else FINISHED
        if self.ledger:
            self.ledger.ended(trial_id, status, reason)
        trial = self._ended(trial_id, status, reason)
        self._heard("ended", trial)
        return trial

    def replay(self, events: Iterable[Event], *, reissue: bool = True) -> None:
        """Brings a fresh loop to the state that events record.

        Args:
            events: of a ledger, in order.
            reissue: `next` will answer with the unfinished trials first.

        Raises:
            StateError: the strategy now proposes something else than was recorded.
        """
        for _, kind, trial_id, body in events:
            if trial_id is None:
                continue
            if kind == "asked":
                try:
                    proposal = self._propose()
                except Exhausted:
                    proposal = None
                if proposal is None or dict(proposal.architecture.answers) != body["answers"]:
                    raise StateError(
                        f"trial {trial_id} was proposed with other answers than this search proposes; "
                        "resume with the space, strategy, seed and raynas version that the run began with"
                    )
                self._open(proposal)
            elif kind == "measured":
                metrics = {name: math.nan if value is None else value for name, value in body["metrics"].items()}
                self._measured(trial_id, Measurement(body["budget"], metrics))
            elif kind == "ended":
                self._ended(trial_id, body["status"], body.get("reason", ""))
        self.failure = None  # what failed before may work now
        self._alike = (0, "")
        self._again = list(self.running.values()) if reissue else []

    def _propose(self) -> Proposal | None:
        for _ in range(INFEASIBLE):
            proposal = self.proposer.ask()
            if proposal is None or not self.static or self.task is None:
                return proposal
            metrics = cost(proposal.architecture.graph, self.task).metrics()
            if all(c.holds(metrics) for c in self.static):
                return proposal
        wanted = ", ".join(str(c) for c in self.static)
        raise PluginError(
            type(self.proposer).__name__, f"no architecture of {INFEASIBLE:,} proposed meets {wanted}"
        )

    def _open(self, proposal: Proposal) -> Trial:
        trial = Trial(len(self.trials) + 1, proposal.architecture, proposal.parent)
        self.trials[trial.id] = self.running[trial.id] = trial
        return trial

    def _measured(self, trial_id: int, measurement: Measurement) -> bool:
        trial = self.running[trial_id]
        trial = dataclasses.replace(
            trial,
            measurements=(*trial.measurements, measurement),
            scores=scores(self.objectives, measurement.metrics),
        )
        self.trials[trial_id] = self.running[trial_id] = trial
        go_on = trial.scores is not None
        if measurement.budget in self.compared and self.rungs is not None:
            go_on = self.rungs.report(trial_id, measurement.budget, trial.score)
            if go_on:
                self.proposer.tell(trial)
        return go_on

    def _ended(self, trial_id: int, status: str, reason: str) -> Trial:
        trial = self.running.pop(trial_id)
        trial = dataclasses.replace(
            trial, status=status, reason=reason, scores=None if status == FAILED else trial.scores
        )
        self.trials[trial_id] = trial
        self.proposer.tell(trial)
        if status == FAILED:
            count, last = self._alike
            self._alike = (count + 1 if reason == last else 1, reason)
            if self._alike[0] >= ALIKE:
                self.failure = AllTrialsFailed(*self._alike)
        else:
            self._alike = (0, "")
        return trial

    def _unusable(self, trial: Trial) -> str:
        metrics: Mapping[str, object] = trial.metrics
        if not metrics:
            return "estimate: ended without a measurement"
        bad = next(o.metric for o in self.objectives if not usable(metrics.get(o.metric)))
        if bad not in metrics:
            return f"metrics: {bad} is missing; the estimator yields {', '.join(metrics)}"
        return f"metrics: {bad} is {metrics[bad]} after {trial.budget:g} epochs"

    def _heard(self, event: str, trial: Trial) -> None:
        for listener in self.listeners:
            listener(event, trial)



