"""Task-relative REINFORCE++ (Zhao et al. 2025, Absolute Zero, arXiv 2505.03335)."""

from __future__ import annotations

import numpy as np

from agents.learning.objectives import Rewards, whiten
from agents.learning.reinforce_pp import ReinforcePP


class TrrPP(ReinforcePP):
    """REINFORCE++ with a baseline and a spread for each task, which is a domain and a role.

    Where one domain pays 0.9 and another 0.1 on average, whitening them together would reinforce whatever
    is done in the first.
    """

    def advantages(self, rewards: Rewards) -> np.ndarray:
        """(r − mean) / std within the task; zeros where all of its rewards are equal."""
        return rewards.apart(rewards.tasks, whiten)
