"""What there is to know of notes as of a round: found by id, searched, with who cites and reads them.

Everything comes back as plain data that JSON can hold, texts as they were written.
"""

from __future__ import annotations

import difflib
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from culture import books
from culture.history import committed, diff, library_at
from culture.library import Library
from culture.records import Revision

Row = dict[str, object]

SHORTEST = 8
"""Characters of an id that are shown, or more where so few are not unambiguous."""


class Unknown(LookupError):
    """An id that no note or revision has, or that several begin with; the message names near ones."""


@dataclass(frozen=True, slots=True)
class Past:
    """The library as of a round, and the log that it is from."""

    log: duckdb.DuckDBPyConnection
    round: int
    library: Library
    shown: int
    """Characters of an id that tell it from all others."""

    # -- by id -----------------------------------------------------------------------------------------
    def short(self, name: str) -> str:
        """An id as it is shown."""
        return name[: self.shown]

    def note(self, text: str) -> str:
        """The id of the note that ``text`` begins, of a revision's too. Raises Unknown."""
        found = _found(text, _ids(self.library), "note or revision")
        return found if found in self.library.heads() else self.library.revision(found).note_id

    def revision(self, text: str) -> Revision:
        """The revision that ``text`` begins; of a note, the head. Raises Unknown."""
        found = _found(text, _ids(self.library), "note or revision")
        heads = self.library.heads()
        return self.library.revision(heads.get(found, found))

    # -- one note --------------------------------------------------------------------------------------
    def about(self, name: str) -> Row:
        """A note in a few words."""
        note, head = self.library.note(name), self.library.head(name)
        return {
            "note_id": name, "revision_id": head.revision_id, "title": note.title, "kind": note.kind,
            "domain": note.domain, "shelf": note.shelf, "author": note.author, "round": note.round,
            "revised_by": head.author, "revised_in": head.round, "archived": name in self.library.archived,
            "quarantined": name in self.library.trust.quarantined,
            "open_branches": [r.revision_id for r in self.library.branches(name)],
        }  # fmt: skip

    def page(self, revision: Revision) -> Row:
        """All that is known of a note, with the text and the evidence of one of its revisions."""
        name = revision.note_id
        return {
            **self.about(name),
            "text_of": revision.revision_id, "text_round": revision.round, "text_author": revision.author,
            "policy_version": revision.policy_version, "outcome": revision.outcome,
            "tokens": revision.tokens, "evidence": revision.evidence,
            "parents": list(revision.parents), "revisions": len(self.library.history(name)),
            "reads": self.reads(name), "cites": self.cites(name), "cited_by": self.cited_by(name),
            "body": revision.body,
        }  # fmt: skip

    def history(self, name: str) -> list[Row]:
        """Revisions of a note, the oldest first, with how many lines each has that its parent has not."""
        found: list[Row] = []
        for revision in self.library.history(name):
            before = self.library.revision(revision.parents[0]).body if revision.parents else ""
            marks = Counter(line.mark for line in diff(before, revision.body))
            found.append(
                {
                    "revision_id": revision.revision_id, "round": revision.round,
                    "outcome": revision.outcome, "author": revision.author,
                    "policy_version": revision.policy_version, "parents": list(revision.parents),
                    "added": len(revision.body.split("\n")) if not revision.parents else marks["+"],
                    "removed": marks["-"] if revision.parents else 0, "tokens": revision.tokens,
                    "library_version": revision.library_version,
                    "published_to": revision.evidence["shelf"] if revision.outcome == "published" else None,
                }
            )  # fmt: skip
        return found

    def reads(self, name: str) -> Row:
        """How often a note was shown to attempts, by arm; to how many agents, and when last."""
        arms = self.log.execute(
            "SELECT arm, count(DISTINCT attempt_id) FROM reads WHERE note_id = ? AND round <= ? "
            "GROUP BY arm ORDER BY arm",
            [name, self.round],
        ).fetchall()
        agents, last = self.log.execute(
            "SELECT count(DISTINCT reader), max(round) FROM reads WHERE note_id = ? AND round <= ?",
            [name, self.round],
        ).fetchall()[0]
        return {"attempts": dict(arms), "agents": agents, "last_round": last}

    def cites(self, name: str) -> list[Row]:
        """What the revisions of a note cite, each thing once, by the first that does."""
        found: dict[tuple[str, str], Row] = {}
        for revision in self.library.history(name):
            for c in self.library.citations(revision.revision_id):
                row: Row = {
                    "target_kind": c.target_kind, "target_id": c.target_id,
                    "revision_id": revision.revision_id, "round": revision.round,
                    "what": self._what(c.target_kind, c.target_id),
                }  # fmt: skip
                found.setdefault((c.target_kind, c.target_id), row)
        return list(found.values())

    def cited_by(self, name: str) -> list[Row]:
        """Revisions that cite a note, the oldest first."""
        rows = self.log.execute(
            "SELECT r.note_id, r.revision_id, r.author, r.round FROM citations c JOIN revisions r "
            "USING (revision_id) WHERE c.target_kind = 'note' AND c.target_id = ? AND r.round <= ? "
            "ORDER BY r.library_version",
            [name, self.round],
        ).fetchall()
        return [
            {
                "note_id": note, "revision_id": revision, "author": author, "round": round,
                "title": self.library.note(note).title,
            }
            for note, revision, author, round in rows
        ]  # fmt: skip

    def _what(self, kind: str, name: str) -> str | None:
        """A thing cited in few words: a note's title, a problem's spec, an attempt's solver and verdict."""
        if kind == "note":
            return self.library.note(name).title if name in self.library.heads() else None
        sql = {
            "problem": "SELECT spec FROM problems WHERE problem_id = ?",
            "attempt": "SELECT solver || ', ' || verdict FROM attempts WHERE attempt_id = ?",
        }[kind]
        row = self.log.execute(sql, [name]).fetchone()
        return None if row is None else row[0]

    # -- many notes ------------------------------------------------------------------------------------
    def in_sight(self) -> list[str]:
        """Ids of the notes that are not archived, by shelf, kind and age."""
        names = [name for name in self.library.heads() if name not in self.library.archived]
        place = {name: (n.shelf, n.kind, n.round) for name in names for n in [self.library.note(name)]}
        return sorted(names, key=lambda name: (*place[name], name))

    def values(self, field: str) -> list[str]:
        """What the notes in sight have for ``kind``, ``author``, ``shelf`` or ``domain``, sorted."""
        return sorted({value for name in self.in_sight() for value in self._of(name, field)})

    def _of(self, name: str, field: str) -> set[str]:
        note = self.library.note(name)
        if field == "author":
            return {note.author, self.library.head(name).author}
        return {getattr(note, field)}

    def search(self, query: str, chosen: Mapping[str, str]) -> list[Row]:
        """Notes in sight that share a term with ``query``, best first; ``chosen`` is by field."""
        return [
            {**self.about(name), "score": score, "body": self.library.head(name).body}
            for name, score in self.library.matches(query)
            if all(value in self._of(name, field) for field, value in chosen.items())
        ]

    def books(self) -> list[Row]:
        """Books whose outline is in sight, by domain and age, with their chapters."""
        found: list[Row] = []
        for name in self.library.threads.all_books():
            if name in self.library.archived:
                continue
            whole = books.book(self.library, name)
            chapters: list[Row] = [
                {"number": c.number, "title": c.title, "note_id": c.note_id} for c in whole.chapters
            ]
            found.append({**self.about(name), "title": whole.title, "chapters": chapters})
        return found

    def book(self, name: str, chapter: int | None) -> str:
        """A book, or one chapter of it, as Markdown. Raises ValueError for a chapter that it has not."""
        return books.pages(self.library, books.book(self.library, name), chapter)

    def overview(self) -> Row:
        """The library as of the round: how many of what, and every note in sight."""
        names = self.in_sight()
        counts = Counter((self.library.note(n).shelf, self.library.note(n).kind) for n in names)
        return {
            "round": self.round,
            "library_version": self.library.version,
            "in_sight": len(names),
            "archived": len(self.library.archived),
            "open_branches": sum(len(self.library.branches(n)) for n in self.library.heads()),
            "counts": [{"shelf": s, "kind": k, "notes": n} for (s, k), n in sorted(counts.items())],
            "notes": [self.about(name) for name in names],
        }


