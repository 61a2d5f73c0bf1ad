"""The interval of a share."""

from __future__ import annotations

from scipy import stats


def wilson(right: int, n: int) -> tuple[float, float]:
    """The 95% score interval of a share of ``right`` in ``n`` > 0 (Wilson 1927).

    ``wilson_low`` and ``wilson_high`` of ``culture/views.sql`` are the same in SQL.
    """
    found = stats.binomtest(right, n).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)
