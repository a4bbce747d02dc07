'''Proposals from outside: a language model, a person, a program of your own.

    def propose(request):
        """Asks a model; what it answers is checked here, so it may be wrong."""
        return ask_some_model("Propose a better network.\\n" + json.dumps(request))

    raynas.Search(strategy=raynas.External(propose))

`propose` gets one JSON object and answers with one (see `External`). What it answers is checked: it must be an
architecture of the space that was not proposed before and meets the constraints that the graph decides. If not, it is
asked again and told why; if it fails once more, another strategy proposes in its place.

What comes from outside cannot be computed again: the same model answers differently tomorrow. So when a run is resumed,
nobody is asked what is on record. The proposer takes back what it proposed (`raynas.records.Recalls`), and `propose` is
called for new trials only, with the same history as if nothing had happened.
'''

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from raynas.errors import ArchitectureError, ConfigError, Exhausted, PluginError
from raynas.objectives import Objectives
from raynas.records import Architecture, Proposal, Space, Strategy, Trial
from raynas.seeds import seed_for
from raynas.spaces.checks import check_whole
from raynas.strategies.auto import Auto
from raynas.strategies.fresh import Fresh
from raynas.strategies.plain import Questions, history_of
from raynas.strategies.random_search import RandomSearch

Propose = Callable[[dict[str, Any]], Any]
"""From a request to a proposal; see `External`."""


@dataclass(frozen=True)
class External:
    """Asks a function of yours.

    A request holds `space` (its name, its `questions`: address -> `options`, or a range `real` or `integer` and whether
    it is meant `log`, and whether it is `always` asked; and an `example`: the answers of an architecture),
    `objectives` (text), `history` (every proposal so far: `answers`, `parent`, `trial`, `status`, `reason`, `score`,
    where more is better, `epochs`, `metrics`; what nothing came back of yet has the status running and no trial),
    `refused` (what was answered to this very request and why it cannot be: `answer`, `reason`), and a `seed`.

    A proposal is an object, address -> answer, or `{"answers": {...}, "parent": 3}` where it was made of trial 3, or a
    text with such a JSON object in it. None leaves this one to the fallback.

    Attributes:
        propose: the function. It is called where the search runs, one call at a time, and the search waits for it.
        fallback: who proposes where the function fails; it hears of all trials, so it must be one that learns from
            those of others too (`Auto` does not). None: where the function fails, or answers None, the search ends.
        tries: calls until one is of use, for each proposal.
        patience: proposals in a row that the fallback makes where the function only raised errors, or answered with
            what is no architecture of the space; then the search ends.
    """

    propose: Propose
    fallback: Strategy | None = field(default_factory=RandomSearch)
    tries: int = 3
    patience: int = 10

    def __post_init__(self) -> None:
        if not callable(self.propose):
            raise ConfigError(f"propose must be a function that takes a request, but got {self.propose!r}")
        if self.fallback is not None and (isinstance(self.fallback, type) or not isinstance(self.fallback, Strategy)):
            raise ConfigError(f"fallback must be a strategy or None, but got {self.fallback!r}")
        if isinstance(self.fallback, Auto | External):
            raise ConfigError(f"fallback must be able to learn from trials of others, but got {self.fallback!r}")
        check_whole(self, "tries", "patience")

    def begin(self, space: Space, objectives: Objectives, seed: int) -> ExternalProposer:
        """A new search."""
        return ExternalProposer(self, space, objectives, seed)


