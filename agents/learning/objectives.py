"""The registry of learning objectives and what one is.

An objective has two halves. ``advantages`` looks at the rewards of one role in one round before anything is
trained and is stored in the log; ``loss`` turns log-probabilities into a number to minimise. One file an
objective.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor

from agents.config import LearnerConfig


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """What a loss sees. R rows of at most T completion tokens; float32 but ``mask``, which is bool."""

    logprobs: Tensor  # (R, T) of the completion's tokens under the policy being trained
    old_logprobs: Tensor  # (R, T) under the policy that sampled; zeros where there was none
    mask: Tensor  # (R, T) True at completion tokens
    weights: Tensor  # (R,)
    advantages: Tensor  # (R,)


@dataclass(frozen=True, slots=True)
class Rewards:
    """What n samples of one role were worth, and what each may be compared with."""

    values: np.ndarray  # (n,) float64
    groups: Sequence[str]
    """Samples of one prompt, and so of one expected reward, share a group."""
    tasks: Sequence[str]
    """Domain and role: rewards of different tasks are on scales of their own."""

    def apart(self, labels: Sequence[str], rule: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """``rule`` applied to the values of each label alone; (n,), in the order of the samples."""
        found = np.zeros(len(self.values))
        members: dict[str, list[int]] = {}
        for i, label in enumerate(labels):
            members.setdefault(label, []).append(i)
        for at in members.values():
            found[at] = rule(self.values[at])
        return found


def centred(values: np.ndarray) -> np.ndarray:
    """x − mean of ``values`` (n,); exact zeros where all are equal."""
    # equal values have a mean that may differ from them in the last bit
    if len(values) < 2 or np.ptp(values) == 0:
        return np.zeros_like(values)
    return np.asarray(values - values.mean())


def whiten(values: np.ndarray) -> np.ndarray:
    """(x − mean) / std of ``values`` (n,), std with n; zeros where all are equal."""
    apart = centred(values)
    if not apart.any() or values.std() == 0:  # the square of a tiny spread can be 0
        return np.zeros_like(values)
    return np.asarray(apart / values.std())


class Objective(Protocol):
    """See the module."""

    needs_logprobs: bool
    """Whether rows must carry the log-probabilities of the policy that sampled them."""

    def advantages(self, rewards: Rewards) -> np.ndarray:
        """Advantages (n,); a sample whose advantage is 0 is not trained on."""

    def loss(self, batch: TokenBatch, config: LearnerConfig) -> tuple[Tensor, float | None]:
        """A scalar to minimise, and the share of tokens that were clipped where clipping applies."""


def objective(name: str) -> Objective:
    """The objective called ``name``. Raises KeyError for an unknown one."""
    from agents.learning.answer_key import AnswerKey
    from agents.learning.clip_higher import ClipHigher
    from agents.learning.dr_grpo import DrGrpo
    from agents.learning.grpo import Grpo
    from agents.learning.reinforce_pp import ReinforcePP
    from agents.learning.rejection import Rejection
    from agents.learning.trr_pp import TrrPP

    kinds: dict[str, type[Objective]] = {
        "answer_key": AnswerKey,
        "clip_higher": ClipHigher,
        "dr_grpo": DrGrpo,
        "grpo": Grpo,
        "reinforce_pp": ReinforcePP,
        "rejection": Rejection,
        "trr_pp": TrrPP,
    }
    return kinds[name]()
