"""Optuna's samplers as strategies, by ask and tell: TPE, NSGA-II, and CMA-ES for numbers.

Akiba et al. 2019, "Optuna: A Next-generation Hyperparameter Optimization Framework", https://arxiv.org/abs/1907.10902.
The samplers: Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization" (TPE, which takes several objectives
too: Ozaki et al. 2022); Deb et al. 2002, "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II"; Hansen 2016,
"The CMA Evolution Strategy: A Tutorial", https://arxiv.org/abs/1604.00772 (for numbers; TPE answers the rest).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from random import Random
from typing import Any

from raynas.errors import ConfigError, unknown
from raynas.objectives import Objectives
from raynas.ops import Scalar
from raynas.records import FAILED, RUNNING, Architecture, Domain, Integer, Options, Proposal, Real, Space, Trial
from raynas.settings import check_types
from raynas.spaces.checks import check_whole
from raynas.spaces.decide import changed
from raynas.spaces.suggest import suggest
from raynas.strategies.fresh import TRIES, Fresh

SAMPLERS = ("tpe", "nsga2", "cmaes")

PATIENCE = 8
"""Repeats until one more answer is changed at once."""


@dataclass(frozen=True)
class OptunaSearch:
    """A sampler of Optuna that never proposes a network again.

    Attributes:
        sampler: "tpe", "nsga2" or "cmaes". TPE and NSGA-II take all objectives, CMA-ES the first.
        initial: random architectures before TPE's first model.
        population: of NSGA-II.
        history: a sampler knows of twice as many trials at most; then it keeps so many, half of them the best (NSGA-II:
            its parents and their children). It would become slower with each trial otherwise.
        retries: draws of networks that were proposed before, until one beside the last is proposed.
    """

    sampler: str = "tpe"
    initial: int = 10
    population: int = 30
    history: int = 200
    retries: int = 5

    def __post_init__(self) -> None:
        if self.sampler not in SAMPLERS:
            raise unknown("sampler", self.sampler, SAMPLERS)
        check_whole(self, "initial", "retries")
        check_whole(self, "population", "history", least=2)
        check_types(self)

    def begin(self, space: Space, objectives: Objectives, seed: int) -> OptunaProposer:
        """A new search.

        Raises:
            ConfigError: CMA-ES without the package `cmaes`.
        """
        return OptunaProposer(self, space, 1 if self.sampler == "cmaes" else len(objectives), seed)


class OptunaProposer:
    """The state: Optuna's study, and the proposals that have not ended.

    Args:
        settings: of the strategy.
        space: what is searched.
        objectives: how many count.
        seed: of the search.
    """

    def __init__(self, settings: OptunaSearch, space: Space, objectives: int, seed: int) -> None:
        import optuna  # takes half a second, so it is loaded where it is used

        self.optuna = optuna
        self.settings = settings
        self.space = space
        self.objectives = objectives
        self.rng = Random(seed)
        self.fresh = Fresh(space, self.rng)
        self._sampler = _sampler(settings, self.rng.getrandbits(32))
        self._names: dict[str, str] = {}  # parameter -> what was asked under its name
        self._study = self._begin([])
        self._size = 0  # trials of the study
        self._open: dict[str, int] = {}  # identity of a running trial -> its number in the study

    def ask(self) -> Proposal:
        """What the sampler draws; where it repeats itself, an architecture beside its last draw, or a random one.

        Raises:
            Exhausted: every architecture of the space was proposed.
        """
        if self._size >= 2 * self.settings.history + len(self._open):
            self._forget()
        for _ in range(self.settings.retries):
            asked = self._study.ask()
            self._size += 1
            drawn = suggest(self.space, _Named(asked, self._names))
            if self.fresh.take(drawn):
                self._open[drawn.identity] = asked.number
                return Proposal(drawn)
            self._study.tell(asked, state=self.optuna.trial.TrialState.FAIL)
        beside = self._beside(drawn)
        self._open[beside.identity] = self._add(beside)
        return Proposal(beside)

    def tell(self, trial: Trial) -> None:
        """Optuna learns of a trial once, when it ends; of a failed one, only that it did."""
        if trial.status == RUNNING:
            return
        state = self.optuna.trial.TrialState
        number = self._open.pop(trial.architecture.identity, None)
        if trial.status == FAILED or trial.scores is None:
            if number is not None:
                self._study.tell(number, state=state.FAIL)
            return
        values = [comparable(trial.budget, score) for score in trial.scores[: self.objectives]]
        self._study.tell(self._add(trial.architecture) if number is None else number, values)

    def _beside(self, drawn: Architecture) -> Architecture:
        """A new architecture as few answers away as can be found."""
        for attempt in range(TRIES):
            found = self.fresh.complete(changed(drawn, self.rng, 1 + attempt // PATIENCE))
            if found is not None:
                return found
        return self.fresh.random()

    def _begin(self, trials: Sequence[Any]) -> Any:
        """A study that knows some trials. Optuna says on the terminal that it made one, which is no news here."""
        logging = self.optuna.logging
        verbosity = logging.get_verbosity()
        logging.set_verbosity(logging.WARNING)
        try:
            study = self.optuna.create_study(directions=["maximize"] * self.objectives, sampler=self._sampler)
        finally:
            logging.set_verbosity(verbosity)
        study.add_trials(trials)
        return study

    def _forget(self) -> None:
        """Goes on with a study of fewer trials, which makes the sampler as quick as it was."""
        kept = self._generation() if self.settings.sampler == "nsga2" else self._best_and_young()
        kept += self._study.get_trials(deepcopy=False, states=[self.optuna.trial.TrialState.RUNNING])
        kept.sort(key=lambda trial: trial.number)
        moved = {trial.number: number for number, trial in enumerate(kept)}
        self._sampler = _sampler(self.settings, self.rng.getrandbits(32))  # one sampler must not serve two studies
        self._study = self._begin(kept)
        self._size = len(kept)
        self._open = {identity: moved[number] for identity, number in self._open.items()}

    def _best_and_young(self) -> list[Any]:
        """`history` trials that ended, of which half are the best."""
        done = self._study.get_trials(deepcopy=False, states=[self.optuna.trial.TrialState.COMPLETE])
        front = {t.number for t in self._study.best_trials} if self.objectives > 1 and done else set()
        best = sorted(done, key=lambda t: (t.number in front, t.values[0]))[-self.settings.history // 2 :]
        numbers = {trial.number for trial in best}
        young = [trial for trial in done if trial.number not in numbers]
        return best + young[len(best) - self.settings.history :]

    def _generation(self) -> list[Any]:
        """NSGA-II's parents as generation 0, and what they brought forth as generation 1."""
        trials = [t for t in self._study.get_trials(deepcopy=False) if _generation_key(t)]
        now = max((t.system_attrs[_generation_key(t)] for t in trials), default=0)
        parents = self._sampler.get_parent_population(self._study, now)
        kept = [*parents, *self._sampler.get_population(self._study, now)]
        numbers = {trial.number for trial in parents}
        for trial in trials:  # those that run, too: they belong to the children
            trial.system_attrs[_generation_key(trial)] = int(bool(parents) and trial.number not in numbers)
        return kept

    def _add(self, architecture: Architecture) -> int:
        """Makes a trial of an architecture that the sampler did not draw; returns its number."""
        answers, questions = architecture.answers, architecture.questions
        self._study.enqueue_trial({_name(self._names, a, questions[a]): answer for a, answer in answers.items()})
        asked = self._study.ask()
        self._size += 1
        if self.settings.sampler == "nsga2":
            _ = asked.relative_params  # the sampler draws too, and so takes the trial into its generation
        suggest(self.space, _Named(asked, self._names))
        return int(asked.number)


