"""The registry of learning objectives and what one is.

An objective has two halves. ``advantages`` looks at the rewards of one role in one round before anything is
trained and is stored in the log; ``loss`` and ``size`` turn log-probabilities into a number to minimise.
Both are sums over rows, so the rows of one optimizer step may be spread over passes and devices:

    Σ loss(part).total / max(Σ size(part), 1e-8) = loss(whole).total / max(size(whole), 1e-8)

One file an objective.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor

from agents.config import LearnerConfig


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """What a loss sees. R rows of at most T completion tokens; float32 but ``mask``, which is bool."""

    logprobs: Tensor  # (R, T) of the completion's tokens under the policy being trained
    old_logprobs: Tensor  # (R, T) that ratios are taken against: the policy's before this batch
    mask: Tensor  # (R, T) True at completion tokens
    weights: Tensor  # (R,)
    advantages: Tensor  # (R,)
    sampled_logprobs: Tensor | None = None  # (R, T) under the engine that sampled
    reference_logprobs: Tensor | None = None  # (R, T) under a frozen policy that the KL is taken to


@dataclass(frozen=True, slots=True)
class Loss:
    """What the rows of a batch add to the loss of their step."""

    total: Tensor
    """Sum over rows, a scalar to minimise once it is divided by the size of the step."""
    clipped: Tensor | None = None
    """How many tokens were clipped, a scalar; None where the objective clips none."""


@dataclass(frozen=True, slots=True)
class Rewards:
    """What n samples of one role were worth, and what each may be compared with."""

    values: np.ndarray  # (n,) float64
    groups: Sequence[str]
    """Samples of one prompt, and so of one expected reward, share a group."""
    tasks: Sequence[str]
    """Policy, domain and role, and in games of two game and seat: rewards of different tasks are on scales
    of their own."""
    memory: MutableMapping[str, float]
    """A moving average of each task's rewards, kept from round to round by the objectives that use one;
    they move it on. A task that is not in it has not been seen."""
    decay: float
    """Share of a moving average that a new reward leaves; no unit."""

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
        """Advantages (n,); what is 0 teaches nothing."""

    def size(self, batch: TokenBatch, config: LearnerConfig) -> Tensor:
        """What these rows add to the number that the loss of their step is divided by; a scalar.

        Looks at ``mask`` and ``weights`` alone, so it can be known before any forward pass.
        """

    def loss(self, batch: TokenBatch, config: LearnerConfig) -> Loss:
        """What these rows add to the loss of their step."""


def objective(name: str) -> Objective:
    """The objective called ``name``. Raises KeyError for an unknown one."""
    from agents.learning.answer_key import AnswerKey
    from agents.learning.clip_higher import ClipHigher
    from agents.learning.dr_grpo import DrGrpo
    from agents.learning.grpo import Grpo
    from agents.learning.rae import Rae
    from agents.learning.reinforce_pp import ReinforcePP
    from agents.learning.rejection import Rejection
    from agents.learning.trr_pp import TrrPP

    kinds: dict[str, type[Objective]] = {
        "answer_key": AnswerKey,
        "clip_higher": ClipHigher,
        "dr_grpo": DrGrpo,
        "grpo": Grpo,
        "rae": Rae,
        "reinforce_pp": ReinforcePP,
        "rejection": Rejection,
        "trr_pp": TrrPP,
    }
    return kinds[name]()
