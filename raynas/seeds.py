"""One root seed, many independent streams: a new consumer never shifts the old ones."""

from __future__ import annotations

import hashlib


def seed_for(root: int, *purpose: str | int) -> int:
    """The seed of one consumer, a 63-bit integer, equal on every machine.

    Args:
        root: the seed of the search.
        purpose: what the seed is for, e.g. `("trial", 17)`.
    """
    text = "\x1f".join((str(root), *map(str, purpose)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1
