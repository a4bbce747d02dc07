"""The nouns of a search and the four plug-in points, each on a postcard.

A space asks, a strategy answers, an estimator scores, a scheduler decides who goes on. All values are immutable.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar, runtime_checkable

from raynas.graph import Graph
from raynas.ops import Scalar

if TYPE_CHECKING:
    from raynas.objectives import Objectives
    from raynas.plan import Task

HYPERPARAMETER = "train/"
"""Answers at addresses that begin so are hyperparameters: they reach the estimator and not the graph."""

Answers = Mapping[str, Scalar]
T = TypeVar("T", bound=Scalar)


class Real(NamedTuple):
    """A question answered by a float in [low, high]; `log` means uniform in the logarithm."""

    low: float
    high: float
    log: bool = False


class Integer(NamedTuple):
    """A question answered by an int in [low, high], both included."""

    low: int
    high: int
    log: bool = False


class Options(tuple[Scalar, ...]):
    """A question answered by one of these."""

    __slots__ = ()


Domain = Options | Real | Integer


class Choose(Protocol):
    """What a space asks its questions with. An address names a question; asked again, it gets the same answer."""

    def __call__(self, address: str, options: Sequence[T]) -> T:
        """One of `options`, which are JSON scalars."""

    def real(self, address: str, low: float, high: float, *, log: bool = False) -> float:
        """A number in [low, high]."""

    def integer(self, address: str, low: int, high: int, *, log: bool = False) -> int:
        """A whole number in [low, high]."""

    def at(self, prefix: str) -> Choose:
        """The same, with every address under `prefix/`: to ask the questions of a part of the network."""


@runtime_checkable
class Space(Protocol):
    """A set of architectures, told as the questions that pick one out."""

    @property
    def name(self) -> str:
        """Short, as on the command line."""

    def decide(self, choose: Choose) -> Graph:
        """Asks, and returns the graph that the answers decide. Conditional questions are ordinary `if` and `for`."""


@dataclass(frozen=True)
class Architecture:
    """One point of a space.

    Attributes:
        space: name of the space.
        answers: address -> option, a flat JSON object. Treat it as frozen.
        graph: what the answers decide.
        questions: address -> what could have been answered.
    """

    space: str
    answers: Answers
    graph: Graph
    questions: Mapping[str, Domain] = field(compare=False, repr=False)

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def key(self) -> str:
        """The graph's canonical key: equal networks have equal keys on every machine."""
        return self.graph.key

    @property
    def hyperparameters(self) -> dict[str, Scalar]:
        """Name -> value of the hyperparameters that were searched jointly."""
        cut = len(HYPERPARAMETER)
        return {a[cut:]: v for a, v in self.answers.items() if a[:cut] == HYPERPARAMETER}

    @property
    def identity(self) -> str:
        """What makes two trials the same: the key, and the hyperparameters where there are any."""
        searched = self.hyperparameters
        return self.key + json.dumps(searched, sort_keys=True) if searched else self.key

    def to_json(self) -> dict[str, Any]:
        """A JSON object; `raynas.spaces.from_json` inverts it."""
        return {"space": self.space, "key": self.key, "answers": dict(self.answers), "graph": self.graph.to_json()}


class Proposal(NamedTuple):
    """What a strategy wants to try next.

    Attributes:
        architecture: what to try.
        parent: id of the trial that it was derived from, if any.
        budget: train it so many epochs, whatever the scheduler thinks: a low fidelity, or (infinity) a finalist. None:
            the scheduler decides.
    """

    architecture: Architecture
    parent: int | None = None
    budget: float | None = None


class Measurement(NamedTuple):
    """One reading of an architecture under estimation.

    Attributes:
        budget: what was spent on it so far, in epochs.
        metrics: name with unit -> value: `val_accuracy` in [0, 1], `train_s`, `latency_ms`, `params_m`.
    """

    budget: float
    metrics: Mapping[str, float]


RUNNING, FINISHED, STOPPED, FAILED = "running", "finished", "stopped", "failed"
"""How a trial stands: under estimation; at its full budget; stopped early by the scheduler; failed with a reason."""


class Measured:
    """What the readings of a trial tell, for whoever has `measurements`, by rising budget, and `scores` of the last."""

    measurements: Sequence[Measurement]
    scores: tuple[float, ...] | None

    @property
    def score(self) -> float | None:
        """The first objective's value, oriented so that more is better; None for a failed trial."""
        return self.scores[0] if self.scores else None

    @property
    def budget(self) -> float:
        """Epochs spent."""
        return self.measurements[-1].budget if self.measurements else 0.0

    @property
    def metrics(self) -> Mapping[str, float]:
        """The last measurement's metrics."""
        return self.measurements[-1].metrics if self.measurements else {}


@dataclass(frozen=True)
class Trial(Measured):
    """One architecture under estimation. A failure is a value, never an exception that reaches the loop.

    Attributes:
        id: counts from 1 in the order of asking.
        architecture: what is estimated.
        parent: id of the trial that it was derived from, if any.
        status: one of RUNNING, FINISHED, STOPPED, FAILED.
        reason: why it failed, with the phase; empty otherwise.
        measurements: by rising budget.
        scores: values of the objectives at the last measurement, oriented so that more is better; None as long as
            there is none, and for a failed trial.
    """

    id: int
    architecture: Architecture
    parent: int | None = None
    status: str = RUNNING
    reason: str = ""
    measurements: tuple[Measurement, ...] = ()
    scores: tuple[float, ...] | None = None


