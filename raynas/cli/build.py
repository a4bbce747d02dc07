"""From what a person wrote to a `Search`."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from rich.console import Console

from raynas import catalog
from raynas.data.paths import absolute
from raynas.errors import ConfigError, StateError, unknown
from raynas.estimators import Train
from raynas.objectives import Constraint, Objective
from raynas.recipe import load_recipe
from raynas.run import SEARCH, read_settings
from raynas.schedulers import Asha
from raynas.search import Search
from raynas.settings import brief, check_types, fits
from raynas.spaces.decide import sample
from raynas.spaces.function import as_space

PARTS = ("space", "strategy", "estimator", "scheduler", "data")
"""What `--set PART.field=value` can address."""

RECORDED = {"space", "strategy", "estimator", "scheduler", "objectives", "constraints", "seed"}
"""What every run recorded."""

PATHS = ("storage", "data_dir", "recipe")
OPTIONS = {"settings": "--set", "objectives": "--objective", "constraints": "--constraint", "recipe": "RECIPE.py"}
"""How options are written whose names differ."""


@dataclass(frozen=True)
class Choices:
    """The options of `raynas search`, None where they were not given."""

    recipe: str | None = None
    space: str | None = None
    strategy: str | None = None
    estimator: str | None = None
    scheduler: str | None = None
    data: str | None = None
    data_dir: str | None = None
    trials: int | None = None
    epochs: int | None = None
    hours: float | None = None
    objectives: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    concurrency: int | None = None
    cpus_per_trial: float | None = None
    gpus_per_trial: float | None = None
    epoch_timeout_s: float | None = None
    trial_timeout_s: float | None = None
    memory_gb_per_trial: float | None = None
    disk_gb: float | None = None
    address: str | None = None
    storage: str | None = None
    mirror: str | None = None
    name: str | None = None
    seed: int | None = None
    settings: tuple[str, ...] = ()


def make_search(choices: Choices) -> Search:
    """The search that options describe, on top of a recipe or of the defaults.

    Raises:
        ConfigError: an option names something unknown or has a value that cannot work.
    """
    _check_texts(choices)
    settings = _settings(choices.settings)
    base = load_recipe(choices.recipe) if choices.recipe else Search()
    fields = (
        "trials", "hours", "concurrency", "cpus_per_trial", "gpus_per_trial", "epoch_timeout_s", "trial_timeout_s",
        "memory_gb_per_trial", "disk_gb", "address", "storage", "mirror", "name", "seed",
    )  # fmt: skip
    changes: dict[str, Any] = {f: v for f in fields if (v := getattr(choices, f)) is not None}
    trials = changes.get("trials", base.trials)
    if not fits(trials, "int") or trials < 1:
        raise ConfigError(f"trials must be at least 1, but got {brief(trials)}")
    if choices.recipe:
        path, colon, function = choices.recipe.partition(":")
        changes["recipe"] = f"{Path(path).resolve()}{colon}{function}"  # `raynas resume` may run elsewhere
    if choices.objectives:
        changes["objectives"] = tuple(Objective.parse(text) for text in choices.objectives)
    if choices.constraints:
        changes["constraints"] = tuple(Constraint.parse(text) for text in choices.constraints)
    changes["space"] = _part("space", choices.space, base.space, catalog.SPACES, settings)
    changes["estimator"] = estimator = _estimator(choices, base.estimator, settings)
    changes["strategy"] = _strategy(choices, base, trials, estimator.budget, settings)
    changes["scheduler"] = _scheduler(choices, base, estimator, settings)
    made = dataclasses.replace(base, **changes)
    check_types(made)
    return made


def remake_search(folder: Path, **changes: Any) -> Search:
    """The search that a run recorded, with changes where they are not None.

    Raises:
        ConfigError: the folder is no run, or the run used parts that only Python can make.
        StateError: what was recorded is damaged.
    """
    recorded = read_settings(folder)["search"]
    resolved = folder.resolve()
    place = {"storage": str(resolved.parent), "name": resolved.name}
    search = _recorded(recorded, folder, place)
    if changes.get("trials") is not None and changes["trials"] < search.trials:
        raise ConfigError(f"trials must be at least {search.trials}, as the run began, but got {changes['trials']}")
    changed = dataclasses.replace(search, **{name: value for name, value in changes.items() if value is not None})
    check_types(changed)
    return changed


def _recorded(recorded: Mapping[str, Any], folder: Path, place: Mapping[str, str]) -> Search:
    """The search that was recorded; parts that are no part of raynas come from its recipe."""
    base: Search | None = None
    made: dict[str, Any] = {}
    for field in dataclasses.fields(Search):
        if field.name in place or field.name not in recorded:
            continue  # a search of an older raynas had fewer settings
        try:
            made[field.name] = catalog.from_json(recorded[field.name])
        except catalog.Foreign:
            if not recorded.get("recipe"):
                raise
            base = base or load_recipe(_own_recipe(recorded["recipe"], folder))
            made[field.name] = getattr(base, field.name)
        except (ConfigError, RecursionError) as error:
            raise StateError(f"{folder / SEARCH} is damaged: {field.name}: {error}") from error
    if lacking := RECORDED - set(made):
        raise StateError(f"{folder / SEARCH} is damaged: it has no {min(lacking)}")
    try:
        search = Search(**{**made, **place})
        check_types(search)
    except ConfigError as error:
        raise StateError(f"{folder / SEARCH} is damaged: {error}") from error
    return search


def _own_recipe(recipe: object, folder: Path) -> str:
    """The recipe that a run recorded. A run's folder may come from anywhere, so nothing inside of it is ever run.

    Raises:
        StateError: it is no absolute path, or lies in the run's folder.
    """
    path = Path(recipe.partition(":")[0]) if isinstance(recipe, str) and fits(recipe, "str") else Path()
    if not path.is_absolute() or path.resolve().is_relative_to(folder.resolve()):
        raise StateError(
            f"{folder / SEARCH} names the recipe {brief(recipe)}: only an absolute path outside of the run's folder "
            "is run; load the recipe in Python and call its resume()"
        )
    return str(recipe)


def _check_texts(choices: Choices) -> None:
    """Options are single lines, numbers are such that files can hold them, and file systems can hold the paths."""
    for field in dataclasses.fields(choices):
        given = getattr(choices, field.name)
        option = OPTIONS.get(field.name, f"--{field.name.replace('_', '-')}")
        if not fits(given, str(field.type)):
            rule = "one line of at most 4,096 characters" if "str" in str(field.type) else "a number below 2**63"
            raise ConfigError(f"{option} must be {rule}, but got {brief(given)}")
        if field.name in PATHS and given is not None:
            absolute(given)


def _settings(texts: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
    found: dict[str, dict[str, str]] = {part: {} for part in PARTS}
    for text in texts:
        key, equals, value = text.partition("=")
        part, dot, field = key.strip().partition(".")
        if not equals or not dot:
            raise ConfigError(f"--set takes PART.FIELD=VALUE with PART one of {', '.join(PARTS)}, but got {text!r}")
        if part not in found:
            raise unknown("part in --set", part, PARTS)
        found[part][field] = value.strip()
    return found


def _part(
    kind: str, name: str | None, current: Any, table: Mapping[str, Any], settings: Mapping[str, Mapping[str, str]]
) -> Any:
    """A part by name, or the current one; with what was set on it."""
    value = catalog.look_up(kind, name, table)() if name is not None else current
    if not settings[kind]:
        return value
    if not dataclasses.is_dataclass(value):
        raise ConfigError(f"this {kind} has no settings, but got --set {kind}.{next(iter(settings[kind]))}=...")
    return catalog.with_settings(value, settings[kind], kind)


def _estimator(choices: Choices, current: Any, settings: Mapping[str, Mapping[str, str]]) -> Any:
    estimator = _part("estimator", choices.estimator, current, catalog.ESTIMATORS, settings)
    if choices.epochs is not None:
        if not isinstance(estimator, Train):
            raise ConfigError(f"--epochs needs the estimator train, but got {type(estimator).__name__}")
        estimator = dataclasses.replace(estimator, epochs=choices.epochs)
    if choices.data is None and choices.data_dir is None and not settings["data"]:
        return estimator
    if not isinstance(estimator, Train):
        raise ConfigError(f"--data needs the estimator train, but got {type(estimator).__name__}")
    make: Any = catalog.look_up("data", choices.data, catalog.DATA) if choices.data else type(estimator.data)
    places = [f.name for f in dataclasses.fields(make) if f.name in ("root", "path")]
    given: dict[str, Any] = {}
    if choices.data_dir is not None:
        if not places:
            raise ConfigError(f"data {choices.data or estimator.data.name!r} comes with raynas and takes no --data-dir")
        given[places[0]] = choices.data_dir
    required = [f.name for f in dataclasses.fields(make) if f.default is dataclasses.MISSING and f.name in places]
    if choices.data and required and not given:
        raise ConfigError(f"data {choices.data!r} needs --data-dir: its {'file' if 'path' in places else 'folder'}")
    current_source: Any = estimator.data
    source = make(**given) if choices.data else dataclasses.replace(current_source, **given)
    return dataclasses.replace(estimator, data=catalog.with_settings(source, settings["data"], "data"))


def _strategy(
    choices: Choices, base: Search, trials: int, epochs: float, settings: Mapping[str, Mapping[str, str]]
) -> Any:
    name = choices.strategy or (None if choices.recipe else "auto")
    table = {n: partial(catalog.fitted, factory, trials, epochs) for n, factory in catalog.STRATEGIES.items()}
    return _part("strategy", name, base.strategy, table, settings)


def _scheduler(choices: Choices, base: Search, estimator: Any, settings: Mapping[str, Mapping[str, str]]) -> Any:
    table = {**catalog.SCHEDULERS, "asha": lambda: Asha.for_budget(max(1, estimator.budget))}
    current = base.scheduler
    if isinstance(current, Asha) and choices.epochs is not None and "rungs" not in settings["scheduler"]:
        current = Asha.for_budget(max(1, estimator.budget), current.eta)
    return _part("scheduler", choices.scheduler, current, table, settings)


def tell_plan(search: Search, *, as_json: bool) -> None:
    """Says what a search would do, after checking it."""
    search.check()
    if as_json:
        sys.stdout.write(json.dumps(search.to_json(), indent=1) + "\n")
        return
    console = Console()
    space = as_space(search.space)
    one = sample(space, Random(search.seed))
    for label, value in (
        ("space", search.space),
        ("strategy", search.strategy),
        ("estimator", search.estimator),
        ("scheduler", search.scheduler),
        ("objectives", ", ".join(map(str, search.objectives))),
        ("constraints", ", ".join(map(str, search.constraints)) or "none"),
        ("trials", f"{search.trials} of at most {search.estimator.budget:g} epochs"),
        ("run", f"{search.storage}/{search.name or search.label()}"),
        ("for example", " ".join(f"{k}={v}" for k, v in one.answers.items())),
    ):
        console.print(f"[bold]{label:12}[/bold]{value}", highlight=False, soft_wrap=True)
