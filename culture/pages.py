"""What a library holds in memory of one note: as little as a million of them leave."""

from __future__ import annotations

from dataclasses import dataclass, field

from culture.reading import NOTHING
from culture.records import Note


@dataclass(slots=True)
class Page:
    """What is known of one note; its texts are in the store."""

    note: Note
    """On the shelf where it stands now."""
    head: str
    history: list[str] = field(default_factory=list)
    open: tuple[str, ...] = ()
    """Branches that no later revision takes up, oldest first."""
    cited: frozenset[str] = NOTHING
    moves: tuple[str, ...] = ()
    """Markers of its being published, oldest first."""
