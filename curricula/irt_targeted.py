"""Computerised adaptive testing as a curriculum: ask where an answer tells most about the ability.

Two-parameter logistic model, P = 1/(1 + exp(-a(θ - b))), on the scale of log difficulty: b of a problem
lies about the log of its difficulty. The information of an answer about θ is a²P(1-P), highest where b
= θ (Lord 1980, Applications of item response theory; catsim, De Rizzo Meneghetti & Aquino Junior 2017,
arXiv 1707.03012). The discrimination a and the ability θ of today's solvers are the most probable ones
given recent attempts, which fade with ``half_life``. The scale is the domain's difficulty, so it serves
to choose problems, and not to compare runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from culture.records import Attempt, Problem
from curricula.base import Candidate, Floats, register
from curricula.config import CurriculumConfig
from curricula.kernels import information
from curricula.sections import IrtTargetedConfig
from curricula.selecting import Selecting, counts, difficulties

_LEAST = 0.1
"""Logits for one natural-log unit: no fitted discrimination is below it."""
_SMALL = 1e-9
"""Logits: a step that changes nothing any more."""


def _logistic(logits: Floats) -> Floats:
    """1/(1 + exp(-x)) (n,), without overflow."""
    return (1 + np.tanh(logits / 2)) / 2


def fit(places: Floats, solved: Floats, tried: Floats, config: IrtTargetedConfig) -> tuple[float, float]:
    """The most probable (a, θ) given counts at places (n,) in log difficulty.

    In the intercept c = a(θ - m), m the mean place, and a, log-likelihood and priors are concave, so that
    Newton's steps, halved where they go too far, end at the one maximum.
    """
    middle = float((places * tried).sum() / tried.sum())
    design = np.stack([np.ones(len(places)), middle - places])
    precision = (
        1 / np.array([config.discrimination * config.ability_spread, config.discrimination_spread]) ** 2
    )
    prior = np.array([0.0, config.discrimination])

    def loss(at: Floats) -> float:
        logit = at @ design
        own = (precision * (at - prior) ** 2).sum() / 2
        return float((tried * np.logaddexp(0, logit) - solved * logit).sum() + own)

    def climbed(at: Floats, free: list[int]) -> Floats:
        for _ in range(100):
            p = _logistic(at @ design)
            slope = design @ (tried * p - solved) + precision * (at - prior)
            curvature = (design * (tried * p * (1 - p))) @ design.T + np.diag(precision)
            step = np.zeros(2)
            step[free] = np.linalg.solve(curvature[np.ix_(free, free)], slope[free])
            before = loss(at)
            while loss(at - step) > before and np.abs(step).max() > _SMALL:
                step /= 2
            at = at - step
            if np.abs(step).max() <= _SMALL:
                break
        return at

    best = climbed(prior, [0, 1])
    if best[1] < _LEAST:
        best = climbed(np.array([0.0, _LEAST]), [0])
    return float(best[1]), middle + float(best[0] / best[1])


def item_places(
    places: Floats, solved: Floats, tried: Floats, a: float, ability: float, spread: float
) -> Floats:
    """The most probable b (n,) of problems placed about ``places`` with standard deviation ``spread``.

    The slope of the log-posterior falls with b, so bisection finds its zero.
    """
    reach = a * tried * spread**2
    low, high = places - reach, places + reach
    for _ in range(60):
        middle = (low + high) / 2
        slope = -a * (solved - tried * _logistic(a * (ability - middle))) - (middle - places) / spread**2
        low, high = np.where(slope > 0, middle, low), np.where(slope > 0, high, middle)
    return np.asarray((low + high) / 2)


@register
class IrtTargeted(Selecting):
    """Problems that tell most about what today's solvers can do."""

    name: ClassVar[str] = "irt_targeted"
    least_attempts: ClassVar[int] = 1

    def __init__(self, config: CurriculumConfig, domains: Sequence[str]) -> None:
        super().__init__(config.asking, domains)
        self._config = config.irt_targeted
        self._fitted: dict[str, tuple[float, float]] = {}

    def fitted(self, domain: str) -> tuple[float, float]:
        """a, in logits for a natural-log unit of difficulty, and θ, in natural-log units of difficulty.

        θ is at most ``reach`` beyond anything tried, as other frontiers are.
        """
        curve = self._curves[domain]
        if not curve:
            return self._config.discrimination, math.log(self._asking.start(domain))
        if domain not in self._fitted:
            places, solved, tried = curve.counts()
            a, ability = fit(places, solved, tried, self._config)
            margin = math.log(self._asking.reach)
            ability = min(max(ability, float(places[0]) - margin), float(places[-1]) + margin)
            self._fitted[domain] = (a, ability)
        return self._fitted[domain]

    def frontier(self, domain: str) -> float:
        """exp θ: the difficulty at which one half succeeds, at least ``minimum_target``."""
        return max(math.exp(self.fitted(domain)[1]), self._asking.minimum_target)

    def target(self, domain: str) -> float:
        """The frontier, where information is highest, within the bounds of other strategies' targets."""
        return self._bounded(domain, self.frontier(domain))

    def score(self, candidates: Sequence[Candidate]) -> Floats:
        """a²P(1-P) at the ability (n,), from 0 to a²/4; never NaN.

        Where a problem lies is estimated from its difficulty and its attempts, which fade: those of long
        ago were made by solvers of another ability.
        """
        found = np.zeros(len(candidates))
        for domain in self._domains:
            at = [i for i, c in enumerate(candidates) if c.domain == domain]
            if at:
                mine = [candidates[i] for i in at]
                a, ability = self.fitted(domain)
                places = np.log(np.maximum(difficulties(mine), self._asking.minimum_target))
                age = np.array([(self._now or 0) - c.last_round for c in mine], dtype=np.float64)
                solved, tried = 0.5 ** (age / self._asking.half_life) * np.array(counts(mine))
                b = item_places(places, solved, tried, a, ability, self._config.item_spread)
                found[at] = information(a, _logistic(a * (ability - b)))
        return found

    def _priority(self, items: Sequence[Candidate]) -> Floats:
        return self.score(items)

    def _learned(self, domain: str, new: Sequence[Problem], tries: Sequence[Attempt]) -> None:
        self._fitted.pop(domain, None)

    def load_state_dict(self, state: dict[str, object]) -> None:
        """See :class:`curricula.base.Strategy`."""
        self._fitted = {}
        super().load_state_dict(state)
