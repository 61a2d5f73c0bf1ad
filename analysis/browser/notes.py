"""The library as of a round: lists of notes with filters and words, and all that is known of one note."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from analysis.browser.address import Address
from analysis.browser.log import Log, Row
from culture.edits import HIDDEN, TALK
from culture.history import blame, diff, excerpt_at, hunks
from culture.note_views import Past
from culture.records import Revision

PAGE = 30
"""Notes on one page of a list."""
PAGES = 1000
WORDS = 8
"""Words that are searched for."""
MOST = 100
"""Rows of a list on a note's page."""
FILTERS = ("kind", "shelf", "author", "domain")


@dataclass(frozen=True, slots=True)
class Found:
    """A page of a list of notes."""

    total: int
    notes: list[Row]
    first: int
    """The place of the first of them in the list, from 0."""
    facets: dict[str, list[tuple[str, int]]]
    """For each filter its values with how many notes in sight have them, the most first."""


def listed(log: Log, round: int, address: Address) -> Found:
    """Notes of the library as of a round: those with all words, in the title, the text or the id.

    Notes whose title has the words come first, then those revised last. Archived ones only where the
    address asks for ``archived``.
    """
    words = address.get("q").lower().split()[:WORDS]
    where, params = ["TRUE"], dict[str, object]()
    if address.get("archived") != "yes":
        where.append("NOT archived")
    for name in FILTERS:
        if address.get(name):
            params[name] = address.get(name)
            where.append("$author IN (author, revised_by)" if name == "author" else f"{name} = ${name}")
    hits = []
    for at, word in enumerate(words):
        params[f"w{at}"] = word
        hits.append(f"contains(lower(title), $w{at})")
        where.append(f"({hits[-1]} OR contains(lower(body), $w{at}) OR starts_with(note_id, $w{at}))")
    first = PAGE * address.number("page", PAGES)
    source = "as_of_round"
    if words:
        source += (
            " JOIN (SELECT note_id, title FROM notes) USING (note_id)"
            " JOIN (SELECT revision_id, body FROM revisions) USING (revision_id)"
        )
    title_first = f"({' AND '.join(hits) or 'TRUE'})"
    with log.held():
        remember(log, round)
        notes = log.rows(
            f"""
            WITH page AS MATERIALIZED (
                SELECT as_of_round.*, {title_first} AS named, count(*) OVER () AS total
                FROM {source} WHERE {" AND ".join(where)}
                ORDER BY named DESC, revised_in DESC, note_id LIMIT {PAGE} OFFSET {first}
            )
            SELECT page.*, left(n.title, 200) AS title, left(r.body, 300) AS start FROM page
            JOIN (SELECT note_id, title FROM notes WHERE note_id IN (SELECT note_id FROM page)) n
                USING (note_id)
            JOIN (
                SELECT revision_id, body FROM revisions WHERE revision_id IN (SELECT revision_id FROM page)
            ) r USING (revision_id) ORDER BY named DESC, revised_in DESC, note_id
            """,
            params,
        )
        total = int(str(notes[0]["total"])) if notes else 0
        return Found(total, notes, first, _facets(log))


