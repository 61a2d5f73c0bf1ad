"""Hint regret: what the library makes of a problem, success with it less success without, floored at 0.

SPADE (Liu et al. 2026, arXiv 2608.19197) scores environments so, with and without a hint that their
writer gives. Here the hint is what the library finds, and which attempts have it is drawn by lot, so
the difference is an effect and no selection.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from culture.records import Arm
from curricula.base import Candidate, Floats, register
from curricula.config import CurriculumConfig
from curricula.kernels import gap
from curricula.selecting import Remembering


def _share(candidate: Candidate, arm: Arm) -> float:
    groups = [g for g in candidate.groups if g.arm == arm]
    return sum(g.solved for g in groups) / sum(g.tried for g in groups) if groups else np.nan


@register
class HintRegret(Remembering):
    """Problems that are solved with the library and not without."""

    name: ClassVar[str] = "hint_regret"

    def __init__(self, config: CurriculumConfig, domains: Sequence[str]) -> None:
        super().__init__(config.asking, domains)

    def score(self, candidates: Sequence[Candidate]) -> Floats:
        """Share solved in the arm ``library`` less that in the arm ``none`` (n,), from 0 to 1.

        NaN where one of the arms has no attempt. Needs to know who made them.
        """
        with_it = np.array([_share(c, "library") for c in candidates], dtype=np.float64)
        without = np.array([_share(c, "none") for c in candidates], dtype=np.float64)
        return gap(with_it, without)

    def compared(self, candidate: Candidate) -> bool:
        """Whether both arms have attempts."""
        return {"library", "none"} <= {g.arm for g in candidate.groups}
