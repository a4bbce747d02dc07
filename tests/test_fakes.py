"""What other tests score with keeps the contract of estimators too."""

from __future__ import annotations

from fakes import Fake

from raynas.testing.estimator import EstimatorContract


class TestFake(EstimatorContract):
    def make(self):
        return Fake(epochs=4)

    def wrong(self):
        return [lambda: Fake(epochs=0)]
