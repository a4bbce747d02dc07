"""What every data source must do. Inherit, and say how to make one."""

from __future__ import annotations

import dataclasses
import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from raynas.data import DataSource, Images, Splits

# Run in a fresh process: this one has torch loaded already.
CHECK_ALONE = """
import pickle, sys, time
source = pickle.loads(bytes.fromhex(sys.argv[1]))
source.check()  # the first call also pays for its imports
start = time.perf_counter()
source.check()
print(time.perf_counter() - start, *{"ray", "sklearn", "torch", "torchvision"} & sys.modules.keys())
"""


class DataSourceContract:
    distinct_images = True
    """Whether no image occurs twice in the source, so that splits can be proven disjoint."""

    @classmethod
    def make(cls, folder: Path) -> DataSource:
        """A source whose files, if it needs any, are written to `folder`. Called once for the class."""
        raise NotImplementedError

    def test_is_a_frozen_value_of_json_settings(self, source: DataSource) -> None:
        assert isinstance(source, DataSource)
        assert dataclasses.is_dataclass(source)
        settings = dataclasses.asdict(source)
        assert "name" not in settings
        assert type(source)(**json.loads(json.dumps(settings))) == source
        for setting in settings:
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(source, setting, None)

    def test_check_is_fast_and_imports_nothing_heavy(self, source: DataSource) -> None:
        command = [sys.executable, "-W", "error", "-c", CHECK_ALONE, pickle.dumps(source).hex()]
        seconds, *heavy = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        assert float(seconds) < 0.2
        assert heavy == []

    def test_images_are_uint8_with_labels_in_range(self, splits: Splits) -> None:
        for images in (splits.train, splits.val, splits.test):
            assert images.pixels.dtype == np.uint8
            assert images.pixels.shape == (len(images), *splits.input_shape)
            assert images.pixels.flags.c_contiguous
            assert images.pixels.flags.writeable  # torch.from_numpy warns otherwise
            assert images.labels.dtype == np.int64
            assert set(images.labels.tolist()) <= set(range(len(splits.classes)))
        assert len(set(splits.train.labels.tolist())) == len(splits.classes)
        assert all(isinstance(name, str) for name in splits.classes)

    def test_same_settings_same_arrays(self, source: DataSource, splits: Splits) -> None:
        again = type(source)(**dataclasses.asdict(source)).load()  # type: ignore[call-overload]
        for part in ("train", "val", "test"):
            first, second = getattr(splits, part), getattr(again, part)
            np.testing.assert_array_equal(first.pixels, second.pixels)
            np.testing.assert_array_equal(first.labels, second.labels)
        assert (again.classes, again.mean, again.std) == (splits.classes, splits.mean, splits.std)

    def test_splits_are_disjoint(self, splits: Splits) -> None:
        if not self.distinct_images:
            pytest.skip("the source itself holds duplicates")

        def contents(images: Images) -> set[bytes]:
            return {image.tobytes() for image in images.pixels}

        train, val, test = contents(splits.train), contents(splits.val), contents(splits.test)
        assert not train & val
        assert not train & test
        assert not val & test

    def test_trials_never_see_the_test_split(self, splits: Splits) -> None:
        view = splits.search_view()
        assert len(view.test) == 0
        assert view.test.pixels.base is None  # not a window onto the hidden images either
        assert view.input_shape == splits.input_shape
        assert (view.train, view.val, view.mean, view.std) == (splits.train, splits.val, splits.mean, splits.std)

    def test_statistics_are_those_of_the_training_images(self, splits: Splits) -> None:
        scaled = splits.train.pixels / 255
        np.testing.assert_allclose(splits.mean, scaled.mean(axis=(0, 2, 3)), rtol=1e-9)
        np.testing.assert_allclose(splits.std, scaled.std(axis=(0, 2, 3)).clip(1 / 255), rtol=1e-9)
