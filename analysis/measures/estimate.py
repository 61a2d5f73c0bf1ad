"""A number with its interval, and the jackknife by which most measures have theirs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import duckdb
import numpy as np
import numpy.typing as npt

from culture.clustered import LEVEL, interval
from culture.worth import LEAST

Log: TypeAlias = duckdb.DuckDBPyConnection
"""Of ``culture.connect``."""
Floats: TypeAlias = npt.NDArray[np.float64]
Whole: TypeAlias = npt.NDArray[np.int64]


class NothingToMeasure(ValueError):
    """A log, or the data given, does not hold what a measure is of; the message says what would."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number, its interval at 95%, and what it rests on."""

    value: float
    low: float | None
    """None where it is no estimate, or where nothing varies that an interval could come of."""
    high: float | None
    n: int
    """Observations: texts, notes, problems, attempts, as the measure says."""


def jackknife(statistic: Callable[[Whole], float], clusters: int, n: int) -> Estimate:
    """A statistic with the interval that leaving out one cluster after the other gives it.

    ``statistic`` is a function of how often each cluster counts, (clusters,), here 0 or 1. With G clusters
    and theta_g the value without cluster g, the variance is (G-1)/G sum_g (theta_g - mean theta)^2 (Efron
    and Tibshirani 1993, "An Introduction to the Bootstrap", eq. 11.5), and the interval Student's t with
    G-1 degrees of freedom. It holds for smooth statistics, not for quantiles. No interval is given with
    fewer than ``LEAST`` clusters, or where a value without one of them does not exist (NaN).
    """
    every = np.ones(clusters, np.int64)
    value = statistic(every)
    if clusters < LEAST or not np.isfinite(value):
        return Estimate(value, None, None, n)
    without = np.empty(clusters)
    for left_out in range(clusters):
        every[left_out] = 0
        without[left_out] = statistic(every)
        every[left_out] = 1
    return from_left_out(value, without, n)


def from_left_out(value: float, without: Floats, n: int) -> Estimate:
    """The same where the values without each cluster, (clusters,), are already there."""
    size = len(without)
    if size < LEAST:
        return Estimate(value, None, None, n)
    variance = (size - 1) / size * ((without - without.mean()) ** 2).sum()
    if not np.isfinite(variance) or variance <= 1e-24:
        return Estimate(value, None, None, n)
    return Estimate(value, *interval(value, float(np.sqrt(variance)), size, LEVEL), n)


def numbered(keys: npt.ArrayLike) -> tuple[Whole, int]:
    """For each of some keys, (n,), the number of its cluster from 0; and how many clusters there are."""
    names, at = np.unique(np.asarray(keys), return_inverse=True)
    return at.astype(np.int64), len(names)
