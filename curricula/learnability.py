"""Learnability: ask for what is solved sometimes (SFL, Rutherford et al. 2024, arXiv 2408.15099).

A problem solved with probability p teaches most where p(1-p) is largest. ``score`` is its unbiased
estimate from the problem's own attempts. Where to look next is decided by better evidence than a few
attempts: ``frontier`` is where :class:`~curricula.frontier.SuccessCurve` crosses ``target_success``; fresh
problems are asked for about ``stretch`` times it; parents and replays are ranked by p̃(1-p̃), in which p̃
joins a problem's attempts with the curve at its difficulty, as a prior worth ``prior_strength`` attempts.
Own evidence fades with ``half_life`` like the curve does, so a problem scored long ago is ranked by where
it stands for today's solvers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from curricula.base import Candidate, Floats, register
from curricula.config import CurriculumConfig
from curricula.kernels import learnability
from curricula.selecting import Selecting, counts, difficulties

__all__ = ["Learnability", "learnability"]


@register
class Learnability(Selecting):
    """Fresh problems about the frontier or beyond, variations and replays of the most learnable ones."""

    name: ClassVar[str] = "learnability"

    def __init__(self, config: CurriculumConfig, domains: Sequence[str]) -> None:
        """Raises ValueError where ``start_targets`` names a domain that is not in ``domains``."""
        super().__init__(config.learnability, domains, section="learnability")
        self._config = config.learnability

    def score(self, candidates: Sequence[Candidate]) -> Floats:
        """Unbiased learnability (n,), at most 1/2; NaN with fewer than 2 attempts."""
        return learnability(*counts(candidates))

    def pay(self, candidates: Sequence[Candidate]) -> Floats:
        """``pay_scale`` × p̃(1-p̃) (n,); NaN with fewer than 2 attempts.

        A few attempts say little about one problem: paid by ``score``, a proposer is taught by luck, and
        never to write what nobody can solve yet but everybody could learn. p̃ shrinks the problem's own
        attempts to what is usual at its difficulty.
        """
        pay = np.full(len(candidates), np.nan)
        known = counts(candidates)[1] >= 2
        for domain in self._domains:
            at = [i for i, c in enumerate(candidates) if c.domain == domain and known[i]]
            if at:
                pay[at] = self._config.pay_scale * self._priority([candidates[i] for i in at])
        return pay

    def _ranking(self, items: Sequence[Candidate]) -> Floats:
        """The priority of known scores alone: NaN, which unknown ones get, ranks last in the sampler."""
        return np.where(counts(items)[1] < 2, np.nan, self._priority(items))

    def _priority(self, items: Sequence[Candidate]) -> Floats:
        """p̃(1-p̃) of problems of one domain; see the module. NaN where there is no evidence at all."""
        if not items:
            return np.zeros(0)
        curve = self._curves[items[0].domain]
        now = self._now or 0
        solved, tried = counts(items)
        age = now - np.fromiter((c.last_round for c in items), np.float64, len(items))
        faded = 0.5 ** (age / self._config.half_life)
        prior = curve.success(difficulties(items))
        strength = self._config.prior_strength
        p = (faded * solved + strength * prior) / (faded * tried + strength)
        return np.asarray(p * (1 - p))
