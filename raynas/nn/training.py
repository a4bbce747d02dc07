"""The training loop: an epoch at a time, everything batched on the device.

Random numbers are a function of (seed, epoch), so a resumed training equals one that was never stopped, and no
generator state has to be stored.

Shapes: N images, B batch, C channels, H height, W width, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn, optim
from torch.nn import functional as F

from raynas.nn.modules import DropPath
from raynas.seeds import seed_for


class Recipe(Protocol):
    """The settings that training needs (raynas/estimators/train.py has them with their meaning)."""

    @property
    def epochs(self) -> int:
        """Full length."""

    @property
    def batch_size(self) -> int:
        """Images a step."""

    @property
    def optimizer(self) -> str:
        """`sgd` or `adamw`."""

    @property
    def lr(self) -> float:
        """Peak learning rate."""

    @property
    def momentum(self) -> float:
        """Of SGD."""

    @property
    def weight_decay(self) -> float:
        """L2 (sgd) or decoupled (adamw)."""

    @property
    def schedule(self) -> str:
        """`cosine` or `constant`."""

    @property
    def warmup_epochs(self) -> float:
        """Linear warm-up."""

    @property
    def label_smoothing(self) -> float:
        """In [0, 1)."""

    @property
    def clip(self) -> float:
        """Largest gradient norm; 0: no clipping."""

    @property
    def auxiliary(self) -> float:
        """Weight of the loss of auxiliary heads."""

    @property
    def amp(self) -> bool:
        """bfloat16 autocast on a GPU that has it."""


class Augmentation(Protocol):
    """Changes a batch of images, drawing from `generator`."""

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """[B, C, H, W] -> [B, C, H, W]."""


@dataclass(frozen=True)
class Pixels:
    """Images on the training device.

    Attributes:
        images: [N, C, H, W] uint8.
        labels: [N] int64.
    """

    images: Tensor
    labels: Tensor


def make_optimizer(model: nn.Module, recipe: Recipe) -> optim.Optimizer:
    """SGD with Nesterov momentum, or AdamW; norms and biases are decayed as in the NAS papers."""
    if recipe.optimizer == "adamw":
        return optim.AdamW(model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True)
    return optim.SGD(
        model.parameters(),
        lr=recipe.lr,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.momentum > 0,
        fused=True,
    )


def learning_rate(recipe: Recipe, epoch: float) -> float:
    """The rate at a point of the training, in epochs: linear warm-up, then constant or a cosine to 0."""
    if epoch < recipe.warmup_epochs:
        return recipe.lr * epoch / recipe.warmup_epochs
    if recipe.schedule == "constant":
        return recipe.lr
    span = recipe.epochs - recipe.warmup_epochs
    return recipe.lr * 0.5 * (1 + math.cos(math.pi * min(1.0, (epoch - recipe.warmup_epochs) / span)))


def batches(size: int, batch_size: int, generator: torch.Generator, device: torch.device) -> Iterator[Tensor]:
    """Indices [B] of one epoch in random order; a last batch of one is left out, batch norm cannot train on it."""
    order = torch.randperm(size, generator=generator).to(device)
    for batch in torch.split(order, batch_size):
        if len(batch) > 1:
            yield batch


def train_epoch(
    model: nn.Module, optimizer: optim.Optimizer, data: Pixels, recipe: Recipe, augment: Augmentation, epoch: int,
    seed: int,
) -> float:  # fmt: skip
    """One pass over the data.

    Args:
        model: takes [B, C, H, W] uint8, answers [B, K] logits.
        optimizer: its learning rate is set before each step.
        data: on the model's device.
        recipe: settings.
        augment: applied to each batch.
        epoch: counts from 0.
        seed: of the trial.

    Returns:
        The mean training loss; not finite when training diverged.
    """
    device = data.images.device
    generator = torch.Generator().manual_seed(seed_for(seed, "order", epoch))
    noise = torch.Generator(device).manual_seed(seed_for(seed, "augment", epoch))
    torch.manual_seed(seed_for(seed, "layers", epoch))  # dropout
    use_amp = recipe.amp and device.type == "cuda" and torch.cuda.is_bf16_supported()
    model.train()
    for part in model.modules():
        if isinstance(part, DropPath):
            part.progress = epoch / recipe.epochs  # linear, as DARTS has it
    total, seen = torch.zeros((), device=device), 0
    parameters = list(model.parameters())
    steps = math.ceil(len(data.labels) / recipe.batch_size)
    for step, index in enumerate(batches(len(data.labels), recipe.batch_size, generator, device)):
        rate = learning_rate(recipe, epoch + (step + 0.5) / steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        images = augment(data.images[index], noise).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cuda", torch.bfloat16) if use_amp else nullcontext():
            answered = model(images)
            logits, heads = (answered[0], answered[1:]) if isinstance(answered, tuple) else (answered, ())
            loss = F.cross_entropy(logits, data.labels[index], label_smoothing=recipe.label_smoothing)
            for head in heads:
                beside = F.cross_entropy(head, data.labels[index], label_smoothing=recipe.label_smoothing)
                loss = loss + recipe.auxiliary * beside
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it without types
        if recipe.clip:
            nn.utils.clip_grad_norm_(parameters, recipe.clip)
        optimizer.step()
        total += loss.detach() * len(index)
        seen += len(index)
    return float(total) / seen


@torch.inference_mode()
def evaluate(model: nn.Module, data: Pixels, batch_size: int = 512) -> tuple[float, float]:
    """Accuracy in [0, 1] and mean cross entropy."""
    model.eval()
    correct = torch.zeros((), device=data.labels.device)
    loss = torch.zeros((), device=data.labels.device)
    for images, labels in zip(torch.split(data.images, batch_size), torch.split(data.labels, batch_size), strict=True):
        logits = model(images).float()
        correct += (logits.argmax(1) == labels).sum()
        loss += F.cross_entropy(logits, labels, reduction="sum")
    return float(correct) / len(data.labels), float(loss) / len(data.labels)
