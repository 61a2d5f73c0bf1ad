"""The library: notes with immutable revisions, merged or branched when edits meet, and found by readers.

A library is a function of its records. Writing makes records and applies them; loading applies the same
records in the order of their ``library_version``, which numbers the revisions from 1. Archiving a note
is a revision too, with outcome ``archived`` and an empty body. What is not in the records (how often
notes were read lately) is in ``state_dict``.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from culture.config import LibraryConfig
from culture.edits import (
    Edit,
    LibraryRefused,
    Outcome,
    Written,
    check,
    check_base,
    note_id,
    revision_id,
)
from culture.merging import merge
from culture.placebo import equal_length, irrelevant
from culture.reading import NOTHING, Hit, Query, Reader, label, source
from culture.records import Citation, Json, Note, Revision
from culture.replay import last_common, verify
from culture.search import Index
from culture.seeds import Id, generator

ARCHIVIST = "library"
"""The author of archive markers."""


@dataclass(slots=True)
class _Page:
    """What is known of one note."""

    note: Note
    head: str
    history: list[str] = field(default_factory=list)
    open: dict[str, None] = field(default_factory=dict)
    """Branches that no later revision takes up, oldest first."""
    cited: set[str] = field(default_factory=set)


class Library:
    """Notes, their revisions and branches, and the search over the heads."""

    def __init__(
        self, config: LibraryConfig, *, seed: int, count_tokens: Callable[[str], int] = len
    ) -> None:
        """``count_tokens`` measures bodies for the ``tokens`` columns; characters by default."""
        self.config = config
        self.seed = seed
        self._count_tokens = count_tokens
        self._version = 0
        self._pages: dict[str, _Page] = {}
        self._revisions: dict[str, Revision] = {}
        self._citations: dict[str, tuple[Citation, ...]] = {}
        self._merges: dict[str, str] = {}
        self._archived: set[str] = set()
        self._texts: defaultdict[tuple[str, str, str], set[str]] = defaultdict(set)
        self._shelves: defaultdict[str, set[str]] = defaultdict(set)
        self._sources: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        self._index = Index(config.max_query_terms)
        self._reads: dict[str, float] = {}

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
    ) -> Library:
        """The library that wrote these records, in any order. Raises ValueError where some are missing."""
        library = cls(config, seed=seed, count_tokens=count_tokens)
        unseen = {note.note_id: note for note in notes}
        cited: defaultdict[str, list[Citation]] = defaultdict(list)
        for citation in citations:
            cited[citation.revision_id].append(citation)
        for revision in sorted(revisions, key=lambda r: r.library_version):
            new = unseen.pop(revision.note_id, None)
            if new is None and revision.note_id not in library._pages:
                raise ValueError(f"expected a note for every revision, got none for {revision.note_id!r}")
            verify(revision, new is not None, library._version, library._revisions)
            library._apply(new, revision, _in_order(cited.pop(revision.revision_id, [])))
        if unseen or cited:
            raise ValueError(
                f"expected a revision for every note and citation, got none for notes {sorted(unseen)[:3]} "
                f"and citations of {sorted(cited)[:3]}; load all records of one version of the log"
            )
        return library

    # -- looking -----------------------------------------------------------------------------------
    @property
    def version(self) -> int:
        """How many revisions were stored; the ``library_version`` of the last one."""
        return self._version

    @property
    def archived(self) -> frozenset[str]:
        """Notes that are out of sight. All their revisions are kept; a new one brings a note back."""
        return frozenset(self._archived)

    def heads(self) -> dict[str, str]:
        """The head revision of every note, archived ones too."""
        return {name: page.head for name, page in self._pages.items()}

    def note(self, note_id: str) -> Note:
        """The note of this id. Raises KeyError."""
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
        """All revisions of a note, branches and archive markers too, oldest first. Raises KeyError."""
        return [self._revisions[r] for r in self._page(note_id).history]

    def branches(self, note_id: str) -> list[Revision]:
        """Branches of a note that no later revision takes up, oldest first. Raises KeyError."""
        return [self._revisions[r] for r in self._page(note_id).open]

    def citations(self, revision_id: str) -> tuple[Citation, ...]:
        """What a revision cites, sorted. Raises KeyError."""
        self.revision(revision_id)
        return self._citations[revision_id]

    def visible(self, note_id: str, reader: Reader) -> bool:
        """Whether the note is in sight of ``reader``; of a public one, its first author decides."""
        note = self.note(note_id)
        return note_id not in self._archived and source(note) in reader.sources()

    # -- writing -----------------------------------------------------------------------------------
    def write(self, edit: Edit) -> Written:
        """Store an edit: as the head, merged with a head that has moved, or as a branch.

        Where the base is no longer the head, the author's text is stored as a branch first, and the
        merge, where the lines allow one, takes that branch up. The same edit again gives the same
        revisions. Raises :class:`LibraryRefused`, and then nothing has changed.
        """
        check(edit, self.config)
        page = self._target(edit)
        note = page.note if page else None
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
        same = self._texts.get((note.shelf, note.domain, edit.body), set())
        if same - ({note.note_id} if edit.resolves else set()):
            raise LibraryRefused("duplicate", f"expected a new text, got that of note {min(same)}")
        citations = sorted(dict.fromkeys(edit.citations))
        stored: list[Revision] = []

        def store(parents: list[str], outcome: Outcome, body: str) -> Revision:
            row = self._row(
                note, parents, outcome, body, edit.author, edit.round, edit.policy_version, edit.evidence
            )
            cites = tuple(Citation(row.revision_id, edit.round, kind, to) for kind, to in citations)
            self._apply(new if not stored else None, row, cites)
            stored.append(row)
            return row

        conflict = None
        if page is None or page.head in parents:
            store(parents, "head", edit.body)
        else:
            head = page.head
            text, conflict = self._merge(head, parents, edit.body)
            branch = store(parents, "branch", edit.body)
            if conflict is None:
                store([head, branch.revision_id], "merged", text)
        return Written(
            new, tuple(stored), tuple(c for r in stored for c in self._citations[r.revision_id]), conflict
        )

    def enforce_budgets(self, round: int) -> list[Revision]:
        """Archive what shelves hold beyond their budget; the markers made, to be stored as revisions.

        The least read notes go first, notes still in their grace after all others; among equals the one
        that was written longest ago goes.
        """
        markers: list[Revision] = []
        for shelf in sorted(self._shelves):
            excess = len(self._shelves[shelf]) - self.config.shelf_budget_notes
            if excess > 0:
                for name in sorted(self._shelves[shelf], key=lambda n: self._worth(n, round))[:excess]:
                    page = self._pages[name]
                    row = self._row(page.note, [page.head], "archived", "", ARCHIVIST, round, None, {})
                    self._apply(None, row, ())
                    markers.append(row)
        return markers

    def observe_reads(self, counts: Mapping[str, int]) -> None:
        """Count reads by note id, once a round; earlier ones fade by ``read_decay``. Raises KeyError."""
        for name in counts:
            self._page(name)
        faded = {name: value * self.config.read_decay for name, value in self._reads.items()}
        for name in sorted(counts):
            faded[name] = faded.get(name, 0.0) + counts[name]
        self._reads = {name: value for name, value in faded.items() if value > 1e-6}

    def state_dict(self) -> Json:
        """What the records do not say: decayed read counts by note id. JSON types only."""
        return {"reads": dict(sorted(self._reads.items()))}

    def load_state_dict(self, state: Json) -> None:
        """Take up a ``state_dict``. Raises ValueError."""
        reads = state.get("reads")
        if set(state) != {"reads"} or not isinstance(reads, dict):
            raise ValueError(f"expected a state with the key 'reads' alone, got {sorted(state)}")
        unknown = sorted(set(reads) - self._pages.keys())
        if unknown:
            raise ValueError(f"expected reads of notes of this library, got {unknown[:3]}; load them first")
        self._reads = {str(name): float(value) for name, value in reads.items()}

    # -- reading -----------------------------------------------------------------------------------
    def search(
        self,
        query: str,
        reader: Reader,
        k: int,
        budget_chars: int,
        domain: str | None = None,
        exclude_notes: Collection[str] = NOTHING,
        exclude_cited: Collection[str] = NOTHING,
    ) -> list[Hit]:
        """Notes for a reader, best first, equal scores by note id: see :class:`Query`.

        A note that no longer fits the budget is passed over for the next that does. No body is shown
        twice. Bodies are as written: pass them through ``culture.quoting.quote`` before a model reads.
        """
        return self._search(Query(query, reader, k, budget_chars, domain, exclude_notes, exclude_cited))

    def search_many(self, queries: Iterable[Query]) -> list[list[Hit]]:
        """What :meth:`search` finds for each query, in order."""
        return [self._search(query) for query in queries]

    def placebo(
        self,
        hits: Sequence[Hit],
        *,
        query: str,
        reader: Reader,
        domain: str,
        alphabet: str,
        ids: Sequence[Id],
    ) -> list[Hit]:
        """As many texts as ``hits``, each of as many characters, that are not about ``query``.

        They are notes of the domain that the reader could see, drawn by the stream named ``ids``, cut
        or joined to length. Where there are too few, random characters of ``alphabet`` (what the domain
        can write) under the note id ``filler``.
        """
        if not hits:
            return []
        rng = generator(self.seed, "placebo", *ids)
        pools = [self._sources.get((domain, place), []) for place in reader.sources()]
        ends = [0]
        for pool in pools:
            ends.append(ends[-1] + len(pool))
        drawn: dict[str, None] = {}
        if ends[-1]:
            for i in rng.integers(ends[-1], size=self.config.placebo_draws):
                place = next(p for p in range(len(pools)) if i < ends[p + 1])
                drawn[pools[place][int(i) - ends[place]]] = None
        shown, bodies = {h.note_id for h in hits}, {h.body for h in hits}
        ceiling = self.config.placebo_relevance * max(h.score for h in hits)
        fit = [n for n in irrelevant(self._index, query, drawn, ceiling) if n not in shown]
        candidates = [self._hit(name, 0.0) for name in fit]
        candidates = [c for c in candidates if c.body not in bodies]
        return equal_length(hits, candidates, alphabet, rng, self._count_tokens)

    # -- inside ------------------------------------------------------------------------------------
    def _search(self, query: Query) -> list[Hit]:
        hits: list[Hit] = []
        if query.k <= 0 or query.budget_chars <= 0:
            return hits
        left, misfits, seen = query.budget_chars, 4 * query.k + 16, set[str]()
        labels = [label(query.domain, place) for place in query.reader.sources()]
        excluded, cited = query.exclude_notes, set(query.exclude_cited)
        for name, score in self._index.ranked(query.text, labels, first=query.k + 8):
            page = self._pages[name]
            if name in excluded or not cited.isdisjoint(page.cited):
                continue
            body = self._revisions[page.head].body
            if body in seen:
                continue
            if len(body) > left:
                misfits -= 1
                if not misfits:
                    break
                continue
            seen.add(body)
            left -= len(body)
            hits.append(self._hit(name, score))
            if len(hits) == query.k or not left:
                break
        return hits

    def _hit(self, name: str, score: float) -> Hit:
        page = self._pages[name]
        head = self._revisions[page.head]
        return Hit(name, page.head, head.body, score, head.author, page.note.kind, head.tokens)

    def _page(self, name: str) -> _Page:
        if name not in self._pages:
            raise KeyError(f"expected the id of a note of this library, got {name!r}")
        return self._pages[name]

    def _target(self, edit: Edit) -> _Page | None:
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
        check_base(edit, page.note, self._revisions)
        return page

    def _merge(self, head: str, parents: Sequence[str], body: str) -> tuple[str, str | None]:
        """The merge of a text that came of ``parents`` with a head, and the conflict if there is one."""
        ancestor = last_common(parents, [head], self._revisions)
        merged = merge(ancestor.body, self._revisions[head].body, body)
        # Two texts within the limit can merge into one beyond it; then the author has to shorten.
        fits = len(merged.text) <= self.config.max_note_chars and merged.text.strip()
        return merged.text, (None if fits and not merged.conflicts else merged.text)

    def _again(self, own: str, note: Note | None) -> Written:
        """What writing the revision ``own`` gave when it was written first."""
        rows = [self._revisions[own]]
        conflict = None
        if own in self._merges:
            rows.append(self._revisions[self._merges[own]])
        elif rows[0].outcome == "branch":
            page = self._pages[rows[0].note_id]
            heads = (
                r
                for r in (self._revisions[name] for name in page.history)
                if r.outcome in ("head", "merged") and r.library_version < rows[0].library_version
            )
            head = max(heads, key=lambda r: r.library_version)
            conflict = self._merge(head.revision_id, rows[0].parents, rows[0].body)[1]
        cites = tuple(c for r in rows for c in self._citations[r.revision_id])
        return Written(note, tuple(rows), cites, conflict, repeated=True)

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
            self._pages[new.note_id] = _Page(new, row.revision_id)
        page = self._pages[row.note_id]
        self._version = row.library_version
        self._revisions[row.revision_id] = row
        self._citations[row.revision_id] = citations
        page.history.append(row.revision_id)
        page.cited.update(c.target_id for c in citations)
        if row.outcome == "archived":
            self._hide(page)
            self._archived.add(row.note_id)
            return
        for parent in row.parents:
            page.open.pop(parent, None)
        if row.outcome == "branch":
            page.open[row.revision_id] = None
            return
        if row.outcome == "merged":
            self._merges[row.parents[1]] = row.revision_id
        if new is None and row.note_id not in self._archived:
            self._hide(page)
        self._archived.discard(row.note_id)
        page.head = row.revision_id
        self._show(page)

    def _show(self, page: _Page) -> None:
        note, body = page.note, self._revisions[page.head].body
        place = source(note)
        self._texts[note.shelf, note.domain, body].add(note.note_id)
        self._shelves[note.shelf].add(note.note_id)
        insort(self._sources[note.domain, place], note.note_id)
        labels = [label(note.domain, place), label(None, place)]
        self._index.put(note.note_id, f"{note.title}\n{body}", labels)

    def _hide(self, page: _Page) -> None:
        note, body = page.note, self._revisions[page.head].body
        text = (note.shelf, note.domain, body)
        self._texts[text].discard(note.note_id)
        if not self._texts[text]:
            del self._texts[text]
        self._shelves[note.shelf].discard(note.note_id)
        names = self._sources[note.domain, source(note)]
        del names[bisect_left(names, note.note_id)]
        self._index.drop(note.note_id)

    def _worth(self, name: str, round: int) -> tuple[bool, float, int, str]:
        """Sorts the notes of a shelf by which is archived first."""
        head = self._revisions[self._pages[name].head]
        in_grace = head.round > round - self.config.archive_grace_rounds
        return in_grace, self._reads.get(name, 0.0), head.library_version, name


def _in_order(citations: Iterable[Citation]) -> tuple[Citation, ...]:
    return tuple(sorted(citations, key=lambda c: (c.target_kind, c.target_id)))
