"""Splits for data that has none published: fixed by the seed, balanced by class, the same on every machine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from raynas.data.images import Images, Indices, Labels, Splits
from raynas.errors import DataError
from raynas.seeds import seed_for

PARTS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val", "test": "test"}
"""How folders and columns call the splits, and what they are called here."""


def stratified_order(labels: Labels, seed: int) -> Indices:
    """An order of the images in which every run of neighbours has the class shares of the whole.

    Each class is shuffled, then its n images are placed at (i + 1/2) / n, like beads evenly along a string, and all
    strings are read together. So a cut anywhere splits every class in proportion (to about one image), and a longer
    prefix contains a shorter one: a search on 2,000 images sees all of those that a search on 1,000 saw.

    Args:
        labels: [N], >= 0.
        seed: any integer.

    Returns:
        A permutation of 0..N-1.
    """
    # Raw PCG64 words, not Generator.permutation: NumPy promises only the former to stay the same for ever (NEP 19).
    words = np.random.PCG64(seed_for(seed, "data", "split")).random_raw(len(labels))
    shuffled = np.argsort(words, kind="stable")
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    counts = np.bincount(labels)  # [K]
    starts = np.cumsum(counts) - counts  # [K]: where each class begins in by_class
    label = labels[by_class]
    place = (np.arange(len(labels)) - starts[label] + 0.5) / counts[label]
    return by_class[np.lexsort((words[by_class], place))]  # images at one place come in random order


def stratified_split(labels: Labels, sizes: Sequence[int], classes: Sequence[str], seed: int) -> list[Indices]:
    """Disjoint parts of `sizes` images, each with the class shares of the whole.

    Args:
        labels: [N], indices into `classes`.
        sizes: how many images each part gets; at most N together. 0 gives an empty part.
        classes: names, for the error.
        seed: any integer.

    Raises:
        DataError: a part that is not empty would lack a class, or sizes are negative or ask for more than there is.
    """
    if min(sizes) < 0 or sum(sizes) > len(labels):
        raise DataError(f"parts must have >= 0 and together <= {len(labels)} images, but got sizes {list(sizes)}")
    ends = np.cumsum(sizes)
    parts = [part.astype(np.int64) for part in np.split(stratified_order(labels, seed), ends)[: len(sizes)]]
    for part in parts:
        counts = np.bincount(labels[part], minlength=len(classes))
        if len(part) and not counts.all():
            lacking = int(counts.argmin())
            raise DataError(
                f"a part of {len(part)} out of {len(labels)} images would have none of class {classes[lacking]!r}, "
                f"which has {int((labels == lacking).sum())} images; add images, or make that part larger"
            )
    return parts


def check_fractions(val_fraction: float, test_fraction: float) -> None:
    """Refuses fractions that leave nothing to train or to rank by.

    Raises:
        DataError: outside 0 < val_fraction, 0 <= test_fraction, val_fraction + test_fraction < 1.
    """
    if not (val_fraction > 0 and test_fraction >= 0 and val_fraction + test_fraction < 1):
        raise DataError(
            "val_fraction > 0, test_fraction >= 0 and a sum below 1 are needed, "
            f"but got val_fraction={val_fraction} and test_fraction={test_fraction}"
        )


def complete(
    train: Images,
    val: Images | None,
    test: Images | None,
    *,
    classes: Sequence[str],
    val_fraction: float,
    test_fraction: float,
    seed: int,
) -> Splits:
    """The splits as published, and those that were not published split off `train`.

    Args:
        train: what was published for training, or all images.
        val: None: hold out `val_fraction` of `train`.
        test: None: hold out `test_fraction` of `train`.
        classes: K names.
        val_fraction: in (0, 1), of the images in `train`.
        test_fraction: in [0, 1), of the images in `train`.
        seed: decides which images are held out.

    Raises:
        DataError: too few images to give each part one of each class.
    """
    check_fractions(val_fraction, test_fraction)
    if val is not None and test is not None:
        return Splits.of(train, val, test, classes)
    held_val = round(val_fraction * len(train)) if val is None else 0
    held_test = round(test_fraction * len(train)) if test is None else 0
    sizes = (held_val, held_test, len(train) - held_val - held_test)
    in_val, in_test, in_train = stratified_split(train.labels, sizes, classes, seed)
    return Splits.of(
        train.take(in_train),
        train.take(in_val) if val is None else val,
        train.take(in_test) if test is None else test,
        classes,
    )
