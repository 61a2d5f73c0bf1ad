"""Group relative policy optimisation (Shao et al. 2024, arXiv 2402.03300)."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from agents.config import LearnerConfig
from agents.learning.clipped import Clipped
from agents.learning.objectives import Rewards, TokenBatch, centred

_EPSILON = 1e-4


class Grpo(Clipped):
    """The clipped ratio with group-normalised advantages.

    A_i = (r_i − mean r) / (std r + 1e-4) within the group, std with n − 1; the gain of
    :func:`~agents.learning.clipped.clipped_gain`, ε on both sides, averaged over a completion's tokens
    and then over completions.
    """

    def advantages(self, rewards: Rewards) -> np.ndarray:
        """(r − mean) / (std + 1e-4); zeros for a group of one, or of equal rewards."""
        return rewards.apart(rewards.groups, normalised)

    def of_rows(self, gain: Tensor, batch: TokenBatch) -> Tensor:
        return gain.sum(dim=1) / batch.mask.sum(dim=1).clamp_min(1)

    def size(self, batch: TokenBatch, config: LearnerConfig) -> Tensor:
        """Σ w over the completions."""
        return batch.weights.sum()


def normalised(rewards: np.ndarray) -> np.ndarray:
    """(r − mean) / (std + 1e-4) of ``rewards`` (n,), std with n − 1; exact zeros where all are equal."""
    apart = centred(rewards)
    return np.asarray(apart / (rewards.std(ddof=1) + _EPSILON)) if apart.any() else apart
