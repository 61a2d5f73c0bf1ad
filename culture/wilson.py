"""The interval of a share, also where what it counts hangs together."""

from __future__ import annotations

import math
from typing import Final

_Z: Final = 1.959963984540054
"""The 97.5% quantile of the normal distribution."""


def wilson(right: float, n: float) -> tuple[float, float]:
    """The 95% score interval of a share of ``right`` in ``n`` > 0 (Wilson 1927).

    ``wilson_low`` and ``wilson_high`` of ``culture/views.sql`` are the same in SQL.
    """
    p = right / n
    scale = 1 + _Z**2 / n
    middle = (p + _Z**2 / (2 * n)) / scale
    half = _Z * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2)) / scale
    return max(0.0, middle - half), min(1.0, middle + half)


def clustered_wilson(right: int, n: int, clusters: int, scatter: float) -> tuple[float, float]:
    """The same where the ``n`` come in ``clusters``, as attempts at one problem do.

    ``scatter`` is the sum over clusters of (right of it - n of it * share)^2. Wilson's interval with the
    effective sample size n / deff (Franco, Little, Louis and Slud 2019, Journal of Survey Statistics and
    Methodology 7(3)). Kish's design effect is the clustered variance of the share over that of n
    independent ones,

        deff = C/(C-1) scatter / n^2 / (p(1-p)/n),   C clusters, p = right / n,

    and 1 at least. Where all are right or none, the clusters are what is counted.
    """
    if clusters < 2 or right in (0, n):
        return wilson(clusters * right / n, clusters)
    p = right / n
    effect = clusters / (clusters - 1) * scatter / n / (p * (1 - p))
    return wilson(right / max(effect, 1.0), n / max(effect, 1.0))
