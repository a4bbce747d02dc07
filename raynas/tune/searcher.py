"""Strategies as Ray Tune `Searcher` plug-ins."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from ray.tune.search import Searcher
from ray.tune.search.sample import Domain

from raynas.errors import ConfigError
from raynas.graph import Graph
from raynas.ledger import Event
from raynas.loop import Loop
from raynas.objectives import Objective
from raynas.records import Choose, Measurement, Space, Strategy, Trial, usable
from raynas.spaces.decide import sample
from raynas.spaces.function import as_space
from raynas.tune.beside import BesideTune, domains_in
from raynas.tune.domain import ArchitectureDomain, nested


class StrategySearcher(Searcher):
    """Any raynas strategy in any `tune.Tuner`.

    The trainable gets `{"arch": <the answers, a flat JSON object>}`, and beside it the hyperparameters that were
    searched jointly; `raynas.model(space, config["arch"])` is the network. Tune domains beside `arch` in `param_space`
    (uniform, loguniform, randint, lograndint, choice; in dicts too) are searched by the strategy as well.

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
        given = config.get("arch")
        if isinstance(given, Domain) and not (isinstance(given, ArchitectureDomain) and given.space == self._space):
            raise ConfigError("param_space['arch'] must be the searcher's own space: raynas.tune.domain(space)")
        beside = domains_in({name: value for name, value in config.items() if name != "arch"})
        if beside:
            self._space = BesideTune(self._space, beside)
            sample(self._space, Random(0))  # a domain that cannot be searched is refused before the first trial
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
        return {"arch": dict(architecture.answers), **nested(architecture.hyperparameters)}

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
            body: dict[str, Any] = {"answers": dict(trial.architecture.answers), "parent": trial.parent}
        elif kind == "measured":
            body = {"budget": trial.budget, "metrics": dict(trial.metrics)}
        else:
            body = {"status": trial.status, "reason": trial.reason}
        self._events.append(Event(0.0, kind, trial.id, body))
