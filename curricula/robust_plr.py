"""Robust PLR, PLR⊥: solvers are trained on replays alone (Jiang et al. 2021, arXiv 2110.02439).

New problems are attempted, to learn what they are worth, and train nobody: what solvers train on is
chosen by regret, so that at equilibrium they play against it. The score is the positive value loss,
mean max(A, 0), which with rewards of 0 and 1 is p(1-p).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from culture.records import Attempt
from curricula.base import Candidate, Floats, register
from curricula.config import CurriculumConfig
from curricula.kernels import positive_value_loss
from curricula.plr import Replaying
from curricula.selecting import counts


@register
class RobustPlr(Replaying):
    """Replays of problems of high regret, the only ones that train."""

    name: ClassVar[str] = "robust_plr"

    def __init__(self, config: CurriculumConfig, domains: Sequence[str]) -> None:
        super().__init__(config, config.robust_plr, domains)

    def score(self, candidates: Sequence[Candidate]) -> Floats:
        """p(1-p), estimated without bias, (n,); NaN with fewer than 2 attempts."""
        return positive_value_loss(*counts(candidates))

    def teaches(self, attempt: Attempt) -> bool:
        """Whether the attempt was on a replayed problem."""
        return attempt.replay
