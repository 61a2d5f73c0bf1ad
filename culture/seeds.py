"""Randomness derived from hashes: every stream is named by (run seed, purpose, ids).

Nothing in Ludus draws from a global generator. A stream is a pure function of its name, so a resumed
run, a redone piece of work and a run on another number of actors all draw the same numbers.
"""

from __future__ import annotations

import hashlib

import numpy as np

Id = str | int


def derive(seed: int, purpose: str, *ids: Id) -> int:
    """A 63-bit seed for the stream named ``(seed, purpose, *ids)``."""
    text = "\x1f".join([str(seed), purpose, *(str(i) for i in ids)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(seed: int, purpose: str, *ids: Id) -> np.random.Generator:
    """A NumPy generator for the stream named ``(seed, purpose, *ids)``."""
    return np.random.Generator(np.random.Philox(derive(seed, purpose, *ids)))


def short_id(prefix: str, *parts: Id) -> str:
    """A stable identifier, ``prefix`` and 16 hexadecimal digits, for a thing named by ``parts``."""
    text = "\x1f".join(str(p) for p in parts)
    return f"{prefix}{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"
