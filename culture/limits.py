"""How much one author may write: so many texts a round, and none that nearly stands there already.

Texts are compared by the Jaccard similarity of their sets of character shingles (Broder 1997, "On the
resemblance and containment of documents"). What to compare with is found by the index: near copies share
their rarest terms, so the work does not grow with the library.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from culture.config import LibraryConfig
from culture.edits import IMPORT, LIBRARY, MARKERS, Edit, LibraryRefused
from culture.records import Revision

SHINGLE = 5
"""Characters of a shingle."""
CANDIDATES = 16
"""Texts that a new one is compared with, those that match it best."""


def shingles(text: str) -> frozenset[str]:
    """Every run of :data:`SHINGLE` characters, however they are spaced; a shorter text whole."""
    plain = " ".join(text.split())
    return frozenset(plain[at : at + SHINGLE] for at in range(max(1, len(plain) - SHINGLE + 1)))


def similarity(a: str, b: str) -> float:
    """Share of the shingles of two texts together that both have, from 0 to 1."""
    some, others = shingles(a), shingles(b)
    return len(some & others) / len(some | others)


class Limits:
    """What authors have written this round."""

    def __init__(self, config: LibraryConfig) -> None:
        self._most = config.author_notes_per_round
        self._nearest = config.near_duplicate
        self._round = -1
        self._written: Counter[str] = Counter()

    def take_in(self, row: Revision) -> None:
        """Count a text; merges and markers are the library's own."""
        if row.outcome in MARKERS or row.outcome == "merged" or row.round < self._round:
            return
        if row.round > self._round:
            self._round, self._written = row.round, Counter()
        self._written[row.author] += 1

    def check(self, edit: Edit, alike: Callable[[], Iterable[tuple[str, str]]]) -> None:
        """Raise :class:`LibraryRefused` where its author may not write ``edit``.

        ``alike`` gives the notes of the same shelf and domain that match its text best, with their texts.
        What a library begins with is bounded by who brings it, its own decisions by what they are about.
        """
        written = self._written[edit.author] if edit.round == self._round else 0
        if self._most is not None and edit.author not in (IMPORT, LIBRARY) and written >= self._most:
            raise LibraryRefused(
                "flood", f"expected at most {self._most} texts of an author in a round, got one more"
            )
        if self._nearest is None:
            return
        for name, text in alike():
            if name != edit.note_id and (near := similarity(edit.body, text)) >= self._nearest:
                raise LibraryRefused(
                    "near_duplicate",
                    f"expected a text that has less than {self._nearest:g} of its shingles in common with "
                    f"another, got {near:.2f} with that of note {name}",
                )
