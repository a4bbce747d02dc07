"""One trial of `Train`: build, train epoch by epoch, measure, checkpoint, resume."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from raynas.cost import cost_of_plan
from raynas.data import Splits
from raynas.data.augment import Augment
from raynas.errors import RaynasError, RaynasWarning, StateError
from raynas.estimators.image import classifier, network_of, pixels
from raynas.nn import checkpoint, training
from raynas.records import Architecture, Context, Measurement

if TYPE_CHECKING:
    from raynas.estimators.train import Train

CHECKPOINT_EVERY_S = 30.0
"""Seconds of training that a killed trial loses at most, besides the epoch it was in."""

STATE = "state.safetensors"
"""Name of a trial's checkpoint in its folder."""


class Diverged(RaynasError, ArithmeticError):
    """The training loss is not finite."""


def train_trial(recipe: Train, architecture: Architecture, context: Context) -> Iterator[Measurement]:
    """Yields a measurement per epoch, those of the folder's checkpoint first.

    Args:
        recipe: settings, hyperparameters of the trial included.
        architecture: what to train.
        context: seed, device, data and folder of the trial.

    Raises:
        Diverged: the training loss is not finite.
        GraphError: the architecture does not fit the data.

    Warns:
        RaynasWarning: the checkpoint is damaged, or of another architecture; it is set aside, and training begins anew.
    """
    data: Splits = context.shared
    torch.set_num_threads(context.threads)  # more threads than the trial's CPUs run several times slower
    device = torch.device(context.device if torch.cuda.is_available() else "cpu")
    if device.type == "cuda":
        torch.cuda.set_per_process_memory_fraction(context.memory_fraction)
    torch.manual_seed(context.seed)
    model = classifier(architecture.graph, recipe.task(data), data.mean, data.std)
    model = model.to(device).to(memory_format=torch.channels_last)  # faster on GPUs, and on CPUs where depthwise
    static = cost_of_plan(network_of(model).plan).metrics()
    optimizer = training.make_optimizer(model, recipe)
    augment = Augment(crop_padding=recipe.crop, flip=recipe.flip, cutout=recipe.cutout)
    train, val = pixels(data.train, device), pixels(data.val, device)
    history: list[Measurement] = []
    path = Path(context.folder) / STATE if context.folder else None
    if path and path.exists():
        try:
            tensors, meta = checkpoint.read(path)
            if meta["key"] != architecture.key:
                raise StateError(f"{path} is a checkpoint of architecture {meta['key']}, not of {architecture.key}")
            checkpoint.restore_training(tensors, model, optimizer)
        except StateError as error:
            path.replace(path.with_suffix(".damaged"))
            warnings.warn(f"trial {context.trial} is trained anew: {error}", RaynasWarning, stacklevel=2)
            yield from train_trial(recipe, architecture, context)
            return
        history = [Measurement(budget, metrics) for budget, metrics in meta["measurements"]]
        yield from history
    train_s = history[-1].metrics["train_s"] if history else 0.0
    saved, saved_at = len(history), time.monotonic()

    def save() -> None:
        nonlocal saved, saved_at
        if path and saved < len(history):
            meta = {"measurements": [[m.budget, dict(m.metrics)] for m in history], "key": architecture.key}
            checkpoint.write(path, checkpoint.training_state(model, optimizer), meta)
            saved, saved_at = len(history), time.monotonic()

    for epoch in range(len(history), recipe.epochs):
        started = time.perf_counter()
        loss = training.train_epoch(model, optimizer, train, recipe, augment, epoch, context.seed)
        if not math.isfinite(loss):
            raise Diverged(f"training loss is {loss} in epoch {epoch + 1}")
        train_s += time.perf_counter() - started
        accuracy, val_loss = training.evaluate(model, val)
        measured = {"val_accuracy": accuracy, "val_loss": val_loss, "train_loss": loss, "train_s": train_s}
        history.append(Measurement(epoch + 1, measured | static))
        wanted = epoch + 1 == recipe.epochs or epoch + 1 in context.rungs
        if wanted or time.monotonic() - saved_at > CHECKPOINT_EVERY_S:
            save()
        try:
            yield history[-1]
        except GeneratorExit:  # the session ends; the trial will go on from here
            save()
            raise
