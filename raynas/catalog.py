"""The literal table of what the command line and `search.json` can name, and how settings become JSON and back."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from raynas import data, spaces
from raynas.errors import ConfigError, unknown
from raynas.estimators import Train
from raynas.objectives import Constraint, Objective
from raynas.schedulers import Asha
from raynas.settings import brief, check_types, fits
from raynas.strategies import (
    AmoebaNet,
    Auto,
    Bananas,
    Controller,
    FileSearch,
    Finals,
    Genetic,
    Grid,
    LargeScaleEvolution,
    LocalSearch,
    Nsga2,
    OptunaSearch,
    Ppo,
    RandomSearch,
    RegularizedEvolution,
    Reinforce,
    RidgeSearch,
)

Factory = Callable[..., Any]

SECRET = re.compile(r"(\w[\w+.-]*://)[^/\s@]+@")
"""The user name and password of a URL, which no record of a run may hold."""

SPACES: Mapping[str, Factory] = {
    "amoebanet": spaces.amoebanet,
    "autoformer": spaces.autoformer,
    "cells": spaces.cells,
    "chain": spaces.chain,
    "conv1d": spaces.conv1d,
    "darts": spaces.darts,
    "googlenets": spaces.googlenets,
    "hierarchical": spaces.hierarchical,
    "inception": spaces.inception,
    "large_scale": spaces.large_scale,
    "mlp": spaces.mlp,
    "mobile": spaces.mobile,
    "mobilenets_v2": spaces.mobilenets_v2,
    "mobilenets_v3": spaces.mobilenets_v3,
    "nasbench101": spaces.nasbench101,
    "nasbench201": spaces.nasbench201,
    "nasnet": spaces.nasnet,
    "nats_size": spaces.nats_size,
    "ofa_mobilenetv3": spaces.ofa_mobilenetv3,
    "proxylessnas": spaces.proxylessnas,
    "residual": spaces.residual,
    "resnets": spaces.resnets,
    "skip_chain": spaces.skip_chain,
    "transformer": spaces.transformer,
    "vits": spaces.vits,
}
PAPERS: Mapping[str, str] = {
    "amoebanet": "Real et al. 2019, arXiv:1802.01548",
    "autoformer": "Chen et al. 2021, arXiv:2107.00651",
    "cells": "Liu et al. 2019, arXiv:1806.09055",
    "chain": "Elsken et al. 2019, arXiv:1808.05377",
    "conv1d": "Wang, Yan & Oates 2017, arXiv:1611.06455",
    "darts": "Liu et al. 2019, arXiv:1806.09055",
    "googlenets": "Szegedy et al. 2015, arXiv:1409.4842",
    "hierarchical": "Liu et al. 2018, arXiv:1711.00436",
    "inception": "Szegedy et al. 2015, arXiv:1409.4842",
    "large_scale": "Real et al. 2017, arXiv:1703.01041",
    "mlp": "Zimmer et al. 2021, arXiv:2006.13799",
    "mobile": "Tan et al. 2019, arXiv:1807.11626",
    "mobilenets_v2": "Sandler et al. 2018, arXiv:1801.04381",
    "mobilenets_v3": "Howard et al. 2019, arXiv:1905.02244",
    "nasbench101": "Ying et al. 2019, arXiv:1902.09635",
    "nasbench201": "Dong & Yang 2020, arXiv:2001.00326",
    "nasnet": "Zoph et al. 2018, arXiv:1707.07012",
    "nats_size": "Dong et al. 2021, arXiv:2009.00437",
    "ofa_mobilenetv3": "Cai et al. 2020, arXiv:1908.09791",
    "proxylessnas": "Cai et al. 2019, arXiv:1812.00332",
    "residual": "He et al. 2016, arXiv:1512.03385",
    "resnets": "He et al. 2016, arXiv:1512.03385",
    "skip_chain": "Zoph & Le 2017, arXiv:1611.01578",
    "transformer": "Chen et al. 2021, arXiv:2107.00651",
    "vits": "Dosovitskiy et al. 2021, arXiv:2010.11929",
}
"""Where each space comes from."""

STRATEGIES: Mapping[str, Factory] = {
    "amoebanet": AmoebaNet,
    "auto": Auto,
    "bananas": Bananas,
    "controller": Controller,
    "evolution": RegularizedEvolution,
    "file": FileSearch,
    "genetic": Genetic,
    "grid": Grid,
    "large_scale": LargeScaleEvolution,
    "local": LocalSearch,
    "nsga2": Nsga2,
    "optuna": OptunaSearch,
    "ppo": Ppo,
    "random": RandomSearch,
    "reinforce": Reinforce,
    "ridge": RidgeSearch,
}
ESTIMATORS: Mapping[str, Factory] = {"train": Train}
SCHEDULERS: Mapping[str, Factory] = {"asha": Asha, "none": lambda: None}
DATA: Mapping[str, Factory] = {
    "digits": data.digits,
    "fashion-mnist": data.fashion_mnist,
    "cifar10": data.cifar10,
    "cifar100": data.cifar100,
    "folder": data.folder,
    "npz": data.npz,
    "parquet": data.parquet,
}

_TYPES: Mapping[str, type] = {
    kind.__name__: kind
    for kind in (
        spaces.Cells,
        spaces.Chain,
        spaces.Convolution1d,
        spaces.Hierarchical,
        spaces.Inception,
        spaces.LargeScale,
        spaces.Mlp,
        spaces.Mobile,
        spaces.MobileStage,
        spaces.NasBench101,
        spaces.NasBench201,
        spaces.NasNet,
        spaces.NatsSize,
        spaces.Residual,
        spaces.SkipChain,
        spaces.Transformer,
        Auto,
        LocalSearch,
        Grid,
        FileSearch,
        Finals,
        Genetic,
        LargeScaleEvolution,
        Nsga2,
        RandomSearch,
        RegularizedEvolution,
        AmoebaNet,
        RidgeSearch,
        Bananas,
        Reinforce,
        OptunaSearch,
        Controller,
        Ppo,
        Train,
        Asha,
        Objective,
        Constraint,
        data.Digits,
        data.FashionMnist,
        data.Cifar10,
        data.Cifar100,
        data.Folder,
        data.Npz,
        data.Parquet,
    )
}


class Foreign(ConfigError):
    """What a run recorded is made of parts that only Python can make."""


def look_up(kind: str, name: str, table: Mapping[str, Factory]) -> Factory:
    """The entry of that name.

    Raises:
        ConfigError: there is none; with a did-you-mean.
    """
    if name not in table:
        raise unknown(kind, name, table)
    return table[name]


def fitted(factory: Factory, trials: int, epochs: float) -> Any:
    """A strategy with sizes that fit the search, where its class knows how.

    Args:
        factory: of STRATEGIES.
        trials: of the search.
        epochs: full budget of one trial.
    """
    for_search, for_trials = getattr(factory, "for_search", None), getattr(factory, "for_trials", None)
    if for_search:
        return for_search(trials, epochs)
    return for_trials(trials) if for_trials else factory()


def to_json(value: Any) -> Any:
    """Settings as JSON: dataclasses become objects with their type's name. What logs in to a URL is left out.

    Raises:
        ConfigError: the value is no frozen dataclass of JSON values.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value) if f.init}
        return {"type": type(value).__name__, **fields}
    if isinstance(value, tuple | list):
        return [to_json(v) for v in value]
    if isinstance(value, str):
        return SECRET.sub(r"\1***@", value)
    if value is None or isinstance(value, int | float):
        return value
    if callable(value):
        return {"type": "function", "name": getattr(value, "__qualname__", repr(value))}
    raise ConfigError(f"settings must be JSON values or dataclasses of them, but got {value!r}")