class Proposer(Protocol):
    """The running state of a strategy: a pure function of (settings, space, seed, what it was asked and told)."""

    def ask(self) -> Proposal | None:
        """What to try next; None: nothing until I am told more (such an ask leaves no trace).

        Raises:
            Exhausted: every architecture of the space was proposed.
        """

    def tell(self, trial: Trial) -> None:
        """Called at each rung (status RUNNING) and once at the end, for stopped and failed trials too.

        A proposal that breaks a constraint which its graph decides becomes no trial: it is told as failed, with id 0.
        """


@runtime_checkable
class Strategy(Protocol):
    """Decides what to try next. Settings only: a frozen dataclass of JSON values."""

    def begin(self, space: Space, objectives: Objectives, seed: int) -> Proposer:
        """A new search."""


@runtime_checkable
class Checked(Protocol):
    """Optional ability of a strategy: it says before a search begins whether it can be of use there."""

    def check(self, space: Space, objectives: Objectives, trials: int) -> None:
        """Raises ConfigError where it cannot; quick.

        Args:
            space: to be searched.
            objectives: of the search.
            trials: how many there will be at most.
        """


@runtime_checkable
class Advises(Protocol):
    """Optional ability of a strategy: it warns where its settings do not suit the workers."""

    def advice(self, workers: int) -> str:
        """One line for the person, or nothing, where so many trials can run at once."""


@runtime_checkable
class Recalls(Protocol):
    """Optional ability of a proposer whose proposals come from outside, so that asking again may give others.

    When a run is resumed it is not asked for what is on record: it takes that back.
    """

    def recall(self, architecture: Architecture, parent: int | None) -> Proposal:
        """The same as `ask`, but what it proposes is known."""


class Rungs(Protocol):
    """The running state of a scheduler: a pure function of (settings, what it was told)."""

    def report(self, trial: int, budget: float, score: float | None) -> bool:
        """Whether the trial goes on after reaching `budget` with `score` (more is better; None: unusable)."""


@runtime_checkable
class Scheduler(Protocol):
    """Decides at each rung who goes on. Settings only: a frozen dataclass of JSON values."""

    @property
    def rungs(self) -> tuple[float, ...]:
        """The budgets at which it decides, rising."""

    def begin(self) -> Rungs:
        """A new search."""


@dataclass(frozen=True)
class Context:
    """What an estimator may need for one trial, and nothing else.

    Attributes:
        trial: id of the trial.
        seed: for everything random in this trial.
        shared: what `Estimator.load` returned, shared by all trials of a node; read only.
        device: "cpu" or "cuda".
        threads: CPU threads that the trial may use.
        memory_fraction: share of the device's memory, in (0, 1].
        folder: where the trial's checkpoints live; None: it keeps none.
        rungs: budgets after which a checkpoint is wanted; others are up to the estimator.
        budget: the trial will be stopped after so many epochs: schedules are to end there. None: not before the end.
    """

    trial: int
    seed: int
    shared: Any = None
    device: str = "cpu"
    threads: int = 1
    memory_fraction: float = 1.0
    folder: str | None = None
    rungs: tuple[float, ...] = ()
    budget: float | None = None


@runtime_checkable
class Estimator(Protocol):
    """Scores architectures. Settings only: a frozen dataclass of JSON values."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that every measurement holds."""

    @property
    def budget(self) -> float:
        """The full budget of one architecture, in epochs."""

    def check(self) -> None:
        """Raises ConfigError where a setting is wrong; quick, called before anything starts."""

    def load(self) -> Any:
        """What all trials share (data); called once, put into shared memory, handed over as `Context.shared`."""

    def task(self, shared: Any) -> Task:
        """The shapes that networks must fit."""

    def estimate(self, architecture: Architecture, context: Context) -> Iterator[Measurement]:
        """Yields a measurement per epoch, continuing from the folder's checkpoint; stop iterating and it stops."""


@runtime_checkable
class Delivers(Protocol):
    """Optional ability of an estimator: it can hand over the trained network of a trial."""

    def deliver(self, architecture: Architecture, folder: str, out: str) -> dict[str, float]:
        """Writes the network, with the weights of the trial whose checkpoints are in `folder`, to folder `out`.

        Returns:
            Metrics on data that no decision saw, like `test_accuracy`.
        """


def usable(value: object) -> bool:
    """Whether a metric's value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(-math.inf < value < math.inf)


def plain(measurement: Measurement) -> Measurement:
    """Plain finite numbers, and NaN for whatever is none: JSON holds them, and a replay reads the same."""
    return Measurement(_number(measurement.budget), {str(k): _number(v) for k, v in measurement.metrics.items()})


def _number(value: Any) -> float:
    """Takes NumPy's and torch's scalars for numbers, but not text, None, booleans, lists and infinities."""
    try:
        number = math.nan if isinstance(value, str | bytes | bool) else float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return math.nan
    return number if math.isfinite(number) else math.nan
