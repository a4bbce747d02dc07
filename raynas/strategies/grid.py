"""Grid search: every architecture in the order of the questions and their options, or every so-many-th of them.

Real numbers, and whole numbers with many values, are tried at evenly spaced points. A grid that has more points than
the search has trials would only ever change the last questions, so `Search` refuses it and offers a stride that leads
once through the whole of it. From its end the walk goes on at its beginning, between the points of the round before, as
long as there are trials; in the end the grid is complete.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from raynas.errors import ConfigError, Exhausted
from raynas.objectives import Objectives
from raynas.ops import Scalar
from raynas.records import Architecture, Domain, Options, Proposal, Real, Space, Trial
from raynas.settings import check_types
from raynas.spaces.asking import Answering
from raynas.spaces.checks import check_whole
from raynas.spaces.domains import size_of
from raynas.strategies.fresh import SWEEP, Fresh

WALKS = 100
"""Random ways through a space from which the size of its grid is told."""

PATIENCE = 100
"""Networks in a row that were proposed before, until the stride is doubled up to the next that was not."""

Stride = int
"""Has a name of its own since it may be larger than other whole numbers: spaces are."""

LARGEST_STRIDE = 2**1000

PRIMES = 2 * 3 * 5 * 7 * 11 * 13
"""A stride that shares a factor with the numbers of options meets the same points again in its second round."""


@dataclass(frozen=True)
class Grid:
    """Systematic enumeration; the seed changes nothing.

    Attributes:
        points: values tried of a real number, and of a whole number that has more; from the lowest to the highest.
        stride: points from one proposal to the next. Where later questions depend on earlier answers, it counts in the
            questions that the proposal before was asked.
    """

    points: int = 5
    stride: Stride = 1

    def __post_init__(self) -> None:
        check_whole(self, "points")
        check_whole(self, "stride", most=LARGEST_STRIDE)
        check_types(self)

    def begin(self, space: Space, objectives: Objectives, seed: int) -> GridProposer:
        """A new search."""
        return GridProposer(self, space)

    def check(self, space: Space, objectives: Objectives, trials: int) -> None:
        """See `raynas.records.Checked`.

        Raises:
            ConfigError: the first round through the grid takes more trials than there are.
        """
        size = self.size(space)
        if size > trials * self.stride:
            stride = -(-size // trials)
            while math.gcd(stride, PRIMES) > 1:
                stride += 1
            told = f"{size:,}" if size < 10**9 else f"{size:.2e}" if size < 10**300 else "over 1e300"
            raise ConfigError(
                f"the grid of space {space.name!r} has {told} points, too many for {trials} trials at stride "
                f"{self.stride}: take stride {stride} (--set strategy.stride={stride}), or another strategy"
            )

    def size(self, space: Space) -> int:
        """How many points there are: exact where all architectures are asked alike, else estimated.

        Knuth 1975, "Estimating the Efficiency of Backtrack Programs": the mean, over random ways through the tree of
        questions, of the product of the numbers of options.
        """
        rng = Random(0)
        total = 0
        for _ in range(WALKS):
            ask = _Point(self.points, [], rng)
            space.decide(ask)
            total += math.prod(ask.radices)
        return total // WALKS


class GridProposer:
    """The state: where the walk is."""

    def __init__(self, settings: Grid, space: Space) -> None:
        self.settings = settings
        self.space = space
        self.fresh = Fresh(space, Random(0))
        self._new = self._walk()

    def ask(self) -> Proposal:
        """The next point of the grid that is a new network.

        Raises:
            Exhausted: there is none.
        """
        architecture = next(self._new, None)
        if architecture is None:
            raise Exhausted(self.space.name, len(self.fresh.seen))
        return Proposal(architecture)

    def tell(self, trial: Trial) -> None:
        """Results change nothing."""

    def _walk(self) -> Iterator[Architecture]:
        """The new networks: round after round at the stride, then all that this passed over."""
        stride = step = self.settings.stride
        rounds = repeats = 0
        digits: list[int] = []
        skipped = stride > 1
        while rounds < stride:
            ask, architecture = self._at(digits)
            if self.fresh.take(architecture):
                yield architecture
                repeats, step = 0, stride
            else:
                repeats += 1
                if repeats % PATIENCE == 0:
                    skipped, step = True, 2 * step
            digits, over = _advanced(ask.digits, ask.radices, step)
            rounds += over
        digits, over, repeats = [], 0, 0
        while skipped and not over and repeats < SWEEP:
            ask, architecture = self._at(digits)
            repeats += 1
            if self.fresh.take(architecture):
                yield architecture
                repeats = 0
            digits, over = _advanced(ask.digits, ask.radices, 1)

    def _at(self, digits: list[int]) -> tuple[_Point, Architecture]:
        ask = _Point(self.settings.points, digits)
        graph = self.space.decide(ask)
        return ask, Architecture(self.space.name, ask.answers, graph, ask.questions)


def _advanced(digits: list[int], radices: list[int], stride: int) -> tuple[list[int], int]:
    """A number of mixed radix, so many further, and how often that leads over its end and to the beginning."""
    further = []
    for digit, radix in zip(reversed(digits), reversed(radices), strict=True):
        stride, digit = divmod(digit + stride, radix)
        further.append(digit)
    return further[::-1], stride


class _Point(Answering):
    """Answers the i-th question with its `wanted[i]`-th value; those beyond with the first, or a random one."""

    __slots__ = ("_rng", "digits", "points", "radices", "wanted")

    def __init__(self, points: int, wanted: list[int], rng: Random | None = None) -> None:
        super().__init__({}, None)
        self._rng = rng
        self.points = points
        self.wanted = wanted
        self.digits: list[int] = []
        self.radices: list[int] = []

    def _answer(self, address: str, domain: Domain) -> Scalar:
        values = values_of(domain, self.points)
        at = len(self.digits)
        digit = int(self._rng.random() * len(values)) if self._rng else self.wanted[at] if at < len(self.wanted) else 0
        digit = min(digit, len(values) - 1)  # the same place may be another question now
        self.digits.append(digit)
        self.radices.append(len(values))
        return values[digit]


def values_of(domain: Domain, points: int) -> tuple[Scalar, ...]:
    """The values of a grid: all, or so many evenly spaced (in the logarithm for log domains) from low to high.

    One point is the middle.
    """
    if isinstance(domain, Options):
        return domain
    low, high = domain.low, domain.high
    if not isinstance(domain, Real) and size_of(domain) <= points:
        return tuple(range(int(low), int(high) + 1))
    parts = [i / (points - 1) for i in range(points)] if points > 1 else [0.5]
    if domain.log:
        spaced = [min(high, max(low, low * (high / low) ** part)) for part in parts]
    else:
        spaced = [low + (high - low) * part for part in parts]
    if isinstance(domain, Real):
        return tuple(dict.fromkeys(float(value) for value in spaced))
    return tuple(dict.fromkeys(round(value) for value in spaced))
