"""Absolute Zero: pay for problems that are solved rarely (Zhao et al. 2025, arXiv 2505.03335).

The paper's equation 4 pays 1-p where anything was solved and 0 else. The released code pays 1-p between,
and -0.5 where all or none of the attempts were right. What is malformed is paid ``invalid_payment``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from curricula.base import Candidate, Floats, register
from curricula.config import CurriculumConfig
from curricula.kernels import one_sided
from curricula.selecting import Remembering, rates


@register
class Azr(Remembering):
    """Problems that are solved rarely, but not never."""

    name: ClassVar[str] = "azr"

    def __init__(self, config: CurriculumConfig, domains: Sequence[str]) -> None:
        super().__init__(config.asking, domains)
        self._code = config.azr.variant == "code"

    def score(self, candidates: Sequence[Candidate]) -> Floats:
        """1-p, and 0 or -0.5 at the ends, (n,); NaN with fewer than 2 attempts."""
        p = rates(candidates)
        if not self._code:
            return one_sided(p)
        return np.where((p == 0) | (p == 1), -0.5, 1 - p)
