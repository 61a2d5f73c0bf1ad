"""REINFORCE++ (Hu et al. 2025, arXiv 2501.03262): no critic, advantages whitened over the whole batch."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from agents.config import LearnerConfig
from agents.learning.grpo import clipped_gain, mean_of_tokens
from agents.learning.objectives import Rewards, TokenBatch, whiten


class ReinforcePP:
    """The clipped ratio with A = (r − mean) / std over all samples of the role in the round.

    One prompt's samples need not differ among themselves to teach: what is better than usual is
    reinforced. The penalty ``kl_coefficient`` is taken in the loss.
    """

    needs_logprobs = True

    def advantages(self, rewards: Rewards) -> np.ndarray:
        """(r − mean) / std over the batch; zeros where all rewards are equal."""
        return whiten(rewards.values)

    def loss(self, batch: TokenBatch, config: LearnerConfig) -> tuple[Tensor, float | None]:
        gain, clipped = clipped_gain(
            batch, low=config.clip, high=config.clip, kl_coefficient=config.kl_coefficient
        )
        return -mean_of_tokens(gain, batch), clipped
