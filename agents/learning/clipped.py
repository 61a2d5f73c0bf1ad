"""What the policy gradients share: the clipped ratio, and how its gains become one number."""

from __future__ import annotations

import torch
from torch import Tensor

from agents.config import LearnerConfig
from agents.learning.objectives import Loss, TokenBatch


def clipped_gain(
    batch: TokenBatch, *, low: float, high: float, kl_coefficient: float, importance_cap: float | None
) -> tuple[Tensor, Tensor]:
    """What each token gains (R, T), 0 at padding, and how many tokens were clipped, a scalar.

    c·min(ρA, clip(ρ, 1−low, 1+high)A) − β k3, with

    - ρ = π/π_old: the surrogate of PPO (Schulman et al. 2017, arXiv 1707.06347);
    - c = min(π_old/π_engine, ``importance_cap``) where both are known, else 1: the truncated importance
      weight for an engine whose numbers are not quite the learner's (Yao et al. 2025, "Your efficient RL
      framework secretly brings you off-policy RL training"). No gradient flows through it;
    - k3 = e^δ − 1 − δ, δ = log π_ref − log π: the non-negative estimator of KL(π ‖ π_ref) of GRPO (Shao et
      al. 2024, arXiv 2402.03300), π_ref being π_old where the batch has no reference.
    """
    delta = torch.where(batch.mask, batch.logprobs - batch.old_logprobs, 0.0)
    ratio = delta.exp()
    advantage = batch.advantages[:, None]
    bounded = ratio.clamp(1 - low, 1 + high)
    gain = torch.minimum(ratio * advantage, bounded * advantage)
    if importance_cap is not None and batch.sampled_logprobs is not None:
        gain = gain * importance_weights(
            batch.old_logprobs, batch.sampled_logprobs, batch.mask, importance_cap
        )
    if kl_coefficient:
        if batch.reference_logprobs is not None:
            delta = torch.where(batch.mask, batch.logprobs - batch.reference_logprobs, 0.0)
        gain = gain - kl_coefficient * ((-delta).exp() - 1 + delta)
    clipped = ((bounded * advantage < ratio * advantage) & batch.mask).sum()
    return gain * batch.mask, clipped


def importance_weights(old: Tensor, sampled: Tensor, mask: Tensor, cap: float) -> Tensor:
    """min(e^(old − sampled), ``cap``) of log-probabilities (R, T); 1 at padding, without a gradient."""
    return torch.where(mask, old - sampled, 0.0).detach().exp().clamp_max(cap)


class Clipped:
    """The loss of an objective with a clipped ratio; a subclass says how advantages are made.

    ε is ``learner.clip`` on both sides, and the weighted mean over all tokens is taken, so that a long
    completion counts for more than a short one, unless it says otherwise.
    """

    needs_logprobs = True

    def upper(self, config: LearnerConfig) -> float:
        """The upper ε; no unit."""
        return config.clip

    def of_rows(self, gain: Tensor, batch: TokenBatch) -> Tensor:
        """What each row gains (R,), of what its tokens gain (R, T)."""
        return gain.sum(dim=1)

    def size(self, batch: TokenBatch, config: LearnerConfig) -> Tensor:
        """Σ w over the completion tokens."""
        return (batch.mask.sum(dim=1) * batch.weights).sum()

    def loss(self, batch: TokenBatch, config: LearnerConfig) -> Loss:
        """−Σ w times the gain of a row."""
        gain, clipped = clipped_gain(
            batch,
            low=config.clip,
            high=self.upper(config),
            kl_coefficient=config.kl_coefficient,
            importance_cap=config.importance_cap,
        )
        return Loss(-(self.of_rows(gain, batch) * batch.weights).sum(), clipped)
