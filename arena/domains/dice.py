"""Draws for scripts that need very many small ones."""

from __future__ import annotations

import numpy as np


class Dice:
    """Draws from a generator, many at a time: one by one they would take most of the time."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._drawn: list[float] = []

    def share(self) -> float:
        """Uniform from 0 to 1."""
        if not self._drawn:
            self._drawn = self._rng.random(512).tolist()
        return self._drawn.pop()

    def below(self, high: int) -> int:
        """A whole number from 0 to one less than ``high``."""
        return int(self.share() * high)

    def between(self, low: int, high: int) -> int:
        """A whole number from ``low`` to one less than ``high``."""
        return low + self.below(high - low)
