"""The training loop. Shapes: N images, B batch, C channels, H height, W width, K classes."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional

from raynas import Train
from raynas.data.augment import Augment
from raynas.nn import training
from raynas.nn.training import Pixels, batches, evaluate, learning_rate, make_optimizer, train_epoch

CPU = torch.device("cpu")


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pixels(size=50, classes=4):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (size, 1, 8, 8), generator=generator, dtype=torch.uint8)
    return Pixels(images, torch.randint(classes, (size,), generator=generator))


class Scaled(nn.Module):
    """A small convolutional network on uint8 images [B, 1, 8, 8], with batch norm and dropout.

    No bias before the batch norm: its gradient is nothing but rounding, which Adam would blow up.
    """

    def __init__(self, dropout=0.0):
        super().__init__()
        torch.manual_seed(1)
        self.layers = nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(),
            nn.Conv2d(6, 6, 3, bias=False), nn.ReLU(), nn.Dropout(dropout), nn.Flatten(), nn.Linear(216, 4),
        )  # fmt: skip

    def forward(self, x):
        return self.layers(x.float() / 255 - 0.5)


@pytest.mark.parametrize(
    ("settings", "rates"),
    [
        ({"schedule": "constant"}, {0: 0.1, 3.3: 0.1, 9.99: 0.1}),
        ({"schedule": "cosine"}, {0: 0.1, 2.5: 0.1 * (1 + math.sqrt(0.5)) / 2, 5: 0.05, 10: 0.0, 11: 0.0}),
        ({"schedule": "cosine", "warmup_epochs": 2}, {0: 0.0, 0.5: 0.025, 1: 0.05, 2: 0.1, 6: 0.05, 10: 0.0}),
        ({"schedule": "constant", "warmup_epochs": 2.5}, {0: 0.0, 1.25: 0.05, 2.5: 0.1, 7: 0.1}),
    ],
    ids=str,
)
def test_learning_rates(settings, rates):
    recipe = Train(epochs=10, lr=0.1, **settings)
    assert {epoch: learning_rate(recipe, epoch) for epoch in rates} == pytest.approx(rates)


@pytest.mark.parametrize(("settings", "steps"), [({}, 4), ({"warmup_epochs": 1.0}, 4)], ids=str)
def test_each_step_has_the_rate_of_its_middle(settings, steps):
    recipe = Train(epochs=2, batch_size=16, **settings)
    model, rates = Scaled(), []
    optimizer = make_optimizer(model, recipe)
    optimizer.register_step_pre_hook(lambda *_: rates.append(optimizer.param_groups[0]["lr"]))
    for epoch in range(2):
        train_epoch(model, optimizer, pixels(), recipe, Augment(), epoch, seed=0)
    assert rates == pytest.approx([learning_rate(recipe, (step + 0.5) / steps) for step in range(2 * steps)])


class TestBatches:
    @pytest.mark.parametrize(
        ("size", "batch_size", "lengths"),
        [(10, 4, [4, 4, 2]), (9, 4, [4, 4]), (8, 4, [4, 4]), (3, 64, [3]), (5, 2, [2, 2]), (2, 2, [2])],
    )
    def test_a_last_batch_of_one_is_left_out(self, size, batch_size, lengths):
        made = list(batches(size, batch_size, torch.Generator().manual_seed(0), CPU))
        assert [len(batch) for batch in made] == lengths
        flat = torch.cat(made).tolist()
        assert len(set(flat)) == len(flat) == sum(lengths)
        assert set(flat) <= set(range(size))

    def test_the_order_changes_with_the_epoch_and_the_seed(self):
        seen = {}
        for epoch, seed in ((0, 0), (1, 0), (0, 1), (0, 0)):
            order = []
            spy = SimpleNamespace(**vars(Train(batch_size=16)))
            augment = lambda x, generator, order=order: order.append(x.sum().item()) or x  # noqa: E731
            train_epoch(model := Scaled(), make_optimizer(model, spy), pixels(), spy, augment, epoch, seed)
            assert seen.setdefault((epoch, seed), order) == order
        assert len({tuple(order) for order in seen.values()}) == 3

    def test_the_mean_loss_counts_the_images_that_were_seen(self):
        """The 49th image is in a batch of its own: neither trained on nor counted."""
        recipe = Train(batch_size=16, lr=1e-12, momentum=0.0, weight_decay=0.0, clip=0.0)
        data = pixels(49)
        zeros = Scaled()
        nn.init.zeros_(zeros.layers[-1].weight)
        nn.init.zeros_(zeros.layers[-1].bias)
        loss = train_epoch(zeros, make_optimizer(zeros, recipe), data, recipe, Augment(), 0, seed=0)
        assert loss == pytest.approx(math.log(4), rel=1e-5)


def plain_epoch(model, data, recipe, epoch, seed):
    """One epoch as a textbook writes it, on the batches that raynas draws."""
    if recipe.optimizer == "sgd":
        optimizer = torch.optim.SGD(
            model.parameters(),
            recipe.lr,
            recipe.momentum,
            weight_decay=recipe.weight_decay,
            nesterov=True,
            foreach=False,
        )
    else:
        optimizer = torch.optim.AdamW(model.parameters(), recipe.lr, weight_decay=recipe.weight_decay, foreach=False)
    criterion = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
    generator = torch.Generator().manual_seed(training.seed_for(seed, "order", epoch))
    order = torch.randperm(len(data.labels), generator=generator)
    steps = math.ceil(len(order) / recipe.batch_size)
    losses = []
    model.train()
    for step in range(steps):
        batch = order[step * recipe.batch_size : (step + 1) * recipe.batch_size]
        if len(batch) == 1:
            continue
        optimizer.param_groups[0]["lr"] = (
            recipe.lr * (1 + math.cos(math.pi * (epoch + (step + 0.5) / steps) / recipe.epochs)) / 2
        )
        optimizer.zero_grad()
        loss = criterion(model(data.images[batch]), data.labels[batch])
        loss.backward()
        if recipe.clip:
            torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        optimizer.step()
        losses.append((loss.item(), len(batch)))
    return sum(loss * size for loss, size in losses) / sum(size for _, size in losses)


@pytest.mark.parametrize(
    "recipe",
    [
        Train(epochs=3, batch_size=16, lr=0.05),
        Train(epochs=3, batch_size=16, lr=0.05, clip=0.0),
        Train(epochs=3, batch_size=16, lr=0.05, clip=0.01, weight_decay=0.1),
        Train(epochs=3, batch_size=7, lr=0.05, label_smoothing=0.2),
        Train(epochs=3, batch_size=16, lr=0.01, optimizer="adamw", weight_decay=0.1),
    ],
    ids=lambda r: f"{r.optimizer}-{r.clip}-{r.label_smoothing}",
)
def test_an_epoch_equals_a_plain_loop(recipe):
    data = pixels()
    ours = Scaled().to(memory_format=torch.channels_last)
    plain = Scaled()
    loss = train_epoch(ours, make_optimizer(ours, recipe), data, recipe, Augment(), 0, seed=5)
    assert loss == pytest.approx(plain_epoch(plain, data, recipe, 0, seed=5), abs=1e-6)
    for name, tensor in plain.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], tensor, rtol=0, atol=1e-6)


def test_without_momentum():
    recipe = Train(momentum=0.0, batch_size=16)
    model = Scaled()
    assert train_epoch(model, make_optimizer(model, recipe), pixels(), recipe, Augment(), 0, 0) < 2


def test_dropout_is_drawn_from_the_seed():
    recipe = Train(batch_size=16)
    losses = []
    for seed, noise in ((0, 1), (0, 2), (1, 3)):
        model = Scaled(dropout=0.5)
        torch.manual_seed(noise)  # what ran before does not matter
        losses.append(train_epoch(model, make_optimizer(model, recipe), pixels(), recipe, Augment(), 0, seed))
    assert losses[0] == losses[1] != losses[2]


def test_augmentation_is_drawn_from_the_seed_and_the_epoch():
    recipe = Train(batch_size=64)
    seen = []

    def keep(x, generator):
        seen.append(Augment(crop_padding=2, flip=True, cutout=3)(x, generator).sort(0).values)
        return x

    for seed, epoch in ((0, 0), (0, 0), (0, 1), (1, 0)):
        model = Scaled()
        train_epoch(model, make_optimizer(model, recipe), pixels(), recipe, keep, epoch, seed)
    first, again, later, other = seen
    assert torch.equal(first, again)
    assert not torch.equal(first, later)
    assert not torch.equal(first, other)


def test_label_smoothing_bounds_the_loss():
    """The least smoothed loss is the entropy of the smoothed labels, not zero."""
    recipe = Train(epochs=60, batch_size=16, lr=0.1, label_smoothing=0.4, weight_decay=0.0)
    model = Scaled()
    optimizer = make_optimizer(model, recipe)
    loss = min(train_epoch(model, optimizer, pixels(32), recipe, Augment(), epoch, 0) for epoch in range(60))
    least = -0.7 * math.log(0.7) - 3 * 0.1 * math.log(0.1)
    assert least < loss < least + 0.1


@pytest.mark.parametrize("size", [1, 49, 50, 51, 512, 513, 1025])
def test_evaluate_equals_a_naive_count(size):
    model, data = Scaled(dropout=0.5), pixels(size)
    accuracy, loss = evaluate(model, data)
    right, total = 0, 0.0
    with torch.no_grad():
        for image, label in zip(data.images, data.labels, strict=True):
            logits = model.eval()(image[None])
            right += int(logits.argmax() == label)
            total += functional.cross_entropy(logits, label[None]).item()
    assert accuracy == right / size
    assert loss == pytest.approx(total / size, rel=1e-5)


def test_evaluate_changes_nothing():
    model, data = Scaled(dropout=0.5), pixels()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    assert evaluate(model, data) == evaluate(model, data)
    assert torch.equal(torch.get_rng_state(), state)
    for name, tensor in model.state_dict().items():
        assert torch.equal(before[name], tensor)


def test_a_learning_rate_that_is_too_high_shows_in_the_loss():
    recipe = Train(lr=1e30, batch_size=16, clip=0.0)
    model = Scaled()
    assert not math.isfinite(train_epoch(model, make_optimizer(model, recipe), pixels(), recipe, Augment(), 0, 0))
