"""Clip-higher, of DAPO (Yu et al. 2025, arXiv 2503.14476): unlikely tokens may rise further."""

from __future__ import annotations

import numpy as np

from agents.config import LearnerConfig
from agents.learning.clipped import Clipped
from agents.learning.grpo import normalised
from agents.learning.objectives import Rewards


class ClipHigher(Clipped):
    """GRPO's advantages, the ratio clipped to [1 − ``clip``, 1 + ``clip_high``], the mean over all tokens.

    With one ε for both sides a token of probability 0.01 can at most become 0.012 in a step, one of 0.9
    can become 1: exploration is what the upper bound cuts off.
    """

    def advantages(self, rewards: Rewards) -> np.ndarray:
        """(r − mean) / (std + 1e-4); zeros for a group of one, or of equal rewards."""
        return rewards.apart(rewards.groups, normalised)

    def upper(self, config: LearnerConfig) -> float:
        return config.clip_high
