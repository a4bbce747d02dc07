"""What is optimised and what must hold."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from raynas.errors import ConfigError
from raynas.records import usable
from raynas.settings import check_types

LESS_IS_BETTER = ("loss", "_ms", "_s", "_m", "_mb", "_error")
"""Endings of metric names that are minimised unless the person says otherwise."""

_COMPARE = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}


@dataclass(frozen=True)
class Objective:
    """A metric and its direction.

    Attributes:
        metric: name of a metric that the estimator yields or that the graph decides.
        maximise: whether more is better.
    """

    metric: str = "val_accuracy"
    maximise: bool = True

    def __post_init__(self) -> None:
        check_types(self)

    @classmethod
    def parse(cls, text: str) -> Objective:
        """Reads "val_accuracy:max", "latency_ms:min", or a bare metric whose unit tells the direction.

        Raises:
            ConfigError: the direction is neither max nor min.
        """
        metric, _, direction = text.partition(":")
        if not metric or direction not in ("", "max", "min"):
            raise ConfigError(f"an objective is METRIC, METRIC:max or METRIC:min, but got {text!r}")
        return cls(metric, direction == "max" or (not direction and not metric.endswith(LESS_IS_BETTER)))

    def __str__(self) -> str:
        return f"{self.metric}:{'max' if self.maximise else 'min'}"


Objectives = tuple[Objective, ...]


@dataclass(frozen=True)
class Constraint:
    """What must hold: `params_m <= 1.0`.

    Attributes:
        metric: name of a metric.
        comparison: one of <=, >=, <, >.
        bound: in the metric's unit.
    """

    metric: str
    comparison: str
    bound: float

    def __post_init__(self) -> None:
        check_types(self)
        if not usable(self.bound):
            raise ConfigError(f"the bound of a constraint must be a finite number, but got {self.bound!r}")
        if self.comparison not in _COMPARE:
            raise ConfigError(f"a comparison is one of {', '.join(_COMPARE)}, but got {self.comparison!r}")

    @classmethod
    def parse(cls, text: str) -> Constraint:
        """Reads "params_m<=1.0".

        Raises:
            ConfigError: the text is no comparison of a metric with a number.
        """
        match = re.fullmatch(r"\s*(\w+)\s*(<=|>=|<|>)\s*([-+.\deE]+)\s*", text)
        try:
            if match:
                return cls(match[1], match[2], float(match[3]))
        except ValueError:
            pass
        raise ConfigError(f"a constraint is METRIC<=NUMBER (or >=, <, >), but got {text!r}")

    def holds(self, metrics: Mapping[str, float]) -> bool:
        """Whether metrics satisfy it; a metric that is missing does not."""
        value = metrics.get(self.metric)
        return value is not None and bool(_COMPARE[self.comparison](value, self.bound))

    def __str__(self) -> str:
        return f"{self.metric}{self.comparison}{self.bound:g}"


def scores(objectives: Sequence[Objective], metrics: Mapping[str, float]) -> tuple[float, ...] | None:
    """The objectives' values, oriented so that more is better; None where one is missing or not finite."""
    values = [metrics.get(o.metric) for o in objectives]
    if not all(usable(v) for v in values):
        return None
    return tuple(
        float(v) if o.maximise else -float(v) for o, v in zip(objectives, values, strict=True) if v is not None
    )
