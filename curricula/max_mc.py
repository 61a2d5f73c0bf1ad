"""Replay by maximum Monte Carlo regret (MaxMC, Jiang et al. 2021, arXiv 2110.02439).

mean(Rmax - V), Rmax the best reward that a problem ever gave: with rewards of 0 and 1 and V = p it is
1-p once it was solved. Unlike AZR's 1-p it is 1 for a problem that was solved once and is solved no
more: forgetting is regret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from culture.records import Attempt, Json, Problem
from curricula.base import Candidate, Floats, register
from curricula.config import CurriculumConfig
from curricula.kernels import max_monte_carlo
from curricula.plr import Replaying
from curricula.selecting import rates


@register
class MaxMc(Replaying):
    """Replays of problems that were solved better than they are."""

    name: ClassVar[str] = "max_mc"

    def __init__(self, config: CurriculumConfig, domains: Sequence[str]) -> None:
        super().__init__(config, config.max_mc, domains)
        self._solved: dict[str, set[str]] = {d: set() for d in domains}

    def score(self, candidates: Sequence[Candidate]) -> Floats:
        """Rmax - p (n,); NaN with fewer than 2 attempts. Rmax looks back as far as the buffer does."""
        ever = [float(c.solved > 0 or c.problem_id in self._solved[c.domain]) for c in candidates]
        return max_monte_carlo(rates(candidates), np.array(ever, dtype=np.float64))

    def _learned(self, domain: str, new: Sequence[Problem], tries: Sequence[Attempt]) -> None:
        self._solved[domain].update(a.problem_id for a in tries if a.correct)
        super()._learned(domain, new, tries)

    def _evict(self, domain: str) -> None:
        super()._evict(domain)
        self._solved[domain] &= {c.problem_id for c in self._buffers[domain]}

    def _state(self, domain: str) -> Json:
        return {**super()._state(domain), "solved": sorted(self._solved[domain])}

    def _load(self, domain: str, state: Mapping[str, Any]) -> None:
        super()._load(domain, state)
        self._solved[domain] = set(state["solved"])
