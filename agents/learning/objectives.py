"""The registry of learning objectives and what one is.

An objective has two halves. ``advantages`` looks at the rewards of a group before anything is trained and
is stored in the log; ``loss`` turns log-probabilities into a number to minimise. One file an objective.
"""

from __future__ import annotations

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


class Objective(Protocol):
    """See the module."""

    needs_logprobs: bool
    """Whether rows must carry the log-probabilities of the policy that sampled them."""

    def advantages(self, rewards: np.ndarray) -> np.ndarray:
        """Advantages (n,) of one group's rewards (n,)."""

    def loss(self, batch: TokenBatch, config: LearnerConfig) -> tuple[Tensor, float | None]:
        """A scalar to minimise, and the share of tokens that were clipped where clipping applies."""


def objective(name: str) -> Objective:
    """The objective called ``name``. Raises KeyError for an unknown one."""
    from agents.learning.answer_key import AnswerKey
    from agents.learning.grpo import Grpo

    kinds: dict[str, type[Objective]] = {"answer_key": AnswerKey, "grpo": Grpo}
    return kinds[name]()
