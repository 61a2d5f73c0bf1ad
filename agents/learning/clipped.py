"""What the policy gradients share: the clipped ratio, and how its gains become one number."""

from __future__ import annotations

import torch
from torch import Tensor

from agents.config import LearnerConfig
from agents.learning.objectives import TokenBatch


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


class Clipped:
    """The loss of an objective with a clipped ratio; a subclass says how advantages are made.

    ε is ``learner.clip`` on both sides, and the mean over all tokens is taken, unless it says otherwise.
    """

    needs_logprobs = True

    def upper(self, config: LearnerConfig) -> float:
        """The upper ε; no unit."""
        return config.clip

    def total(self, gain: Tensor, batch: TokenBatch, config: LearnerConfig) -> Tensor:
        """The gains of all tokens (R, T) as one number to maximise."""
        return mean_of_tokens(gain, batch)

    def loss(self, batch: TokenBatch, config: LearnerConfig) -> tuple[Tensor, float | None]:
        gain, clipped = clipped_gain(
            batch, low=config.clip, high=self.upper(config), kl_coefficient=config.kl_coefficient
        )
        return -self.total(gain, batch, config), clipped
