"""Revisions and what they cite, packed: a library keeps every text for ever and looks at few of them."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from culture.records import Citation, Note, Revision


@dataclass(slots=True)
class Page:
    """What is known of one note, in as little memory as a million of them leave."""

    note: Note
    head: str
    history: list[str] = field(default_factory=list)
    open: tuple[str, ...] = ()
    """Branches that no later revision takes up, oldest first."""
    cited: frozenset[str] = frozenset()
    moves: tuple[str, ...] = ()
    """Markers of its being published, oldest first."""


class Store(Mapping[str, Revision]):
    """All revisions of a library by id, oldest first.

    Each is a tuple of its fields in one string of bytes, a third of what the objects take.
    """

    def __init__(self) -> None:
        self._packed: dict[str, bytes] = {}

    def add(self, row: Revision, citations: tuple[Citation, ...]) -> None:
        """Take in a revision and what it cites, each in the round of the revision."""
        cited = tuple((c.round, c.target_kind, c.target_id) for c in citations)
        fields = (
            row.note_id, row.round, row.author, row.policy_version, row.parents, row.outcome, row.body,
            row.tokens, row.evidence, row.library_version,
        )  # fmt: skip
        # Our own objects, kept in this process: nothing from outside is ever unpickled.
        self._packed[row.revision_id] = pickle.dumps((fields, cited), pickle.HIGHEST_PROTOCOL)

    def __getitem__(self, name: str) -> Revision:
        return Revision(name, *pickle.loads(self._packed[name])[0])

    def __contains__(self, name: object) -> bool:
        return name in self._packed

    def __iter__(self) -> Iterator[str]:
        return iter(self._packed)

    def __len__(self) -> int:
        return len(self._packed)

    def citations(self, name: str) -> tuple[Citation, ...]:
        """What a revision cites, as it was taken in. Raises KeyError."""
        return tuple(
            Citation(name, round, kind, to) for round, kind, to in pickle.loads(self._packed[name])[1]
        )