def opened(log: duckdb.DuckDBPyConnection, round: int | None) -> Past:
    """The library as of ``round``, the last committed one where it is None. Raises NoSuchRound."""
    at = committed(log) if round is None else round
    library = library_at(
        log, at, unread=()
    )  # whoever looks into a library looks for talk and books as well
    return Past(log, at, library, _unambiguous(_ids(library)))


def _ids(library: Library) -> list[str]:
    return [
        name for note in library.heads() for name in (note, *(r.revision_id for r in library.history(note)))
    ]


def _unambiguous(names: Sequence[str]) -> int:
    """How many characters tell each name from every other."""
    in_order = sorted(names)
    shared = [len(_common(a, b)) for a, b in itertools.pairwise(in_order)]
    return max([SHORTEST, *(n + 1 for n in shared)])


def _common(a: str, b: str) -> str:
    return a[: next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))]


def _found(text: str, names: Sequence[str], what: str) -> str:
    """The name that ``text`` is or begins. Raises Unknown."""
    begun = [name for name in names if name.startswith(text)]
    if text in begun or len(begun) == 1:
        return text if text in begun else begun[0]
    if begun:
        some = ", ".join(begun[:4]) + (", ..." if begun[4:] else "")
        raise Unknown(
            f"expected an id that one {what} begins with, got {text!r}, as do {some}; write more of it"
        )
    near = difflib.get_close_matches(text, names, n=3, cutoff=0.5)
    near = near or sorted(names, key=lambda name: -len(_common(text, name)))[:3]
    advice = f"near it are {', '.join(near)}" if near else "the library has none yet"
    raise Unknown(f"expected the id of a {what}, or the beginning of one, got {text!r}; {advice}")
