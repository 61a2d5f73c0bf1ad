"""Which chapter a book club talks about: the one that its host may read and that was talked of least."""

from __future__ import annotations

from dataclasses import dataclass

from culture.books import book
from culture.library import Library
from culture.reading import Reader
from culture.records import Note, Revision
from culture.seeds import Id, derive


@dataclass(frozen=True, slots=True)
class Invitation:
    """Somebody who calls a club together."""

    reader: Reader
    domain: str
    ids: tuple[Id, ...]
    """Name its random stream."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A chapter to talk about."""

    book: str
    """The note id of its book's outline."""
    book_title: str
    note: Note
    revision: Revision


def chapter_for(library: Library, invitation: Invitation) -> Chosen | None:
    """The chapter with the fewest words about it so far, ties by the stream; None where there is none."""
    reader = invitation.reader
    found: list[tuple[int, int, str, str]] = []
    for name in library.threads.books(invitation.domain):
        if not library.visible(name, reader):
            continue
        for chapter in book(library, name, reader).chapters:
            if chapter.note_id is not None:
                talked = len(library.threads.talk(chapter.note_id))
                lot = derive(library.seed, "club", *invitation.ids, chapter.note_id)
                found.append((talked, lot, name, chapter.note_id))
    if not found:
        return None
    _, _, name, chosen = min(found)
    title = book(library, name, reader).title
    return Chosen(name, title, library.note(chosen), library.head(chosen))
