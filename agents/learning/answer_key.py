"""Answer key: cross-entropy on a completion that was verified, as a pupil checks the back of the book."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from agents.config import LearnerConfig
from agents.learning.objectives import Rewards, TokenBatch


class AnswerKey:
    """L = −Σ w log π(y) / Σ w over the completion tokens of the batch."""

    needs_logprobs = False

    def advantages(self, rewards: Rewards) -> np.ndarray:
        """Ones: the key is right whatever the attempts were worth."""
        return np.ones_like(rewards.values)

    def loss(self, batch: TokenBatch, config: LearnerConfig) -> tuple[Tensor, float | None]:
        weights = batch.weights[:, None] * batch.mask
        return -(batch.logprobs * weights).sum() / weights.sum().clamp_min(1e-8), None
