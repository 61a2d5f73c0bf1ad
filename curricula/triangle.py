"""A triangle about one half: 1 - 2|p - 1/2|, or the parabola 4p(1-p) with the same ends and top.

The linear form is R-Zero's uncertainty reward (Huang et al. 2025, arXiv 2508.05004, equation 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from curricula import kernels
from curricula.base import Candidate, Floats, register
from curricula.config import CurriculumConfig
from curricula.selecting import Remembering, rates


@register
class Triangle(Remembering):
    """Problems that are solved half the time."""

    name: ClassVar[str] = "triangle"

    def __init__(self, config: CurriculumConfig, domains: Sequence[str]) -> None:
        super().__init__(config.asking, domains)
        self._kernel = kernels.triangle if config.triangle.form == "linear" else kernels.parabola

    def score(self, candidates: Sequence[Candidate]) -> Floats:
        """1 at one half, 0 at both ends, (n,); NaN with fewer than 2 attempts."""
        return self._kernel(rates(candidates))
