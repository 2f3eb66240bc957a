"""Seeded random streams that do not depend on the order they are asked for."""

from __future__ import annotations

import hashlib

import numpy as np


def derive_seed(seed: int, *labels: str | int) -> int:
    """Return a 63-bit seed for the stream named by `labels` under a root `seed`.

    Two components with different labels get independent streams, and adding a component
    does not change the numbers any other one draws.
    """
    text = "\x1f".join([str(seed), *map(str, labels)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *labels: str | int) -> np.random.Generator:
    """Return a NumPy generator for the stream named by `labels` under a root `seed`."""
    return np.random.default_rng(derive_seed(seed, *labels))
