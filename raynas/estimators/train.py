"""Real training: an epoch at a time on images, checkpointed, resumable."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from raynas.cost import STATIC_METRICS
from raynas.data import DataSource, Digits, Splits
from raynas.errors import ConfigError
from raynas.plan import Task
from raynas.records import Architecture, Context, Measurement

_TYPES: Mapping[str, Any] = {"int": int, "float": int | float, "str": str, "bool": bool}


@dataclass(frozen=True)
class Train:
    """Trains each architecture from scratch and measures it on the validation split after every epoch.

    Any setting that is a number can be searched jointly: ask for `train/lr` in the space.

    Attributes:
        data: where images come from; trials see its train and validation splits only.
        epochs: full budget of one architecture.
        batch_size: images a step.
        optimizer: "sgd" (Nesterov momentum) or "adamw".
        lr: peak learning rate.
        momentum: of SGD.
        weight_decay: L2 (sgd) or decoupled (adamw).
        schedule: "cosine" to 0 over all epochs, or "constant".
        warmup_epochs: linear warm-up.
        label_smoothing: in [0, 1).
        clip: largest gradient norm; 0: no clipping.
        auxiliary: weight of the loss of auxiliary heads, where a network has some.
        amp: bfloat16 autocast on a GPU that has it.
        crop: random crops from images padded by so many pixels; 0: none.
        flip: mirror half of the images.
        cutout: side of a square that is blanked; 0: none.
    """

    data: DataSource = field(default_factory=Digits)
    epochs: int = 9
    batch_size: int = 64
    optimizer: str = "sgd"
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 3e-4
    schedule: str = "cosine"
    warmup_epochs: float = 0.0
    label_smoothing: float = 0.0
    clip: float = 5.0
    auxiliary: float = 0.4
    amp: bool = True
    crop: int = 0
    flip: bool = False
    cutout: int = 0

    metrics: ClassVar[tuple[str, ...]] = ("val_accuracy", "val_loss", "train_loss", "train_s", *STATIC_METRICS)

    @property
    def budget(self) -> float:
        """Epochs."""
        return self.epochs

    def check(self) -> None:
        """Raises ConfigError where a setting is out of range or the data is not there."""
        self.check_settings()
        if not isinstance(self.data, DataSource):
            raise ConfigError(f"data must be a source of images, like raynas.data.digits(), but got {self.data!r}")
        self.data.check()

    def check_settings(self) -> None:
        """Raises ConfigError where a setting has another type or is out of range."""
        for setting in dataclasses.fields(self):
            value, kind = getattr(self, setting.name), _TYPES.get(str(setting.type))
            if kind and (not isinstance(value, kind) or isinstance(value, bool) > (kind is bool)):
                raise ConfigError(f"{setting.name} must be of type {setting.type}, but got {value!r}")
        rules: tuple[tuple[str, bool, str], ...] = (
            ("epochs", self.epochs >= 1, "at least 1"),
            ("batch_size", self.batch_size >= 2, "at least 2"),
            ("optimizer", self.optimizer in ("sgd", "adamw"), "sgd or adamw"),
            ("lr", 0 < self.lr < math.inf, "above 0"),
            ("momentum", 0 <= self.momentum < 1, "in [0, 1)"),
            ("weight_decay", 0 <= self.weight_decay < math.inf, "at least 0"),
            ("schedule", self.schedule in ("cosine", "constant"), "cosine or constant"),
            ("warmup_epochs", 0 <= self.warmup_epochs < self.epochs, "at least 0 and below epochs"),
            ("label_smoothing", 0 <= self.label_smoothing < 1, "in [0, 1)"),
            ("clip", 0 <= self.clip < math.inf, "at least 0"),
            ("auxiliary", 0 <= self.auxiliary < math.inf, "at least 0"),
            ("crop", self.crop >= 0, "at least 0"),
            ("cutout", self.cutout >= 0, "at least 0"),
        )
        for name, holds, rule in rules:
            if not holds:
                raise ConfigError(f"{name} must be {rule}, but got {getattr(self, name)!r}")

    def with_hyperparameters(self, architecture: Architecture) -> Train:
        """These settings with the ones that the architecture's space asked for.

        Raises:
            ConfigError: the space asks for a setting that does not exist or that must not differ between trials, or
                answers with a value that is not allowed.
        """
        asked = architecture.hyperparameters
        allowed = {f.name for f in dataclasses.fields(self)} - {"data", "epochs"}
        wrong = sorted(set(asked) - allowed)
        if wrong:
            raise ConfigError(f"train/{wrong[0]} is no hyperparameter; known: {', '.join(sorted(allowed))}")
        changed: dict[str, Any] = dict(asked)
        recipe = dataclasses.replace(self, **changed)
        recipe.check_settings()
        return recipe

    def load(self) -> Splits:
        """The data without its test split."""
        return self.data.load().search_view()

    def task(self, shared: Splits) -> Task:
        """Shapes of the data."""
        return Task(shared.input_shape, len(shared.classes), self.batch_size)

    def estimate(self, architecture: Architecture, context: Context) -> Iterator[Measurement]:
        """Yields a measurement per epoch, those of the folder's checkpoint first.

        Raises:
            Diverged: the training loss is not finite.
            ConfigError: a hyperparameter of the architecture has a value that is not allowed.
            GraphError: the architecture does not fit the data.
            StateError: the checkpoint is damaged, or of another architecture.
        """
        # torch costs seconds to import; settings must be checked without it.
        from raynas.estimators.training import train_trial

        recipe = self.with_hyperparameters(architecture)
        if context.budget is not None and context.budget < recipe.epochs:
            # A short training with a schedule of its own tells more than the beginning of a long one.
            epochs = max(1, int(context.budget))
            recipe = dataclasses.replace(recipe, epochs=epochs, warmup_epochs=min(recipe.warmup_epochs, epochs / 10))
        return train_trial(recipe, architecture, context)

    def deliver(self, architecture: Architecture, folder: str, out: str) -> dict[str, float]:
        """Writes the trained network of a trial and reads the test split, once.

        Args:
            architecture: of the trial.
            folder: of the trial's checkpoint.
            out: where `model.safetensors` and `architecture.json` are written.

        Returns:
            `test_accuracy` in [0, 1] and `test_loss`; nothing where the data has no test split.

        Raises:
            StateError: the checkpoint is missing, damaged or of another architecture.
        """
        from raynas.estimators.winner import deliver

        return deliver(self, architecture, folder, out)
