"""Group relative policy optimisation (Shao et al. 2024, arXiv 2402.03300)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from agents.config import LearnerConfig
from agents.learning.objectives import Rewards, TokenBatch

_EPSILON = 1e-4


def clipped_gain(
    batch: TokenBatch, *, low: float, high: float, kl_coefficient: float
) -> tuple[Tensor, float]:
    """What each token gains (R, T), 0 at padding, and the share of tokens that were clipped.

    min(ρA, clip(ρ, 1−low, 1+high)A) − β k3, with ρ = π/π_old and k3 = e^(−δ) − 1 + δ,
    δ = log π − log π_old: the surrogate of PPO (Schulman et al. 2017, arXiv 1707.06347) and the
    non-negative estimator of KL(π ‖ π_old).
    """
    delta = torch.where(batch.mask, batch.logprobs - batch.old_logprobs, 0.0)
    ratio = delta.exp()
    advantage = batch.advantages[:, None]
    bounded = ratio.clamp(1 - low, 1 + high)
    gain = torch.minimum(ratio * advantage, bounded * advantage)
    if kl_coefficient:
        gain = gain - kl_coefficient * ((-delta).exp() - 1 + delta)
    clipped = ((bounded * advantage < ratio * advantage) & batch.mask).sum()
    return gain * batch.mask, float(clipped / batch.mask.sum().clamp_min(1))


def mean_of_completions(gain: Tensor, batch: TokenBatch) -> Tensor:
    """The weighted mean over completions of the mean gain of a completion's tokens."""
    per_row = gain.sum(dim=1) / batch.mask.sum(dim=1).clamp_min(1)
    return (per_row * batch.weights).sum() / batch.weights.sum().clamp_min(1e-8)


def mean_of_tokens(gain: Tensor, batch: TokenBatch) -> Tensor:
    """The weighted mean over all tokens: a long completion counts for more than a short one."""
    tokens = batch.mask.sum(dim=1)
    return (gain.sum(dim=1) * batch.weights).sum() / (tokens * batch.weights).sum().clamp_min(1e-8)


class Grpo:
    """The clipped ratio with group-normalised advantages.

    A_i = (r_i − mean r) / (std r + 1e-4) within the group, std with n − 1; the gain of
    :func:`clipped_gain`, ε on both sides, averaged over a completion's tokens and then over completions.
    """

    needs_logprobs = True

    def advantages(self, rewards: Rewards) -> np.ndarray:
        """(r − mean) / (std + 1e-4); zeros for a group of one, or of equal rewards."""
        return rewards.apart(rewards.groups, _normalised)

    def loss(self, batch: TokenBatch, config: LearnerConfig) -> tuple[Tensor, float | None]:
        gain, clipped = clipped_gain(
            batch, low=config.clip, high=config.clip, kl_coefficient=config.kl_coefficient
        )
        return -mean_of_completions(gain, batch), clipped


def _normalised(rewards: np.ndarray) -> np.ndarray:
    # equal rewards have a mean that may differ from them in the last bit
    if len(rewards) < 2 or np.ptp(rewards) == 0:
        return np.zeros_like(rewards)
    return np.asarray((rewards - rewards.mean()) / (rewards.std(ddof=1) + _EPSILON))
