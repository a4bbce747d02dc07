from __future__ import annotations

from pathlib import Path

import numpy as np
from data_contract import DataSourceContract

from raynas.data import DataSource, Splits, digits


class TestDigits(DataSourceContract):
    @classmethod
    def make(cls, folder: Path) -> DataSource:
        return digits()

    def test_sizes(self, splits: Splits) -> None:
        assert [len(part) for part in (splits.train, splits.val, splits.test)] == [1077, 360, 360]
        assert splits.input_shape == (1, 8, 8)
        assert splits.classes == tuple("0123456789")

    def test_uses_the_whole_grey_scale(self, splits: Splits) -> None:
        levels = np.unique(splits.train.pixels).tolist()
        assert levels == [round(level * 255 / 16) for level in range(17)]

    def test_classes_are_balanced(self, splits: Splits) -> None:
        for part in (splits.val, splits.test):
            assert set(np.bincount(part.labels).tolist()) <= {34, 35, 36, 37}

    def test_the_seed_changes_the_splits(self, splits: Splits) -> None:
        assert (digits(seed=1).load().val.pixels != splits.val.pixels).any()
