"""Strategies as Ray Tune `Searcher` plug-ins."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray.tune.search import Searcher
from ray.tune.search.sample import Categorical, Domain, Float, LogUniform
from ray.tune.search.sample import Integer as TuneInteger

from raynas.errors import ConfigError
from raynas.graph import Graph
from raynas.ledger import Event
from raynas.loop import Loop
from raynas.objectives import Objective
from raynas.records import HYPERPARAMETER, Choose, Measurement, Space, Strategy, Trial, usable
from raynas.spaces.function import as_space
from raynas.tune.domain import ArchitectureDomain


class StrategySearcher(Searcher):
    """Any raynas strategy in any `tune.Tuner`.

    The trainable gets `{"arch": <the answers, a flat JSON object>}`, and beside it the hyperparameters that were
    searched jointly; `raynas.model(space, config["arch"])` is the network. Tune domains beside `arch` in `param_space`
    (uniform, loguniform, randint, lograndint, choice) are searched by the strategy too.

    Args:
        strategy: who proposes.
        space: a space, or a function that is one.
        metric: name of the reported value that is optimised.
        mode: "max" or "min".
        seed: of the search.
    """

    def __init__(
        self,
        strategy: Strategy,
        space: Space | Callable[[Choose], Graph],
        *,
        metric: str = "score",
        mode: str = "max",
        seed: int = 0,
    ) -> None:
        if mode not in ("max", "min"):
            raise ConfigError(f"mode must be max or min, but got {mode!r}")
        super().__init__(metric=metric, mode=mode)
        self._strategy = strategy
        self._space = as_space(space)
        self._seed = seed
        self._loop: Loop | None = None
        self._ids: dict[str, int] = {}
        self._events: list[Event] = []

    def set_search_properties(self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any) -> bool:
        """Called by Tune once, with its metric and mode (where given) and the `param_space`."""
        if metric:
            self._metric = metric
        if mode:
            self._mode = mode
        beside = {}
        for name, value in config.items():
            if isinstance(value, ArchitectureDomain):
                if name != "arch" or value.space != self._space:
                    raise ConfigError(f"param_space[{name!r}] must be the searcher's own space, under the name 'arch'")
            elif isinstance(value, Domain):
                beside[name] = value
        if beside:
            self._space = BesideTune(self._space, beside)
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next configuration; None: not now; `Searcher.FINISHED`: the space is exhausted."""
        loop = self._begun()
        trial = loop.next()
        if loop.failure:
            raise loop.failure
        if trial is None:
            return str(Searcher.FINISHED) if loop.exhausted else None
        self._ids[trial_id] = trial.id
        architecture = trial.architecture
        return {"arch": dict(architecture.answers), **architecture.hyperparameters}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Tells the strategy. A trial that was stopped early tells its last result and the budget it reached."""
        number = self._ids.pop(trial_id, None)
        if number is None:
            return
        loop = self._begun()
        if result and not error:
            metrics = {name: float(value) for name, value in result.items() if usable(value)}
            loop.measure(number, Measurement(float(result.get("training_iteration", 1)), metrics))
        loop.end(number, f"trial {trial_id} raised" if error else "")

    def save(self, checkpoint_path: str) -> None:
        """Writes what was proposed and learned. Tune calls it at its snapshots."""
        data = {"seed": self._seed, "events": self._events, "ids": self._ids}
        Path(checkpoint_path).write_text(json.dumps(data))

    def restore(self, checkpoint_path: str) -> None:
        """Asks and tells the strategy again what `save` wrote; it must propose the same again."""
        data = json.loads(Path(checkpoint_path).read_text())
        if data["seed"] != self._seed:
            raise ConfigError(f"the saved search has seed {data['seed']}, but this searcher has {self._seed}")
        self._loop, self._events = None, data["events"]
        # Tune itself runs the unfinished trials again, under the ids they had.
        self._begun().replay((Event(*event) for event in self._events), reissue=False)
        self._ids = data["ids"]

    def _begun(self) -> Loop:
        if self._loop is None:
            objective = Objective(str(self.metric), self.mode == "max")
            self._loop = Loop(self._space, self._strategy, [objective], self._seed, listeners=[self._heard])
        return self._loop

    def _heard(self, kind: str, trial: Trial) -> None:
        if kind == "asked":
            body: dict[str, Any] = {"answers": dict(trial.architecture.answers)}
        elif kind == "measured":
            body = {"budget": trial.budget, "metrics": dict(trial.metrics)}
        else:
            body = {"status": trial.status, "reason": trial.reason}
        self._events.append(Event(0.0, kind, trial.id, body))


@dataclass(frozen=True)
class BesideTune:
    """A space joined with the Tune domains that stand beside it in a `param_space`, asked as hyperparameters."""

    space: Space
    domains: dict[str, Domain]

    @property
    def name(self) -> str:
        """The space's."""
        return self.space.name

    def decide(self, choose: Choose) -> Graph:
        """Asks for the hyperparameters, then for the architecture."""
        for name, domain in self.domains.items():
            _ask(choose, HYPERPARAMETER + name, domain)
        return self.space.decide(choose)


def _ask(choose: Choose, address: str, domain: Domain) -> None:
    log = isinstance(domain.get_sampler(), LogUniform)
    if type(domain.get_sampler()).__name__.strip("_") not in ("Uniform", "LogUniform"):
        raise ConfigError(f"{address}: {type(domain.get_sampler()).__name__} is not supported beside an architecture")
    if isinstance(domain, Categorical):
        choose(address, tuple(domain.categories))
    elif isinstance(domain, TuneInteger):
        choose.integer(address, domain.lower, domain.upper - 1, log=log)
    elif isinstance(domain, Float):
        choose.real(address, domain.lower, domain.upper, log=log)
    else:
        raise ConfigError(f"{address}: {domain!r} is not supported beside an architecture")
