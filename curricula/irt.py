"""Item response theory: who solves what, as one curve over the distance of an ability from a difficulty.

With two parameters (Birnbaum 1968; Lord 1980) an answer is right with probability

    P = 1 / (1 + exp(-a (theta - b))),

theta the ability of who answers, b the difficulty of the item, both in logits, and a its discrimination.
With a = 1 it is the model of Rasch (1960): one parameter an item. Models with a third or fourth parameter
need thousands of answers an item to be estimated; free-form answers leave nothing to guess.

All functions broadcast over NumPy arrays and use no linear algebra, so they give the same bits whatever
library and however many threads compute that.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from curricula.base import Floats

LEVEL = 0.95
"""Of intervals."""
Z = float(special.ndtri((1 + LEVEL) / 2))
"""Standard deviations on either side of the middle of a normal that hold ``LEVEL`` of it."""
STEP = 0.1
"""Logits: the spacing of the grid on which posteriors are computed. The narrowest of a test of a thousand
items has a standard deviation of about as much, which a grid still integrates to one part in 10^8."""
REACH = 6.0
"""Standard deviations of the prior on either side of its mean that the grid covers."""

Bound = Literal["above", "below"]


def probability(
    ability: npt.ArrayLike, difficulty: npt.ArrayLike, discrimination: npt.ArrayLike = 1.0
) -> Floats:
    """The probability of a right answer; shapes broadcast."""
    return np.asarray(
        special.expit(np.asarray(discrimination) * (np.asarray(ability, float) - np.asarray(difficulty)))
    )


def information(
    ability: npt.ArrayLike, difficulty: npt.ArrayLike, discrimination: npt.ArrayLike = 1.0
) -> Floats:
    """Fisher information of an answer about the ability, a^2 P (1 - P), in 1 / logit^2 (Lord 1980, eq.
    5-9)."""
    p = probability(ability, difficulty, discrimination)
    return np.asarray(np.asarray(discrimination) ** 2 * p * (1 - p))


def log_likelihoods(
    ability: npt.ArrayLike, difficulty: npt.ArrayLike, discrimination: npt.ArrayLike = 1.0
) -> tuple[Floats, Floats]:
    """The logarithms of P and of 1 - P, without overflow."""
    x = np.asarray(discrimination) * (np.asarray(ability, float) - np.asarray(difficulty))
    return -np.logaddexp(0.0, -x), -np.logaddexp(0.0, x)


@dataclass(frozen=True, slots=True)
class Ability:
    """Where somebody stands, in logits."""

    value: float | None
    """None where maximum likelihood has no finite answer: all answers were right, or none."""
    standard_error: float | None
    """1 / sqrt(information) for maximum likelihood, the posterior's standard deviation for ``eap``."""
    low: float | None
    """Lower end of the 95% interval; None where nothing bounds the ability from below."""
    high: float | None
    """Upper end of the same."""
    right: int
    answers: int

    @property
    def bound(self) -> Bound | None:
        """``above`` where all answers were right, so that the ability may be any distance above what was
        asked; ``below`` where none was. There an ``eap`` says as much about its prior as about answers."""
        if self.right == self.answers:
            return "above"
        return None if self.right else "below"


def mle(right: npt.ArrayLike, difficulty: npt.ArrayLike, discrimination: npt.ArrayLike = 1.0) -> Ability:
    """The ability by maximum likelihood, from answers and the parameters of their items, each (n,), n > 0.

    Where all answers were right, or none, the likelihood has no maximum: then there is no value, and the
    interval is what a one-sided test at 5% does not reject, so it has one end. Raises ValueError for no
    answer, or for discriminations that are not positive.
    """
    x, b, a = _test(right, difficulty, discrimination)
    k, n = int(x.sum()), len(x)
    far = 40 / float(a.min())
    low, high = float(b.min()) - far, float(b.max()) + far
    if k in (0, n):
        sign = 1.0 if k else -1.0

        def left(theta: float) -> float:
            """The log-likelihood of the pattern, less that at which it is rejected."""
            return float(-np.logaddexp(0.0, -sign * a * (theta - b)).sum()) - math.log(1 - LEVEL)

        end = _root(left, low - far * n, high + far * n)
        return Ability(None, None, end if k else None, None if k else end, k, n)

    value = _root(lambda theta: float((a * (x - probability(theta, b, a))).sum()), low, high)
    error = standard_error(information(value, b, a))
    return Ability(value, error, value - Z * error, value + Z * error, k, n)


def standard_error(informations: npt.ArrayLike) -> float:
    """1 / sqrt of the sum of ``informations`` of answers, logits; infinite where they tell nothing."""
    total = float(np.sum(informations))
    return 1 / math.sqrt(total) if total > 0 else math.inf


