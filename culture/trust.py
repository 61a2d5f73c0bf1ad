"""What keeps a library from harm: notes out of sight, texts that are held back, authors and their limits.

All of it follows from the revisions, taken in one by one: a text says in its evidence what its re-check
gave (``recheck``), a marker of the outcome ``quarantined`` why a note is out of sight (``reason``).

A note that is quarantined comes back only by a text that was confirmed. Other texts of it are held: kept
as branches that nothing takes up, as is every text that was refuted. A new note that was refuted, or that
says what was put in quarantine before, goes there at once.
"""

from __future__ import annotations

from typing import Literal

from culture.config import LibraryConfig
from culture.edits import MARKERS, Edit, text_digest
from culture.limits import Limits
from culture.records import Json, Note, Revision
from culture.reputation import Reputation, sign

Held = Literal["refuted", "quarantined"]


class Trust:
    """Quarantined notes, reputations and limits of one library."""

    def __init__(self, config: LibraryConfig) -> None:
        self._strength = config.reputation_strength
        self.limits = Limits(config)
        self.reputation = Reputation()
        self.quarantined: set[str] = set()
        self.returned: set[str] = set()
        """Notes in sight that were quarantined once."""
        self._barred: set[bytes] = set()
        """Texts that were put in quarantine, whatever note shows them."""

    def take_in(self, note: Note, row: Revision, before: Revision | None) -> None:
        """Take in the next revision of ``note``; ``before`` is the text that a marker is about."""
        said = sign(row)
        if said is not None:
            self.reputation.take_in(row.author if before is None else before.author, said)
        self.limits.take_in(row)
        if row.outcome == "quarantined":
            self.quarantined.add(row.note_id)
            self.returned.discard(row.note_id)
            if before is not None:
                self._barred.add(text_digest(note, before.body))
        elif row.outcome != "branch" and row.outcome not in MARKERS and row.note_id in self.quarantined:
            self.quarantined.discard(row.note_id)
            self.returned.add(row.note_id)

    def held(self, edit: Edit, note: Note) -> Held | None:
        """Why a text of ``note`` is held back; None where it is not."""
        if edit.evidence.get("recheck") == "refuted":
            return "refuted"
        known = note.note_id in self.quarantined or text_digest(note, edit.body) in self._barred
        return "quarantined" if known and not confirmed(edit.evidence) else None

    def factor(self, author: str) -> float:
        """What the score of a note is multiplied by for who wrote what it shows."""
        return self.reputation.factor(author, self._strength)


def confirmed(evidence: Json) -> bool:
    """Whether execution confirmed all that a text says."""
    return evidence.get("recheck") == "confirmed"