class _Named:
    """An Optuna trial that asks a question with other options than before under another name, as Optuna demands."""

    def __init__(self, trial: Any, names: dict[str, str]) -> None:
        self.trial = trial
        self.names = names

    def suggest_categorical(self, name: str, choices: Sequence[Scalar]) -> Any:
        """One of `choices`."""
        return self.trial.suggest_categorical(_name(self.names, name, Options(choices)), choices)

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """A number."""
        return float(self.trial.suggest_float(_name(self.names, name, Real(low, high, log)), low, high, log=log))

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """A whole number."""
        return int(self.trial.suggest_int(_name(self.names, name, Integer(low, high, log)), low, high, log=log))


def _name(names: dict[str, str], address: str, domain: Domain) -> str:
    """The parameter of a question; it is the address for the first domain that is asked there."""
    asked = repr(domain)
    name, number = address, 1
    while names.setdefault(name, asked) != asked:
        number += 1
        name = f"{address} #{number}"
    return name


def comparable(budget: float, score: float) -> float:
    """A number that is larger for a larger budget, and at one budget for a larger score.

    So of two trials the one with the larger budget dominates; budgets that differ by less than a hundredth of an epoch
    are not told apart.
    """
    return 200 * budget + score / (1 + abs(score))


def _generation_key(trial: Any) -> str:
    """Under which NSGA-II keeps the generation of a trial; empty: it has none."""
    return next((key for key in trial.system_attrs if key.endswith(":generation")), "")


def _sampler(settings: OptunaSearch, seed: int) -> Any:
    """The sampler of Optuna.

    Raises:
        ConfigError: CMA-ES without its package.
    """
    import optuna

    if settings.sampler == "nsga2":
        return optuna.samplers.NSGAIISampler(population_size=settings.population, seed=seed)
    with warnings.catch_warnings():
        # Drawing all parameters at once is the default since Optuna 5; until then it was called an experiment.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        tpe = optuna.samplers.TPESampler(n_startup_trials=settings.initial, multivariate=True, seed=seed)
    if settings.sampler == "tpe":
        return tpe
    if find_spec("cmaes") is None:
        raise ConfigError("the sampler cmaes needs the package cmaes: pip install cmaes")
    cmaes = optuna.samplers.CmaEsSampler(seed=seed, independent_sampler=tpe, warn_independent_sampling=False)

    class Split(optuna.samplers.BaseSampler):  # type: ignore[misc] # Optuna is not typed here
        """CMA-ES draws the numbers, TPE all else at once (CMA-ES alone would have it draw one after the other)."""

        def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
            """What all trials so far were asked."""
            numbers: dict[str, Any] = cmaes.infer_relative_search_space(study, trial)
            return {**tpe.infer_relative_search_space(study, trial), **numbers}

        def sample_relative(self, study: Any, trial: Any, search_space: dict[str, Any]) -> dict[str, Any]:
            """Draws these together."""
            numbers = cmaes.infer_relative_search_space(study, trial)
            others = {name: kind for name, kind in search_space.items() if name not in numbers}
            return {**tpe.sample_relative(study, trial, others), **cmaes.sample_relative(study, trial, numbers)}

        def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
            """Draws one that not all trials were asked."""
            return tpe.sample_independent(study, trial, param_name, param_distribution)

    return Split()
