"""ACCEL: robust PLR, and variations of what it replays (Parker-Holder et al. 2022, arXiv 2203.01302).

Problems of high regret are replayed, and the ones that are replayed are varied; variations are
attempted and kept where their regret is high in turn, so that complexity compounds from easy
beginnings. New problems and variations train nobody. The score is the positive value loss, which with
rewards of 0 and 1 is p(1-p).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from culture.records import Attempt
from curricula.base import Candidate, Floats, register
from curricula.config import CurriculumConfig
from curricula.kernels import positive_value_loss
from curricula.sampler import Ints
from curricula.selecting import Remembering, counts


@register
class Accel(Remembering):
    """Replays of problems of high regret, and variations of those."""

    name: ClassVar[str] = "accel"
    fades: ClassVar[bool] = False

    def __init__(self, config: CurriculumConfig, domains: Sequence[str]) -> None:
        section = config.accel
        super().__init__(config.asking, domains, shares=section, sampler=section.sampler)

    def score(self, candidates: Sequence[Candidate]) -> Floats:
        """p(1-p), estimated without bias, (n,); NaN with fewer than 2 attempts."""
        return positive_value_loss(*counts(candidates))

    def teaches(self, attempt: Attempt) -> bool:
        """Whether the attempt was on a replayed problem."""
        return attempt.replay

    def _drawn(
        self, domain: str, items: Sequence[Candidate], mutate: int, replay: int, rng: np.random.Generator
    ) -> tuple[Ints, Ints]:
        """Replays, and as parents the same ones again and again, in the order in which they were drawn.

        Where nothing is to be replayed parents are drawn as replays would be.
        """
        ranking, age = self._ranking(items), self._buffers[domain].ages(self._now or 0)
        replays = self._sampler.draw_distinct(ranking, age, replay, rng)
        if not len(replays):
            return self._sampler.draw(ranking, age, mutate, rng), replays
        return np.resize(replays, mutate), replays