def from_json(value: Any) -> Any:
    """Inverts `to_json` for raynas' own types.

    Raises:
        Foreign: a type is not one of raynas' own.
        ConfigError: a type has no such setting, lacks one, or cannot have such a value.
    """
    if isinstance(value, list):
        return tuple(from_json(v) for v in value)
    if not isinstance(value, dict):
        return value
    name = value.get("type")
    if not isinstance(name, str) or name not in _TYPES:
        told = value.get("name") or name
        raise Foreign(
            f"{told[:100] if isinstance(told, str) and told.isprintable() else brief(told)} is not part of raynas: "
            "resume in Python, with Search(...).resume() of the same search, or search with a recipe file"
        )
    kind = _TYPES[name]
    known = [f for f in dataclasses.fields(kind) if f.init]
    given = {key: from_json(v) for key, v in value.items() if key != "type"}
    for key in given:
        if key not in {f.name for f in known}:
            raise unknown(f"setting of {name}", key[:100], [f.name for f in known])
    lacking = [f.name for f in known if f.name not in given and _required(f)]
    if lacking:
        raise ConfigError(f"{name} needs the setting {lacking[0]}")
    made = kind(**given)
    check_types(made)
    if isinstance(made, Train) and not isinstance(made.data, data.DataSource):
        raise ConfigError(f"data of Train must be a source of images, but got {brief(made.data)}")
    return made


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def with_settings(value: Any, settings: Mapping[str, str], prefix: str) -> Any:
    """A dataclass with some fields replaced by what a person wrote.

    Args:
        value: the dataclass.
        settings: field -> text, read as JSON where it is (`3`, `0.1`, `true`, `[1,2]`), else as text.
        prefix: how the person addressed it, for errors.

    Raises:
        ConfigError: no such field, or a value of another type.
    """
    fields = {f.name: f for f in dataclasses.fields(value) if f.init}
    changes = {}
    for name, text in settings.items():
        if name not in fields:
            raise unknown(f"setting {prefix}", name, fields)
        changes[name] = _typed(text, str(fields[name].type), getattr(value, name), f"{prefix}.{name}")
    return dataclasses.replace(value, **changes) if changes else value


def _typed(text: str, annotation: str, current: Any, setting: str) -> Any:
    """What a person wrote, as the type that the setting has."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    kinds = annotation.split(" | ")
    if "str" in kinds and not isinstance(value, str) and not (value is None and "None" in kinds):
        value = text
    if isinstance(value, list):
        try:
            value = from_json(value)
        except (ConfigError, RecursionError) as error:
            raise ConfigError(f"{setting}: {error}, but got {brief(text)}") from error
    if "float" in kinds and fits(value, "int"):
        value = float(value)
    if not fits(value, annotation) or (dataclasses.is_dataclass(current) and not isinstance(value, type(current))):
        raise ConfigError(f"{setting} must be of type {annotation}, but got {brief(text)}")
    return value
