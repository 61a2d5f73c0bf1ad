"""What notes are worth: the effect of reading a note, an author, a kind, a shelf or a text, from the arms.

Which attempts read is drawn by lot, but what they read depends on the problem. So attempts of the library's
arm that were shown a note are compared with control attempts at the same problems in the same rounds by the
same policy: there the note would have been shown as well, and only the lot kept it away. With several notes
in a prompt this is the worth of what was shown together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast, get_args

import duckdb
import numpy as np
from scipy import stats

from culture.clustered import LEVEL, interval, matched_difference
from culture.records import Arm
from culture.shrinkage import shrink

By = Literal["note", "author", "kind", "shelf", "revision"]
MEASURED: tuple[By, ...] = ("note", "author", "kind", "shelf")
"""What is measured in evaluated rounds; revisions are only looked at where a note has come back."""
LEAST = 10
"""Problems with both arms below which no interval is given: Student's t is no guide to fewer clusters."""

_SHELF = """coalesce((SELECT arg_max(moved.shelf, moved.library_version) FROM moved
    WHERE moved.note_id = shown.note_id AND moved.round < shown.round), n.shelf)"""
"""Where a note stood when it was read."""
_KEYS: dict[By, str] = {
    "note": "note_id",
    "author": "v.author",
    "kind": "n.kind",
    "shelf": _SHELF,
    "revision": "revision_id",
}
"""What is grouped by; a revision's author, not the note's first."""


@dataclass(frozen=True, slots=True)
class Worth:
    """The difference that reading made to the share of attempts that were right."""

    by: By
    key: str
    """The note's id, the author's, the kind, the shelf or the revision's id."""
    difference: float
    """Treatment less control, from -1 to 1."""
    standard_error: float | None
    """Clustered by problem; None with fewer than ``LEAST`` problems, or where nothing varies."""
    low: float | None
    """Lower end of the 95% interval of this one alone."""
    high: float | None
    """Upper end of the same."""
    corrected_low: float | None
    """Lower end of an interval that holds for all of the list together (Bonferroni)."""
    corrected_high: float | None
    """Upper end of the same."""
    p: float | None
    """Two-sided, of no difference."""
    q: float | None
    """``p`` corrected for the false discovery rate over the list (Benjamini and Hochberg 1995)."""
    shrunken: float | None
    """The difference drawn towards the list's mean by how little is known of it: ``culture.shrinkage``."""
    shrunken_error: float | None
    """Standard deviation of ``shrunken``."""
    treated: int
    """Attempts that read, at problems where some control did not."""
    controls: int
    """Control attempts at the same problems in the same rounds by the same policies."""
    problems: int
    """Problems with both: the clusters."""


def worths(
    connection: duckdb.DuckDBPyConnection, by: By, *, control: Arm = "none", domain: str | None = None
) -> list[Worth]:
    """The worth of each note, author, kind, shelf or revision that was read, the greatest difference first.

    ``control`` is the arm that is compared with: ``none`` asks what reading it does, ``placebo`` what its
    content does. Keys without a problem that has both are left out, attempts that infrastructure lost too.
    Intervals and q-values are over the whole list, so ask for it once. ``connection`` is from
    ``culture.connect``. Raises ValueError for an unknown ``by`` or ``control``.
    """
    if by not in _KEYS:
        raise ValueError(f"expected by to be one of {', '.join(_KEYS)}, got {by!r}")
    if control not in get_args(Arm) or control == "library":
        raise ValueError(f"expected control to be none, placebo or shuffled, got {control!r}")
    rows = connection.execute(
        f"""
        WITH shown AS MATERIALIZED (
            SELECT note_id, revision_id, attempt_id, round FROM reads WHERE arm = 'library'
        ), n AS MATERIALIZED (
            SELECT note_id, kind, shelf FROM notes
        ), v AS MATERIALIZED (
            SELECT revision_id, author FROM revisions
        ), moved AS MATERIALIZED (
            SELECT note_id, round, library_version, evidence->>'shelf' AS shelf
            FROM revisions WHERE outcome = 'published'
        ), read AS MATERIALIZED (
            SELECT DISTINCT {_KEYS[by]} AS key, attempt_id
            FROM shown JOIN n USING (note_id) JOIN v USING (revision_id)
        ), treated AS (
            SELECT key, problem_id, a.round, policy_version, count(*) AS n, count(*) FILTER (correct) AS s
            FROM read JOIN attempts a USING (attempt_id)
            WHERE verdict <> 'error' AND ($domain IS NULL OR domain = $domain)
            GROUP BY ALL
        ), controls AS (
            SELECT problem_id, round, policy_version, count(*) AS n, count(*) FILTER (correct) AS s
            FROM attempts WHERE verdict <> 'error' AND arm = $control GROUP BY ALL
        )
        SELECT key, problem_id, t.n, t.s, c.n, c.s
        FROM treated t JOIN controls c USING (problem_id, round, policy_version) ORDER BY ALL
        """,
        {"domain": domain, "control": control},
    ).fetchnumpy()
    key, problem, *counts = (np.asarray(column) for column in rows.values())
    if not len(key):
        return []
    found = []
    # rows are in the order of keys: each is looked at once, however many keys there are
    starts = np.sort(np.unique(key, return_index=True)[1])
    parts = (np.split(column, starts[1:]) for column in (problem, *counts))
    for name, problems, n1, s1, n0, s0 in zip(key[starts], *parts, strict=True):
        difference, error, clusters = matched_difference(problems, n1, s1, n0, s0)
        found.append(
            Worth(
                by, str(name), difference, error if clusters >= LEAST else None,
                None, None, None, None, None, None, None, None,
                int(n1.sum()), int(n0.sum()), clusters,
            )
        )  # fmt: skip
    return sorted(_judged(found), key=lambda w: (-w.difference, w.key))


def _judged(found: Sequence[Worth]) -> list[Worth]:
    """With intervals, p-values and shrunken estimates over the list."""
    known = [w for w in found if w.standard_error is not None]
    if not known:
        return list(found)
    errors = [cast("float", w.standard_error) for w in known]
    ps = [
        float(2 * stats.t.sf(abs(w.difference) / e, w.problems - 1))
        for w, e in zip(known, errors, strict=True)
    ]
    qs = stats.false_discovery_control(ps)
    drawn = shrink([w.difference for w in known], errors)
    together = 1 - (1 - LEVEL) / len(known)
    judged = {}
    for i, (w, e) in enumerate(zip(known, errors, strict=True)):
        low, high = interval(w.difference, e, w.problems, LEVEL)
        corrected_low, corrected_high = interval(w.difference, e, w.problems, together)
        judged[w.key] = replace(
            w, low=low, high=high, corrected_low=corrected_low, corrected_high=corrected_high,
            p=ps[i], q=float(qs[i]), shrunken=drawn.means[i], shrunken_error=drawn.deviations[i],
        )  # fmt: skip
    return [judged.get(w.key, w) for w in found]
