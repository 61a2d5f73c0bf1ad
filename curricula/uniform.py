"""No curriculum: whatever proposers think of, all of it equally welcome. The null hypothesis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from culture.records import Attempt, Json, Problem
from curricula.base import Candidate, Floats, Fresh, Request, check_state, register
from curricula.buffer import by_domain
from curricula.config import CurriculumConfig
from curricula.sampler import apportion


@register
class Uniform:
    """Fresh problems without a target; every score is 0 and every problem pays 1."""

    name: ClassVar[str] = "uniform"

    def __init__(self, config: CurriculumConfig, domains: Sequence[str]) -> None:
        del config  # it has no settings
        self._domains = list(domains)

    def observe(self, problems: Sequence[Problem], attempts: Sequence[Attempt]) -> None:
        """See :class:`curricula.base.Strategy`. Checks what it is given, and remembers nothing."""
        by_domain(self._domains, problems, attempts)

    def score(self, candidates: Sequence[Candidate]) -> Floats:
        """0 for every problem, shape (n,); never NaN."""
        return np.zeros(len(candidates))

    def pay(self, candidates: Sequence[Candidate]) -> Floats:
        """1 for every problem, shape (n,); never NaN."""
        return np.ones(len(candidates))

    def request(self, n: int, rng: np.random.Generator) -> list[Request]:
        """See :class:`curricula.base.Strategy`. Domains get equal shares."""
        even = np.full(len(self._domains), 1 / len(self._domains))
        sizes = apportion(n, even, rng)
        return [Fresh(d, None) for d, size in zip(self._domains, sizes, strict=True) for _ in range(size)]

    def state_dict(self) -> Json:
        """See :class:`curricula.base.Strategy`."""
        return {"strategy": self.name, "domains": {d: {} for d in self._domains}}

    def load_state_dict(self, state: Json) -> None:
        """See :class:`curricula.base.Strategy`."""
        check_state(state, self.name, self._domains)
