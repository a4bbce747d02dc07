"""Handwritten digits, 8x8 pixels: real images that come with scikit-learn, small enough for a laptop.

    raynas search experiments/digits.py:demo
    raynas search experiments/digits.py:full

What they found is in experiments/README.md.
"""

from __future__ import annotations

import raynas as rn


def demo() -> rn.Search:
    """What `raynas search` does without arguments, spelt out."""
    return rn.Search(
        space=rn.spaces.cells(),
        strategy=rn.RegularizedEvolution.for_trials(40),
        estimator=rn.Train(rn.data.digits(), epochs=9),
        scheduler=rn.Asha(rungs=(1, 3, 9)),
        trials=40,
    )


def full() -> rn.Search:
    """Wider cells, trained three times as long, on shifted images; five times as many of them."""
    return rn.Search(
        space=rn.spaces.cells(width=16),
        strategy=rn.RegularizedEvolution(population=50, tournament=15),
        estimator=rn.Train(rn.data.digits(), epochs=27, crop=1),
        scheduler=rn.Asha(rungs=(1, 3, 9, 27)),
        trials=200,
    )
