"""SPICE: reward for a variance near its maximum, exp(-(Var - 0.25)²/(2·0.01)), Var = p(1-p).

Liu et al. 2025, SPICE: Self-Play In Corpus Environments (arXiv 2510.24684). The variance is that of the
attempts, not an estimate of their distribution's: 0.25 is its maximum.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from curricula.base import Candidate, Floats, register
from curricula.config import CurriculumConfig
from curricula.kernels import variance_bell
from curricula.selecting import Remembering, rates


@register
class Spice(Remembering):
    """Problems whose attempts come out as differently as they can."""

    name: ClassVar[str] = "spice"

    def __init__(self, config: CurriculumConfig, domains: Sequence[str]) -> None:
        super().__init__(config.asking, domains)

    def score(self, candidates: Sequence[Candidate]) -> Floats:
        """Between exp(-3.125) = 0.044 and 1, (n,); NaN with fewer than 2 attempts."""
        return variance_bell(rates(candidates))
