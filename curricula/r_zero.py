"""R-Zero: uncertainty less repetition (Huang et al. 2025, arXiv 2508.05004).

A problem's score is min(s, 1-s) less the share of its batch that is in its own cluster of like
problems; s is agreement with the majority there, and here, where answers are executed, the share
solved. What is kept for replay before others has 0.3 <= s <= 0.8. Repetition looks back as well:
problems of earlier rounds count in the clusters, since a penalty within the batch lets proposers cycle
(R-Diverse, Li et al. 2026, arXiv 2602.13103); with ``memory: 0`` it is the batch alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from culture.records import Attempt, Json, Problem
from curricula.base import Candidate, Floats, described, register
from curricula.config import CurriculumConfig
from curricula.kernels import uncertainty
from curricula.selecting import Remembering, rates
from curricula.similarity import SIMILARITIES, Memory, repetition


@register
class RZero(Remembering):
    """Problems about whose answer solvers are of two minds, and that are not like many others."""

    name: ClassVar[str] = "r_zero"

    def __init__(self, config: CurriculumConfig, domains: Sequence[str]) -> None:
        super().__init__(config.asking, domains)
        self._config = config.r_zero
        self._similarity = SIMILARITIES[config.r_zero.similarity]
        self._memories = {d: Memory(config.r_zero.memory) for d in domains}

    def score(self, candidates: Sequence[Candidate]) -> Floats:
        """min(p, 1-p) less repetition among the candidates of its domain and memory, (n,).

        NaN with fewer than 2 attempts. Needs the candidates' texts.
        """
        found = uncertainty(rates(candidates))
        for domain, memory in self._memories.items():
            at = [i for i, c in enumerate(candidates) if c.domain == domain]
            if at:
                mine = [candidates[i] for i in at]
                earlier = memory.others({c.problem_id for c in mine})
                found[at] -= repetition([c.text for c in mine], earlier, self._similarity, self._config.cut)
        return found

    def _worth(self, attempted: Sequence[Candidate]) -> Floats:
        """Uncertainty within the band that is kept, and 0 outside."""
        p = rates(attempted)
        within = np.isnan(p) | ((p >= self._config.low) & (p <= self._config.high))
        return np.where(within, uncertainty(p), 0.0)

    def _learned(self, domain: str, new: Sequence[Problem], tries: Sequence[Attempt]) -> None:
        super()._learned(domain, new, tries)
        self._memories[domain].add((p.problem_id, described(p)) for p in new)

    def _state(self, domain: str) -> Json:
        return {**super()._state(domain), "memory": self._memories[domain].state_dict()}

    def _load(self, domain: str, state: Mapping[str, Any]) -> None:
        super()._load(domain, state)
        self._memories[domain].load_state_dict(state["memory"])
