"""The domains of questions: what may be answered, what is drawn, what lies beside an answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random
from typing import Any, cast

from raynas.errors import SpaceError
from raynas.ops import Scalar
from raynas.records import Domain, Integer, Options, Real

TEXTS: dict[Any, Options] = {}
"""Options found good before; texts alone, since 1, 1.0 and True would be one key."""

_SCALARS = frozenset({str, int, float, bool, type(None)})


def checked_options(address: str, options: Sequence[Scalar]) -> Options:
    """Options as a domain.

    Raises:
        SpaceError: none, one twice, or one that is no JSON scalar.
    """
    if isinstance(options, str) or not isinstance(options, Sequence) or not len(options):
        raise SpaceError(address, options, "options must be a list with at least one entry")
    for option in options:
        if type(option) not in _SCALARS or (type(option) is float and not math.isfinite(option)):
            raise SpaceError(address, option, "an option must be a JSON scalar (text, number, true, false, null)")
    if len(set(options)) < len(options):
        raise SpaceError(address, tuple(options), "options must be different from each other")
    domain = Options(options)
    if len(TEXTS) < 4096 and all(type(o) is str for o in options):
        TEXTS[tuple(options)] = domain
    return domain


def checked_range(address: str, kind: type[Real | Integer], low: float, high: float, log: bool) -> Real | Integer:
    """Numbers in [low, high] as a domain.

    Raises:
        SpaceError: the bounds are no such numbers, or not in order.
    """
    rule = "finite numbers" if kind is Real else "whole numbers"
    try:
        domain = Real(float(low), float(high), bool(log)) if kind is Real else Integer(int(low), int(high), bool(log))
        fits = domain[:2] == (low, high) and math.isfinite(domain.high - domain.low)
    except (TypeError, ValueError, OverflowError):
        fits = False
    if not fits:
        raise SpaceError(address, (low, high), f"low and high must be {rule}")
    if domain.low > domain.high or (log and domain.low <= 0):
        raise SpaceError(address, (low, high), f"{'0 < ' if log else ''}low <= high must hold")
    return domain


def told(domain: Domain) -> str:
    """For errors."""
    return repr(tuple(domain)) if isinstance(domain, Options) else repr(domain)


def contains(domain: Domain, value: Scalar) -> bool:
    """Whether `value` answers a question of that domain."""
    if isinstance(domain, Options):
        return value in domain and type(domain[domain.index(value)]) is type(value)  # True is no 1
    wanted = float if isinstance(domain, Real) else int
    return type(value) is wanted and domain.low <= value <= domain.high


def draw(domain: Domain, rng: Random) -> Scalar:
    """A random answer, uniform (in the logarithm for log domains)."""
    if isinstance(domain, Options):
        return domain[int(rng.random() * len(domain))]
    low, high = domain.low, domain.high
    if isinstance(domain, Real):
        if domain.log:
            return min(high, max(low, math.exp(math.log(low) + rng.random() * (math.log(high) - math.log(low)))))
        return low + rng.random() * (high - low)
    if domain.log:
        value = math.exp(math.log(low) + rng.random() * (math.log(high + 1) - math.log(low)))
        return min(int(high), max(int(low), int(value)))
    return int(low) + int(rng.random() * (high - low + 1))


def redraw(domain: Domain, value: Scalar, rng: Random) -> Scalar:
    """A random answer other than `value`; the domain must have more than one."""
    if isinstance(domain, Options):
        other = int(rng.random() * (len(domain) - 1))
        return domain[other + (other >= domain.index(value))]
    for _ in range(100):
        fresh = draw(domain, rng)
        if fresh != value:
            return fresh
    return value


def size_of(domain: Domain) -> float:
    """How many answers there are; infinite for real numbers."""
    if isinstance(domain, Options):
        return len(domain)
    if isinstance(domain, Integer):
        return domain.high - domain.low + 1
    return math.inf if domain.high > domain.low else 1


def beside(domain: Domain, value: Scalar) -> list[Scalar]:
    """The answers next to one: all other options; for numbers a tenth of the range up and down."""
    if isinstance(domain, Options):
        return [o for o in domain if o != value]
    number, low, high = cast(float, value), domain.low, domain.high
    if domain.log:
        step = (high / low) ** 0.1
        steps: list[float] = [number / step, number * step]
    else:
        steps = [number - (high - low) / 10, number + (high - low) / 10]
    if isinstance(domain, Integer):
        steps = [min(number - 1, round(steps[0])), max(number + 1, round(steps[1]))]
    return [s for s in (max(low, steps[0]), min(high, steps[1])) if s != number]
