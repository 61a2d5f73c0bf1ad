"""Clip-higher, of DAPO (Yu et al. 2025, arXiv 2503.14476): unlikely tokens may rise further."""

from __future__ import annotations

from torch import Tensor

from agents.config import LearnerConfig
from agents.learning.clipped import mean_of_tokens
from agents.learning.grpo import Grpo
from agents.learning.objectives import TokenBatch


class ClipHigher(Grpo):
    """GRPO's advantages, the ratio clipped to [1 − ``clip``, 1 + ``clip_high``], the mean over all tokens.

    With one ε for both sides a token of probability 0.01 can at most become 0.012 in a step, one of 0.9
    can become 1: exploration is what the upper bound cuts off.
    """

    def upper(self, config: LearnerConfig) -> float:
        return config.clip_high

    def total(self, gain: Tensor, batch: TokenBatch, config: LearnerConfig) -> Tensor:
        return mean_of_tokens(gain, batch)
