"""A small text environment as a third party would write it; importing it registers ``HotCold-v0``.

A number from 0 to 7 has to be found in three guesses. An observation is ``?`` and what the guesses so far
came to: ``?3<5>`` says that it is more than 3 and less than 5.
"""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium import spaces

NUMBERS, GUESSES = 8, 3


class HotCold(gymnasium.Env[str, str]):
    """Deterministic given its seed, which a domain ``gym:ID`` asks for."""

    observation_space = spaces.Text(2 * GUESSES + 1, min_length=1, charset="?<>01234567")
    action_space = spaces.Text(1, charset="01234567")

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        self.secret, self.told = int(self.np_random.integers(NUMBERS)), "?"
        return self.told, {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        guess = int(action)
        if guess == self.secret:
            return self.told, 1.0, True, False, {}
        self.told += f"{guess}{'<' if guess < self.secret else '>'}"
        return self.told, 0.0, len(self.told) > 2 * GUESSES, False, {}


gymnasium.register(id="HotCold-v0", entry_point=HotCold)
