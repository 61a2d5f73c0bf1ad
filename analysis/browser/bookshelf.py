"""Books as of a round: which there are, and one of them to read."""

from __future__ import annotations

from dataclasses import dataclass, replace

from analysis.browser.address import Address
from analysis.browser.log import Log, Row
from analysis.browser.notes import remember
from culture import books
from culture.edits import MARKERS
from culture.history import excerpt_at
from culture.library import Library

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
    only: int | None = None
    """The number of the one chapter that is shown."""


def shelf(log: Log, round: int, address: Address) -> Shelf:
    """Books whose outline is in sight, the latest first, with how much of them is written."""
    first = PAGE * address.number("page", 1000)
    with log.held():
        remember(log, round)
        rows = log.rows(
            "SELECT note_id, count(*) OVER () AS total FROM as_of_round "
            f"WHERE kind = 'book' AND NOT archived ORDER BY round DESC, note_id LIMIT {PAGE} OFFSET {first}"
        )
        pages = _pages(log, round, [str(row["note_id"]) for row in rows])
    found: list[Row] = [
        {"page": page, "written": sum(c["note_id"] is not None for c in page.chapters)} for page in pages
    ]
    return Shelf(int(str(rows[0]["total"])) if rows else 0, found, first)


def book_page(log: Log, round: int, note_id: str, only: int | None) -> BookPage | None:
    """The book with this outline as of a round, or one chapter of it; None where there is none."""
    known = log.row(
        "SELECT note_id FROM notes WHERE note_id = $id AND kind = 'book' AND round <= $round",
        {"id": note_id, "round": round},
    )
    return None if known is None else replace(_pages(log, round, [note_id])[0], only=only)


def _pages(log: Log, round: int, outlines: list[str]) -> list[BookPage]:
    """Whole books by their outlines."""
    if not outlines:
        return []
    notes = log.rows(
        f"""
        SELECT DISTINCT n.note_id FROM citations c JOIN revisions r USING (revision_id)
        JOIN notes n USING (note_id)
        WHERE n.kind = 'chapter' AND c.target_kind = 'note' AND list_contains($outlines, c.target_id)
            AND r.round <= $round
        ORDER BY n.note_id LIMIT {CHAPTERS * len(outlines)}
        """,
        {"outlines": outlines, "round": round},
    )
    with log.held() as connection:
        library = excerpt_at(connection, round, [*outlines, *(str(row["note_id"]) for row in notes)])
    return [_page(library, name) for name in outlines]


def _page(library: Library, note_id: str) -> BookPage:
    found = books.book(library, note_id)
    chapters: list[Row] = []
    for chapter in found.chapters:
        row: Row = {
            "number": chapter.number, "title": chapter.title, "note_id": chapter.note_id,
            "alternatives": chapter.alternatives, "authors": [], "body": None,
        }  # fmt: skip
        if chapter.note_id is not None:
            history = library.history(chapter.note_id)
            row["authors"] = list(dict.fromkeys(r.author for r in history if r.outcome not in MARKERS))
            row["body"] = library.head(chapter.note_id).body
        chapters.append(row)
    outline = library.note(note_id)
    return BookPage(note_id, found.title, outline.author, outline.round, chapters)
