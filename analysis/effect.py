"""What the library does to success: differences between the arms that attempts were assigned at random.

The effect is by intention to treat. An attempt counts in the arm it was assigned, whether or not a search
found it something to read: what a search finds depends on the problem, so a comparison of only those that
read would compare different problems.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import duckdb
import numpy as np
import numpy.typing as npt
from scipy import stats

from culture.records import Arm

CONTRASTS: tuple[tuple[Arm, Arm], ...] = (("library", "none"), ("library", "placebo"), ("placebo", "none"))
"""Treatment and control. The second asks whether it is the content that helps, not the longer prompt."""
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Effect:
    """One difference in the share of attempts that were right, treatment less control."""

    treatment: Arm
    control: Arm
    difference: float
    """From -1 to 1."""
    standard_error: float | None
    """Clustered by problem; None where it cannot be estimated, see :func:`clustered_difference`."""
    low: float | None
    """Lower end of the 95% interval."""
    high: float | None
    """Upper end of the 95% interval."""
    treated: int
    """Attempts in the treatment arm."""
    controls: int
    """Attempts in the control arm."""
    problems: int
    """Problems attempted in either arm: the clusters."""
    read_share: float
    """Share of the treatment arm's attempts that were shown at least one note."""


def culture_effect(
    connection: duckdb.DuckDBPyConnection, *, domain: str | None = None, rounds: range | None = None
) -> list[Effect]:
    """The effect of each of ``CONTRASTS``, over one domain or all, in ``rounds`` (of step 1) or all.

    Attempts that infrastructure lost (verdict ``error``) are left out, as are contrasts one of whose arms
    has no attempt. ``connection`` is from ``culture.connect``.
    """
    if rounds is not None and rounds.step != 1:
        raise ValueError(f"expected rounds one after another, got {rounds!r}; write range(first, last + 1)")
    first, end = (None, None) if rounds is None else (rounds.start, rounds.stop)
    rows = connection.execute(
        """
        SELECT problem_id, arm, count(*), count(*) FILTER (correct),
            count(*) FILTER (attempt_id IN (SELECT attempt_id FROM reads))
        FROM attempts
        WHERE verdict <> 'error' AND ($domain IS NULL OR domain = $domain)
            AND ($first IS NULL OR round >= $first) AND ($end IS NULL OR round < $end)
        GROUP BY ALL ORDER BY ALL
        """,
        {"domain": domain, "first": first, "end": end},
    ).fetchall()
    counts = {arm: {r[0]: (r[2], r[3], r[4]) for r in rows if r[1] == arm} for arm in _ARMS}
    return [
        _effect(treatment, control, counts[treatment], counts[control])
        for treatment, control in CONTRASTS
        if counts[treatment] and counts[control]
    ]


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
    where it cannot be estimated: one cluster, two attempts in all, or no variation between clusters (as
    where nothing was solved), of which V = 0 would claim certainty.
    """
    n1, s1, n0, s0 = (np.asarray(x, float) for x in (treated, treated_right, controls, controls_right))
    p1, p0 = s1.sum() / n1.sum(), s0.sum() / n0.sum()
    clusters, attempts = len(n1), n1.sum() + n0.sum()
    if clusters < 2 or attempts < 3:
        return float(p1 - p0), None
    influence = (s1 - n1 * p1) / n1.sum() - (s0 - n0 * p0) / n0.sum()
    variance = clusters / (clusters - 1) * (attempts - 1) / (attempts - 2) * (influence**2).sum()
    return float(p1 - p0), float(np.sqrt(variance)) if variance > 1e-24 else None


_ARMS: tuple[Arm, ...] = ("library", "none", "placebo")
_Counts = dict[str, tuple[int, int, int]]
"""Attempts, right ones and those that read something, by problem."""


def _effect(treatment: Arm, control: Arm, one: _Counts, other: _Counts) -> Effect:
    problems = sorted(one.keys() | other.keys())
    table = np.array([[*one.get(p, (0, 0, 0)), *other.get(p, (0, 0, 0))] for p in problems])
    n1, s1, read, n0, s0, _ = table.T
    difference, error = clustered_difference(n1, s1, n0, s0)
    low = high = None
    if error is not None:
        # t with G-1 degrees of freedom, as the same source advises (section VI.D).
        half = cast("float", stats.t.ppf((1 + LEVEL) / 2, len(problems) - 1)) * error
        low, high = float(difference - half), float(difference + half)
    return Effect(
        treatment=treatment,
        control=control,
        difference=difference,
        standard_error=error,
        low=low,
        high=high,
        treated=int(n1.sum()),
        controls=int(n0.sum()),
        problems=len(problems),
        read_share=float(read.sum() / n1.sum()),
    )
