"""Comparing runs over seeds: robust means, intervals, paired tests, and many comparisons at once.

What a log says of one run is in ``culture.clustered`` and ``curricula``; here are scores of several runs.
Where SciPy has the procedure it is SciPy's: its bootstrap with a sample a stratum is the stratified one,
its permutation test of paired samples turns the signs of differences.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from culture.clustered import LEVEL, interval
from culture.seeds import generator

Floats = npt.NDArray[np.float64]
RESAMPLES = 4_000
"""Of a bootstrap."""
SIGNS = 100_000
"""Sign patterns that a test looks at: all of them with up to 16 pairs, and else so many by lot."""

_SAME = 1e-12
"""Numbers that differ by less differ by rounding."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with an interval, in the number's unit."""

    value: float
    low: float | None
    """Lower end; None where there is too little to tell."""
    high: float | None

    @property
    def known(self) -> bool:
        """Whether there is an interval."""
        return self.low is not None


def iqm(values: npt.ArrayLike) -> float:
    """The interquartile mean of all ``values``, of any shape: the mean of what is left without the lowest
    and the highest quarter (Agarwal et al. 2021, arXiv 2108.13264).

    Of n values floor(n/4) are left out at either end. Raises ValueError where there is none.
    """
    flat = np.asarray(values, np.float64).ravel()
    if not len(flat):
        raise ValueError("expected a value or more, got none")
    return float(stats.trim_mean(flat, 0.25))


def iqm_interval(scores: npt.ArrayLike, *, seed: int = 0, level: float = LEVEL) -> Estimate:
    """The interquartile mean of ``scores`` (runs, tasks) with the percentile interval of the stratified
    bootstrap (Agarwal et al. 2021): in every task runs are drawn anew, each task by itself.

    For tasks that were run independently of one another. Where a run has all tasks, as the cells of its
    anchors, see :func:`anchored_iqm`. Without an interval where there is one run, or all draws are alike,
    which claims no certainty. Raises ValueError unless ``scores`` has two dimensions.
    """
    table = np.asarray(scores, np.float64)
    if table.ndim != 2:
        raise ValueError(f"expected scores by run and task, got {table.ndim} dimensions")
    if len(table) < 2:
        return Estimate(iqm(table), None, None)

    def statistic(*samples: Floats, axis: int) -> Floats:
        return np.asarray(stats.trim_mean(np.concatenate(samples, axis=axis), 0.25, axis=axis))

    return _percentile(iqm(table), tuple(table.T), statistic, seed, "iqm_interval", level)


def anchored_iqm(
    answers: npt.ArrayLike,
    cells: Sequence[str],
    anchors: Sequence[str] | None = None,
    *,
    seed: int = 0,
    level: float = LEVEL,
) -> Estimate:
    """The interquartile mean of shares by run and cell, with a bootstrap over runs and over anchors.

    ``answers`` (runs, questions) are 0 or 1, ``cells`` (questions,) the stratum of each and ``anchors``
    (questions,) what was asked: an anchor that several policies answered is a question of each, in a cell
    of each, and cells of the same anchors are drawn together. Without it no two are the same. A run's
    answers hang together through its weights, and runs answer the same anchors, so neither can be drawn
    for itself: each replicate draws whole runs, and within every cell anchors that are the same for all of
    them (the two-way bootstrap of Owen 2007, "The pigeonhole bootstrap", Annals of Applied Statistics
    1(2), stratified by cell). It errs on the wide side. With one run only anchors are drawn: the interval
    is then about this run. Without an interval where all draws are alike, which claims no certainty: so
    with one run and one anchor a cell, or nothing solved. Raises ValueError where the shapes do not fit.
    """
    table = np.asarray(answers, np.float64)
    anchors = [f"{at:09}" for at in range(len(cells))] if anchors is None else anchors
    if table.ndim != 2 or not table.shape[1] == len(cells) == len(anchors) or not table.size:
        raise ValueError(f"expected answers by run and anchor with a cell an anchor, got {table.shape}")
    names = sorted(set(cells))
    order = np.argsort(anchors, kind="stable")
    places = [order[[cells[i] == name for i in order]] for name in names]
    rng = generator(seed, "anchored_iqm")
    runs = len(table)
    drawn = rng.integers(runs, size=(RESAMPLES, runs, 1))
    shares = np.empty((RESAMPLES, runs, len(names)))
    weights_of: dict[tuple[str, ...], npt.NDArray[np.int64]] = {}
    for at, place in enumerate(places):
        alike = tuple(anchors[i] for i in place)
        if alike not in weights_of:
            even = np.full(len(place), 1 / len(place))
            weights_of[alike] = rng.multinomial(len(place), even, size=RESAMPLES)
        weights = weights_of[alike]
        shares[:, :, at] = weights @ table[:, place].T / len(place)
    replicates = np.take_along_axis(shares, drawn, axis=1).reshape(RESAMPLES, -1)
    means = stats.trim_mean(replicates, 0.25, axis=1)
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(means, [tail, 100 - tail])
    value = iqm(np.column_stack([table[:, place].mean(axis=1) for place in places]))
    if np.ptp(means) < _SAME:
        return Estimate(value, None, None)
    return Estimate(value, float(low), float(high))


