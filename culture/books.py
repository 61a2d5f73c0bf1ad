"""Books: an outline, chapters that are notes of their own, and the whole put together to be read.

The outline is a note of kind ``book``: its title on the first line, and a numbered line for each chapter.

    Adding numbers

    1. One digit
    2. Carrying

A chapter is a note of kind ``chapter`` that cites the outline; its evidence says which chapter it is. So
chapters are written, revised, merged, found, read and judged one by one, by whoever may write there, and a
book is whatever its chapters say now. Where two authors wrote the same chapter, the first that is in sight
counts and the others are alternatives.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from culture.edits import MARKERS
from culture.library import Library
from culture.reading import Reader

CHAPTER = "chapter"
"""The key of a chapter's evidence that has its number."""
_NUMBERED = re.compile(r"[0-9]{1,3}\. +(\S.*)")


@dataclass(frozen=True, slots=True)
class Chapter:
    """A place in a book."""

    number: int
    """From 1, in the order of the outline."""
    title: str
    note_id: str | None
    """The note that is this chapter; None where nobody has written it."""
    alternatives: tuple[str, ...] = ()
    """Other notes that would be this chapter."""


@dataclass(frozen=True, slots=True)
class Book:
    """A book as it is now."""

    note_id: str
    """Of the outline."""
    title: str
    chapters: tuple[Chapter, ...]

    @property
    def unwritten(self) -> tuple[int, ...]:
        """Numbers of the chapters that nobody has written."""
        return tuple(c.number for c in self.chapters if c.note_id is None)


def outline(title: str, chapters: Iterable[str]) -> str:
    """The body of an outline."""
    lines = [f"{number}. {_line(name)}" for number, name in enumerate(chapters, 1)]
    return "\n".join([_line(title), "", *lines])


def read_outline(body: str) -> tuple[str, list[str]]:
    """Title and chapters that an outline names; what is no chapter's line is passed over."""
    lines = [line.strip() for line in body.split("\n")]
    title = next((line for line in lines if line), "")
    named = (_NUMBERED.fullmatch(line) for line in lines)
    return title, [found[1] for found in named if found]


def book(library: Library, note_id: str, reader: Reader | None = None) -> Book:
    """The book with this outline, as ``reader`` sees it; with None all that is in sight.

    Raises KeyError for an unknown note, ValueError for one that is no book.
    """
    note = library.note(note_id)
    if note.kind != "book":
        raise ValueError(f"expected a note of kind book, got {note_id}, which is of kind {note.kind}")
    title, names = read_outline(library.head(note_id).body)
    written: dict[int, list[str]] = {}
    for name in library.threads.chapters(note_id):
        seen = name not in library.archived if reader is None else library.visible(name, reader)
        number = library.history(name)[0].evidence.get(CHAPTER)
        if seen and isinstance(number, int):
            written.setdefault(number, []).append(name)
    chapters = []
    for number, name in enumerate(names, 1):
        first, *others = written.get(number, [None])
        chapters.append(Chapter(number, name, first, tuple(n for n in others if n is not None)))
    return Book(note_id, title, tuple(chapters))


def open_books(library: Library, domain: str, reader: Reader) -> list[Book]:
    """Books about a domain that a reader sees and that have an unwritten chapter, the oldest first."""
    seen = [n for n in library.threads.books(domain) if library.visible(n, reader)]
    return [b for b in (book(library, n, reader) for n in seen) if b.unwritten]


def contents(found: Book) -> list[str]:
    """The table of contents, a line a chapter."""
    return [f"{c.number}. {c.title}{'' if c.note_id else ' (not written yet)'}" for c in found.chapters]


def pages(library: Library, found: Book, only: int | None = None) -> str:
    """The book as Markdown: contents, chapters with their authors, and what they refer to.

    ``only``: the number of one chapter, alone. Bodies are as written, untrusted. Raises ValueError for a
    chapter that the book has not.
    """
    numbers = [c.number for c in found.chapters]
    if only is not None and only not in numbers:
        raise ValueError(f"expected a chapter from 1 to {len(numbers)}, got {only}")
    references: dict[tuple[str, str], int] = {}
    parts = [] if only is not None else [f"# {found.title}", "\n".join(contents(found))]
    for chapter in found.chapters:
        if only in (None, chapter.number):
            parts += _chapter(library, found, chapter, references)
    if references:
        lines = [f"[{n}] {_reference(library, *target)}" for target, n in references.items()]
        parts += ["## References", "\n".join(lines)]
    return "\n\n".join(parts)


def _chapter(
    library: Library, found: Book, chapter: Chapter, references: dict[tuple[str, str], int]
) -> list[str]:
    head = f"## {chapter.number}. {chapter.title}"
    if chapter.note_id is None:
        return [head, "(not written yet)"]
    history = library.history(chapter.note_id)
    authors = dict.fromkeys(r.author for r in history if r.outcome not in MARKERS)
    cited = dict.fromkeys(
        (c.target_kind, c.target_id)
        for r in history
        for c in library.citations(r.revision_id)
        if c.target_id != found.note_id
    )
    for target in cited:
        references.setdefault(target, len(references) + 1)
    marks = "".join(f"[{references[target]}]" for target in cited)
    byline = f"by {_joined(list(authors))}, note {chapter.note_id}"
    body = library.head(chapter.note_id).body
    return [head, byline, f"{body}\n\n{marks}" if marks else body]


def _reference(library: Library, kind: str, name: str) -> str:
    if kind == "note" and name in library.heads():
        note = library.note(name)
        return f"{note.author}, {note.title or note.kind} ({note.kind} {name}, round {note.round})"
    return f"{kind} {name}"


def _joined(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def _line(text: str) -> str:
    return " ".join(text.split())
