"""What the library does to success: differences between the arms that attempts were assigned at random.

The effect is by intention to treat. An attempt counts in the arm it was assigned, whether or not a search
found it something to read: what a search finds depends on the problem, so a comparison of only those that
read would compare different problems.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_args

import duckdb
import numpy as np

from culture.clustered import LEVEL, clustered_difference, interval
from culture.records import Arm

CONTRASTS: tuple[tuple[Arm, Arm], ...] = (
    ("library", "none"),
    ("library", "placebo"),
    ("library", "shuffled"),
    ("placebo", "none"),
    ("shuffled", "none"),
)
"""Treatment and control. The second asks whether it is the content that helps, not the longer prompt; the
third whether it is that the notes are about this problem, and not that they are notes."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One difference in the share of attempts that were right, treatment less control."""

    treatment: Arm
    control: Arm
    difference: float
    """From -1 to 1."""
    standard_error: float | None
    """Clustered by problem; None where it cannot be estimated, see ``culture.clustered``."""
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
    return contrasts(rows)


def contrasts(counts: Iterable[tuple[str, Arm, int, int, int]]) -> list[Effect]:
    """The effect of each of ``CONTRASTS`` by rows of problem, arm, attempts, right ones and those that read
    something; several rows of one problem and arm are added up."""
    by_arm: dict[Arm, _Counts] = {arm: {} for arm in _ARMS}
    for problem, arm, *row in counts:
        before = by_arm[arm].get(problem, (0, 0, 0))
        by_arm[arm][problem] = (before[0] + row[0], before[1] + row[1], before[2] + row[2])
    return [
        _effect(treatment, control, by_arm[treatment], by_arm[control])
        for treatment, control in CONTRASTS
        if by_arm[treatment] and by_arm[control]
    ]


@dataclass(frozen=True, slots=True)
class DoseEffect:
    """The effect of being assigned so many notes, against the arm without any."""

    dose: int
    """Notes that attempts were assigned to be shown at most."""
    tokens: float
    """Tokens of notes that they were shown, in the mean over all of them."""
    effect: Effect


def dose_response(
    connection: duckdb.DuckDBPyConnection, *, treatment: Arm = "library", domain: str | None = None
) -> list[DoseEffect]:
    """The effect of each dose of an arm against the arm ``none``, the smallest first.

    Doses are drawn by lot where ``rollout.dose`` is ``uniform``, so they differ in nothing else; with
    ``all`` there is one. Attempts of logs that have no doses are left out. Raises ValueError for the arm
    ``none``.
    """
    if treatment == "none":
        raise ValueError("expected an arm that reads, got none; write library, placebo or shuffled")
    rows = connection.execute(
        """
        SELECT problem_id, CASE arm WHEN 'none' THEN 0 ELSE dose END AS given, count(*),
            count(*) FILTER (correct), count(*) FILTER (shown > 0), sum(shown)
        FROM (
            SELECT a.*, coalesce(tokens, 0) AS shown
            FROM attempts a LEFT JOIN (
                SELECT attempt_id, sum(tokens) AS tokens FROM reads GROUP BY attempt_id
            ) USING (attempt_id)
        )
        WHERE verdict <> 'error' AND arm IN ('none', $treatment) AND ($domain IS NULL OR domain = $domain)
            AND given IS NOT NULL
        GROUP BY ALL ORDER BY ALL
        """,
        {"treatment": treatment, "domain": domain},
    ).fetchall()
    doses = sorted({r[1] for r in rows})
    counts = {dose: {r[0]: (r[2], r[3], r[4]) for r in rows if r[1] == dose} for dose in doses}
    tokens = {dose: float(sum(r[5] for r in rows if r[1] == dose)) for dose in doses}
    controls = counts.pop(0, None)
    if controls is None:
        return []
    effects = {dose: _effect(treatment, "none", counts[dose], controls) for dose in counts}
    return [DoseEffect(dose, tokens[dose] / e.treated, e) for dose, e in effects.items()]


_ARMS: tuple[Arm, ...] = get_args(Arm)
_Counts = dict[str, tuple[int, int, int]]
"""Attempts, right ones and those that read something, by problem."""


def _effect(treatment: Arm, control: Arm, one: _Counts, other: _Counts) -> Effect:
    problems = sorted(one.keys() | other.keys())
    table = np.array([[*one.get(p, (0, 0, 0)), *other.get(p, (0, 0, 0))] for p in problems])
    n1, s1, read, n0, s0, _ = table.T
    difference, error = clustered_difference(n1, s1, n0, s0)
    low = high = None
    if error is not None:
        low, high = interval(difference, error, len(problems), LEVEL)
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
