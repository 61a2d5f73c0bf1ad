"""REINFORCE++ (Hu et al. 2025, arXiv 2501.03262): no critic, advantages whitened over the whole batch."""

from __future__ import annotations

import numpy as np

from agents.learning.clipped import Clipped
from agents.learning.objectives import Rewards, whiten


class ReinforcePP(Clipped):
    """The clipped ratio with A = (r − mean) / std over all samples of the role in the round.

    One prompt's samples need not differ among themselves to teach: what is better than usual is
    reinforced. The penalty ``kl_coefficient`` is taken in the loss.
    """

    def advantages(self, rewards: Rewards) -> np.ndarray:
        """(r − mean) / std over the batch; zeros where all rewards are equal."""
        return whiten(rewards.values)
