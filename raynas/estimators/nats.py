"""The official files of NATS-Bench, read by its authors' package `nats_bench` (the extra `nats`).

Dong et al. 2021, "NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology and Size",
https://arxiv.org/abs/2009.00437. The package unpickles the files: open only those of its authors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from raynas.errors import ConfigError, DataError, unknown
from raynas.estimators.tabular import MissingCell
from raynas.records import Architecture, Measurement, Space
from raynas.spaces.nasbench201 import NasBench201, to_string
from raynas.spaces.nats_size import NatsSize

DATASETS = ("cifar10", "cifar100", "ImageNet16-120")

TRAININGS = {"tss": (12, 200), "sss": (1, 12, 90)}
"""Epochs of the trainings of the topology space and of the size space; each has a schedule of its own."""


class NatsTable:
    """A benchmark file (`NATS-tss-v1_0-3ffb9.pickle.pbz2`) or folder (`NATS-tss-v1_0-3ffb9-simple`).

    Accuracies are means over the seeds of the file. As its authors do, CIFAR-10 is searched with networks trained on
    half of the training images, and tested with networks trained on all; a reading costs its training and one
    validation.

    Args:
        path: of the file, which is read at once, or of the folder, which is read network by network.
        dataset: one of `DATASETS`.
        fidelities: trainings that a search may see, some of `TRAININGS`. Each is a training of its own: it costs its
            epochs on top of those before.

    Raises:
        ConfigError: the package is missing, a name that tells no space, an unknown data set, other fidelities.
        DataError: the package cannot read the file.
    """

    def __init__(self, path: str | Path, dataset: str = "cifar10", fidelities: Sequence[int] = ()) -> None:
        self.path = Path(path)
        if dataset not in DATASETS:
            raise unknown("data set of NATS-Bench", dataset, DATASETS)
        self.dataset = dataset
        kind = next((k for k in TRAININGS if f"-{k}-" in self.path.name), None)
        if kind is None:
            raise ConfigError(f"the name of {path} must hold -tss- or -sss-, as the official files' do")
        fidelities = tuple(fidelities) or TRAININGS[kind][-1:]
        if not set(fidelities) <= set(TRAININGS[kind]) or list(fidelities) != sorted(set(fidelities)):
            known = ", ".join(map(str, TRAININGS[kind]))
            raise ConfigError(f"fidelities of {path} must be some of {known}, rising, but got {fidelities}")
        self.budgets: tuple[float, ...] = tuple(float(f) for f in fidelities)
        self.full = TRAININGS[kind][-1]
        self._size = NatsSize() if kind == "sss" else None
        self.space: Space = self._size or NasBench201()
        self._api = _open(self.path, kind)
        self._curves: dict[str, tuple[Measurement, ...]] = {}

    @property
    def name(self) -> str:
        """Of the benchmark and the data set."""
        return f"{self.path.name.split('.')[0].removesuffix('-simple')} {self.dataset}"

    @cached_property
    def best(self) -> Mapping[str, float]:
        """The highest truth of all; unknown (empty) for a folder, which would take minutes to read."""
        if self.path.is_dir():
            return {}
        truths = [self._truth(index) for index in range(len(self._api))]
        return {m: max(t[m] for t in truths if not math.isnan(t[m])) for m in truths[0]}

    def curve(self, architecture: Architecture) -> tuple[Measurement, ...]:
        """Of the trainings that may be seen."""
        string = self._string(architecture)
        if string not in self._curves:
            self._curves[string] = self._curve(self._index(string))
        return self._curves[string]

    def truth(self, architecture: Architecture) -> Mapping[str, float]:
        """After the longest training."""
        return self._truth(self._index(self._string(architecture)))

    def _curve(self, index: int) -> tuple[Measurement, ...]:
        told, seconds, epochs = [], 0.0, 0.0
        for budget in self.budgets:
            found = self._query(index, self._searched, int(budget))
            epochs += budget
            seconds += _number(found, "train-all-time") + _number(found, "valid-per-time")
            accuracy = _number(found, "valid-accuracy") / 100
            told.append(Measurement(budget, {"val_accuracy": accuracy, "train_s": seconds, "train_epochs": epochs}))
        return tuple(told)

    def _truth(self, index: int) -> dict[str, float]:
        searched = self._query(index, self._searched, self.full)
        tested = searched if self.dataset == self._searched else self._query(index, self.dataset, self.full)
        return {
            "val_accuracy": _number(searched, "valid-accuracy") / 100,
            "test_accuracy": _number(tested, "test-accuracy") / 100,
        }

    @property
    def _searched(self) -> str:
        return "cifar10-valid" if self.dataset == "cifar10" else self.dataset

    def _query(self, index: int, dataset: str, epochs: int) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._api.get_more_info(index, dataset, hp=f"{epochs:02d}", is_random=False)
        return found

    def _string(self, architecture: Architecture) -> str:
        return self._size.to_string(architecture.answers) if self._size else to_string(architecture.answers)

    def _index(self, string: str) -> int:
        index = int(self._api.query_index_by_arch(string))
        if index < 0:
            raise MissingCell(string)
        return index


def _open(path: Path, kind: str) -> Any:
    try:
        import nats_bench
    except ImportError as error:
        raise ConfigError(f"{path} needs the package nats_bench: pip install 'raynas[nats]'") from error
    if not path.exists():
        raise DataError(f"{path} does not exist")
    try:
        return nats_bench.create(str(path), kind, fast_mode=path.is_dir(), verbose=False)
    except Exception as error:
        told = (str(error).splitlines() or [""])[0]
        raise DataError(f"nats_bench cannot read {path}: {type(error).__name__}: {told}") from error


def _number(found: Mapping[str, Any], name: str) -> float:
    """NaN where there is none: a failed trial."""
    value = found.get(name)
    return math.nan if value is None else float(value)
