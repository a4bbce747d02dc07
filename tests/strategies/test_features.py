from __future__ import annotations

from random import Random

import numpy as np
import pytest

from raynas import spaces
from raynas.graph import GraphBuilder
from raynas.spaces.decide import enumerate_space, replay, sample
from raynas.spaces.function import as_space
from raynas.strategies.features import THRESHOLDS, Features, kernel
from raynas.testing.strategy import toy, tuned


def numbered(choose):
    """Answers of every kind."""
    g = GraphBuilder()
    choose("alone", ("one",))
    choose("skip", (False, True))
    choose.integer("depth", 1, 3)
    choose.integer("units", 16, 1024, log=True)
    choose.real("rate", 0.0, 1.0)
    width = choose("width", (4, 16, 8))
    return g.build(g.add("classifier", g.add("conv_bn_relu", g.input(), channels=width, kernel=1)))


ANSWERS = {"alone": "one", "skip": True, "depth": 2, "units": 128, "rate": 0.5, "width": 8}


def vectors(*architectures):
    features = Features()
    return features.matrix([features.encode(a) for a in architectures])


def product(**changes):
    """Of an architecture with one whose answers differ so."""
    one, two = vectors(*(replay(as_space(numbered), {**ANSWERS, **answers}) for answers in ({}, changes)))
    return float(one @ two)


def test_nasbench201_is_one_hot():
    architectures = [sample(spaces.nasbench201(), seed) for seed in range(200)]
    x_ND = vectors(*architectures)
    assert x_ND.shape == (200, 30)
    assert set(np.unique(x_ND)) == {0.0, 1.0}
    agreeing = [sum(a.answers[e] == architectures[0].answers[e] for e in a.answers) for a in architectures]
    assert (x_ND @ x_ND[0]).tolist() == agreeing


def test_the_kernel_is_the_product_of_405_single_and_pairwise_features():
    x_ND = vectors(*(sample(spaces.nasbench201(), seed) for seed in range(400)))
    pairs = [x_ND[:, i] * x_ND[:, j] for i in range(30) for j in range(i) if (x_ND[:, i] * x_ND[:, j]).any()]
    explicit = np.column_stack([x_ND, *pairs])
    assert explicit.shape == (400, 405)
    np.testing.assert_allclose(kernel(x_ND, x_ND, 6) * 21, explicit @ explicit.T)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 5),  # "alone" says nothing
        ({"skip": False}, 4),
        ({"depth": 1}, 4.5),
        ({"depth": 3}, 4.5),
        ({"width": 4}, 4.5),
        ({"units": 1024}, 4.5),  # in the logarithm
        ({"rate": 1.0}, 4.5),
        ({"rate": 0.625}, 4 + 1 - 1 / THRESHOLDS),
        ({"skip": False, "depth": 3, "width": 16, "rate": 0.0, "units": 16}, 2),
    ],
)
def test_numbers_agree_by_their_distance(changes, expected):
    assert product(**changes) == pytest.approx(expected)


def test_numbers_between_two_thresholds_are_told_apart():
    assert product(rate=0.51) > product(rate=0.52) > product(rate=0.6)


def test_what_is_not_asked_is_zero():
    features = Features()
    short, long = (
        next(a for a in enumerate_space(as_space(toy)) if a.answers["layers"] == layers) for layers in (1, 2)
    )
    early = features.encode(short)
    count = features.count
    late = features.encode(long)
    assert features.count == count + 2 + 2 * 4  # one threshold of its width, two of each of its kernels
    x_ND = features.matrix([early, late])
    assert not x_ND[0, count:].any()
    assert float(x_ND[0] @ x_ND[1]) == pytest.approx(3)  # one layer agrees, its depth does not
    assert late.answers == early.answers + 3


@pytest.mark.parametrize("make", [spaces.darts, spaces.chain, spaces.skip_chain, spaces.large_scale, lambda: tuned])
def test_any_space_has_vectors(make):
    rng = Random(0)
    features = Features()
    encoded = [features.encode(sample(as_space(make()), rng)) for _ in range(30)]
    x_ND = features.matrix(encoded)
    assert x_ND.shape == (30, features.count)
    assert (np.linalg.norm(x_ND, axis=1) <= np.sqrt([e.answers for e in encoded]) + 1e-12).all()
    assert len(np.unique(x_ND, axis=0)) > 20
    assert all(len(set(e.columns.tolist())) == len(e.columns) for e in encoded)


def test_no_architectures_make_no_rows():
    assert Features().matrix([]).shape == (0, 0)
