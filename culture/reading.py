"""Who reads the library, what is asked of it, and what is shown."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from culture.edits import IMPORT, PUBLIC
from culture.records import Note
from culture.seeds import Id

NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Reader:
    """Sees its own shelf, its organisation's, and public notes by itself, its neighbours and the import."""

    agent_id: str
    organisation: str
    neighbours: Collection[str] = NOTHING
    """Agents that are next to this one in the topology, and those whose place it or they took."""
    since: int = 0
    """Notes that were begun before this round are not seen; 0 sees all."""

    def sources(self) -> list[str]:
        """Names of the sources that this reader sees, sorted."""
        authors = {self.agent_id, *self.neighbours, IMPORT}
        own = [f"agent:{self.agent_id}", f"org:{self.organisation}"]
        return sorted([*own, *(f"{PUBLIC}:{author}" for author in authors)])

    def sees(self, note: Note) -> bool:
        """Whether this reader may read a note that is in sight."""
        return note.round >= self.since and source(note) in self.sources()


@dataclass(frozen=True, slots=True)
class Query:
    """One question to the library."""

    text: str
    """Untrusted; no character of it has a meaning as syntax."""
    reader: Reader
    k: int
    """Notes at most."""
    budget_chars: int
    """Characters of all bodies together at most."""
    domain: str | None = None
    """Only notes of this domain; None is any."""
    exclude_notes: Collection[str] = NOTHING
    exclude_cited: Collection[str] = NOTHING
    """Problems, attempts or notes; a note of which any revision cites one of them is not shown."""
    ids: Sequence[Id] = ()
    """Name the random stream by which places are explored, such as the attempt's id; none explores none."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One note as a search shows it."""

    note_id: str
    revision_id: str
    body: str
    """As written, untrusted: pass it through ``culture.quoting.quote`` before a model reads it."""
    score: float
    """What it was ranked by: BM25, a cosine or a fused score, times its weight; 0 for a placebo."""
    author: str
    """Who wrote the revision shown."""
    kind: str
    tokens: int
    """Length of ``body`` by the token counter of the library."""
    round: int = 0
    """In which the revision was written."""
    checked: bool = False
    """Whether execution confirmed all that it says."""
    explored: bool = False
    """Whether it has the place of a better match, so that it gets read."""


def source(note: Note) -> str:
    """The source that a note belongs to; for public notes it says who wrote the first revision."""
    return f"{PUBLIC}:{note.author}" if note.shelf == PUBLIC else note.shelf


def label(domain: str | None, source: str) -> str:
    """The index label of a domain's notes of a source; of every domain's where it is None."""
    return f"{source}\x1f{domain or ''}"
