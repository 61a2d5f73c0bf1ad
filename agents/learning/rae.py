"""Role-conditioned advantage estimation, of SPIRAL (Liu et al. 2025, arXiv 2506.24119)."""

from __future__ import annotations

import numpy as np

from agents.learning.clipped import Clipped
from agents.learning.objectives import Rewards


class Rae(Clipped):
    """The clipped ratio with what a sample earned beyond what its role has come to earn.

    A = r − b, then b ← α b + (1 − α) r, sample by sample, with a b of its own for each policy, domain and
    role, in games of two for each game and seat, and α ``learner.rae_decay``. b is the average *before* the
    sample, as in the authors' code: taken after it, every advantage would be α times as large. It goes on
    from round to round, so a role that is paid more than another for no merit of its own is not reinforced
    for that.

    A task's first b is 0, as in SPIRAL, where rewards are symmetric around it. Where they are not, the
    first 1/(1 − α) samples or so of a task are reinforced (or weakened) almost as their rewards stand.
    """

    def advantages(self, rewards: Rewards) -> np.ndarray:
        """r − b in the order of the samples; moves ``rewards.memory`` on."""
        found = np.zeros(len(rewards.values))
        for i, (value, task) in enumerate(zip(rewards.values.tolist(), rewards.tasks, strict=True)):
            baseline = rewards.memory.get(task, 0.0)
            found[i] = value - baseline
            rewards.memory[task] = rewards.decay * baseline + (1 - rewards.decay) * value
        return found
