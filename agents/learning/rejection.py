"""Rejection fine-tuning (Yuan et al. 2023, RFT, arXiv 2308.01825): imitate what turned out right."""

from __future__ import annotations

import numpy as np

from agents.learning.answer_key import AnswerKey
from agents.learning.objectives import Rewards


class Rejection(AnswerKey):
    """Cross-entropy on the policy's own completions that were rewarded; the others are left out."""

    def advantages(self, rewards: Rewards) -> np.ndarray:
        """1 where the reward is positive, else 0."""
        return (rewards.values > 0).astype(np.float64)
