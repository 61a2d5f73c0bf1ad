"""Which notes speak of which: what is said about a note, the books of a domain, a book's chapters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from culture.edits import TALK
from culture.records import Citation, Note

UNREAD: frozenset[str] = TALK | {"book"}
"""Kinds that no search for a solver finds: they say nothing about problems."""


class Threads:
    """Notes by what they are about; whether one is in sight, the library knows."""

    def __init__(self) -> None:
        self._talk: defaultdict[str, list[str]] = defaultdict(list)
        self._chapters: defaultdict[str, list[str]] = defaultdict(list)
        self._books: defaultdict[str, list[str]] = defaultdict(list)
        self._disputes: list[str] = []

    def add(self, note: Note, citations: Iterable[Citation]) -> None:
        """Take in a new note with what its first revision cites."""
        about = [c.target_id for c in citations if c.target_kind == "note"]
        if note.kind == "dispute":
            self._disputes.append(note.note_id)
        if note.kind in TALK:
            for name in about:
                self._talk[name].append(note.note_id)
        elif note.kind == "chapter":
            for name in about:
                self._chapters[name].append(note.note_id)
        elif note.kind == "book":
            self._books[note.domain].append(note.note_id)

    def talk(self, note_id: str) -> list[str]:
        """Reviews, disputes and discussions about a note, the oldest first."""
        return list(self._talk.get(note_id, ()))

    def disputes(self) -> list[str]:
        """All disputes, the oldest first."""
        return list(self._disputes)

    def chapters(self, book: str) -> list[str]:
        """Chapters that name a book as theirs, the oldest first."""
        return list(self._chapters.get(book, ()))

    def books(self, domain: str) -> list[str]:
        """Outlines of books about a domain, the oldest first."""
        return list(self._books.get(domain, ()))

    def all_books(self) -> list[str]:
        """Outlines of all books, by domain."""
        return [name for domain in sorted(self._books) for name in self._books[domain]]
