"""Drawing from scored problems, once for all strategies: rank weights, top-k, staleness.

Prioritized Level Replay (Jiang et al. 2021, arXiv 2010.03934) draws a level with probability
(1-ρ)·norm(rank^(-1/β)) + ρ·norm(staleness), where ranks start at 1 with the best score and staleness is
the time since the level was last tried. Two choices are made here where the paper leaves room: equal
scores share the mean of their ranks, so the order in which problems arrived means nothing; unknown
scores (NaN) rank after all known ones, as equals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curricula.base import Floats

Ints = npt.NDArray[np.int64]


def ranks(scores: Floats) -> Floats:
    """Ranks (n,) from 1 for the highest score; ties share their mean rank; NaN ranks last."""
    keys = np.where(np.isnan(scores), -np.inf, scores)
    _, group, sizes = np.unique(-keys, return_inverse=True, return_counts=True)
    last = np.cumsum(sizes)
    return np.asarray((last - (sizes - 1) / 2)[group], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Sampler:
    """Prioritized draws; see the module for the formula."""

    temperature: float
    """β > 0."""
    staleness: float
    """ρ in [0, 1]."""
    top_k: int | None = None
    """Only so many of the best ranks get weight by rank; ties at the border all do."""

    def probabilities(self, scores: Floats, age: Floats) -> Floats:
        """Probabilities (n,) that sum to 1, for scores (n,) and rounds since the last attempt (n,)."""
        if scores.shape != age.shape or scores.ndim != 1:
            raise ValueError(
                f"expected scores and ages of one shape (n,), got {scores.shape} and {age.shape}"
            )
        if len(scores) == 0:
            return np.zeros(0)
        rank = ranks(scores)
        # In logarithms: rank^(-1/β) underflows for the small β that PLR uses.
        weight = np.exp((np.log(rank.min()) - np.log(rank)) / self.temperature)
        if self.top_k is not None:
            weight[rank > max(self.top_k, rank.min())] = 0.0
        total = age.sum()
        stale = age / total if total > 0 else np.full(len(age), 1 / len(age))
        return np.asarray((1 - self.staleness) * weight / weight.sum() + self.staleness * stale)

    def draw(self, scores: Floats, age: Floats, size: int, rng: np.random.Generator) -> Ints:
        """Indices (size,) drawn with replacement; none where there is nothing to draw from."""
        if len(scores) == 0:
            return np.zeros(0, dtype=np.int64)
        return rng.choice(len(scores), size=size, p=self.probabilities(scores, age)).astype(np.int64)

    def draw_distinct(self, scores: Floats, age: Floats, size: int, rng: np.random.Generator) -> Ints:
        """At most ``size`` different indices, drawn one after another without replacement.

        Fewer come back where fewer have any probability. Exponential keys divided by the weights,
        smallest first, are such a draw (Efraimidis & Spirakis 2006).
        """
        p = self.probabilities(scores, age)
        possible = np.flatnonzero(p > 0)
        keys = rng.exponential(size=len(p))[possible] / p[possible]
        return np.asarray(possible[np.argsort(keys, kind="stable")[:size]], dtype=np.int64)


def evenly(size: int, mutate: int, replay: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """``mutate`` indices below ``size`` with replacement, and at most ``replay`` different ones.

    None where there is nothing to draw from.
    """
    parents = rng.integers(size, size=mutate) if size else np.zeros(0, dtype=np.int64)
    return parents, rng.permutation(size)[:replay]


def apportion(n: int, shares: Floats, rng: np.random.Generator) -> list[int]:
    """Whole numbers that sum to ``n``, each within 1 of, and on average equal to, ``n`` × its share.

    Systematic sampling: one uniform offset for all the boundaries. ``shares`` sum to 1.
    """
    edges = n * np.cumsum(shares)
    edges[-1] = n
    marks = np.floor(edges + rng.uniform())
    # The last mark is n exactly: rounding at the boundary must not add or lose a request.
    marks[-1] = n
    marks = np.minimum(marks, n)
    return [int(c) for c in np.diff(marks, prepend=0.0)]
