"""How fast raynas trains, beside a loop written by hand.

    python experiments/bench_training.py                            # a minute
    python experiments/bench_training.py --epochs 30 --images 4000  # the figures of the README

Three loops train the same network with the same batches, optimizer and gradient clipping, on one thread, an epoch each
in turn, so that whatever else the machine does hits all of them alike:

- raynas: `Train.estimate`, which takes uint8 pixels, normalises, shuffles and schedules the rate (its own `train_s`);
- plain: the shortest loop there is, on a tensor of normalised floats that lies ready on the device;
- loader: the usual loop over `torch.utils.data.DataLoader`, on the same floats.

Ratios are of samples a second, epoch by epoch: median (range). Goal: 95 % of the plain loop or more.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from statistics import median

import numpy as np
import torch
from measuring import show, spread
from torch.nn import functional
from torch.optim import Optimizer
from torch.utils.data import DataLoader, TensorDataset

import raynas as rn
from raynas.data import Images, Splits
from raynas.data.augment import Normalize
from raynas.nn import Network, build
from raynas.nn.training import make_optimizer

SPACES = {
    "chain": rn.spaces.chain(),
    "cells": rn.spaces.cells(),
    "nasbench201": rn.spaces.nasbench201(width=8, repeats=1),
}


def plain_epoch(model: Network, optimizer: Optimizer, x: torch.Tensor, y: torch.Tensor, recipe: rn.Train) -> None:
    """As one would write it."""
    model.train()
    for index in torch.randperm(len(x)).split(recipe.batch_size):
        loss = functional.cross_entropy(model(x[index]), y[index])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        optimizer.step()


def loader_epoch(model: Network, optimizer: Optimizer, loader: DataLoader, recipe: rn.Train) -> None:
    """As one usually writes it."""
    model.train()
    for x, y in loader:
        loss = functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        optimizer.step()


def turns(graph: rn.Graph, splits: Splits, recipe: rn.Train) -> Iterator[dict[str, float]]:
    """Seconds of each loop, an epoch a turn; who begins changes from turn to turn."""
    architecture = rn.Architecture("bench", {}, graph, {})
    readings = recipe.estimate(architecture, rn.Context(trial=1, seed=0, shared=splits, threads=1))
    pixels, y = torch.from_numpy(splits.train.pixels), torch.from_numpy(splits.train.labels)
    x = Normalize(splits.mean, splits.std)(pixels).contiguous(memory_format=torch.channels_last)
    models = {}
    for name in ("plain", "loader"):
        torch.manual_seed(0)
        model = build(graph, recipe.task(splits)).to(memory_format=torch.channels_last)
        models[name] = model, make_optimizer(model, recipe)
    loader = DataLoader(TensorDataset(x, y), recipe.batch_size, shuffle=True)
    trained = 0.0

    def raynas() -> float:
        nonlocal trained
        before, trained = trained, next(readings).metrics["train_s"]
        return trained - before

    def plain() -> float:
        began = time.perf_counter()
        plain_epoch(*models["plain"], x, y, recipe)
        return time.perf_counter() - began

    def usual() -> float:
        began = time.perf_counter()
        loader_epoch(*models["loader"], loader, recipe)
        return time.perf_counter() - began

    loops = {"raynas": raynas, "plain": plain, "loader": usual}
    for order in itertools.islice(itertools.cycle(itertools.permutations(loops)), recipe.epochs):
        yield {name: loops[name]() for name in order}


def random_splits(images: int) -> Splits:
    """Noise in the shape of Fashion-MNIST."""
    rng = np.random.default_rng(0)

    def draw(count: int) -> Images:
        return Images(rng.integers(0, 256, (count, 1, 28, 28), dtype=np.uint8), np.arange(count) % 10)

    return Splits.of(draw(images), draw(10), draw(10), [str(k) for k in range(10)])


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog=Path(__file__).name
    )
    parser.add_argument("--epochs", type=int, default=6, help="turns; one more comes first and does not count")
    parser.add_argument("--images", type=int, default=512, help="of 28x28 pixels")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0, help="which network of each space")
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    recipe = rn.Train(epochs=args.epochs + 1, batch_size=args.batch_size)
    rows = []
    for data, splits in (("digits 8x8", rn.data.digits().load()), ("noise 28x28", random_splits(args.images))):
        for name, space in SPACES.items():
            graph = rn.spaces.sample(space, Random(args.seed)).graph
            size = sum(p.numel() for p in build(graph, recipe.task(splits)).parameters())
            seconds = list(turns(graph, splits, recipe))[1:]
            rates = [median(len(splits.train) / s[loop] for s in seconds) for loop in ("raynas", "plain", "loader")]
            ratios = [spread([100 * s[other] / s["raynas"] for s in seconds]) for other in ("plain", "loader")]
            rows.append((f"{name}, {data}", size / 1e3, *rates, *ratios))
    show(
        f"training on one thread, batches of {args.batch_size}",
        ("network", "k params", "raynas /s", "plain /s", "loader /s", "% of plain", "% of loader"),
        rows,
        "Goal of raynas: 95 % of plain or more.",
    )


if __name__ == "__main__":
    main()
