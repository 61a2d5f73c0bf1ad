"""GRPO done right (Liu et al. 2025, arXiv 2503.20783): no normalisation by spread or by length."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from agents.config import LearnerConfig
from agents.learning.clipped import Clipped
from agents.learning.objectives import Rewards, TokenBatch, centred


class DrGrpo(Clipped):
    """The clipped ratio with advantages that are only centred.

    A_i = r_i − mean r within the group. The gains of a completion's tokens are summed and divided by a
    constant, ``learner.completion_budget``, whatever its length: dividing by the length makes long wrong
    answers cheap, dividing by the spread favours questions that are nearly always or never solved.
    """

    def advantages(self, rewards: Rewards) -> np.ndarray:
        """r − mean; zeros for a group of one, or of equal rewards."""
        return rewards.apart(rewards.groups, centred)

    def size(self, batch: TokenBatch, config: LearnerConfig) -> Tensor:
        """Σ w over the completions, times ``completion_budget``."""
        return batch.weights.sum() * config.completion_budget
