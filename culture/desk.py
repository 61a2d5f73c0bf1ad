"""What lies before an agent that decides what to write: notes that it read, that match, or speak of those.

First comes a text of its own that met another's and could not be merged, to be settled; then what it was
shown while it worked and what matches its problem, each with the last word of somebody else about it. A
book with an unwritten chapter lies there too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from culture.books import Book, open_books
from culture.library import Library
from culture.reading import Query, Reader
from culture.records import Note, Revision
from culture.seeds import Id

Why = Literal["conflict", "read", "found", "talk"]


@dataclass(frozen=True, slots=True)
class Ask:
    """Somebody who sits down to write."""

    reader: Reader
    domain: str
    query: str
    """What it worked on. Untrusted."""
    read: tuple[str, ...]
    """Notes that it was shown while it worked."""
    notes: int
    """How many may lie on the desk at most."""
    ids: tuple[Id, ...]
    """Name its random stream."""


@dataclass(frozen=True, slots=True)
class Item:
    """A note on the desk."""

    note: Note
    revision: Revision
    """Its head, which is the base of a revision."""
    why: Why
    branch: str | None = None
    """For a conflict the branch that the agent's text is in."""
    conflict: str | None = None
    """Head and branch merged, both sides between markers where they differ."""
    talk: int = 0
    """Reviews, disputes and discussions about it that the agent sees."""
    outward: tuple[str, ...] = ()
    """Shelves that the agent may publish it to, public last."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What lies there."""

    items: tuple[Item, ...]
    book: Book | None
    """With an unwritten chapter."""
    outline: Revision | None
    """The head of that book's outline."""
    library_version: int


def set_out(library: Library, ask: Ask, max_chars: int) -> Desk:
    """The desk of an agent; ``max_chars`` is the length of all bodies on it together."""
    items: list[Item] = []
    left = max_chars
    for item in _candidates(library, ask, max_chars):
        text = item.conflict or item.revision.body
        if len(items) < ask.notes and len(text) <= left:
            items.append(item)
            left -= len(text)
    books = open_books(library, ask.domain, ask.reader)
    outline = library.head(books[0].note_id) if books else None
    return Desk(tuple(items), books[0] if books else None, outline, library.version)


def _candidates(library: Library, ask: Ask, max_chars: int) -> Iterator[Item]:
    """Notes for the desk, the most pressing first, each once."""
    seen: set[str] = set()

    def item(name: str, why: Why, branch: Revision | None = None) -> Iterator[Item]:
        if name in seen or not library.visible(name, ask.reader):
            return
        seen.add(name)
        talk = [n for n in library.threads.talk(name) if library.visible(n, ask.reader)]
        mark = None if branch is None else branch.revision_id
        conflict = None if mark is None else library.conflict(mark)
        reader = ask.reader
        outward = library.outward(name, reader.agent_id, {reader.organisation})
        yield Item(library.note(name), library.head(name), why, mark, conflict, len(talk), outward)
        # the last word of somebody else, to be answered
        others = [n for n in talk if library.note(n).author != ask.reader.agent_id]
        if others and why != "talk":
            yield from item(others[-1], "talk")

    for branch in library.unresolved(ask.reader.agent_id):
        yield from item(branch.note_id, "conflict", branch)
    for name in ask.read:
        yield from item(name, "read")
    query = Query(ask.query, ask.reader, ask.notes, max_chars, ask.domain, ids=ask.ids)
    for hit in library.search_many([query])[0]:
        yield from item(hit.note_id, "found")
