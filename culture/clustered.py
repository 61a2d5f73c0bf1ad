"""Differences between two arms of an experiment, with errors clustered by problem."""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt
from scipy import stats

LEVEL = 0.95
"""Of intervals, where nothing else is said."""


def clustered_difference(
    treated: npt.ArrayLike,
    treated_right: npt.ArrayLike,
    controls: npt.ArrayLike,
    controls_right: npt.ArrayLike,
) -> tuple[float, float | None]:
    """The difference of two shares and its standard error, clustered.

    Each argument has one count a cluster, (clusters,): attempts and right ones in either arm; an arm may be
    absent from a cluster. The estimate is the coefficient of the arm in a least-squares regression of
    success on it. Its cluster-robust variance with the CR1 correction (Cameron and Miller 2015, "A
    Practitioner's Guide to Cluster-Robust Inference", Journal of Human Resources 50(2), eqs. 10-12), here
    with a constant and one indicator, comes to

        V = G/(G-1) (N-1)/(N-2) sum_g u_g^2,   u_g = (s_1g - n_1g p_1)/n_1 - (s_0g - n_0g p_0)/n_0

    with G clusters, N attempts, n attempts and s right ones in an arm, and p = s/n. The error is None
    where it cannot be estimated: one cluster, two attempts in all, or an arm without both right and wrong
    answers, which would add nothing to V as if its share were certain.
    """
    n1, s1, n0, s0 = (np.asarray(x, float) for x in (treated, treated_right, controls, controls_right))
    p1, p0 = s1.sum() / n1.sum(), s0.sum() / n0.sum()
    clusters, attempts = len(n1), n1.sum() + n0.sum()
    if clusters < 2 or attempts < 3 or not (_varies(n1, s1) and _varies(n0, s0)):
        return float(p1 - p0), None
    influence = (s1 - n1 * p1) / n1.sum() - (s0 - n0 * p0) / n0.sum()
    variance = clusters / (clusters - 1) * (attempts - 1) / (attempts - 2) * (influence**2).sum()
    return float(p1 - p0), float(np.sqrt(variance)) if variance > 1e-24 else None


def matched_difference(
    clusters: npt.ArrayLike,
    treated: npt.ArrayLike,
    treated_right: npt.ArrayLike,
    controls: npt.ArrayLike,
    controls_right: npt.ArrayLike,
) -> tuple[float, float | None, int]:
    """The difference within strata, its standard error, and the number of clusters behind it.

    Every argument has one entry a stratum, (strata,): its cluster, and counts as for
    :func:`clustered_difference`. Strata that lack an arm say nothing. The estimate is the coefficient of
    the arm in a regression of success on it and on an indicator of every stratum,

        b = sum_s w_s (p_1s - p_0s) / sum_s w_s,   w_s = n_1s n_0s / (n_1s + n_0s),

    so what differs between strata (an easy problem, a later round) is not mistaken for an effect. Its
    variance is clustered (Cameron and Miller 2015, eq. 11) with the factor G/(G-1):

        V = G/(G-1) sum_g (sum_{s in g} w_s (p_1s - p_0s - b))^2 / (sum_s w_s)^2.

    An arm with only right or only wrong answers adds nothing to V, as if its share were certain; instead
    p(1-p)/(G+2) with p = 1/(G+2) is added for it, the variance of a share of G answers after one of either
    kind was added (Agresti and Caffo 2000, The American Statistician 54(4)). The error is None where fewer
    than two clusters have both arms, none of them differs from b, or both arms are of that kind. Raises
    ValueError where no stratum has both arms.
    """
    n1, s1, n0, s0 = (np.asarray(x, float) for x in (treated, treated_right, controls, controls_right))
    both = (n1 > 0) & (n0 > 0)
    if not both.any():
        raise ValueError("expected a stratum with attempts in both arms, got none")
    n1, s1, n0, s0 = n1[both], s1[both], n0[both], s0[both]
    names, at = np.unique(np.asarray(clusters)[both], return_inverse=True)
    weight = n1 * n0 / (n1 + n0)
    gap = s1 / n1 - s0 / n0
    estimate = float((weight * gap).sum() / weight.sum())
    certain = [not _varies(n1, s1), not _varies(n0, s0)]
    if len(names) < 2 or all(certain):
        return estimate, None, len(names)
    influence = np.bincount(at, weight * (gap - estimate)) / weight.sum()
    variance = float(len(names) / (len(names) - 1) * (influence**2).sum())
    if any(certain):
        p = 1 / (len(names) + 2)
        variance += p * (1 - p) / (len(names) + 2)
    return estimate, variance**0.5 if variance > 1e-24 else None, len(names)


def _varies(attempts: npt.NDArray[np.float64], right: npt.NDArray[np.float64]) -> bool:
    """Whether an arm has right and wrong answers."""
    return bool(0 < right.sum() < attempts.sum())


def interval(difference: float, error: float, clusters: int, level: float) -> tuple[float, float]:
    """The interval of ``level`` of Student's t with ``clusters`` - 1 degrees of freedom.

    As Cameron and Miller 2015 advise (section VI.D).
    """
    half = cast("float", stats.t.ppf((1 + level) / 2, clusters - 1)) * error
    return float(difference - half), float(difference + half)
