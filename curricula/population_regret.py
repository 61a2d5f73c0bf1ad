"""Regret of a population: the best mean less the mean of the means.

PAIRED's regret (Dennis et al. 2020, arXiv 2012.02096) with a population in the place of the two, as in
minimax (Jiang et al. 2023, arXiv 2311.12716).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from curricula.base import Candidate, Floats, Group, register
from curricula.config import CurriculumConfig
from curricula.kernels import gap
from curricula.selecting import Remembering


@register
class PopulationRegret(Remembering):
    """Problems that some can solve and others cannot."""

    name: ClassVar[str] = "population_regret"

    def __init__(self, config: CurriculumConfig, domains: Sequence[str]) -> None:
        super().__init__(config.asking, domains)
        self._by_solver = config.population_regret.by == "solver"

    def score(self, candidates: Sequence[Candidate]) -> Floats:
        """max - mean of the solvers' or policies' shares solved (n,), from 0 to below 1.

        NaN where one alone made attempts. Needs to know who made them.
        """
        best = np.full(len(candidates), np.nan)
        mean = np.full(len(candidates), np.nan)
        for i, c in enumerate(candidates):
            totals: dict[str, list[int]] = {}
            for g in c.groups:
                total = totals.setdefault(self._who(g), [0, 0])
                total[0] += g.solved
                total[1] += g.tried
            if len(totals) > 1:
                means = [totals[name][0] / totals[name][1] for name in sorted(totals)]
                best[i], mean[i] = max(means), sum(means) / len(means)
        return gap(best, mean)

    def compared(self, candidate: Candidate) -> bool:
        """Whether two or more made attempts."""
        return len({self._who(g) for g in candidate.groups}) > 1

    def _who(self, group: Group) -> str:
        return group.solver if self._by_solver else group.policy
