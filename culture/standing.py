"""How notes stand with their readers: how often they were read lately, and what they seem to be worth.

This is what a library's records do not say. An estimate of worth is drawn towards what notes are worth in
common by how uncertain it is (``culture.shrinkage``), and that is what a note without an estimate is taken
to be worth.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping

from culture.records import Json
from culture.shrinkage import shrink

Worth = tuple[float, float]
"""Points of success (hundredths) that reading a note adds, and the standard error of that."""
_KEYS = {"reads", "worth"}


class Standing:
    """Reads and worth of notes, by note id."""

    def __init__(self, decay: float) -> None:
        """``decay``: what is left of the counted reads when the next are counted."""
        self._decay = decay
        self._reads: dict[str, float] = {}
        self._estimates: dict[str, Worth] = {}
        self._worth: dict[str, float] = {}
        self._usual = 0.0

    def count(self, counts: Mapping[str, int]) -> None:
        """Count reads; earlier ones fade."""
        faded = {name: value * self._decay for name, value in self._reads.items()}
        for name in sorted(counts):
            faded[name] = faded.get(name, 0.0) + counts[name]
        self._reads = {name: value for name, value in faded.items() if value > 1e-6}

    def estimate(self, worth: Mapping[str, Worth]) -> None:
        """Take up estimates in the place of all earlier ones. Raises ValueError."""
        for name, (points, error) in worth.items():
            if not (math.isfinite(points) and 0 < error < math.inf):
                raise ValueError(
                    f"expected worth in points and a standard error above 0, got {(points, error)} of note "
                    f"{name}"
                )
        # sorted, since sums depend on their order: a state that is taken up again gives the same worth
        self._estimates = {name: (float(worth[name][0]), float(worth[name][1])) for name in sorted(worth)}
        self._worth, self._usual = {}, 0.0
        if self._estimates:
            points_of, errors = zip(*self._estimates.values(), strict=True)
            drawn = shrink(points_of, errors)
            self._worth = dict(zip(self._estimates, drawn.means, strict=True))
            self._usual = drawn.mean

    def reads(self, name: str) -> float:
        """Reads of a note lately."""
        return self._reads.get(name, 0.0)

    def worth(self, name: str) -> float:
        """The shrunken worth of a note, in points of success; what is usual where it has no estimate."""
        return self._worth.get(name, self._usual)

    def state_dict(self) -> Json:
        """All of it, in JSON types."""
        return {
            "reads": dict(sorted(self._reads.items())),
            "worth": {name: list(worth) for name, worth in self._estimates.items()},
        }

    def load_state_dict(self, state: Json, known: Container[str]) -> None:
        """Take up a ``state_dict``; one of before there was worth has no key of it. Raises ValueError.

        ``known``: the ids of the library's notes.
        """
        reads, worth = state.get("reads"), state.get("worth", {})
        if (
            not {"reads"} <= set(state) <= _KEYS
            or not isinstance(reads, dict)
            or not isinstance(worth, dict)
        ):
            raise ValueError(f"expected a state with the keys 'reads' and 'worth', got {sorted(state)}")
        unknown = sorted(name for name in {**reads, **worth} if name not in known)
        if unknown:
            raise ValueError(f"expected reads of notes of this library, got {unknown[:3]}; load them first")
        self._reads = {str(name): float(value) for name, value in reads.items()}
        self.estimate({str(name): (float(w), float(e)) for name, (w, e) in worth.items()})
