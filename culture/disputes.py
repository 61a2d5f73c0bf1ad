"""Disputes are decided by evidence where there is any: by execution, or by what reading turned out to do.

A dispute names the text that it disputes (``about`` in its evidence). It is *upheld* where that text's
note is in quarantine, and *dismissed* where execution confirmed all that the text says, or where reading
the note is shown to help. The decision is a new text of the dispute, by the library, with the reason in its
evidence; what nothing decides stays open.
"""

from __future__ import annotations

from collections.abc import Container

from culture.edits import LIBRARY, Edit, Kind, Written
from culture.library import Library
from culture.records import Json, Revision
from culture.trust import confirmed

DECIDED = "decided"
"""The key of a dispute's evidence that has the decision."""


def settle(library: Library, round: int, helpful: Container[str] = ()) -> list[Written]:
    """Decide the open disputes that can be; what was written. ``helpful``: notes shown to help."""
    written = []
    for name in library.threads.disputes():
        if name in library.archived:
            continue
        head = library.head(name)
        ruling = None if DECIDED in head.evidence else _ruling(library, head, helpful)
        if ruling is not None:
            written.append(library.write(_decided(library, head, ruling, round)))
    return written


def _ruling(library: Library, dispute: Revision, helpful: Container[str]) -> tuple[str, str] | None:
    """The decision and what it rests on; None where nothing decides."""
    about = dispute.evidence.get("about")
    if not isinstance(about, str):
        return None
    text = library.revision(about)
    if text.note_id in library.trust.quarantined:
        marker = next(r for r in reversed(library.history(text.note_id)) if r.outcome == "quarantined")
        return "upheld", str(marker.evidence.get("reason"))
    if confirmed(text.evidence):
        return "dismissed", "confirmed"
    return ("dismissed", "helpful") if text.note_id in helpful else None


def _decided(library: Library, head: Revision, ruling: tuple[str, str], round: int) -> Edit:
    note, (decision, reason) = library.note(head.note_id), ruling
    room = library.config.max_note_chars
    line = f"{decision}: {reason}"
    body = head.body[: max(0, room - len(line) - 2)]
    evidence: Json = {**head.evidence, DECIDED: decision, "by": reason}
    kind: Kind = "dispute"
    return Edit(
        head.note_id, head.revision_id, kind, note.domain, note.shelf, note.title, f"{body}\n\n{line}",
        LIBRARY, None, round,
        citations=[(c.target_kind, c.target_id) for c in library.citations(head.revision_id)],
        evidence=evidence,
    )  # fmt: skip
