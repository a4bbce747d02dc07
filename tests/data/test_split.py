from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raynas.data import Images, complete, stratified_split
from raynas.data.split import check_fractions, stratified_order
from raynas.errors import DataError

TEN = [str(digit) for digit in range(10)]


def labelled(labels: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Images:
    """Images that carry their own index, to see where they go."""
    return Images(np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1, 1), labels)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(), st.data())
def test_any_cut_splits_each_class_in_proportion(labels: list[int], seed: int, data: st.DataObject) -> None:
    array = np.array(labels)
    order = stratified_order(array, seed)
    assert sorted(order) == list(range(len(labels)))
    cut = data.draw(st.integers(0, len(labels)))
    for label in set(labels):
        share = labels.count(label) / len(labels)
        # Half an image for rounding this class, and its share in the rounding of all.
        assert abs((array[order[:cut]] == label).sum() - share * cut) <= (1 + share * len(set(labels))) / 2 + 1e-9


def test_balanced_classes_are_cut_exactly() -> None:
    labels = np.repeat(np.arange(10), 60)
    val, train = stratified_split(labels, (100, 250), TEN, seed=3)
    assert np.bincount(labels[val]).tolist() == [10] * 10
    assert np.bincount(labels[train]).tolist() == [25] * 10
    assert not set(val) & set(train)


def test_a_smaller_part_is_contained_in_a_larger_one() -> None:
    labels = np.arange(500) % 10
    (val, small), (same_val, large) = (stratified_split(labels, (50, size), TEN, 0) for size in (100, 200))
    np.testing.assert_array_equal(val, same_val)
    assert set(small) < set(large)


def test_the_seed_decides_and_the_order_never_changes() -> None:
    labels = np.arange(1000) % 10
    assert stratified_order(labels, 0).tolist() != stratified_order(labels, 1).tolist()
    digest = hashlib.sha256(stratified_order(labels, 0).astype("<i8").tobytes()).hexdigest()
    assert digest[:16] == "037ad9d6624414c4", "published results depend on this order; it may not change"


def test_images_are_mixed_within_their_class() -> None:
    first, _ = stratified_split(np.zeros(100, np.int64), (50, 50), ["a"], 0)
    assert first.min() < 25
    assert first.max() > 75


def test_a_part_that_would_lack_a_class_is_refused() -> None:
    labels = np.array([0] * 50 + [1] * 2)
    with pytest.raises(DataError, match="none of class 'rare', which has 2 images"):
        stratified_split(labels, (10, 10, 32), ["common", "rare"], 0)


@pytest.mark.parametrize("sizes", [(5, 6), (-1, 5)])
def test_sizes_that_do_not_fit_are_refused(sizes: tuple[int, int]) -> None:
    with pytest.raises(DataError, match="together <= 10 images, but got sizes"):
        stratified_split(np.zeros(10, np.int64), sizes, ["a"], 0)


@pytest.mark.parametrize("fractions", [(0, 0.2), (-0.1, 0.2), (0.5, 0.5), (0.2, -0.1), (float("nan"), 0.1)])
def test_fractions_that_leave_nothing_are_refused(fractions: tuple[float, float]) -> None:
    with pytest.raises(DataError, match="val_fraction="):
        check_fractions(*fractions)


def test_only_what_was_not_published_is_held_out() -> None:
    def parts(val: Images | None, test: Images | None) -> list[int]:
        train = labelled(np.arange(100) % 2)
        splits = complete(train, val, test, classes="ab", val_fraction=0.2, test_fraction=0.1, seed=0)
        return [len(splits.train), len(splits.val), len(splits.test)]

    given_images = labelled(np.arange(6) % 2)
    assert parts(None, None) == [70, 20, 10]
    assert parts(None, given_images) == [80, 20, 6]
    assert parts(given_images, None) == [90, 6, 10]
    assert parts(given_images, given_images) == [100, 6, 6]


def test_a_test_split_can_be_done_without() -> None:
    train = labelled(np.arange(10) % 2)
    assert len(complete(train, None, None, classes="ab", val_fraction=0.2, test_fraction=0, seed=0).test) == 0
