from __future__ import annotations

from random import Random

import numpy as np
import pytest

from raynas import spaces
from raynas.records import FINISHED, Measurement, Trial
from raynas.spaces.decide import sample
from raynas.strategies.features import Features
from raynas.strategies.promotion import TRUST, expected

SPACE = spaces.nasbench201()


def trials(scores, first=1, architectures=None):
    rng = Random(0)
    architectures = architectures or [sample(SPACE, rng) for _ in scores]
    return [
        Trial(number, architecture, None, FINISHED, "", (Measurement(1, {"val_accuracy": score}),), (score,))
        for number, (score, architecture) in enumerate(zip(scores, architectures, strict=True), first)
    ]


def test_without_long_trainings_the_order_is_that_of_the_short_ones():
    short = trials([0.3, 0.9, 0.1, 0.5])
    assert np.argsort(expected(short, short, [], Features())).tolist() == [2, 0, 3, 1]
    assert expected(short[1:2], short, [], Features())[0] == pytest.approx(TRUST * 1.1503, abs=1e-4)


def test_scores_may_be_on_any_scale():
    one, other = trials([0.3, 0.9, 0.1, 0.5]), trials([-30.0, 9e9, -1e9, -5.0])
    assert expected(one, one, [], Features()).tolist() == expected(other, other, [], Features()).tolist()


def test_long_trainings_tell_of_their_like():
    """Short trainings prefer 3x3 convolutions on one edge, long ones pooling there: that is found out."""
    rng = Random(1)
    architectures = [sample(SPACE, rng) for _ in range(200)]
    convolved = [a.answers["edge0to3"] == "nor_conv_3x3" for a in architectures]
    pooled = [a.answers["edge0to3"] == "avg_pool_3x3" for a in architectures]
    short = trials([0.5 + 0.2 * c + 0.1 * rng.random() for c in convolved], architectures=architectures)
    worth = [0.9 + 0.05 * p - 0.05 * c for c, p in zip(convolved, pooled, strict=True)]
    told = list(range(60))
    long = trials([worth[i] for i in told], 1000, [architectures[i] for i in told])
    both = [(short[i], after) for i, after in zip(told, long, strict=True)]
    found = expected(short[60:], short, both, Features())
    best = np.argsort(-found)[:10]
    assert all(pooled[60 + i] for i in best)
    alone = np.argsort(-expected(short[60:], short, [], Features()))[:10]
    assert all(convolved[60 + i] for i in alone)
