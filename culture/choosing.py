"""What of the notes that match is shown: within the budget, no text twice, now and then one that is new.

A note that is never shown is never known to be good. With a probability of ``library.exploration`` a place
goes to the best matching note that has few reads, whatever matches better.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from culture.reading import Hit, Query
from culture.seeds import derive

EXPLORED = 100
"""Notes among which exploration looks for one with few reads, the best matching first."""
FEW_READS = 3.0
"""A note with fewer reads lately, as they fade, has few."""


def explores(seed: int, share: float, query: Query, place: int) -> bool:
    """Whether place ``place`` of what is shown is explored; without ``query.ids`` none is."""
    return bool(query.ids) and derive(seed, "explore", *query.ids, place) < share * 2**63


def chosen(
    candidates: Iterable[Hit], query: Query, explore: Callable[[int], bool], reads: Callable[[str], float]
) -> list[Hit]:
    """The notes to show of ``candidates``, best first.

    ``explore`` says whether a place is explored, ``reads`` how often a note was read lately. A note that
    no longer fits the budget is passed over for the next that does, up to a number of times.
    """
    rest, ahead = iter(candidates), list[Hit]()
    shown: list[Hit] = []
    bodies: set[str] = set()
    left, misfits = query.budget_chars, 4 * query.k + 16

    def at(place: int) -> Hit | None:
        """The candidate at a place among those that were not taken, None after the last."""
        if place == len(ahead) and (following := next(rest, None)) is not None:
            ahead.append(following)
        return ahead[place] if place < len(ahead) else None

    def fits(hit: Hit) -> bool:
        return len(hit.body) <= left and hit.body not in bodies

    def new() -> int | None:
        """Where the best fitting candidate with few reads is."""
        for place in range(EXPLORED):
            if (hit := at(place)) is None:
                return None
            if fits(hit) and reads(hit.note_id) < FEW_READS:
                return place
        return None

    while len(shown) < query.k and left > 0 and misfits:
        while (best := at(0)) is not None and not fits(best) and misfits:
            misfits -= best.body not in bodies
            del ahead[0]
        if best is None or not misfits:
            break
        place = new() if explore(len(shown)) else None
        taken = ahead.pop(place or 0)
        shown.append(replace(taken, explored=True) if place else taken)
        bodies.add(taken.body)
        left -= len(taken.body)
    return shown
