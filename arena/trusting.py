"""What is checked of a round's texts before they are shelved, and what is told of those that failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from arena.pools import Failed
from arena.rechecking import RECHECKED, Checked
from culture.edits import Edit
from culture.publishing import Entry
from culture.records import Json

if TYPE_CHECKING:
    from arena.librarian import Shelved
    from arena.round import Play


def rechecked(play: Play, edits: Sequence[Entry]) -> list[Entry]:
    """The edits with what execution says of them as evidence; nothing else can say it.

    Those that a verifier was lost with are unchecked.
    """
    said: dict[int, Checked | Failed] = {}
    if play.config.library.recheck:
        for domain in play.config.domains:
            mine = {
                i: (edit.kind, edit.body)
                for i, edit in enumerate(edits)
                if isinstance(edit, Edit) and edit.domain == domain and edit.kind in RECHECKED
            }
            said |= zip(mine, play.cluster.recheck(domain, list(mine.values())), strict=True)
    found: list[Entry] = []
    for index, edit in enumerate(edits):
        if not isinstance(edit, Edit):
            found.append(edit)
            continue
        evidence: Json = {name: value for name, value in edit.evidence.items() if name != "recheck"}
        checked = said.get(index)
        if isinstance(checked, Failed):
            play.event("infrastructure", "recheck_lost", edit.author, checked.detail)
        elif checked is not None:
            evidence |= checked.evidence
            if checked.verdict == "refuted":
                play.event("solver", "refuted", edit.author, checked.detail)
        found.append(replace(edit, evidence=evidence))
    return found


def tell(play: Play, edits: Sequence[Entry], shelved: Shelved) -> None:
    """Events of what the library refused, with the texts, which stand nowhere else, and of what it hid."""
    for index, reason, detail in shelved.refused:
        edit = edits[index]
        text = ""
        if isinstance(edit, Edit) and reason != "duplicate":
            text = f"; the text: {edit.body}"
        play.event("library", f"refused:{reason}", edit.author, detail + text)
    for row in shelved.revisions:
        if row.outcome == "quarantined":
            play.event("library", "quarantined", row.note_id, str(row.evidence["reason"]))
