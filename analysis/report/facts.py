"""What a report tells in tables: the best and the most disputed notes, failures, and cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from analysis.figures.base import Log
from culture.worth import Worth

MOST: Final = 5
"""Notes that are shown of either kind."""
COMMON: Final = 12
"""Failures of each sort that are shown, the most frequent first."""

_NOW = "library_at((SELECT max(round) FROM rounds))"
NOTES: Final = f"SELECT note_id, title, kind, author, round, body FROM {_NOW}"
DISPUTED: Final = f"""\
WITH disputes AS (
    SELECT c.target_id AS note_id, count(DISTINCT n.note_id) AS disputes
    FROM citations c JOIN revisions r USING (revision_id) JOIN notes n ON n.note_id = r.note_id
    WHERE n.kind = 'dispute' AND c.target_kind = 'note' GROUP BY c.target_id
)
SELECT note_id, coalesce(disputes, 0) AS disputes, len(open_branches) AS branches
FROM {_NOW} LEFT JOIN disputes USING (note_id)
WHERE coalesce(disputes, 0) + len(open_branches) > 0
ORDER BY disputes + branches DESC, note_id LIMIT {MOST}"""
REJECTED: Final = f"""\
SELECT coalesce(failure_source, '') AS source, reason, count(*) AS n,
    min_by(text, round) FILTER (reason <> 'anchor') AS example
FROM problems WHERE status <> 'admitted' GROUP BY ALL ORDER BY n DESC, reason LIMIT {COMMON}"""
ATTEMPTS: Final = f"""\
SELECT coalesce(failure_source, '') AS source, coalesce(failure, verdict) AS failure, count(*) AS n,
    min_by(completion, round) AS example
FROM attempts WHERE NOT correct GROUP BY ALL ORDER BY n DESC, failure LIMIT {COMMON}"""
EVENTS: Final = f"""\
SELECT source, kind, count(*) AS n, min(round) AS first_round, max(round) AS last_round,
    min_by(detail, "at") AS example
FROM events GROUP BY ALL ORDER BY n DESC, source, kind LIMIT {COMMON}"""
_COSTS: Final = (
    "rounds",
    "wall time of the rounds, seconds",
    "generated, tokens",
    "waiting for engines, seconds",
    "trained on, tokens",
    "waiting for learners, warm-up included, seconds",
    "waiting for verifiers, seconds",
    "commits, seconds",
    "attempts",
    "admitted problems",
)
"""What the columns of ``COST`` are, and their units."""
COST: Final = """\
SELECT count(*) AS rounds, sum(seconds) AS seconds, sum(generated_tokens)::BIGINT AS generated,
    sum(generating_seconds) AS generating, sum(trained_tokens)::BIGINT AS trained,
    sum(training_seconds) AS training, sum(verifying_seconds) AS verifying,
    coalesce(sum(previous_commit_seconds), 0) AS committing,
    sum(attempts)::BIGINT AS attempts, sum(admitted)::BIGINT AS admitted
FROM rounds"""
BY_POLICY: Final = """\
SELECT split_part(name, '/', 2) AS policy,
    sum(value) FILTER (name LIKE 'tokens_read/%') AS read_tokens,
    sum(value) FILTER (name LIKE 'tokens_written/%') AS written_tokens
FROM measures WHERE name LIKE 'tokens_read/%' OR name LIKE 'tokens_written/%' GROUP BY ALL ORDER BY ALL"""
STEPS: Final = """\
SELECT policy, count(*) AS steps, sum(tokens)::BIGINT AS tokens, sum(seconds) AS seconds
FROM updates GROUP BY policy ORDER BY policy"""


@dataclass(frozen=True, slots=True)
class ShownNote:
    """A note with its text, and why it is shown."""

    note_id: str
    title: str
    """Untrusted."""
    kind: str
    author: str
    round: int
    """In which it was begun."""
    body: str
    """Untrusted."""
    why: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its query."""

    title: str
    columns: list[str]
    rows: list[list[Any]]
    sql: str
    nothing: str
    """What is said where it has no row."""


def best_notes(log: Log, worths: Sequence[Worth]) -> list[ShownNote]:
    """The notes whose reading is estimated to be worth most, above zero, the best first."""
    known = [w for w in worths if w.low is not None and w.q is not None]
    best = [w for w in sorted(known, key=lambda w: -(w.shrunken or 0.0)) if w.difference > 0][:MOST]
    told = {}
    for w in best:
        assert w.low is not None and w.high is not None and w.q is not None
        told[w.key] = (
            f"{100 * w.difference:+.1f} points [{100 * w.low:+.1f}, {100 * w.high:+.1f}], q {w.q:.2g} "
            f"among {len(known)} notes; {w.treated} attempts that read it and {w.controls} that did not, "
            f"at the same {w.problems} problems"
        )
    return _shown(log, told)


def disputed_notes(log: Log) -> list[ShownNote]:
    """The notes that most disputes are about, or that have most open branches."""
    told = {}
    for name, disputes, branches in log.execute(DISPUTED).fetchall():
        parts = [
            f"{n} {one if n == 1 else many}"
            for n, one, many in (
                (disputes, "dispute", "disputes"),
                (branches, "text that nobody has merged", "texts that nobody has merged"),
            )
            if n
        ]
        told[name] = ", ".join(parts)
    return _shown(log, told)


def _shown(log: Log, told: dict[str, str]) -> list[ShownNote]:
    if not told:
        return []
    rows = log.execute(f"{NOTES} WHERE list_contains(?, note_id)", [list(told)]).fetchall()
    by_id = {r[0]: r for r in rows}
    found = []
    for name, why in told.items():
        if name in by_id:
            _, title, kind, author, begun, body = by_id[name]
            found.append(ShownNote(name, title, kind, author, begun, body, why))
    return found


def failures(log: Log) -> list[Table]:
    """What went wrong, by kind and by whom it is attributed to."""
    return [
        _table(log, "Rejected proposals", REJECTED, "No proposal was rejected."),
        _table(log, "Attempts that were not right", ATTEMPTS, "Every attempt was right."),
        _table(log, "Events", EVENTS, "Nothing out of the ordinary happened."),
    ]


def costs(log: Log) -> list[Table]:
    """Tokens and seconds of the run, of the policies that were sampled and of those that were trained."""
    row = log.execute(COST).fetchone()
    assert row is not None
    return [
        Table("Whole run", ["what", "amount"], [list(r) for r in zip(_COSTS, row, strict=True)], COST, ""),
        _table(log, "Tokens by policy", BY_POLICY, "The engines counted no tokens by policy."),
        _table(log, "Training by policy", STEPS, "No policy was trained."),
    ]


def _table(log: Log, title: str, sql: str, nothing: str) -> Table:
    found = log.execute(sql)
    columns = [d[0].replace("_", " ") for d in found.description or []]
    return Table(title, columns, [list(row) for row in found.fetchall()], sql, nothing)
