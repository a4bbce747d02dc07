from __future__ import annotations

import contextlib
import io
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from raynas.data.decode import check_format, decode
from raynas.errors import DataError


def encode(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def colour(rng: np.random.Generator, height: int = 8, width: int = 8) -> Image.Image:
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def test_an_image_of_the_wanted_size_is_exact(rng: np.random.Generator, tmp_path: Path) -> None:
    image = colour(rng)
    expected = np.asarray(image).transpose(2, 0, 1)
    image.save(tmp_path / "x.png")
    for source in (encode(image), tmp_path / "x.png"):
        pixels = decode(source, size=8, channels=3, place="x")
        np.testing.assert_array_equal(pixels, expected)
        assert pixels.flags.c_contiguous
        assert pixels.flags.writeable


def test_other_sizes_are_scaled_without_aliasing() -> None:
    stripes = Image.fromarray(np.tile(np.array([0, 255], np.uint8), (64, 32)))  # a subsampler would see 0 or 255
    pixels = decode(encode(stripes), size=8, channels=1, place="x")
    assert pixels.shape == (1, 8, 8)
    assert 110 < pixels.min() <= pixels.max() < 145
    assert decode(encode(stripes), size=100, channels=3, place="x").shape == (3, 100, 100)


def test_a_photograph_is_scaled_like_its_pixels() -> None:
    """Decoding at reduced scale, which is what makes it fast, changes next to nothing."""
    ramp = np.add.outer(np.arange(1024), np.arange(1024)) / 2047 * 255
    image = Image.fromarray(np.repeat(ramp.astype(np.uint8)[:, :, None], 3, axis=2))
    photograph = decode(encode(image, "JPEG", quality=95), size=32, channels=3, place="x")
    exact = decode(encode(image), size=32, channels=3, place="x")
    assert np.abs(photograph.astype(int) - exact).max() <= 3


def test_every_mode_keeps_its_brightness() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    grey = Image.fromarray(ramp)
    palette = grey.convert("P")
    palette.info["transparency"] = bytes(range(256))
    for image in (
        grey,
        grey.convert("RGB"),
        grey.convert("RGBA"),
        grey.convert("LA"),
        palette,
        Image.fromarray(ramp.astype(np.uint16) * 257),  # 16 bits
    ):
        for channels in (1, 3):
            pixels = decode(encode(image), size=16, channels=channels, place=image.mode)
            np.testing.assert_array_equal(pixels, np.stack([ramp] * channels), err_msg=image.mode)


def test_cameras_that_lie_on_their_side() -> None:
    image = Image.fromarray(np.array([[0, 100], [200, 255]], np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise to see it upright
    pixels = decode(encode(image, exif=exif), size=2, channels=1, place="x")
    assert pixels.tolist() == [[[200, 0], [255, 100]]]


def test_pixels_of_unknown_range_are_refused() -> None:
    wide = Image.fromarray(np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8))
    with pytest.raises(DataError, match="32-bit pixels"):
        decode(encode(wide, "TIFF"), size=8, channels=1, place="x")


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_damage_is_an_error_that_names_the_place(form: str, rng: np.random.Generator) -> None:
    whole = encode(colour(rng, 20, 20), form)
    for content in (b"", b"no image", whole[:4], whole[: len(whole) // 2]):
        with pytest.raises(DataError, match="pets/7 is no"):
            decode(content, size=8, channels=3, place="pets/7")


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_random_damage_raises_nothing_else(form: str, rng: np.random.Generator) -> None:
    whole, chance = encode(colour(rng, 20, 20), form), random.Random(0)
    for _ in range(100):
        content = bytearray(whole)
        for _ in range(3):
            content[chance.randrange(len(content))] = chance.randrange(256)
        with contextlib.suppress(DataError):
            assert decode(bytes(content), size=8, channels=3, place="x").shape == (3, 8, 8)


@pytest.mark.parametrize(("size", "channels"), [(0, 3), (-1, 1), (8, 2), (8, 4)])
def test_formats_that_make_no_sense_are_refused(size: int, channels: int) -> None:
    with pytest.raises(DataError, match="must be"):
        check_format(size, channels)