class Posterior:
    """What is believed of an ability: a normal prior, then answers one by one or many at once."""

    def __init__(self, mean: float, deviation: float) -> None:
        """``mean`` and standard ``deviation`` of the prior, in logits. Raises ValueError for one of 0 or
        less."""
        if not deviation > 0:
            raise ValueError(f"expected a standard deviation above 0 logits, got {deviation}")
        steps = math.ceil(2 * REACH * deviation / STEP)
        self.grid: Floats = mean + deviation * np.linspace(-REACH, REACH, steps + 1)
        """Abilities at which it is computed, logits, (grid,)."""
        self._log: Floats = -0.5 * ((self.grid - mean) / deviation) ** 2
        self._right = self._answers = 0

    def update(
        self, right: npt.ArrayLike, difficulty: npt.ArrayLike, discrimination: npt.ArrayLike = 1.0
    ) -> None:
        """Take in answers to items, each (n,)."""
        x, b, a = _test(right, difficulty, discrimination)
        yes, no = log_likelihoods(self.grid, b[:, None], a[:, None])
        self._log = self._log + np.where(x[:, None] > 0, yes, no).sum(axis=0)
        self._right += int(x.sum())
        self._answers += len(x)

    @property
    def weights(self) -> Floats:
        """The probability of each ability of the grid; (grid,), summing to 1."""
        w = np.exp(self._log - self._log.max())
        return cast("Floats", w / w.sum())

    def ability(self) -> Ability:
        """The expected value a posteriori, and the central 95% (Bock and Mislevy 1982)."""
        w = self.weights
        value = float((w * self.grid).sum())
        error = math.sqrt(float((w * (self.grid - value) ** 2).sum()))
        total = np.cumsum(w) - w / 2  # half of what stands at a place lies below it
        low, high = (float(np.interp(p, total, self.grid)) for p in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
        return Ability(value, error, low, high, self._right, self._answers)

    def success(self, difficulty: npt.ArrayLike, discrimination: npt.ArrayLike = 1.0) -> Floats:
        """The probability of success at items, each (n,), with what is not known of the ability averaged
        over."""
        b, a = np.broadcast_arrays(np.asarray(difficulty, float), np.asarray(discrimination, float))
        p = probability(self.grid, b[:, None], a[:, None])
        return cast("Floats", (p * self.weights).sum(axis=1))


def eap(
    right: npt.ArrayLike,
    difficulty: npt.ArrayLike,
    discrimination: npt.ArrayLike = 1.0,
    *,
    mean: float,
    deviation: float,
) -> Ability:
    """The ability as the expected value a posteriori, under a normal prior of ``mean`` and ``deviation``,
    logits.

    Finite whatever the answers. Raises ValueError as :func:`mle` does.
    """
    posterior = Posterior(mean, deviation)
    posterior.update(right, difficulty, discrimination)
    return posterior.ability()


def mean_squares(
    right: npt.ArrayLike, probabilities: npt.ArrayLike, axis: int | None = None
) -> tuple[Floats, Floats]:
    """Infit and outfit mean squares along an axis, NaN answers left out (Wright and Masters 1982, chapter
    5).

    With x an answer, P its probability and w = P (1 - P): outfit is the mean of (x - P)^2 / w, infit is
    sum (x - P)^2 / sum w. Both are 1 in expectation where the model holds: above 1 answers are less
    predictable than it says, below 1 more. NaN where there is no answer.
    """
    x, p = np.asarray(right, float), np.asarray(probabilities, float)
    there = ~np.isnan(x)
    w = np.where(there, p * (1 - p), 0.0)
    squares = np.where(there, (x - p) ** 2, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        infit = squares.sum(axis=axis) / w.sum(axis=axis)
        standardised = np.where(there & (w > 0), squares / w, 0.0)
        outfit = standardised.sum(axis=axis) / (there & (w > 0)).sum(axis=axis)
    return np.asarray(infit), np.asarray(outfit)


def _test(
    right: npt.ArrayLike, difficulty: npt.ArrayLike, discrimination: npt.ArrayLike
) -> tuple[Floats, Floats, Floats]:
    x = np.atleast_1d(np.asarray(right, float))
    b, a = (np.broadcast_to(np.asarray(v, float), x.shape) for v in (difficulty, discrimination))
    if not len(x) or not np.isin(x, (0.0, 1.0)).all():
        raise ValueError(f"expected at least one answer, each right (1) or wrong (0), got {x.tolist()}")
    if not (a > 0).all():
        raise ValueError(f"expected discriminations above 0, got {float(a.min())}")
    return x, b, a


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a monotone function is 0."""
    return float(optimize.brentq(function, low, high, xtol=1e-10))
