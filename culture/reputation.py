"""What authors are worth trusting by: what execution and experiment say of their texts, and nothing else.

An author's reputation is the mean of a Beta posterior over the share of its checked texts that hold, with
the uniform prior Beta(1, 1): (1 + confirmed) / (2 + confirmed + refuted + harmful) (Jøsang and Ismail 2002,
"The Beta Reputation System"). Confirmed and refuted are re-checks by execution (``arena.rechecking``);
harmful are texts that were quarantined for what reading them did (``culture.worth``). Nobody votes, and
being cited or read counts for nothing: whoever could raise a reputation by citing would do it in a ring.

All of it is in the revisions, so a library that is loaded has the reputations of the one that wrote them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

import duckdb
from scipy import stats

from culture.clustered import LEVEL
from culture.records import Revision

Sign = Literal["confirmed", "refuted", "harmful"]
"""What one revision can say of an author."""


@dataclass(slots=True)
class Record:
    """What is known of the texts of one author, in texts."""

    confirmed: int = 0
    refuted: int = 0
    harmful: int = 0

    @property
    def mean(self) -> float:
        """The posterior mean of the share that holds; a half where nothing is known."""
        return (1 + self.confirmed) / (2 + self.texts)

    @property
    def texts(self) -> int:
        """Texts that say something."""
        return self.confirmed + self.refuted + self.harmful

    def interval(self) -> tuple[float, float]:
        """The central 95% of the posterior."""
        posterior = stats.beta(1 + self.confirmed, 1 + self.refuted + self.harmful)
        tail = (1 - LEVEL) / 2
        return float(posterior.ppf(tail)), float(posterior.ppf(1 - tail))


def sign(row: Revision) -> Sign | None:
    """What a revision says: of its author, or, where it quarantines for harm, of that of its parent."""
    if row.outcome == "quarantined":
        return "harmful" if row.evidence.get("reason") == "harmful" else None
    # a merge repeats the evidence of the branch that it takes up
    said = row.evidence.get("recheck") if row.outcome != "merged" else None
    return "confirmed" if said == "confirmed" else "refuted" if said == "refuted" else None


class Reputation:
    """Reputations by author, from revisions taken in one by one."""

    def __init__(self) -> None:
        self._records: defaultdict[str, Record] = defaultdict(Record)

    def take_in(self, author: str, said: Sign) -> None:
        """Count one sign about an author."""
        record = self._records[author]
        setattr(record, said, getattr(record, said) + 1)

    def of(self, author: str) -> Record:
        """What is known of an author."""
        return self._records.get(author, Record())

    def factor(self, author: str, strength: float) -> float:
        """What the score of an author's note is multiplied by: (mean / ½) ^ strength, 1 where nothing is
        known."""
        return (2 * self.of(author).mean) ** strength if strength else 1.0


def reputations(connection: duckdb.DuckDBPyConnection) -> dict[str, Record]:
    """The same from a log, for every author of whom something is known, by name.

    ``connection`` is from ``culture.connect``.
    """
    rows = connection.execute(
        """
        WITH texts AS MATERIALIZED (
            SELECT revision_id, author, outcome, (evidence ->> '$.recheck') AS said FROM revisions
            WHERE outcome NOT IN ('archived', 'quarantined')
        ), harms AS MATERIALIZED (
            SELECT parents[1] AS revision_id FROM revisions
            WHERE outcome = 'quarantined' AND (evidence ->> '$.reason') = 'harmful'
        ), signs AS (
            SELECT author, said FROM texts WHERE outcome <> 'merged'
            UNION ALL SELECT author, 'harmful' FROM harms JOIN texts USING (revision_id)
        )
        SELECT author, count(*) FILTER (said = 'confirmed'), count(*) FILTER (said = 'refuted'),
            count(*) FILTER (said = 'harmful')
        FROM signs WHERE said IN ('confirmed', 'refuted', 'harmful') GROUP BY author ORDER BY author
        """
    ).fetchall()
    return {author: Record(*counts) for author, *counts in rows}