def t_interval(values: npt.ArrayLike, level: float = LEVEL) -> Estimate:
    """The mean of ``values`` (n,) with Student's t interval.

    Without one where n < 2 or all are alike, which would claim certainty.
    Of differences between pairs it is the paired t interval. NaN values are left out.
    """
    x = np.asarray(values, np.float64)
    x = x[~np.isnan(x)]
    if not len(x):
        return Estimate(math.nan, None, None)
    if np.ptp(x) < _SAME:
        return Estimate(float(x.mean()), None, None)
    low, high = interval(float(x.mean()), float(x.std(ddof=1)) / math.sqrt(len(x)), len(x), level)
    return Estimate(float(x.mean()), low, high)


def sign_flip_p(differences: npt.ArrayLike) -> float:
    """The two-sided p of paired ``differences`` (n,) by turning their signs (Fisher 1935).

    Exact up to 16 pairs, else by lot. It asks only that a difference be as likely as its opposite where
    there is no effect. It cannot be below :func:`least_p`. NaN where there is no difference to look at.
    """
    x = np.asarray(differences, np.float64)
    x = x[~np.isnan(x)]
    if not len(x):
        return math.nan
    if len(x) == 1 or not x.any():
        return 1.0
    found = stats.permutation_test(
        (x, np.zeros(len(x))),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=SIGNS,
        batch=10_000,
        rng=generator(0, "sign_flip"),
    )
    return float(found.pvalue)


def least_p(pairs: int) -> float:
    """The least two-sided p that a sign-flip test of so many pairs can come to."""
    return min(1.0, 2.0 ** (1 - pairs))


def paired_t_p(differences: npt.ArrayLike) -> float:
    """The two-sided p of Student's paired t test.

    1 where all differences are 0; NaN where there are fewer than two, or all are alike otherwise.
    """
    x = np.asarray(differences, np.float64)
    x = x[~np.isnan(x)]
    if len(x) < 2:
        return math.nan
    if np.ptp(x) < _SAME:
        return math.nan if x.any() else 1.0
    return float(stats.ttest_1samp(x, 0.0).pvalue)


def probability_of_improvement(
    ours: npt.ArrayLike, theirs: npt.ArrayLike, *, seed: int = 0, level: float = LEVEL
) -> Estimate:
    """The chance that a run of ours (n,) beats one of theirs (m,), ties counted half (Mann and Whitney
    1947), with the percentile interval of a bootstrap of both; without one where either has one run, or
    all draws are alike, as where every run of one is ahead of every run of the other.

    Agarwal et al. 2021 average it over tasks. Raises ValueError where either side is empty.
    """
    x, y = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if not len(x) or not len(y):
        raise ValueError("expected runs on both sides, got none on one")

    def beaten(a: Floats, b: Floats, axis: int = -1) -> Floats:
        ahead = np.sign(np.expand_dims(a, -1) - np.expand_dims(b, -2))
        return np.asarray((1 + ahead.mean(axis=(-2, -1))) / 2)

    value = float(beaten(x, y))
    if len(x) < 2 or len(y) < 2:
        return Estimate(value, None, None)
    return _percentile(value, (x, y), beaten, seed, "improvement", level)


def _percentile(
    value: float,
    samples: tuple[Floats, ...],
    statistic: Callable[..., Floats],
    seed: int,
    purpose: str,
    level: float,
) -> Estimate:
    """``value`` with the percentile interval of a bootstrap of its samples, each by itself."""
    found = stats.bootstrap(
        samples,
        statistic,
        n_resamples=RESAMPLES,
        confidence_level=level,
        method="percentile",
        vectorized=True,
        batch=500,
        rng=generator(seed, purpose),
    )
    if np.ptp(found.bootstrap_distribution) < _SAME:
        return Estimate(value, None, None)
    ends = found.confidence_interval
    return Estimate(value, float(ends.low), float(ends.high))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values that allow for looking at all of them (Holm 1979), in order; NaN stays NaN and counts not.

    The k-th smallest of m is multiplied by m - k + 1, none is below the one before it or above 1.
    """
    known = sorted((p, i) for i, p in enumerate(p_values) if not math.isnan(p))
    adjusted = [math.nan] * len(p_values)
    reached = 0.0
    for rank, (p, i) in enumerate(known):
        reached = max(reached, min(1.0, p * (len(known) - rank)))
        adjusted[i] = reached
    return adjusted


@dataclass(frozen=True, slots=True)
class Paired:
    """A condition against the baseline, over the seeds that both have."""

    difference: Estimate
    """Of the mean, condition less baseline, with the paired t interval."""
    pairs: int
    t_p: float
    sign_flip_p: float


def paired(ours: Mapping[int, float], theirs: Mapping[int, float]) -> Paired:
    """Scores by seed against scores by seed; seeds that only one has are left out."""
    seeds = sorted(ours.keys() & theirs.keys())
    differences = [ours[s] - theirs[s] for s in seeds]
    return Paired(t_interval(differences), len(seeds), paired_t_p(differences), sign_flip_p(differences))
