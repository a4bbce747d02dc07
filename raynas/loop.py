"""The loop that every runtime drives: ask, record, measure, decide, tell.

Ray Tune (raynas/tune) and the tests call the same three methods: `next`, `measure`, `end`. The loop is a pure function
of its settings and of the events, so a run is resumed by replaying its ledger: the strategy is asked again, what it
answers must equal what was recorded, and the state is what it was. A strategy whose answers come from outside takes
back what was recorded instead (`Recalls`).
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from raynas.cost import STATIC_METRICS, cost
from raynas.errors import (
    AllTrialsFailed,
    ArchitectureError,
    ConfigError,
    Exhausted,
    PluginError,
    RaynasError,
    StateError,
    StorageError,
)
from raynas.files import DISK_FULL
from raynas.ledger import Event, Ledger, measurement_of
from raynas.objectives import Constraint, Objective, scores
from raynas.outcome import Outcome
from raynas.plan import Task
from raynas.records import (
    FAILED,
    FINISHED,
    STOPPED,
    Measurement,
    Proposal,
    Recalls,
    Rungs,
    Scheduler,
    Space,
    Strategy,
    Trial,
    plain,
    usable,
)
from raynas.seeds import seed_for
from raynas.spaces import decide

ALIKE = 10
"""So many failures in a row with one reason, numbers aside, end a search."""

INFEASIBLE = 10_000
"""Proposals that may break a constraint one after the other, before the search counts as exhausted."""

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

    Attributes:
        trials: all trials by id, those that run included.
        running: those that run.
        exhausted: the strategy has nothing left to propose.
        failure: what ended the search early: a plug-in that broke, a full disk, trial after trial that failed alike.
            It is kept here instead of raised, since a runtime would take it for an error of the trial at hand.
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
        self.space = space
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
        self._stopping: set[int] = set()  # running trials whose last reading said stop
        self._budgets: dict[int, float] = {}  # of running trials that no rung decides
        self._alike = (0, "")
        self._off_record = False  # the record has ended: whatever comes now is not on it

    @property
    def done(self) -> bool:
        """Whether nothing is left to ask and nobody is running."""
        return not self.running and (self.exhausted or self.failure is not None or len(self.trials) >= self.limit)

    def budget_of(self, trial_id: int) -> float | None:
        """How far a running trial is to be trained if no rung decides it (see `Proposal.budget`)."""
        return self._budgets.get(trial_id)

    def next(self) -> Trial | None:
        """The next trial to run: one that a stopped session left unfinished, or a new one.

        Returns:
            None where there is none now; `done` tells whether there will be one.
        """
        if self.failure:
            return None
        while self._again:
            trial = self.running.get(self._again.pop(0).id)
            if trial:  # a worker's outcome may have concluded it meanwhile
                return trial
        if self.exhausted or len(self.trials) >= self.limit:
            return None
        try:
            proposal = self._propose()
        except Exhausted:
            self.exhausted = True
            return None
        except ConfigError as error:
            self.failure = error
            return None
        if proposal is None:
            if not self.running and not self.failure:
                self.failure = PluginError(_name(self.proposer), "has no proposal although nothing is running")
            return None
        trial = self._open(proposal)
        self._record(lambda ledger: ledger.asked(trial.id, trial.architecture, trial.parent))
        self._heard("asked", trial)
        return trial

    def measure(self, trial_id: int, measurement: Measurement) -> bool:
        """Records a reading and says whether the trial goes on. A reading that is known already changes nothing."""
        trial = self.running[trial_id]
        measurement = plain(measurement)
        if measurement.budget <= trial.budget:
            return measurement.budget < trial.budget or trial_id not in self._stopping
        if math.isnan(measurement.budget):
            return False
        values = scores(self.objectives, measurement.metrics)
        self._record(lambda ledger: ledger.measured(trial_id, measurement, values))
        go_on = self._measured(trial_id, measurement)
        self._heard("measured", self.running[trial_id])
        return go_on

    def end(self, trial_id: int, reason: str = "", *, stopped: bool = False, traceback: str = "") -> Trial:
        """Records that a trial ended.

        Args:
            trial_id: which.
            reason: why it failed; empty: it did not.
            stopped: it was stopped before its full budget.
            traceback: where it failed.
        """
        trial = self.running[trial_id]
        if not reason and trial.scores is None:
            reason = self._unusable(trial)
        status = FAILED if reason else STOPPED if stopped else FINISHED
        self._record(lambda ledger: ledger.ended(trial_id, status, reason, traceback))
        trial = self._ended(trial_id, status, reason)
        self._heard("ended", trial)
        self._count_alike(reason, traceback)
        return trial

    def conclude(self, trial_id: int, outcome: Outcome) -> Trial:
        """Records what a worker says at the end of a trial: the readings that are not known yet, and how it ended."""
        go_on = True
        for measurement in outcome.measurements:
            go_on = self.measure(trial_id, measurement)
            if not go_on:
                break
        stopped = not go_on and not outcome.full
        return self.end(trial_id, outcome.reason, stopped=stopped, traceback=outcome.traceback)

    def note(self, text: str, trial_id: int | None = None) -> None:
        """Records what a person should know."""
        self._record(lambda ledger: ledger.append("noted", trial_id, {"text": text}))

    def fail(self, error: RaynasError) -> None:
        """Ends the search; trials that run stay unfinished. The first error counts."""
        self.failure = self.failure or error

    def replay(self, events: Iterable[Event], *, reissue: bool = True) -> None:
        """Brings a fresh loop to the state that events record.

        Args:
            events: of a ledger, in order.
            reissue: `next` will answer with the unfinished trials first.

        Raises:
            StateError: the strategy now proposes something else than was recorded.
            PluginError: the strategy or the scheduler raised an error.
        """
        for _, kind, trial_id, body in events:
            if trial_id is None:
                continue
            if kind == "asked":
                try:
                    proposal = self._proposed_before(body)
                except (Exhausted, ConfigError):
                    proposal = None
                if self.failure:
                    raise self.failure
                if proposal is None or dict(proposal.architecture.answers) != body["answers"]:
                    raise StateError(
                        f"trial {trial_id} was proposed with other answers than this search proposes; "
                        "resume with the space, strategy, seed and raynas version that the run began with"
                    )
                self._open(proposal)
            elif kind == "measured":
                self._measured(trial_id, measurement_of(body))
            elif kind == "ended":
                self._ended(trial_id, body["status"], body.get("reason", ""))
            if self.failure:
                raise self.failure
        self._again = list(self.running.values()) if reissue else []

    def _proposed_before(self, body: Mapping[str, Any]) -> Proposal | None:
        """What was recorded: asked for again, or taken back by a proposer that cannot be asked again."""
        if not isinstance(self.proposer, Recalls):
            return self._propose()
        try:
            architecture = decide.replay(self.space, body["answers"])
        except ArchitectureError:
            return None
        with self._blaming(self.proposer):
            return self.proposer.recall(architecture, body.get("parent"))
        return None

    def _propose(self) -> Proposal | None:
        """The next proposal that meets the constraints which the graph alone decides.

        Raises:
            Exhausted: there is none left.
            ConfigError: there never was one.
        """
        try:
            for _ in range(INFEASIBLE):
                proposal = None
                with self._blaming(self.proposer):
                    proposal = self.proposer.ask()
                if proposal is None:
                    return None
                broken = self._broken(proposal)
                if broken is None:
                    return proposal
                refused = Trial(0, proposal.architecture, proposal.parent, FAILED, f"constraint: not {broken}")
                with self._blaming(self.proposer):
                    self.proposer.tell(refused)
        except Exhausted:
            if self.trials or not self.static:
                raise
        if self.trials:
            raise Exhausted(self.space.name, len(self.trials))
        wanted = ", ".join(str(c) for c in self.static)
        raise ConfigError(f"no architecture that was proposed meets {wanted}: relax it, or make the space smaller")

    def _broken(self, proposal: Proposal) -> Constraint | None:
        """The first constraint that the graph alone shows to be broken."""
        if not self.static or self.task is None:
            return None
        try:
            metrics = cost(proposal.architecture.graph, self.task).metrics()
        except Exception:  # noqa: BLE001 - as a trial it will fail, and the record will say why
            return None
        return next((c for c in self.static if not c.holds(metrics)), None)

    def _open(self, proposal: Proposal) -> Trial:
        trial = Trial(len(self.trials) + 1, proposal.architecture, proposal.parent)
        self.trials[trial.id] = self.running[trial.id] = trial
        if proposal.budget is not None:
            self._budgets[trial.id] = proposal.budget
        return trial

    def _measured(self, trial_id: int, measurement: Measurement) -> bool:
        trial = self.running[trial_id]
        before = trial.budget
        trial = dataclasses.replace(
            trial,
            measurements=(*trial.measurements, measurement),
            scores=scores(self.objectives, measurement.metrics),
        )
        self.trials[trial_id] = self.running[trial_id] = trial
        go_on = trial.scores is not None
        # A reading may pass a rung without meeting it, where an estimator reads every second epoch.
        passed = [rung for rung in self.compared if before < rung <= measurement.budget]
        own = self._budgets.get(trial_id)
        if own is not None:
            go_on = go_on and measurement.budget < own
        elif passed and self.rungs is not None:
            with self._blaming(self.rungs):
                go_on = self.rungs.report(trial_id, max(passed), trial.score)
            if go_on:
                with self._blaming(self.proposer):
                    self.proposer.tell(trial)
        if not go_on:
            self._stopping.add(trial_id)
        return go_on

    def _ended(self, trial_id: int, status: str, reason: str) -> Trial:
        trial = self.running.pop(trial_id)
        trial = dataclasses.replace(
            trial, status=status, reason=reason, scores=None if status == FAILED else trial.scores
        )
        self.trials[trial_id] = trial
        self._stopping.discard(trial_id)
        self._budgets.pop(trial_id, None)
        with self._blaming(self.proposer):
            self.proposer.tell(trial)
        return trial

    def _count_alike(self, reason: str, traceback: str) -> None:
        count, last = self._alike
        kind = re.sub(r"\d+", "#", reason)  # "epoch 3" or "24 MiB" make no other failure
        self._alike = (count + 1 if kind == last else 1, kind)
        if reason and self._alike[0] >= ALIKE and not self.failure:
            self.fail(AllTrialsFailed(self._alike[0], reason, traceback=traceback))

    def _unusable(self, trial: Trial) -> str:
        metrics: Mapping[str, object] = trial.metrics
        if not metrics:
            return "estimate: ended without a measurement"
        bad = next(o.metric for o in self.objectives if not usable(metrics.get(o.metric)))
        if bad not in metrics:
            return f"metrics: {bad} is missing; the estimator yields {', '.join(metrics)}"
        return f"metrics: {bad} is {metrics[bad]} after {trial.budget:g} epochs"

    def _heard(self, event: str, trial: Trial) -> None:
        if self._off_record:
            return
        for listener in self.listeners:
            with self._blaming(listener):
                listener(event, trial)

    def _record(self, write: Callable[[Ledger], None]) -> None:
        if self.ledger is None:
            return
        try:
            write(self.ledger)
        except RaynasError as error:
            self.fail(error)
            self.ledger = None  # a record that ends early can be continued, one with a gap cannot
            self._off_record = True

    @contextmanager
    def _blaming(self, plugin: object) -> Iterator[None]:
        """What a plug-in raises ends the search as its `failure`; the first one counts."""
        try:
            yield
        except Exhausted:
            raise
        except RaynasError as error:
            self.fail(error)
        except OSError as error:
            full = error.errno in DISK_FULL
            folder = str(error.filename or ".")
            self.fail(StorageError(folder, str(error)) if full else _blame(plugin, error))
        except Exception as error:  # noqa: BLE001 - whatever it is, it must neither lose the record nor go unnamed
            self.fail(_blame(plugin, error))


def _blame(plugin: object, error: Exception) -> PluginError:
    blame = PluginError(_name(plugin), f"{type(error).__name__}: {error}")
    blame.__cause__ = error
    return blame


def _name(plugin: object) -> str:
    return str(getattr(plugin, "__qualname__", type(plugin).__name__))
