"""From an encoded image (JPEG, PNG, ...) to pixels of a wanted size."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from raynas.data.images import Pixels
from raynas.errors import DataError

MODES = {1: "L", 3: "RGB"}

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "PPM", "TIFF")
"""What is decoded, whatever a file calls itself: for some others, like EPS, Pillow starts another program."""

MOST_PIXELS = 40_000_000
"""Of an image as it is decoded, at 4 bytes each; a few kilobytes can claim any number of them."""

LARGEST_SIDE = 4096
"""Pixels on each side of what a network sees."""


def check_format(size: int, channels: int) -> None:
    """Refuses what `decode` cannot produce.

    Raises:
        DataError: size outside 1..LARGEST_SIDE, or channels neither 1 nor 3.
    """
    if not 1 <= size <= LARGEST_SIDE:
        raise DataError(f"size must be at least 1 and at most {LARGEST_SIDE:,} pixels, but got {size}")
    if channels not in MODES:
        raise DataError(f"channels must be 1 (grey) or 3 (colour), but got {channels}")


def decode(source: Path | bytes, *, size: int, channels: int, place: str) -> Pixels:
    """One image, upright as its camera says, scaled to a square; the aspect ratio is given up, no part is cut away.

    Transparency is dropped; 16-bit grey levels keep their upper 8 bits.

    Args:
        source: a file, or its content.
        size: pixels on each side.
        channels: 1 or 3.
        place: where the image comes from, for the error.

    Returns:
        [channels, size, size], uint8.

    Raises:
        DataError: unreadable, truncated, too large, or of 32-bit pixels, whose range nobody knows.
    """
    mode = MODES[channels]
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS) as image:
            # A photograph is decoded at 1/2, 1/4 or 1/8 scale, many times faster; twice the wanted size stays sharp.
            image.draft(mode, (2 * size, 2 * size))
            if math.prod(image.size) > MOST_PIXELS:
                raise ValueError(f"{image.size[0]} x {image.size[1]} are more than {MOST_PIXELS:,} pixels; shrink it")
            upright = ImageOps.exif_transpose(image)
            pixels = np.asarray(_eight_bits(upright).convert(mode).resize((size, size), Image.Resampling.BILINEAR))
    except UnidentifiedImageError as error:
        raise DataError(f"{place} is no image in a known format; repair or remove it") from error
    except Exception as error:  # Pillow's parsers raise whatever they trip over
        raise DataError(f"{place} is no readable image: {error}; repair or remove it") from error
    return np.ascontiguousarray(pixels.reshape(size, size, channels).transpose(2, 0, 1))


def _eight_bits(image: Image.Image) -> Image.Image:
    """The image in a mode that Pillow converts faithfully: it would clip wider pixels to 255 instead of scaling."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(f"32-bit pixels (mode {image.mode}) have no known range; save it with 8 bits")
    return image.convert("RGBA") if "transparency" in image.info else image
