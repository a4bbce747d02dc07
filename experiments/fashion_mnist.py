"""Fashion-MNIST: 28x28 pixels, ten kinds of clothing, harder than digits.

    raynas search experiments/fashion_mnist.py:small
    raynas search experiments/fashion_mnist.py:full --address auto

The data are read from the folder that RAYNAS_DATA names, or `data` (it must hold FashionMNIST/raw/*.gz, as torchvision
downloads it); `--data-dir DIR` points elsewhere, and `--set data.download=true` fetches what is missing. What the
searches found is in experiments/README.md.
"""

from __future__ import annotations

import os

import raynas as rn


def _root() -> str:
    return os.environ.get("RAYNAS_DATA", "data")


def small() -> rn.Search:
    """For two CPU cores and some minutes: 10,000 of the training images, chains of two to five layers."""
    return rn.Search(
        space=rn.spaces.chain(max_layers=5, widths=(8, 16, 32)),
        strategy=rn.RegularizedEvolution(population=12, tournament=4),
        estimator=rn.Train(rn.data.fashion_mnist(_root(), train_size=10_000, val_size=2000), epochs=9, flip=True),
        scheduler=rn.Asha(rungs=(1, 3, 9)),
        trials=48,
    )


def full() -> rn.Search:
    """For GPUs, four trials on each: all images, the DARTS cell at a third of its size, augmentation."""
    return rn.Search(
        space=rn.spaces.cells(nodes=4, layers=8, width=16),
        strategy=rn.RegularizedEvolution(population=64, tournament=16),
        estimator=rn.Train(
            rn.data.fashion_mnist(_root()),
            epochs=27,
            batch_size=128,
            warmup_epochs=1,
            label_smoothing=0.1,
            crop=4,
            flip=True,
            cutout=8,
        ),
        scheduler=rn.Asha(rungs=(1, 3, 9, 27)),
        trials=256,
        gpus_per_trial=0.25,
    )