def remember(log: Log, round: int) -> None:
    """Make the temporary table ``as_of_round``: the library without its texts, until another is wanted."""
    found = log.row("SELECT library_version AS version FROM rounds WHERE round = $at", {"at": round})
    key = (round, found["version"] if found else None)
    if log.remembered != key:
        log.connection.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE as_of_round AS
            SELECT note_id, kind, domain, shelf, author, round, revised_in, revised_by, archived,
                revision_id
            FROM library_at({round:d})
            """
        )
        log.remembered = key


def _facets(log: Log) -> dict[str, list[tuple[str, int]]]:
    rows = log.rows(
        """
        SELECT kind, shelf, author, domain, count(*) AS n,
            row_number() OVER (PARTITION BY grouping(kind, shelf, author, domain) ORDER BY n DESC) AS place
        FROM as_of_round WHERE NOT archived
        GROUP BY GROUPING SETS ((kind), (shelf), (author), (domain)) QUALIFY place <= 40
        ORDER BY n DESC, kind, shelf, author, domain
        """
    )
    found: dict[str, list[tuple[str, int]]] = {name: [] for name in FILTERS}
    for row in rows:
        name = next(name for name in FILTERS if row[name] is not None)
        found[name].append((str(row[name]), int(str(row["n"]))))
    return found


@dataclass(slots=True)
class NotePage:
    """A note and what is around it."""

    about: Row
    revision: Revision
    """Whose text is shown."""
    history: list[Row]
    blame: list[Row]
    cites: list[Row]
    cited_by: list[Row]
    citing: int
    """Revisions that cite it, in all."""
    talk: list[Row]
    reads: Row
    readers: list[Row]
    worth: Row | None
    compared: list[Row] = field(default_factory=list)
    """Lines of two revisions that differ, with those around them."""
    old: str = ""
    new: str = ""


def note_page(log: Log, round: int, address: Address) -> NotePage | None:
    """The note that ``id`` names or begins, a revision's too, as of a round; None where there is none.

    ``text``: the revision whose text is shown, by default the head. ``old`` and ``new``: revisions that
    are compared, by default the head with the text before it.
    """
    name = _named(log, round, address.get("id"))
    if name is None:
        return None
    with log.held() as connection:
        library = excerpt_at(connection, round, [name])
        past = Past(connection, round, library, 12)
        history, reads, about = past.history(name), past.reads(name), past.about(name)
    own = {r.revision_id: r for r in library.history(name)}
    shown = own.get(address.get("text"), library.head(name))
    texts = [r for r in own.values() if r.outcome not in HIDDEN]
    before = [r for r in texts if r.library_version < shown.library_version]
    new = own.get(address.get("new"), shown)
    old = own.get(address.get("old"), before[-1] if before else shown)
    lines: list[Row] = []
    if shown.outcome not in HIDDEN:
        lines = [
            {
                "revision_id": x.revision.revision_id, "round": x.revision.round,
                "author": x.revision.author, "text": x.text,
            }
            for x in blame(library, shown.revision_id)
        ]  # fmt: skip
    citing, count = _cited_by(log, round, name)
    return NotePage(
        about=about, revision=shown, history=history, blame=lines, cites=_cites(log, round, name),
        cited_by=[row for row in citing if row["kind"] not in TALK], citing=count,
        talk=_talk(log, round, name), reads=reads, readers=_readers(log, round, name),
        worth=_worth(log, round, name), compared=_compared(old, new), old=old.revision_id,
        new=new.revision_id,
    )  # fmt: skip


def _compared(old: Revision, new: Revision) -> list[Row]:
    found: list[Row] = []
    for at, hunk in enumerate(hunks(diff(old.body, new.body))):
        if at:
            found.append({"mark": "", "text": "", "old": None, "new": None})
        found += [asdict(line) for line in hunk]
    return found


def _named(log: Log, round: int, text: str) -> str | None:
    """The note that an id names or alone begins, or that a revision is of."""
    if not text:
        return None
    rows = log.rows(
        """
        SELECT note_id FROM notes WHERE starts_with(note_id, $id) AND round <= $round UNION
        SELECT note_id FROM revisions WHERE starts_with(revision_id, $id) AND round <= $round LIMIT 2
        """,
        {"id": text, "round": round},
    )
    return str(rows[0]["note_id"]) if len(rows) == 1 else None


def _cites(log: Log, round: int, name: str) -> list[Row]:
    """What its revisions cite, with titles, specs and verdicts."""
    return log.rows(
        f"""
        WITH cited AS MATERIALIZED (
            SELECT target_kind, target_id, min(r.round) AS round
            FROM citations JOIN revisions r USING (revision_id)
            WHERE r.note_id = $id AND r.round <= $round GROUP BY ALL
            ORDER BY min(r.round), target_kind, target_id LIMIT {MOST}
        )
        SELECT c.*, coalesce(n.title, p.spec, a.solver || ', ' || a.verdict) AS what FROM cited c
        LEFT JOIN (SELECT note_id, title FROM notes WHERE note_id IN (SELECT target_id FROM cited)) n
            ON target_kind = 'note' AND note_id = target_id
        LEFT JOIN (
            SELECT problem_id, spec FROM problems WHERE problem_id IN (SELECT target_id FROM cited)
        ) p ON target_kind = 'problem' AND p.problem_id = target_id
        LEFT JOIN (
            SELECT attempt_id, solver, verdict FROM attempts
            WHERE attempt_id IN (SELECT target_id FROM cited)
        ) a ON target_kind = 'attempt' AND attempt_id = target_id
        ORDER BY c.round, target_kind, target_id
        """,
        {"id": name, "round": round},
    )


def _cited_by(log: Log, round: int, name: str) -> tuple[list[Row], int]:
    rows = log.rows(
        f"""
        SELECT n.note_id, n.title, n.kind, min(r.round) AS round,
            min_by(r.author, r.library_version) AS author, count(*) AS revisions,
            sum(count(*)) OVER () AS total
        FROM citations c JOIN revisions r USING (revision_id) JOIN notes n USING (note_id)
        WHERE c.target_kind = 'note' AND c.target_id = $id AND r.round <= $round
        GROUP BY n.note_id, n.title, n.kind ORDER BY round, n.note_id LIMIT {MOST}
        """,
        {"id": name, "round": round},
    )
    return rows, int(str(rows[0]["total"])) if rows else 0


def _talk(log: Log, round: int, name: str) -> list[Row]:
    """Reviews, disputes and discussions about it, with what they say now and what was decided."""
    return log.rows(
        f"""
        WITH about AS MATERIALIZED (
            SELECT DISTINCT note_id FROM citations c JOIN revisions r USING (revision_id)
            JOIN notes USING (note_id)
            WHERE c.target_kind = 'note' AND c.target_id = $id AND r.round <= $round
                AND kind IN ('review', 'dispute', 'discussion')
        ), said AS (
            SELECT note_id, arg_max(body, library_version) AS body,
                arg_max(coalesce(evidence->>'decided', ''), library_version) AS decided
            FROM revisions SEMI JOIN about USING (note_id)
            WHERE round <= $round AND outcome IN ('head', 'merged') GROUP BY note_id
        )
        SELECT note_id, kind, author, round, body, decided FROM notes JOIN said USING (note_id)
        ORDER BY round, note_id LIMIT {MOST}
        """,
        {"id": name, "round": round},
    )


def _readers(log: Log, round: int, name: str) -> list[Row]:
    return log.rows(
        f"""
        SELECT reader, arm, count(DISTINCT attempt_id) AS attempts, max(round) AS last FROM reads
        WHERE note_id = $id AND round <= $round GROUP BY ALL
        ORDER BY attempts DESC, reader, arm LIMIT {MOST}
        """,
        {"id": name, "round": round},
    )


def _worth(log: Log, round: int, name: str) -> Row | None:
    """What reading it added to success, by the round that told it last."""
    return log.row(
        "SELECT round, worth AS value, low, high, attempts AS n FROM worth "
        "WHERE what = 'note' AND key = $id AND round <= $round ORDER BY round DESC LIMIT 1",
        {"id": name, "round": round},
    )


def overview(log: Log, round: int) -> Row:
    """How many notes, revisions, authors and disputes there are as of a round."""
    row = log.row(
        """
        SELECT count(DISTINCT note_id) AS notes, count(*) AS revisions, count(DISTINCT author) AS authors,
            count(*) FILTER (outcome = 'merged') AS merged,
            count(*) FILTER (outcome = 'branch') AS branches,
            count(*) FILTER (outcome = 'archived') AS archived,
            count(*) FILTER (outcome = 'quarantined') AS quarantined,
            count(*) FILTER (outcome = 'published') AS published
        FROM revisions WHERE round <= $round
        """,
        {"round": round},
    )
    return row or {}
