"""PAIRED: regret between two policies (Dennis et al. 2020, arXiv 2012.02096).

max(0, best of the antagonist's attempts - mean of the protagonist's). Both are policies of solvers that
attempt the same problems; a population has both where its groups of solvers use two policies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from curricula.base import Candidate, Floats, register
from curricula.config import CurriculumConfig
from curricula.kernels import gap
from curricula.selecting import Remembering


@register
class Paired(Remembering):
    """Problems that the antagonist can solve and the protagonist cannot."""

    name: ClassVar[str] = "paired"

    def __init__(self, config: CurriculumConfig, domains: Sequence[str]) -> None:
        super().__init__(config.asking, domains)
        self._antagonist = config.paired.antagonist
        self._protagonist = config.paired.protagonist

    def score(self, candidates: Sequence[Candidate]) -> Floats:
        """Regret (n,), from 0 to 1; NaN where one of the two made no attempt.

        Needs to know who made the candidates' attempts.
        """
        best = np.full(len(candidates), np.nan)
        mean = np.full(len(candidates), np.nan)
        for i, c in enumerate(candidates):
            if theirs := [g for g in c.groups if g.policy == self._antagonist]:
                best[i] = float(any(g.solved for g in theirs))
            if ours := [g for g in c.groups if g.policy == self._protagonist]:
                mean[i] = sum(g.solved for g in ours) / sum(g.tried for g in ours)
        return gap(best, mean)

    def compared(self, candidate: Candidate) -> bool:
        """Whether both policies made attempts."""
        return {self._antagonist, self._protagonist} <= {g.policy for g in candidate.groups}
