"""Seeds for every patient and every acquisition, out of the one seed that a person gave."""

from __future__ import annotations

import hashlib

SEED_BITS = 63


def seed_of(seed: int, *words: str | int) -> int:
    """A seed for what the words name: the same on every machine, and independent of how many others are drawn."""
    text = "/".join([str(seed), *(str(word) for word in words)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> (64 - SEED_BITS)


def share_of(seed: int, *words: str | int) -> float:
    """A number in [0, 1) for what the words name."""
    return seed_of(seed, *words) / 2**SEED_BITS


def name_of(seed: int, *words: str | int) -> str:
    """Sixteen hexadecimal digits for what the words name."""
    return f"{seed_of(seed, *words):016X}"
