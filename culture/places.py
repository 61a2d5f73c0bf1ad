"""Places: texts that carry the same labels are in one, so a reader's sight is a set of few numbers."""

from __future__ import annotations

from collections.abc import Iterable


class Places:
    """Numbers sets of labels from 0, and says which of them a reader of some labels sees."""

    def __init__(self) -> None:
        self._numbers: dict[frozenset[str], int] = {}
        self._having: dict[str, list[int]] = {}
        self._seen: dict[tuple[str, ...], frozenset[int]] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def number(self, labels: Iterable[str]) -> int:
        """The place of texts that carry ``labels``."""
        carried = frozenset(labels)
        place = self._numbers.get(carried)
        if place is None:
            place = self._numbers[carried] = len(self._numbers)
            for name in carried:
                self._having.setdefault(name, []).append(place)
            self._seen.clear()
        return place

    def seen(self, labels: Iterable[str]) -> frozenset[int]:
        """Places whose texts carry one of ``labels``."""
        asked = tuple(labels)
        found = self._seen.get(asked)
        if found is None:
            if len(self._seen) >= 1024:
                self._seen.clear()
            found = frozenset(place for name in asked for place in self._having.get(name, ()))
            self._seen[asked] = found
        return found
