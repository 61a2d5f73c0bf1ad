"""Books as of a round: which there are, and one of them to read."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.browser.address import Address
from analysis.browser.log import Log, Row
from culture import books
from culture.edits import MARKERS
from culture.history import excerpt_at

PAGE = 20
"""Books on one page."""
CHAPTERS = 200
"""Notes of chapters that are looked at of one book."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """A page of the list of books."""

    total: int
    books: list[Row]
    first: int


@dataclass(frozen=True, slots=True)
class BookPage:
    """A book, or what of it is shown."""

    note_id: str
    title: str
    author: str
    round: int
    chapters: list[Row]
    """Number, title, note, alternatives, authors and text of each."""
    only: int | None
    """The number of the one chapter that is shown."""


def shelf(log: Log, round: int, address: Address) -> Shelf:
    """Books whose outline is in sight, the latest first, with how much of them is written."""
    first = PAGE * address.number("page", 1000)
    rows = log.rows(
        "SELECT note_id, count(*) OVER () AS total FROM library_at($round) "
        f"WHERE kind = 'book' AND NOT archived ORDER BY round DESC, note_id LIMIT {PAGE} OFFSET {first}",
        {"round": round},
    )
    found: list[Row] = []
    for row in rows:
        page = book_page(log, round, str(row["note_id"]), None)
        if page is not None:
            written = sum(c["note_id"] is not None for c in page.chapters)
            found.append({"page": page, "written": written})
    return Shelf(int(str(rows[0]["total"])) if rows else 0, found, first)


def book_page(log: Log, round: int, note_id: str, only: int | None) -> BookPage | None:
    """The book with this outline as of a round, or one chapter of it; None where there is none."""
    notes = log.rows(
        f"""
        SELECT note_id FROM notes WHERE note_id = $id AND kind = 'book' AND round <= $round UNION ALL (
            SELECT DISTINCT n.note_id FROM citations c JOIN revisions r USING (revision_id)
            JOIN notes n USING (note_id)
            WHERE n.kind = 'chapter' AND c.target_kind = 'note' AND c.target_id = $id AND r.round <= $round
            ORDER BY n.note_id LIMIT {CHAPTERS}
        )
        """,
        {"id": note_id, "round": round},
    )
    if not any(row["note_id"] == note_id for row in notes):
        return None
    with log.held() as connection:
        library = excerpt_at(connection, round, [str(row["note_id"]) for row in notes])
    found = books.book(library, note_id)
    chapters: list[Row] = []
    for chapter in found.chapters:
        row: Row = {
            "number": chapter.number, "title": chapter.title, "note_id": chapter.note_id,
            "alternatives": chapter.alternatives, "authors": [], "body": None,
        }  # fmt: skip
        if chapter.note_id is not None and only in (None, chapter.number):
            history = library.history(chapter.note_id)
            row["authors"] = list(dict.fromkeys(r.author for r in history if r.outcome not in MARKERS))
            row["body"] = library.head(chapter.note_id).body
        chapters.append(row)
    outline = library.note(note_id)
    return BookPage(note_id, found.title, outline.author, outline.round, chapters, only)
