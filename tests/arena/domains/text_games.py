"""Small third-party style Gymnasium environments that the tests register."""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium import spaces


class GuessEnv(gymnasium.Env[str, str]):
    """Guess a number from 0 to 7 in four guesses; the observation says higher or lower."""

    observation_space = spaces.Text(40, min_length=0, charset="abcdefghijklmnopqrstuvwxyz 0123456789")
    action_space = spaces.Text(1, charset="01234567")

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        self.secret, self.left = int(self.np_random.integers(8)), 4
        return "guess", {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.left -= 1
        if int(action) == self.secret:
            return "right", 1.0, True, False, {}
        hint = "higher" if self.secret > int(action) else "lower"
        return hint, 0.0, self.left == 0, False, {}


class CorridorEnv(gymnasium.Env[str, int]):
    """Walk right (1) from place 0 to 2; walking left (0) from place 0 breaks the game."""

    observation_space = spaces.Text(20, charset="at 012")
    action_space = spaces.Discrete(2)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        self.place = 0
        return "at 0", {}

    def step(self, action: int) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.place += 1 if action == 1 else -1
        if self.place < 0:
            raise RuntimeError("fell off")
        return f"at {self.place}", float(self.place == 2), self.place == 2, False, {}


def register() -> None:
    """Register the games once a process."""
    for name, game in (("GuessText-v0", GuessEnv), ("CorridorText-v0", CorridorEnv)):
        if name not in gymnasium.registry:
            gymnasium.register(id=name, entry_point=game)
    if "CoinText-v0" not in gymnasium.registry:
        gymnasium.register(id="CoinText-v0", entry_point=GuessEnv, nondeterministic=True)