class ExternalProposer:
    """The state: what was proposed, what came back, and what was answered to the present request.

    Attributes:
        nonsense: answers that were no architecture of the space, and errors that the function raised.
        repeats: answers that had been proposed before.
        replaced: proposals that the fallback made.
    """

    def __init__(self, settings: External, space: Space, objectives: Objectives, seed: int) -> None:
        self.settings = settings
        self.space = space
        self.objectives = objectives
        self.seed = seed
        self.fresh = Fresh(space, Random(seed))
        self.questions = Questions(space)
        self.nonsense = self.repeats = self.replaced = 0
        self._proposed: dict[str, Proposal] = {}  # identity -> what was proposed and not refused, in order
        self._trials: dict[str, Trial] = {}  # identity -> how it stands
        fallback = settings.fallback
        self._stand_in = fallback.begin(space, objectives, seed_for(seed, "fallback")) if fallback else None
        self._spare: Proposal | None = None  # what the fallback proposes next
        self._over = False  # whether the fallback has nothing left
        self._in_a_row = 0  # requests that were answered with nothing but nonsense
        self._sent = False  # whether the present request has led to a proposal, which may still be refused
        self._left = settings.tries
        self._refused: list[dict[str, Any]] = []

    def ask(self) -> Proposal | None:
        """What the function proposes, or the fallback in its place.

        Raises:
            Exhausted: the fallback knows nothing new; or the function answered None, and there is no fallback.
            PluginError: the function answers with nonsense alone, or there is no fallback.
        """
        self._prepare()
        if self._sent:  # nobody refused it: a new request
            self._left, self._refused = self.settings.tries, []
        self._sent = True
        if self._left:
            nonsense = self.nonsense
            while self._left:
                self._left -= 1
                proposal = self._call()
                if proposal is not None:
                    self._in_a_row = 0
                    return self._keep(proposal)
            only_nonsense = self.nonsense - nonsense == len(self._refused) > 0
            self._in_a_row = self._in_a_row + 1 if only_nonsense else 0
        self._check_patience()
        if self._spare is None:
            if self._stand_in is None or self._over:
                raise Exhausted(self.space.name, len(self.fresh.seen))
            return None
        self.replaced += 1
        self.fresh.take(self._spare.architecture)
        return self._keep(self._spare)

    def tell(self, trial: Trial) -> None:
        """It goes into the history; but what breaks a constraint was never a trial, and another is asked for."""
        identity = trial.architecture.identity
        if self._stand_in is not None:
            self._stand_in.tell(trial)
        if trial.id:
            self._trials[identity] = trial
        else:
            del self._proposed[identity]
            self._refused.append({"answer": dict(trial.architecture.answers), "reason": trial.reason})
            self._sent = False

    def recall(self, architecture: Architecture, parent: int | None) -> Proposal:
        """See `raynas.records.Recalls`."""
        self._prepare()
        self.fresh.take(architecture)
        self._sent = True
        return self._keep(Proposal(architecture, parent))

    def _call(self) -> Proposal | None:
        """What the function proposes, if it is of use."""
        answer = None
        try:
            answer = self.settings.propose(self._request())
            if answer is None:
                self._left = 0
                return None
            architecture, parent = self.questions.read(answer)
            known = [trial.id for trial in self._trials.values()]
            if parent is not None and (type(parent) is not int or parent not in known):
                raise ArchitectureError("parent", parent, "it must be the number of a trial in the history")
        except Exception as error:  # noqa: BLE001 - whatever comes from outside, the search goes on
            self.nonsense += 1
            self._refused.append({"answer": _plain(answer), "reason": f"{type(error).__name__}: {error}"})
            return None
        if self.fresh.take(architecture):
            return Proposal(architecture, parent)
        self.repeats += 1
        self._refused.append({"answer": _plain(answer), "reason": "this network was proposed before"})
        return None

    def _request(self) -> dict[str, Any]:
        return {
            "space": self.questions.told(),
            "objectives": [str(objective) for objective in self.objectives],
            "history": [
                history_of(proposal, self._trials.get(identity)) for identity, proposal in self._proposed.items()
            ],
            "refused": [dict(refused) for refused in self._refused],
            "seed": seed_for(self.seed, "propose", len(self._proposed), len(self._refused)),
        }

    def _prepare(self) -> None:
        """Asks the fallback for a proposal that is ready where the function will fail.

        Whether it fails cannot be known when a run is replayed; so the fallback is asked at times that do not depend on
        it: whenever what it had ready was proposed, by whomever.
        """
        try:
            while self._stand_in is not None and self._spare is None and not self._over:
                spare = self._stand_in.ask()
                if spare is None:
                    return
                if spare.architecture.identity not in self.fresh.seen:
                    self._spare = spare
        except Exhausted:
            self._over = True

    def _check_patience(self) -> None:
        settings = self.settings
        if self._refused and (settings.fallback is None or self._in_a_row > settings.patience):
            name = str(getattr(settings.propose, "__qualname__", type(settings.propose).__name__))
            times = f"{self._in_a_row} times in a row" if settings.fallback else f"in {len(self._refused)} tries"
            raise PluginError(name, f"proposed nothing of use {times}; the last: {self._refused[-1]['reason']}")

    def _keep(self, proposal: Proposal) -> Proposal:
        identity = proposal.architecture.identity
        self._proposed[identity] = proposal
        if self._spare is not None and self._spare.architecture.identity == identity:
            self._spare = None
        return proposal


def _plain(answer: object) -> object:
    """An answer as it can be told again."""
    if isinstance(answer, Mapping):
        return {str(name): _plain(value) for name, value in answer.items()}
    return answer if answer is None or isinstance(answer, str | int | float) else repr(answer)
