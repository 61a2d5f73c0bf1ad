"""Texts by what they mean: exact search by cosine among the vectors that a reader may see.

Vectors are rounded to whole numbers from -127 to 127 and kept as single-precision floats. Every product and
every sum of so few products is then a whole number below 2**24, which single precision has exactly: the
cosine of two texts does not depend on what else is in the matrix, on the library that multiplies it, or on
the number of threads, and equal texts are equally near.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from culture.places import Places

WIDEST = 127
"""Largest whole number in a vector."""
MOST = 2**24 // WIDEST**2
"""Dimensions up to which sums are exact."""

Whole = NDArray[np.int8]


def rounded(vector: NDArray[np.floating]) -> Whole:
    """A vector in whole numbers, its largest value 127; only its direction is kept. Shape as given."""
    largest = float(np.abs(vector).max())
    if not 0 < largest < np.inf:
        raise ValueError(f"expected a vector of finite numbers, not all zero, got a largest of {largest}")
    return np.rint(vector.astype(np.float64) * (WIDEST / largest)).astype(np.int8)


class Vectors:
    """Vectors under keys, found by cosine among those that carry one of the reader's labels."""

    def __init__(self, dimensions: int) -> None:
        if dimensions > MOST:
            raise ValueError(
                f"expected at most {MOST} dimensions, beyond which sums round, got {dimensions}"
            )
        self._places = Places()
        self._rows: dict[str, int] = {}
        self._keys: list[str] = []
        self._place_of = array("i")
        self._lengths = array("d")
        self._matrix = np.zeros((64, dimensions), dtype=np.float32)

    def __len__(self) -> int:
        return len(self._keys)

    def put(self, key: str, vector: Whole, labels: Iterable[str]) -> None:
        """Make ``vector``, of shape (dimensions,), what is found under ``key``, replacing what was."""
        self.drop(key)
        row = len(self._keys)
        if row == len(self._matrix):
            self._matrix = np.concatenate([self._matrix, np.zeros_like(self._matrix)])
        self._matrix[row] = vector
        self._rows[key] = row
        self._keys.append(key)
        self._place_of.append(self._places.number(labels))
        self._lengths.append(_length(vector))

    def drop(self, key: str) -> None:
        """Find nothing under ``key`` any more. A key that is not there is no error."""
        row = self._rows.pop(key, None)
        if row is None:
            return
        # the last row moves into the gap: the order of rows means nothing
        last = self._keys.pop()
        place, length = self._place_of.pop(), self._lengths.pop()
        if last != key:
            self._matrix[row] = self._matrix[len(self._keys)]
            self._keys[row], self._place_of[row], self._lengths[row] = last, place, length
            self._rows[last] = row

    def nearest(self, vector: Whole, labels: Sequence[str], most: int) -> list[tuple[str, float]]:
        """Up to ``most`` keys with their cosines, the nearest first, equal ones by key."""
        n, places = len(self._keys), self._places.seen(labels)
        if not n or not places or most <= 0:
            return []
        seen = np.zeros(len(self._places), dtype=bool)
        seen[list(places)] = True
        rows = np.flatnonzero(seen[np.frombuffer(self._place_of, dtype=np.int32)])
        if not len(rows):
            return []
        asked = vector.astype(np.float32)
        # taking rows out copies them, which costs more than to multiply all where most are wanted
        whole = len(rows) > n // 4
        products = (self._matrix[:n] @ asked)[rows] if whole else self._matrix[rows] @ asked
        lengths = np.frombuffer(self._lengths, dtype=np.float64)[rows]
        cosines = products.astype(np.float64) / (lengths * _length(vector))
        if len(rows) > most:
            least = np.partition(cosines, len(rows) - most)[len(rows) - most]
            near = cosines >= least
            rows, cosines = rows[near], cosines[near]
        found = sorted((-float(c), self._keys[row]) for c, row in zip(cosines, rows, strict=True))
        return [(key, -negative) for negative, key in found[:most]]


def _length(vector: Whole) -> float:
    whole = vector.astype(np.int64)
    return float(np.sqrt(float(whole @ whole)))
