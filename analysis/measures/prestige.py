"""Whether texts are cited for who wrote them: prestige bias.

Henrich and Gil-White 2001 (Evolution and Human Behavior 22): people copy those whom others attend to. Here:
of the notes that lay before an agent when it wrote, is one more likely to be cited the more often *other*
notes of its author were cited before, given whether execution confirmed the text, its age, and how often it
was cited itself? It is a logistic regression, clustered by author. Authors may be cited for merits that no
re-check sees; whether readers look at names at all is told by an experiment: runs that hide them
(``library.provenance: false``) against runs that do not.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import stats

from analysis.measures.estimate import Estimate, Log, NothingToMeasure
from analysis.measures.logistic import Fit, logistic
from culture.clustered import LEVEL, interval
from culture.worth import LEAST

COLUMNS: Final = ("constant", "author's citations", "confirmed", "age", "own citations")
"""Counts and rounds enter as ln(1 + x)."""

CHANCES = """
WITH desks AS (
    SELECT decision_id, round, agent_id, note_id AS wrote, unnest(read) AS revision_id
    FROM decisions
    WHERE outcome = 'written' AND action IN ('write', 'revise', 'review', 'dispute', 'discuss', 'chapter')
), cited AS MATERIALIZED (
    SELECT DISTINCT r.note_id AS citing, r.author AS by, r.round, c.target_id AS note_id, n.author
    FROM citations c JOIN revisions r USING (revision_id) JOIN notes n ON n.note_id = c.target_id
    WHERE c.target_kind = 'note' AND r.outcome IN ('head', 'branch')
)
SELECT n.author, n.note_id,
    EXISTS (FROM cited c WHERE c.citing = d.wrote AND c.round = d.round AND c.note_id = n.note_id) AS taken,
    (SELECT count(*) FROM cited c WHERE c.author = n.author AND c.note_id <> n.note_id
        AND c.by <> n.author AND c.round < d.round) AS authors,
    coalesce(v.evidence->>'recheck' = 'confirmed', false) AS confirmed,
    d.round - n.round AS age,
    (SELECT count(*) FROM cited c
        WHERE c.note_id = n.note_id AND c.by <> n.author AND c.round < d.round) AS own
FROM desks d JOIN revisions v USING (revision_id) JOIN notes n ON n.note_id = v.note_id
WHERE n.author <> d.agent_id AND n.kind <> 'book' AND n.note_id <> d.wrote
ORDER BY d.decision_id, n.note_id
"""


@dataclass(frozen=True, slots=True)
class Chance:
    """One note of another author that lay before an agent that wrote."""

    author: str
    note_id: str
    cited: bool
    """Whether what was written cites it."""
    authors: int
    """Citations, by others, of other notes of its author in earlier rounds."""
    confirmed: bool
    """Whether execution confirmed the text."""
    age: int
    """In rounds."""
    own: int
    """Citations of the note itself by others in earlier rounds."""


@dataclass(frozen=True, slots=True)
class Prestige:
    """What a citation goes with, in logits."""

    authors: Estimate
    """Of ln(1 + the author's citations); n is chances to cite."""
    error: float
    """Its standard error, clustered by author; too small with fewer than ``LEAST`` of them."""
    others: dict[str, Estimate]
    """Of the other columns by name, the constant left out."""
    left_out: tuple[str, ...]
    """Columns that had one value only, and so are in no regression."""


def prestige(chances: Sequence[Chance]) -> Prestige:
    """By maximum likelihood; see the module.

    Raises NothingToMeasure with fewer than three authors, where no author had been cited, or where the
    likelihood has no maximum.
    """
    rows = np.array([[1.0, c.authors, c.confirmed, c.age, c.own] for c in chances]).reshape(
        -1, len(COLUMNS)
    )
    rows[:, [1, 3, 4]] = np.log1p(rows[:, [1, 3, 4]])
    varies = [True, *(len(rows) > 0 and np.ptp(rows[:, i]) > 0 for i in range(1, len(COLUMNS)))]
    names = sorted({c.author for c in chances})
    if len(names) < 3 or not varies[1]:
        raise NothingToMeasure(
            f"expected notes of three authors or more to choose from, some of them cited before, got "
            f"{len(chances)} chances to cite notes of {len(names)} authors"
        )
    fit = logistic(rows[:, varies], [c.cited for c in chances], [c.author for c in chances])
    used = [name for name, kept in zip(COLUMNS, varies, strict=True) if kept]
    found = {name: _estimate(fit, place) for place, name in enumerate(used)}
    return Prestige(
        found[COLUMNS[1]],
        float(fit.errors[1]),
        {name: found[name] for name in used if name not in COLUMNS[:2]},
        tuple(name for name in COLUMNS if name not in used),
    )


def _estimate(fit: Fit, place: int) -> Estimate:
    value, error = float(fit.coefficients[place]), float(fit.errors[place])
    if fit.clusters < LEAST:  # errors by few clusters are too small
        return Estimate(value, None, None, fit.observations)
    return Estimate(value, *interval(value, error, fit.clusters, LEVEL), fit.observations)


def chances(log: Log) -> list[Chance]:
    """All of a log, in the order of decisions."""
    return [Chance(*row) for row in log.execute(CHANCES).fetchall()]


def of_log(log: Log) -> Prestige:
    """Of a run. Raises NothingToMeasure as :func:`prestige`."""
    found = chances(log)
    if not any(c.cited for c in found):
        raise NothingToMeasure(
            "expected decisions that cite notes of others, got none; writing.decisions makes them"
        )
    return prestige(found)


def author_blind(named: Log, blind: Log) -> Estimate:
    """The prestige coefficient where readers are told who wrote what, less that where they are not; logits.

    The two runs differ in ``library.provenance``, which is true in ``named`` and false in ``blind``. The
    interval is normal, of independent runs, and absent where a run's own is; n is chances to cite in both.
    Raises ValueError where the runs are not that, NothingToMeasure where one of them has no coefficient.
    """
    for log, wanted in ((named, True), (blind, False)):
        row = log.execute("SELECT name, config FROM runs").fetchone()
        shown = bool(json.loads(row[1]).get("library", {}).get("provenance", False)) if row else None
        if shown is not wanted:
            raise ValueError(
                f"expected a run with library.provenance: {str(wanted).lower()}, got "
                f"{'one without any round' if row is None else f'{row[0]} with {str(shown).lower()}'}"
            )
    one, other = of_log(named), of_log(blind)
    value = one.authors.value - other.authors.value
    if one.authors.low is None or other.authors.low is None:
        return Estimate(value, None, None, one.authors.n + other.authors.n)
    half = float(stats.norm.ppf((1 + LEVEL) / 2) * np.hypot(one.error, other.error))
    return Estimate(value, value - half, value + half, one.authors.n + other.authors.n)
