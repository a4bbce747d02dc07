"""Who is trained longer: those that did best in a short training, corrected by what longer ones told of their like.

The end of a short training is a great filter and a poor judge: among the best of it, who is better after a long one is
all but open. So the first are promoted by their rank alone; after that the ranks are a prior mean, and a regression on
answers and pairs of answers (see features.py) learns by how much long trainings differ from it. This is the two-level
co-kriging of Kennedy & O'Hagan 2000, "Predicting the output from a complex computer code when fast approximations are
available", equation 3, with a fixed scale.

Shapes: S short trainings, L of them that were trained longer, C candidates, D columns of `Features`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from raynas.records import Trial
from raynas.strategies.features import Features, kernel
from raynas.strategies.surrogate import Vector, normal_scores

TRUST = 0.5
"""What a standard deviation between short trainings says of long ones, in theirs."""

NOISE = 0.1
"""Variance of a training's score that no architecture explains, where that of scores is 1."""


def expected(
    candidates: Sequence[Trial], short: Sequence[Trial], long: Sequence[tuple[Trial, Trial]], features: Features
) -> Vector:
    """How well each candidate should do in a long training, in standard deviations, [C].

    Args:
        candidates: short trainings.
        short: all short trainings; the candidates are among them.
        long: short training and long training of one architecture each; none: short trainings are all that is known.
        features: encodes architectures.
    """
    place = dict(zip([t.id for t in short], normal_scores([_score(t) for t in short]), strict=True))
    prior_C = TRUST * np.array([place[t.id] for t in candidates])
    if not long:
        return prior_C
    encoded = [features.encode(t.architecture) for t in (*candidates, *(before for before, _ in long))]
    x_ND = features.matrix(encoded)
    gram_NL = 1 + kernel(x_ND, x_ND[len(candidates) :], max(1.0, float(np.square(x_ND).sum(1).mean())))
    gram_CL, gram_LL = gram_NL[: len(candidates)], gram_NL[len(candidates) :]
    prior_L = TRUST * np.array([place[before.id] for before, _ in long])
    surprise_L = normal_scores([_score(after) for _, after in long]) - prior_L
    found: Vector = prior_C + gram_CL @ np.linalg.solve(gram_LL + NOISE * np.eye(len(long)), surprise_L)
    return found


def _score(trial: Trial) -> float:
    return trial.score or 0.0
