"""Which text came of which: by revision, by citation, or by having been read before it was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from analysis.measures.estimate import Log

Through = Literal["revision", "citation", "reading"]

TEXTS = """
SELECT r.revision_id, r.note_id, r.round, r.author, n.kind, n.domain, r.body, r.tokens,
    r.evidence->>'recheck' IS NOT DISTINCT FROM 'confirmed' AS confirmed
FROM revisions r JOIN notes n USING (note_id)
WHERE r.outcome IN ('head', 'merged', 'branch') ORDER BY r.library_version
"""
REVISED = """
SELECT revision_id AS child, unnest(parents) AS parent, generate_subscripts(parents, 1) AS place
FROM revisions WHERE outcome IN ('head', 'merged', 'branch') ORDER BY library_version, place
"""
CITED = """
WITH heads AS MATERIALIZED (
    SELECT note_id, revision_id, library_version FROM revisions WHERE outcome IN ('head', 'merged')
), citing AS MATERIALIZED (
    SELECT r.revision_id, r.library_version, c.target_id, c.rowid AS place
    FROM citations c JOIN revisions r USING (revision_id)
    WHERE c.target_kind = 'note' AND r.outcome IN ('head', 'branch') AND r.note_id <> c.target_id
)
SELECT c.revision_id AS child, arg_max(h.revision_id, h.library_version) AS parent, c.place
FROM citing c JOIN heads h ON h.note_id = c.target_id AND h.library_version < c.library_version
GROUP BY c.revision_id, c.library_version, c.place ORDER BY c.library_version, c.place
"""
READ = """
SELECT r.revision_id AS child, s.revision_id AS parent, min(s.rank) AS place
FROM revisions r
JOIN citations c ON c.revision_id = r.revision_id AND c.target_kind = 'attempt'
JOIN reads s ON s.attempt_id = c.target_id AND s.arm = 'library'
WHERE r.outcome IN ('head', 'branch')
GROUP BY r.revision_id, s.revision_id, r.library_version ORDER BY r.library_version, place, parent
"""
_SQL: Mapping[Through, str] = {"revision": REVISED, "citation": CITED, "reading": READ}


@dataclass(frozen=True, slots=True)
class Text:
    """A text of a note."""

    revision_id: str
    note_id: str
    round: int
    author: str
    kind: str
    domain: str
    body: str
    """Untrusted."""
    tokens: int
    """Length, in tokens."""
    confirmed: bool
    """Whether execution confirmed it."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A text and where in its chain it stands."""

    text: Text
    root: Text
    depth: int
    """Steps from the root, which has 0."""
    last: bool
    """Whether nothing came of it."""


def texts(log: Log) -> dict[str, Text]:
    """All texts by the ids of their revisions, in the order in which they were written."""
    return {row[0]: Text(*row) for row in log.execute(TEXTS).fetchall()}


def descent(log: Log, through: Through, known: Mapping[str, Text] | None = None) -> list[tuple[str, str]]:
    """Revisions and those that they came of, (child, parent), the nearest parent of a child first.

    ``revision``: what a text was revised or merged from, the head first. ``citation``: the text that a
    cited note had then. ``reading``: what the attempt that a text rests on was shown in the arm
    ``library``, the best match first. ``known`` are the texts of the log where they are at hand. Raises
    ValueError for anything else.
    """
    if through not in _SQL:
        raise ValueError(f"expected through to be one of {', '.join(get_args(Through))}, got {through!r}")
    known = texts(log) if known is None else known
    rows = [(child, parent) for child, parent, _ in log.execute(_SQL[through]).fetchall()]
    return [(c, p) for c, p in dict.fromkeys(rows) if c in known and p in known and c != p]


def chains(log: Log, through: Through) -> list[Placed]:
    """Every text of a chain of two or more, once each: a text follows its first parent.

    Chains branch where several texts follow one; each text has one way to its root, by which it is placed.
    """
    known = texts(log)
    first: dict[str, str] = {}
    for child, parent in descent(log, through, known):
        first.setdefault(child, parent)
    followed = set(first.values())
    place: dict[str, tuple[str, int]] = {}
    for name in known:  # parents were written before their children
        if name in first:
            root, depth = place.get(first[name], (first[name], 0))
            place[name] = (root, depth + 1)
        elif name in followed:
            place[name] = (name, 0)
    return [
        Placed(known[name], known[root], depth, name not in followed)
        for name, (root, depth) in place.items()
    ]
