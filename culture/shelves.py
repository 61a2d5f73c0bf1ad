"""The notes in sight: what stands on which shelf, which text stands where, and how much a shelf holds."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Sequence

from culture.edits import PUBLIC, text_digest
from culture.reading import Reader
from culture.records import Note, Revision
from culture.threads import UNREAD


class Shelves:
    """Notes in sight, by shelf, by source and by text."""

    def __init__(self) -> None:
        self._texts: dict[bytes, tuple[str, ...]] = {}
        """Notes by the digest of the text that they show, its shelf and its domain."""
        self._notes: defaultdict[str, set[str]] = defaultdict(set)
        self._pools: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        """Notes by domain and source, sorted; not those about notes, which are no placebo either."""
        self._tokens: defaultdict[str, int] = defaultdict(int)

    def put(self, note: Note, source: str, head: Revision) -> None:
        """Put a note into sight with the text of ``head``; ``source`` says who sees it."""
        digest = text_digest(note, head.body)
        self._texts[digest] = (*self._texts.get(digest, ()), note.note_id)
        self._notes[note.shelf].add(note.note_id)
        self._tokens[note.shelf] += head.tokens
        if note.kind not in UNREAD:
            insort(self._pools[note.domain, source], note.note_id)

    def drop(self, note: Note, source: str, head: Revision) -> None:
        """Take a note out of sight that was put there with the same arguments."""
        digest = text_digest(note, head.body)
        others = tuple(name for name in self._texts.pop(digest) if name != note.note_id)
        if others:
            self._texts[digest] = others
        self._notes[note.shelf].discard(note.note_id)
        self._tokens[note.shelf] -= head.tokens
        if note.kind not in UNREAD:
            names = self._pools[note.domain, source]
            del names[bisect_left(names, note.note_id)]

    def same_text(self, note: Note, body: str) -> tuple[str, ...]:
        """Notes that show ``body`` on the shelf and in the domain of ``note``."""
        return self._texts.get(text_digest(note, body), ())

    def places(self, note: Note) -> list[str]:
        """The sources of the notes on the shelf and of the domain of ``note``, sorted."""
        return sorted(
            place
            for (domain, place), names in self._pools.items()
            if names
            and domain == note.domain
            and (place.startswith(f"{PUBLIC}:") if note.shelf == PUBLIC else place == note.shelf)
        )

    def names(self) -> list[str]:
        """The shelves there are, sorted."""
        return sorted(self._notes)

    def notes(self, shelf: str) -> frozenset[str]:
        """Notes on a shelf."""
        return frozenset(self._notes.get(shelf, ()))

    def holds(self, note: Note) -> bool:
        """Whether a note is in sight, on its shelf."""
        return note.note_id in self._notes.get(note.shelf, ())

    def tokens(self, shelf: str) -> int:
        """Length of the texts that a shelf shows, together."""
        return self._tokens.get(shelf, 0)

    def over(self, shelf: str, most_notes: int, most_tokens: int | None) -> bool:
        """Whether a shelf holds more notes or more tokens than that."""
        held = len(self._notes.get(shelf, ()))
        return held > most_notes or (most_tokens is not None and self.tokens(shelf) > most_tokens)

    def pools(self, domain: str, reader: Reader) -> list[Sequence[str]]:
        """Notes of a domain that a reader sees, by source, each sorted."""
        return [self._pools.get((domain, place), ()) for place in reader.sources()]
