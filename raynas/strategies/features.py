"""Architectures as vectors, for models that predict scores: any space, without knowing it beforehand.

Each answer is a group of columns, found by its address. Texts and booleans are one-hot. Numbers, and options that are
numbers, are thermometers: for each of some thresholds one column says "above" and another "below". So two answers to
one question have the product 1 where they are equal, 0 where they are other texts, and 1 minus their distance where
they are numbers. What was not asked is zero. Columns are added as new addresses and options are met.

Shapes: N and M architectures, D columns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from raynas.ops import Scalar
from raynas.records import Architecture, Domain, Integer, Options
from raynas.spaces.domains import size_of

THRESHOLDS = 8
"""At most so many for the numbers of a range."""

Matrix = NDArray[np.float64]


class Encoded(NamedTuple):
    """A sparse vector.

    Attributes:
        columns: each at most once.
        values: in (0, 1], as many.
        answers: how many answers it tells of, which is about its product with itself.
    """

    columns: NDArray[np.intp]
    values: Matrix
    answers: int


class Features:
    """The encoding, and the columns met so far.

    Attributes:
        count: how many columns there are (D).
    """

    def __init__(self) -> None:
        self.count = 0
        self._groups: dict[tuple[str, type, Domain], _Group] = {}

    def encode(self, architecture: Architecture) -> Encoded:
        """The vector of an architecture. Questions with a single answer tell nothing and are left out."""
        columns: list[int] = []
        values: list[float] = []
        answers = 0
        for address, domain in architecture.questions.items():
            group = self._groups.get((address, type(domain), domain))
            if group is None:
                group = self._groups[address, type(domain), domain] = _Group(domain, self.count)
                self.count += group.width
            if group.width:
                group.encode(architecture.answers[address], columns, values)
                answers += 1
        return Encoded(np.array(columns, np.intp), np.array(values), answers)

    def matrix(self, encoded: Sequence[Encoded]) -> Matrix:
        """Vectors as rows, [N, D]."""
        found = np.zeros((len(encoded), self.count))
        if encoded:
            rows = np.repeat(np.arange(len(encoded)), [len(e.columns) for e in encoded])
            found[rows, np.concatenate([e.columns for e in encoded])] = np.concatenate([e.values for e in encoded])
        return found


class _Group:
    """The columns of one question."""

    __slots__ = ("domain", "first", "levels", "thresholds", "width")

    def __init__(self, domain: Domain, first: int) -> None:
        size = size_of(domain)
        self.domain = domain
        self.first = first
        self.levels: list[float] = []  # the options in order, where they are numbers
        self.thresholds = 0
        if isinstance(domain, Options):
            if all(type(option) in (int, float) for option in domain):
                self.levels = sorted(cast(tuple[float, ...], domain))
                self.thresholds = len(domain) - 1
        elif size > 1:
            self.thresholds = min(THRESHOLDS, int(size) - 1) if isinstance(domain, Integer) else THRESHOLDS
        self.width = 0 if size < 2 else 2 * self.thresholds or len(domain)

    def encode(self, answer: Scalar, columns: list[int], values: list[float]) -> None:
        """Appends the columns and values of an answer."""
        if not self.thresholds:
            columns.append(self.first + cast(Options, self.domain).index(answer))
            values.append(1.0)
            return
        height = self._height(cast(float, answer))
        unit = self.thresholds**-0.5
        for threshold in range(self.thresholds):
            above = min(1.0, max(0.0, height - threshold))
            if above > 0:
                columns.append(self.first + 2 * threshold)
                values.append(unit * above)
            if above < 1:
                columns.append(self.first + 2 * threshold + 1)
                values.append(unit * (1 - above))

    def _height(self, number: float) -> float:
        """How many thresholds lie below a number, in [0, thresholds]."""
        if self.levels:
            return self.levels.index(number)
        low, high, log = cast(tuple[float, float, bool], self.domain)
        if log:
            low, high, number = math.log(low), math.log(high), math.log(number)
        return (number - low) / (high - low) * self.thresholds


def kernel(one_ND: Matrix, two_MD: Matrix, answers: float) -> Matrix:
    """Products of the vectors that hold all single features and all pairs, without making these vectors, [N, M].

    For one-hot vectors x and y that agree in m answers, m single features agree and m (m - 1) / 2 pairs, together
    (m + m^2) / 2, and m is the product of x and y. This is scaled to 1 for two equal architectures.

    Args:
        one_ND: vectors.
        two_MD: vectors.
        answers: how many answers an architecture usually has.
    """
    agreeing = one_ND @ two_MD.T
    return (agreeing + agreeing**2) / (answers + answers**2)
