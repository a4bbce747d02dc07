"""Against references that go image by image."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from raynas.data.augment import Augment, Normalize, cutout, random_crop, random_flip
from raynas.errors import ConfigError

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
TYPES = [torch.uint8, torch.float32, torch.float16]

AUGMENTATIONS: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "crop": lambda x, generator: random_crop(x, 3, generator),
    "flip": random_flip,
    "cutout": lambda x, generator: cutout(x, 4, generator, fill=(7, 8, 9)),
    "all": Augment(crop_padding=2, flip=True, cutout=3),
}


def batch(count: int = 40, dtype: torch.dtype = torch.uint8, height: int = 7, width: int = 5) -> Tensor:
    values = torch.randint(1, 256, (count, 3, height, width), generator=seeded())
    return values.to(dtype)


def seeded(seed: int = 0, device: str = "cpu") -> torch.Generator:
    return torch.Generator(device).manual_seed(seed)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("padding", [1, 4, 9])
def test_crop_is_a_window_of_the_padded_image(dtype: torch.dtype, padding: int) -> None:
    x = batch(dtype=dtype)
    top, left = torch.randint(2 * padding + 1, (2, len(x)), generator=seeded(5))
    expected = [
        functional.pad(image, (padding,) * 4)[:, i : i + 7, j : j + 5]
        for image, i, j in zip(x, top.tolist(), left.tolist(), strict=True)
    ]
    assert torch.equal(random_crop(x, padding, seeded(5)), torch.stack(expected))


def test_every_offset_occurs_equally_often() -> None:
    x = torch.zeros(20_000, 1, 5, 5)
    x[:, :, 2, 2] = 1  # where this pixel lands tells the offset
    counts = random_crop(x, 2, seeded()).sum(0).flatten()
    assert counts.sum() == 20_000  # the pixel never leaves the image
    assert counts.min() > 650  # 800 expected, standard deviation 28
    assert counts.max() < 950


@pytest.mark.parametrize("dtype", TYPES)
def test_flip_mirrors_about_half(dtype: torch.dtype) -> None:
    x = batch(1000, dtype)
    y = random_flip(x, seeded())
    mirrored = [torch.equal(after, before.flip(2)) for before, after in zip(x, y, strict=True)]
    kept = [torch.equal(after, before) for before, after in zip(x, y, strict=True)]
    assert all(one != other for one, other in zip(mirrored, kept, strict=True))
    assert 430 < sum(mirrored) < 570


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("size", [1, 4, 5, 30])
@pytest.mark.parametrize("fill", [None, (3, 4, 5)])
def test_cutout_paints_a_square(dtype: torch.dtype, size: int, fill: tuple[int, ...] | None) -> None:
    x = batch(dtype=dtype)
    draw = seeded(5)
    rows, columns = (torch.randint(side, (len(x), 1), generator=draw).flatten().tolist() for side in (7, 5))
    expected = x.clone()
    for image, row, column in zip(expected, rows, columns, strict=True):
        top, left = row - size // 2, column - size // 2
        for channel, value in enumerate(fill or (0, 0, 0)):
            image[channel, max(top, 0) : max(top + size, 0), max(left, 0) : max(left + size, 0)] = value
    assert torch.equal(cutout(x, size, seeded(5), fill), expected)


def test_cutout_rounds_its_colour_for_integers() -> None:
    mean = (0.499 * 255, 0.501 * 255, 0.0)
    assert cutout(batch(1), 99, seeded(), mean)[0, :, 0, 0].tolist() == [127, 128, 0]


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("device", DEVICES)
def test_what_every_augmentation_keeps(name: str, dtype: torch.dtype, device: str) -> None:
    augment = AUGMENTATIONS[name]
    x = batch(dtype=dtype).to(device)
    before = x.clone()
    y = augment(x, seeded())
    assert (y.dtype, y.shape, y.device) == (x.dtype, x.shape, x.device)
    assert torch.equal(x, before)  # a batch may be a view of the data set itself
    assert torch.equal(y, augment(x, seeded()))
    assert not torch.equal(y, augment(x, seeded(1)))
    assert torch.equal(y.cpu(), augment(before.cpu(), seeded()))  # a CPU generator: alike on every device
    assert torch.equal(augment(x, seeded(2, device)), augment(x, seeded(2, device)))
    assert augment(x[:0], seeded()).shape == x[:0].shape


def test_the_default_does_nothing() -> None:
    x = batch()
    generator = seeded()
    state = generator.get_state()
    assert Augment()(x, generator) is x
    assert torch.equal(generator.get_state(), state)


@pytest.mark.parametrize("settings", [{"crop_padding": -1}, {"cutout": -4}])
def test_negative_settings_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="must be >= 0"):
        Augment(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("device", DEVICES)
def test_normalize(device: str) -> None:
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.25, 2.0)
    normalize = Normalize(mean, std).to(device)
    x = batch().to(device)
    y = normalize(x)
    assert y.dtype == torch.float32
    for channel in range(3):
        torch.testing.assert_close(y[:, channel], (x[:, channel] / 255 - mean[channel]) / std[channel])
    torch.testing.assert_close(normalize(x / 255), y)
    assert normalize.half()(x).dtype == torch.float16
    assert set(normalize.state_dict()) == {"mean", "std"}
    assert not list(normalize.parameters())


@pytest.mark.parametrize(("mean", "std"), [((0.5,), (0.5, 0.5)), ((), ()), ((0.5,), (0.0,)), ((0.5,), (float("nan"),))])
def test_statistics_that_cannot_normalise_are_refused(mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="mean="):
        Normalize(mean, std)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(2, 1, 4, 4), r"\[B, 3, H, W\], but got \[2, 1, 4, 4\]"),
        (torch.zeros(3, 4, 4), r"\[3, 4, 4\]"),
        (torch.zeros(2, 3, 4, 4, dtype=torch.int64), "int64"),
    ],
)
def test_batches_that_do_not_fit_are_refused(x: Tensor, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Normalize((0.5,) * 3, (0.5,) * 3)(x)
