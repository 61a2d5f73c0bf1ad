"""The library: notes with immutable revisions, merged or branched when edits meet, and found by readers.

A library is a function of its records. Writing makes records and applies them; loading applies the same
records in the order of their ``library_version``, which numbers the revisions from 1. Taking a note out of
sight is a revision too, with outcome ``archived`` or ``quarantined`` and an empty body, and so is
publishing one (``culture/publishing.py``). What is not in the records (how often notes were read lately) is
in ``state_dict``.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import replace

from culture.config import LibraryConfig
from culture.edits import (
    HIDDEN,
    LIBRARY,
    TALK,
    Archive,
    Edit,
    LibraryRefused,
    Outcome,
    Written,
    check,
    check_base,
    note_id,
    revision_id,
)
from culture.embedding import Embedder
from culture.merging import merge
from culture.publishing import (
    Publication,
    check_move,
    check_writer,
    destinations,
    moved_to,
    moves,
    said_before,
    stood_on,
)
from culture.reading import NOTHING, Reader, label, source
from culture.records import Citation, Json, Note, Revision
from culture.replay import head_before, in_order, joined, last_common, verify
from culture.searching import Reads
from culture.standing import Worth
from culture.store import Page
from culture.threads import UNREAD, Threads
from culture.trust import confirmed

_Rank = tuple[bool, float, float, int, str]


class Library(Reads):
    """Notes, their revisions and branches, and the search over the heads."""

    def __init__(
        self,
        config: LibraryConfig,
        *,
        seed: int,
        count_tokens: Callable[[str], int] = len,
        embedder: Embedder | None = None,
        unread: Collection[str] = UNREAD,
    ) -> None:
        """``count_tokens`` measures bodies for the ``tokens`` columns; characters by default.

        ``embedder``: for a search by meaning. ``unread``: kinds of notes that no search finds; where there
        are none, unchecked texts are found too, whatever ``unchecked`` says. Raises ValueError where the
        configuration needs an embedder and there is none.
        """
        super().__init__(config, seed, count_tokens, embedder, unread)
        self._version = 0
        self._merges: dict[str, str] = {}
        self._archived: set[str] = set()
        self._branched: set[str] = set()
        self.threads = Threads()
        """Which notes speak of which."""

    @classmethod
    def load(
        cls,
        config: LibraryConfig,
        seed: int,
        notes: Iterable[Note],
        revisions: Iterable[Revision],
        citations: Iterable[Citation],
        *,
        count_tokens: Callable[[str], int] = len,
        embedder: Embedder | None = None,
    ) -> Library:
        """The library that wrote these records, in any order. Raises ValueError where some are missing."""
        library = cls(config, seed=seed, count_tokens=count_tokens, embedder=embedder)
        cited: defaultdict[str, list[Citation]] = defaultdict(list)
        total = 0
        for citation in citations:
            cited[citation.revision_id].append(citation)
            total += 1
        rows = sorted(revisions, key=lambda r: r.library_version)
        library.replay(notes, ((r, in_order(cited.get(r.revision_id, ()))) for r in rows), citations=total)
        return library

    def replay(
        self,
        notes: Iterable[Note],
        revisions: Iterable[tuple[Revision, tuple[Citation, ...]]],
        *,
        citations: int,
        excerpt: bool = False,
    ) -> None:
        """Take in records as an empty library: revisions by version, each with what it cites, sorted.

        ``citations``: how many there are. ``excerpt``: whether they are all records of some notes only.
        Raises ValueError where some records are missing.
        """
        unseen = {note.note_id: note for note in notes}
        for revision, cites in revisions:
            new = unseen.pop(revision.note_id, None)
            if new is None and revision.note_id not in self._pages:
                raise ValueError(f"expected a note for every revision, got none for {revision.note_id!r}")
            version = revision.library_version - 1 if excerpt else self._version
            verify(revision, new is not None, version, self._revisions)
            self._apply(new, revision, cites)
            citations -= len(cites)
        if unseen or citations:
            raise ValueError(
                f"expected a revision for every note and citation, got none for notes {sorted(unseen)[:3]} "
                f"and {citations} citations; load all records of one version of the log"
            )

    # -- looking -----------------------------------------------------------------------------------
    @property
    def version(self) -> int:
        """How many revisions were stored; the ``library_version`` of the last one."""
        return self._version

    @property
    def archived(self) -> frozenset[str]:
        """Notes that are out of sight, quarantined ones too. All their revisions are kept; a new one brings
        a note back, from quarantine one that was confirmed."""
        return frozenset(self._archived)

    def __len__(self) -> int:
        """Notes in sight."""
        return len(self._pages) - len(self._archived)

    def heads(self) -> dict[str, str]:
        """The head revision of every note, archived ones too."""
        return {name: page.head for name, page in self._pages.items()}

    def note(self, note_id: str) -> Note:
        """The note of this id, on the shelf where it stands now. Raises KeyError."""
        return self._page(note_id).note

    def head(self, note_id: str) -> Revision:
        """The revision of a note that readers see. Raises KeyError."""
        return self._revisions[self._page(note_id).head]

    def revision(self, revision_id: str) -> Revision:
        """The revision of this id. Raises KeyError."""
        if revision_id not in self._revisions:
            raise KeyError(f"expected the id of a revision of this library, got {revision_id!r}")
        return self._revisions[revision_id]

    def history(self, note_id: str) -> list[Revision]:
        """All revisions of a note, branches and markers too, oldest first. Raises KeyError."""
        return [self._revisions[r] for r in self._page(note_id).history]

    def branches(self, note_id: str) -> list[Revision]:
        """Branches of a note that no later revision takes up, oldest first. Raises KeyError."""
        return [self._revisions[r] for r in self._page(note_id).open]

    def unresolved(self, author: str) -> list[Revision]:
        """Branches by ``author`` that no later revision takes up, oldest first; not what is held back."""
        found = [self._revisions[r] for name in self._branched for r in self._pages[name].open]
        own = (r for r in found if r.author == author and "held" not in r.evidence)
        return sorted(own, key=lambda r: r.library_version)

    def conflict(self, revision_id: str) -> str:
        """An open branch and the head of its note merged, both sides between markers where they differ.

        Raises KeyError, and ValueError for a revision that is no open branch.
        """
        branch = self.revision(revision_id)
        page = self._pages[branch.note_id]
        if revision_id not in page.open:
            raise ValueError(f"expected an open branch, got revision {revision_id}, which is none")
        ancestor = last_common(branch.parents, [page.head], self._revisions)
        return merge(ancestor.body, self._revisions[page.head].body, branch.body).text

    def citations(self, revision_id: str) -> tuple[Citation, ...]:
        """What a revision cites, sorted. Raises KeyError."""
        self.revision(revision_id)
        return self._revisions.citations(revision_id)

    def visible(self, note_id: str, reader: Reader) -> bool:
        """Whether the note is in sight of ``reader``; of a public one, its first author decides."""
        return reader.sees(self.note(note_id)) and note_id not in self._archived

    # -- writing -----------------------------------------------------------------------------------
    def write(self, edit: Edit, organisations: Container[str] = NOTHING) -> Written:
        """Store an edit: as the head, merged with a head that has moved, or as a branch.

        Where the base is no longer the head, the author's text is stored as a branch first, and the
        merge, where the lines allow one, takes that branch up. A text that was refuted, or that would bring
        a note back from quarantine without having been confirmed, is a branch and no more; a new note with
        such a text is put in quarantine. The same edit again gives the same revisions.

        ``organisations``: those that the author is a member of, by what the caller knows and the edit
        cannot say. Raises :class:`LibraryRefused`, and then nothing has changed.
        """
        check(edit, self.config)
        page = self._target(edit)
        note = page.note if page else None
        if edit.author != LIBRARY:
            check_writer(note.shelf if note else edit.shelf, edit.author, organisations)
        new = None
        if note is None:
            name = note_id(self.seed, edit)
            new = note = Note(name, edit.round, edit.kind, edit.domain, edit.shelf, edit.title, edit.author)
            page = self._pages.get(name)
        parents = [] if edit.base_revision_id is None else [edit.base_revision_id]
        parents += [r for r in dict.fromkeys(edit.resolves) if r not in parents]
        own = revision_id(note.note_id, parents, edit.author, edit.round, edit.body)
        if own in self._revisions:
            return self._again(own, new)
        same = self._shelves.same_text(note, edit.body)
        # two may say the same of different notes
        if note.kind not in TALK and set(same) - ({note.note_id} if edit.resolves else set()):
            raise LibraryRefused("duplicate", f"expected a new text, got that of note {min(same)}")
        self.trust.limits.check(edit, lambda: self._alike(note, edit.body))
        held = self.trust.held(edit, note)
        evidence = edit.evidence if held is None else {**edit.evidence, "held": held}
        citations = sorted(dict.fromkeys(edit.citations))
        stored: list[Revision] = []

        def store(parents: list[str], outcome: Outcome, body: str) -> Revision:
            row = self._row(
                note, parents, outcome, body, edit.author, edit.round, edit.policy_version, evidence
            )
            cites = tuple(Citation(row.revision_id, edit.round, kind, to) for kind, to in citations)
            self._apply(new if not stored else None, row, cites)
            stored.append(row)
            return row

        conflict = None
        if page is None or (page.head in parents and held is None):
            store(parents, "head", edit.body)
            if held is not None:
                stored += self.quarantine(note.note_id, edit.round, {**edit.evidence, "reason": held})
        elif held is not None:
            store(parents, "branch", edit.body)
        else:
            head = page.head
            text, conflict = self._merge(head, parents, edit.body)
            # lines of two texts that hold need not hold together, and the head need not have held
            sound = [edit.body, *(r.body for r in [self._revisions[head]] if confirmed(r.evidence))]
            if confirmed(evidence) and text not in sound:
                conflict = text
            branch = store(parents, "branch", edit.body)
            if conflict is None:
                store([head, branch.revision_id], "merged", text)
        return Written(new, tuple(stored), self._cited(stored), conflict)

    def archive(self, order: Archive, organisations: Container[str] = NOTHING) -> Revision:
        """Take a note out of sight; the marker that says so. A new text brings the note back.

        ``organisations``: see :meth:`write`; the library itself may archive anywhere. Raises
        :class:`LibraryRefused` where there is no such note in sight, or it is not the author's to touch.
        """
        page = self._pages.get(order.note_id)
        if page is None or order.note_id in self._archived:
            raise LibraryRefused("unknown_note", f"expected a note in sight, got {order.note_id!r}")
        if order.author != LIBRARY:
            check_writer(page.note.shelf, order.author, organisations)
        row = self._row(
            page.note, [page.head], "archived", "", order.author, order.round, order.policy_version,
            order.evidence,
        )  # fmt: skip
        self._apply(None, row, ())
        return row

    def publish(self, order: Publication, organisations: Container[str] = NOTHING) -> Written:
        """Move a note outward with its history: from an agent's shelf to an organisation's, or to all.

        Its owner may, and a member of its organisation; the head stays what it is. The same again gives
        the same. ``organisations``: see :meth:`write`. Raises :class:`LibraryRefused`.
        """
        page = self._pages.get(order.note_id)
        if page is None:
            raise LibraryRefused("unknown_note", f"expected the id of a note, got {order.note_id!r}")
        if again := said_before((self._revisions[name] for name in page.moves), order):
            return Written(None, (again,), (), None, repeated=True)
        note, head = page.note, self._revisions[page.head]
        check_move(note, head.body, order.author, order.shelf, organisations, self._shelves)
        parents = [page.head, *page.moves[-1:]]  # so a second move has an id of its own
        row = self._row(
            note, parents, "published", head.body, order.author, order.round, order.policy_version,
            {**order.evidence, **moves(note.shelf, order.shelf)},
        )  # fmt: skip
        self._apply(None, row, ())
        return Written(None, (row,), (), None)

    def outward(self, note_id: str, author: str, organisations: Collection[str]) -> tuple[str, ...]:
        """The shelves that :meth:`publish` would move a note to for ``author``, public last.

        ``organisations``: see :meth:`write`. Raises KeyError.
        """
        page = self._page(note_id)
        body = self._revisions[page.head].body
        return destinations(page.note, body, author, organisations, self._shelves)

    def enforce_budgets(self, round: int) -> list[Revision]:
        """Archive what shelves hold beyond their budgets; the markers made, to be stored as revisions.

        The notes of least estimated worth go first, then the least read, notes still in their grace after
        all others; among equals the one that was written longest ago goes. The outline of a book goes right
        after the last of its chapters, and while some are in sight on other shelves after all else on its
        own. Afterwards no shelf holds more notes or more tokens than it may.
        """
        markers: list[Revision] = []
        most_notes, most_tokens = self.config.shelf_budget_notes, self.config.shelf_budget_tokens
        for shelf in self._shelves.names():
            if not self._shelves.over(shelf, most_notes, most_tokens):
                continue
            for name in sorted(self._shelves.notes(shelf), key=lambda n: self._turn(n, round)):
                if not self._shelves.over(shelf, most_notes, most_tokens):
                    break
                markers.append(self.archive(Archive(name, LIBRARY, None, round)))
        return markers

    def quarantine(self, note_id: str, round: int, evidence: Json) -> list[Revision]:
        """Put a note out of sight until a confirmed text of it comes; the marker, none where it was so.

        ``evidence``: why, ``reason`` (``refuted`` or ``harmful``) among it. Raises KeyError.
        """
        page = self._page(note_id)
        row = self._row(page.note, [page.head], "quarantined", "", LIBRARY, round, None, evidence)
        # a head has one marker a round: archived in this one, it is out of sight anyway
        if note_id in self.trust.quarantined or row.revision_id in self._revisions:
            return []
        self._apply(None, row, ())
        return [row]

    def observe_reads(self, counts: Mapping[str, int]) -> None:
        """Count reads by note id, once a round; earlier ones fade by ``read_decay``. Raises KeyError."""
        for name in counts:
            self._page(name)
        self._standing.count(counts)

    def observe_worth(self, worth: Mapping[str, Worth]) -> None:
        """Take up, once a round, what notes are estimated to be worth, in the place of what was.

        By note id: the points of success (hundredths) that reading it adds, and their standard error.
        Raises KeyError for a note that is not here, ValueError for a number that cannot be.
        """
        for name in worth:
            self._page(name)
        self._standing.estimate(worth)

    def state_dict(self) -> Json:
        """What the records do not say: decayed reads and estimated worth by note id. JSON types only."""
        return self._standing.state_dict()

    def load_state_dict(self, state: Json) -> None:
        """Take up a ``state_dict``. Raises ValueError."""
        self._standing.load_state_dict(state, self._pages)

    # -- inside ------------------------------------------------------------------------------------
    def _page(self, name: str) -> Page:
        if name not in self._pages:
            raise KeyError(f"expected the id of a note of this library, got {name!r}")
        return self._pages[name]

    def _target(self, edit: Edit) -> Page | None:
        """The page that an edit is of, None for a new note. Raises LibraryRefused."""
        if edit.note_id is None:
            if edit.base_revision_id is not None or edit.resolves:
                raise LibraryRefused(
                    "unknown_note", "expected a new note to come of no revision, got some; name the note"
                )
            return None
        page = self._pages.get(edit.note_id)
        if page is None:
            raise LibraryRefused("unknown_note", f"expected the id of a note, got {edit.note_id!r}")
        shelves = stood_on(page.note, (self._revisions[name] for name in page.moves))
        check_base(edit, page.note, self._revisions, shelves)
        return page

    def _merge(self, head: str, parents: Sequence[str], body: str) -> tuple[str, str | None]:
        """The merge of a text that came of ``parents`` with a head, and the conflict if there is one."""
        return joined(self._revisions[head], parents, body, self._revisions, self.config.max_note_chars)

    def _again(self, own: str, note: Note | None) -> Written:
        """What writing the revision ``own`` gave when it was written first."""
        rows = [self._revisions[own]]
        conflict = None
        if own in self._merges:
            rows.append(self._revisions[self._merges[own]])
        elif "held" in rows[0].evidence:
            marker = revision_id(rows[0].note_id, [own], LIBRARY, rows[0].round, "")
            rows += [self._revisions[marker]] if marker in self._revisions else []
        elif rows[0].outcome == "branch":
            head = head_before(rows[0], self.history(rows[0].note_id))
            conflict = self._merge(head.revision_id, rows[0].parents, rows[0].body)[0]
        return Written(note, tuple(rows), self._cited(rows), conflict, repeated=True)

    def _cited(self, rows: Iterable[Revision]) -> tuple[Citation, ...]:
        return tuple(c for row in rows for c in self._revisions.citations(row.revision_id))

    def _row(
        self,
        note: Note,
        parents: list[str],
        outcome: Outcome,
        body: str,
        author: str,
        round: int,
        policy_version: str | None,
        evidence: Json,
    ) -> Revision:
        name = revision_id(note.note_id, parents, author, round, body)
        tokens = self._count_tokens(body)
        return Revision(
            name, note.note_id, round, author, policy_version, list(parents), outcome, body, tokens,
            dict(evidence), self._version + 1,
        )  # fmt: skip

    def _apply(self, new: Note | None, row: Revision, citations: tuple[Citation, ...]) -> None:
        """Take in one revision: the only place where a library changes, in writing and in loading."""
        if new is not None:
            # Of a million notes each would else have names of its own.
            kind, domain, shelf, author = map(sys.intern, (new.kind, new.domain, new.shelf, new.author))
            new = replace(new, kind=kind, domain=domain, shelf=shelf, author=author)
            self._pages[new.note_id] = Page(new, row.revision_id)
            self.threads.add(new, citations)
        page = self._pages[row.note_id]
        self._version = row.library_version
        self._revisions.add(row, citations)
        page.history.append(row.revision_id)
        if citations:
            page.cited |= {c.target_id for c in citations}
        before = self._revisions[page.head] if row.outcome in HIDDEN else None
        self.trust.take_in(page.note, row, before)
        if row.outcome in HIDDEN:
            if row.note_id not in self._archived:
                self._hide(page)
            self._archived.add(row.note_id)
            return
        if row.outcome == "published":
            shelf = moved_to(row, page.note, in_sight=self._shelves.holds(page.note))
            self._hide(page)
            page.note = replace(page.note, shelf=sys.intern(shelf))
            page.moves += (row.revision_id,)
            self._show(page)
            return
        page.open = tuple(name for name in page.open if name not in row.parents)
        page.open += (row.revision_id,) if row.outcome == "branch" else ()
        (self._branched.add if page.open else self._branched.discard)(row.note_id)
        if row.outcome == "branch":
            return
        if row.outcome == "merged":
            self._merges[row.parents[1]] = row.revision_id
        if new is None and row.note_id not in self._archived:
            self._hide(page)
        self._archived.discard(row.note_id)
        page.head = row.revision_id
        self._show(page)

    def _show(self, page: Page) -> None:
        note, place = page.note, source(page.note)
        self._shelves.put(note, place, self._revisions[page.head])
        if not self._findable(page):
            return
        labels = [label(note.domain, place), label(None, place)]
        self._finder.put(note.note_id, self._indexed(note.note_id), labels)

    def _hide(self, page: Page) -> None:
        self._shelves.drop(page.note, source(page.note), self._revisions[page.head])
        if self._findable(page):
            self._finder.drop(page.note.note_id)

    def _turn(self, name: str, round: int) -> tuple[bool, _Rank, bool]:
        """Sorts the notes of a shelf by which is archived first."""
        note, own = self._pages[name].note, self._rank(name, round)
        if note.kind != "book":
            return False, own, False
        chapters = [c for c in self.threads.chapters(name) if c not in self._archived]
        elsewhere = any(self._pages[c].note.shelf != note.shelf for c in chapters)
        return elsewhere, max([own, *(self._rank(c, round) for c in chapters)]), bool(chapters)

    def _rank(self, name: str, round: int) -> _Rank:
        """Sorts notes by which is kept less, each by itself."""
        head, standing = self._revisions[self._pages[name].head], self._standing
        in_grace = head.round > round - self.config.archive_grace_rounds
        return in_grace, standing.worth(name), standing.reads(name), head.library_version, name
