"""Group relative policy optimisation (Shao et al. 2024, arXiv 2402.03300)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from agents.config import LearnerConfig
from agents.learning.objectives import TokenBatch

_EPSILON = 1e-4


class Grpo:
    """The clipped ratio with group-normalised advantages.

    A_i = (r_i − mean r) / (std r + 1e-4) within the group, std with n − 1. For each completion the mean
    over its tokens of min(ρA, clip(ρ, 1−ε, 1+ε)A) − β k3, with ρ = π/π_old and k3 = e^(−δ) − 1 + δ,
    δ = log π − log π_old, the non-negative estimator of KL(π ‖ π_old); then the weighted mean over
    completions.
    """

    needs_logprobs = True

    def advantages(self, rewards: np.ndarray) -> np.ndarray:
        """(r − mean) / (std + 1e-4); zeros for a group of one, or of equal rewards."""
        # equal rewards have a mean that may differ from them in the last bit
        if len(rewards) < 2 or np.ptp(rewards) == 0:
            return np.zeros_like(rewards)
        return np.asarray((rewards - rewards.mean()) / (rewards.std(ddof=1) + _EPSILON))

    def loss(self, batch: TokenBatch, config: LearnerConfig) -> tuple[Tensor, float | None]:
        delta = torch.where(batch.mask, batch.logprobs - batch.old_logprobs, 0.0)
        ratio = delta.exp()
        advantage = batch.advantages[:, None]
        bounded = ratio.clamp(1 - config.clip, 1 + config.clip)
        gain = torch.minimum(ratio * advantage, bounded * advantage)
        if config.kl_coefficient:
            gain = gain - config.kl_coefficient * ((-delta).exp() - 1 + delta)
        tokens = batch.mask.sum(dim=1).clamp_min(1)
        per_row = (gain * batch.mask).sum(dim=1) / tokens
        clipped = ((bounded * advantage < ratio * advantage) & batch.mask).sum()
        fraction = float(clipped / batch.mask.sum().clamp_min(1))
        return -(per_row * batch.weights).sum() / batch.weights.sum().clamp_min(1e-8), fraction
