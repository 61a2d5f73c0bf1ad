"""What is asked of the library and what it answers: edits, and what became of them."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from culture.config import LibraryConfig
from culture.records import Citation, Json, Note, Revision, RoundRows
from culture.seeds import short_id

Kind = Literal["example", "strategy", "lesson", "book", "chapter", "review", "dispute", "discussion"]
Target = Literal["note", "problem", "attempt"]
Outcome = Literal["head", "merged", "branch", "archived", "quarantined", "published"]

KINDS: tuple[str, ...] = get_args(Kind)
TARGETS: tuple[str, ...] = get_args(Target)
OUTCOMES: tuple[str, ...] = get_args(Outcome)
HIDDEN: frozenset[str] = frozenset({"archived", "quarantined"})
"""Outcomes of revisions without a text: they take a note out of sight."""
MARKERS: frozenset[str] = HIDDEN | {"published"}
"""Outcomes of revisions that say where a note is and bring it no text."""
LIBRARY = "library"
"""The author of markers."""
TALK: frozenset[str] = frozenset({"review", "dispute", "discussion"})
"""Kinds of notes about notes. Who solves a problem is not shown them, nor the outline of a book."""

PUBLIC = "public"
"""The shelf that a whole topology shares; the others are ``org:NAME`` and ``agent:ID``."""


IMPORT = "import"
"""The author of notes that a run's library was seeded with; every agent sees its public notes."""


class LibraryRefused(Exception):
    """An edit that the library does not take. ``reason`` is a short slug that the log counts by.

    Reasons: ``empty``, ``too_long``, ``unencodable``, ``duplicate``, ``kind``, ``shelf``, ``not_owner``,
    ``not_member``, ``not_in_sight``, ``citation``, ``identity``, ``unknown_note``, ``unknown_base``,
    ``flood``, ``near_duplicate``.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[LibraryRefused], tuple[str, str]]:
        return (LibraryRefused, (self.reason, self.detail))


@dataclass(frozen=True, slots=True)
class Edit:
    """A text that an author wants in the library: a new note, or a new text of one that it read."""

    note_id: str | None
    """The note to edit; None writes a new note."""
    base_revision_id: str | None
    """The revision that the author read; None for a new note."""
    kind: Kind
    domain: str
    shelf: str
    title: str
    body: str
    author: str
    policy_version: str | None
    round: int
    index: int = 0
    """Which of its author's edits of the round this is: tells two equal new notes apart."""
    citations: Sequence[tuple[Target, str]] = ()
    evidence: Json = field(default_factory=dict)
    """``recheck`` in it, ``confirmed`` or ``refuted``, is what execution says of the body; the arena
    alone puts it there."""
    resolves: Sequence[str] = ()
    """Branches whose text this one takes up; they become its parents beside the base."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A note that somebody wants out of sight. All its texts are kept."""

    note_id: str
    author: str
    policy_version: str | None
    round: int
    evidence: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """What became of an edit."""

    note: Note | None
    """The new note; None where an existing note was edited."""
    revisions: tuple[Revision, ...]
    """The author's text, and after it the merge of that text with the head where one was made, or the
    marker that puts a new note in quarantine."""
    citations: tuple[Citation, ...]
    conflict: str | None
    """For a branch: both sides between markers, to be shown to the author who should resolve it."""
    repeated: bool = False
    """Whether the library had this edit already; its rows are then stored once, not twice."""

    @property
    def revision(self) -> Revision:
        """The last revision written: the new head, or the branch."""
        return self.revisions[-1]

    @property
    def outcome(self) -> str:
        """``head``, ``merged``, ``branch``, or ``quarantined`` for a new note that was refuted."""
        return self.revision.outcome

    def add_to(self, rows: RoundRows) -> None:
        """Put every row of this write among the round's rows; a repeated write adds none."""
        if self.repeated:
            return
        if self.note is not None:
            rows.notes.append(self.note)
        rows.revisions.extend(self.revisions)
        rows.citations.extend(self.citations)


def note_id(seed: int, edit: Edit) -> str:
    """The identifier of the new note in ``edit``."""
    # The digest keeps separators inside model-written text out of the hashed list.
    text = hashlib.blake2b(f"{len(edit.title)}:{edit.title}{edit.body}".encode()).hexdigest()
    place = (edit.kind, edit.domain, edit.shelf)
    return short_id("n", seed, edit.round, edit.author, edit.index, *place, text)


def revision_id(note: str, parents: Sequence[str], author: str, round: int, body: str) -> str:
    """The identifier of a revision: a hash of everything that it says and comes from."""
    return short_id("r", note, ",".join(parents), author, round, body)


def text_digest(note: Note, body: str) -> bytes:
    """Names ``body`` as a text of the shelf and the domain of ``note``, where it may stand once."""
    place = f"{len(note.shelf)}:{note.shelf}{len(note.domain)}:{note.domain}"
    return hashlib.blake2b(f"{place}{body}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


def check(edit: Edit, config: LibraryConfig) -> None:
    """Raise :class:`LibraryRefused` where the edit, looked at alone, is not one that can be stored."""
    if not edit.body.strip():
        raise LibraryRefused("empty", "expected a body with a printing character, got none")
    for name, text, limit in (
        ("body", edit.body, config.max_note_chars),
        ("title", edit.title, config.max_title_chars),
    ):
        if len(text) > limit:
            raise LibraryRefused(
                "too_long", f"expected a {name} of at most {limit} characters, got {len(text)}"
            )
        if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
            raise LibraryRefused(
                "unencodable", f"expected a {name} without NUL and lone surrogates, got {text[:40]!r}"
            )
    if edit.kind not in KINDS:
        raise LibraryRefused("kind", f"expected one of {', '.join(KINDS)}, got {edit.kind!r}")
    place, _, name = edit.shelf.partition(":")
    if edit.shelf != PUBLIC and not (place in ("org", "agent") and name):
        raise LibraryRefused("shelf", f"expected 'public', 'org:NAME' or 'agent:ID', got {edit.shelf!r}")
    for kind, to in edit.citations:
        if kind not in TARGETS or not to:
            raise LibraryRefused(
                "citation", f"expected (kind, id) with a kind of {', '.join(TARGETS)}, got {(kind, to)!r}"
            )


def check_base(edit: Edit, note: Note, known: Mapping[str, Revision], shelves: Container[str]) -> None:
    """Raise :class:`LibraryRefused` where the edit is not one of ``note`` and of its revisions.

    ``known``: all revisions of the library, by id. ``shelves``: where the note was while it could be read.
    """
    same = (note.kind, note.domain, note.title)
    if (edit.kind, edit.domain, edit.title) != same or edit.shelf not in shelves:
        raise LibraryRefused(
            "identity",
            f"expected kind, domain, shelf and title of note {note.note_id} as they are, got others; "
            "take them from Library.note, or write a new note",
        )
    for name in (edit.base_revision_id, *edit.resolves):
        found = None if name is None else known.get(name)
        if found is None or found.note_id != note.note_id or found.outcome in MARKERS:
            raise LibraryRefused(
                "unknown_base", f"expected a text of note {note.note_id} that was read, got {name!r}"
            )
