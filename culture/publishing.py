"""Who may write on which shelf, and how a note moves outward: from an agent to its organisation to all.

A move is a revision with outcome ``published``: a marker with the text of the head, which stays the head,
and with the shelves in its evidence. So a note takes its history along, its past can be read back, and
nobody who was just editing the text it had is too late.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field, replace

from culture.edits import PUBLIC, Archive, Edit, LibraryRefused
from culture.records import Json, Note, Revision
from culture.shelves import Shelves

_OUTWARD = {"agent": 0, "org": 1, PUBLIC: 2}


@dataclass(frozen=True, slots=True)
class Publication:
    """What an author asks for: that a note moves outward."""

    note_id: str
    author: str
    round: int
    shelf: str
    """Where to: ``org:NAME`` or ``public``."""
    policy_version: str | None = None
    """Of the author's that decided so."""
    evidence: Json = field(default_factory=dict)
    """Why; the shelves are added to it."""


Entry = Edit | Archive | Publication
"""What an author can ask of the library."""


def check_writer(shelf: str, author: str, organisations: Container[str]) -> None:
    """Raise :class:`LibraryRefused` where ``author`` may not write on ``shelf``.

    ``organisations``: those that it is a member of, as whoever knows the population says, never the author.
    """
    place, _, name = shelf.partition(":")
    if place == "agent" and name != author:
        raise LibraryRefused("not_owner", f"expected agent {name} on its own shelf, got {author!r}")
    if place == "org" and name not in organisations:
        raise LibraryRefused(
            "not_member", f"expected a member of {name} on the shelf {shelf}, got {author!r}"
        )


def check_move(
    note: Note, body: str, author: str, shelf: str, organisations: Container[str], shelves: Shelves
) -> None:
    """Raise :class:`LibraryRefused` where ``author`` may not move ``note`` to ``shelf``.

    What stands on an agent's own shelf is its alone to move, what stands on an organisation's is any
    member's. ``body`` is what the note shows, ``shelves`` are all notes in sight.
    """
    if not outward(note.shelf, shelf):
        raise LibraryRefused(
            "shelf",
            f"expected a shelf further out than {note.shelf} (agent:ID, then org:NAME, then public), got "
            f"{shelf!r}",
        )
    for place in (note.shelf, shelf):
        check_writer(place, author, organisations)
    if not shelves.holds(note):
        raise LibraryRefused("not_in_sight", f"expected a note in sight, got {note.note_id}; bring it back")
    if same := shelves.same_text(replace(note, shelf=shelf), body):
        raise LibraryRefused("duplicate", f"expected a new text on {shelf}, got that of {min(same)}")


def destinations(
    note: Note, body: str, author: str, organisations: Iterable[str], shelves: Shelves
) -> tuple[str, ...]:
    """Where :func:`check_move` lets ``author`` move ``note`` to, public last."""
    mine = frozenset(organisations)
    found = []
    for shelf in (*(f"org:{name}" for name in sorted(mine)), PUBLIC):
        try:
            check_move(note, body, author, shelf, mine, shelves)
        except LibraryRefused:
            continue
        found.append(shelf)
    return tuple(found)


def outward(old: str, new: str) -> bool:
    """Whether ``new`` is a shelf that more may see than ``old``."""
    place, _, name = new.partition(":")
    known = new == PUBLIC or (place == "org" and bool(name))
    return known and _OUTWARD[place] > _OUTWARD[old.partition(":")[0]]


def moves(old: str, new: str) -> Json:
    """The evidence of a move."""
    return {"from": old, "shelf": new}


def moved_to(row: Revision, note: Note, *, in_sight: bool) -> str:
    """Where a published ``note`` is from ``row`` on. Raises ValueError where the record was changed."""
    shelf = row.evidence.get("shelf")
    if in_sight and isinstance(shelf, str) and outward(note.shelf, shelf):
        return shelf
    raise ValueError(
        f"expected a note in sight and evidence with a shelf further out than {note.shelf} at revision "
        f"{row.revision_id!r}, got {shelf!r}: the record was changed"
    )


def begun(note: Note, history: Sequence[Revision]) -> Note:
    """``note`` on the shelf that it was begun on, as its record has it; ``history``: all its revisions."""
    move = next((row for row in history if row.outcome == "published"), None)
    return note if move is None else replace(note, shelf=str(move.evidence["from"]))


def said_before(markers: Iterable[Revision], order: Publication) -> Revision | None:
    """The marker of the very same move, if it was made already."""
    asked = (order.author, order.round, order.shelf)
    same = (r for r in markers if (r.author, r.round, r.evidence["shelf"]) == asked)
    return next(same, None)


def stood_on(note: Note, markers: Iterable[Revision]) -> set[str]:
    """The shelves that ``note`` stands on and stood on; ``markers`` are of its moves."""
    return {note.shelf, *(str(row.evidence["from"]) for row in markers)}
