"""Answer key: cross-entropy on a completion that was verified, as a pupil checks the back of the book."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from agents.config import LearnerConfig
from agents.learning.objectives import Loss, Rewards, TokenBatch


class AnswerKey:
    """L = −Σ w log π(y) / Σ w over the completion tokens of the batch."""

    needs_logprobs = False

    def advantages(self, rewards: Rewards) -> np.ndarray:
        """Ones: the key is right whatever the attempts were worth."""
        return np.ones_like(rewards.values)

    def size(self, batch: TokenBatch, config: LearnerConfig) -> Tensor:
        """Σ w over the completion tokens."""
        return (batch.weights[:, None] * batch.mask).sum()

    def loss(self, batch: TokenBatch, config: LearnerConfig) -> Loss:
        """−Σ w log π(y)."""
        weights = batch.weights[:, None] * batch.mask
        return Loss(-(batch.logprobs * weights).sum())
