"""How alike problems are: similarity of texts, clusters of them, and a bounded memory of earlier rounds.

Everything here is a function of the texts, whatever order they come in.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, Literal

import numpy as np
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist

from culture.records import Json
from curricula.base import Floats

Similarity = Callable[[Sequence[str], Sequence[str]], Floats]
"""From texts (n,) and texts (m,) to how alike they are (n, m), from 0 to 1."""

_ORDERS: Final = 4
_EPSILON: Final = 0.1


def edit_similarity(one: Sequence[str], other: Sequence[str]) -> Floats:
    """1 less the Levenshtein distance over the length of the longer text, (n, m)."""
    if not one or not other:
        return np.zeros((len(one), len(other)))
    return cdist(one, other, scorer=Levenshtein.normalized_similarity, dtype=np.float64)


def bleu_similarity(one: Sequence[str], other: Sequence[str]) -> Floats:
    """BLEU of each pair, the mean of either as hypothesis, (n, m), over characters: specs have no words.

    Papineni et al. 2002, orders 1 to 4 of equal weight, with smoothing method 1 of Chen & Cherry 2014: an
    order without a match has 0.1 of one.
    """
    if not one or not other:
        return np.zeros((len(one), len(other)))
    logs = np.zeros((2, len(one), len(other)))
    none = np.zeros((len(one), len(other)), dtype=bool)
    sizes = np.array([len(t) for t in one]), np.array([len(t) for t in other])
    for order in range(1, _ORDERS + 1):
        matches = _matches(one, other, order)
        if order == 1:
            none = matches == 0
        shown = np.where(matches == 0, _EPSILON, matches)
        for side, size in enumerate((sizes[0][:, None], sizes[1][None, :])):
            logs[side] += np.log(shown / np.maximum(size - order + 1, 1)) / _ORDERS
    length = np.maximum(sizes[0], 1)[:, None] / np.maximum(sizes[1], 1)[None, :]
    for side, longer in enumerate((1 / length, length)):  # the reference's length over the hypothesis's
        logs[side] += np.minimum(1 - longer, 0)
    return np.where(none, 0.0, np.exp(logs).mean(axis=0))


@lru_cache(maxsize=100_000)
def _grams(text: str, order: int) -> tuple[tuple[str, int], ...]:
    """The n-grams of a text, each with how often it is there before, so that no two are the same."""
    seen = Counter[str]()
    found = []
    for gram in (text[i : i + order] for i in range(len(text) - order + 1)):
        found.append((gram, seen[gram]))
        seen[gram] += 1
    return tuple(found)


def _matches(one: Sequence[str], other: Sequence[str], order: int) -> Floats:
    """For each pair of texts the n-grams in both, each as often as in the one that has it less, (n, m)."""
    from scipy.sparse import csr_array

    columns: dict[tuple[str, int], int] = {}
    held = []
    for texts in (one, other):
        grams = [_grams(text, order) for text in texts]
        at = [columns.setdefault(gram, len(columns)) for found in grams for gram in found]
        held.append((at, np.repeat(np.arange(len(texts)), [len(found) for found in grams])))
    a, b = (
        csr_array((np.ones(len(at)), (rows, at)), shape=(len(texts), max(len(columns), 1)))
        for texts, (at, rows) in zip((one, other), held, strict=True)
    )
    return np.asarray((a @ b.T).toarray())


SIMILARITIES: Final[dict[Literal["edit", "bleu"], Similarity]] = {
    "edit": edit_similarity,
    "bleu": bleu_similarity,
}


def repetition(texts: Sequence[str], earlier: Sequence[str], similarity: Similarity, cut: float) -> Floats:
    """The share of ``texts`` and ``earlier`` that is in each text's own cluster, (len(texts),).

    Clusters come of average linkage of the distances 1 - similarity, joined up to ``cut``: with nothing
    ``earlier`` the repetition penalty of R-Zero (Huang et al. 2025, arXiv 2508.05004, section 3.2).
    """
    # SciPy is half a second and 30 MiB, which only runs that look for clusters are to pay.
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    if not texts:
        return np.zeros(0)
    everything = [*texts, *earlier]
    if len(everything) == 1:
        return np.ones(1)
    # Sorted, since which of equally near clusters are joined first depends on the order.
    different = sorted(set(everything))
    place = {text: i for i, text in enumerate(different)}
    found = similarity(different, different)
    alike = np.maximum(np.minimum((found + found.T) / 2, 1.0), 0.0)
    np.fill_diagonal(alike, 1.0)
    order = sorted(range(len(everything)), key=everything.__getitem__)
    at = [place[everything[i]] for i in order]
    joined = linkage(squareform(1 - alike[np.ix_(at, at)], checks=False), method="average")
    labels = np.empty(len(everything), dtype=np.int64)
    labels[order] = fcluster(joined, cut, criterion="distance")
    sizes = np.bincount(labels)
    return np.asarray(sizes[labels[: len(texts)]] / len(everything), dtype=np.float64)


def nearest_distance(distances: Floats, neighbours: int) -> Floats:
    """The mean of the ``neighbours`` least of each row, (n,), of all where there are fewer; 1 for none."""
    if not distances.shape[1]:
        return np.ones(len(distances))
    least = np.sort(distances, axis=1)[:, :neighbours]
    # fsum: the mean of a row must not depend on how NumPy adds up rows of a given shape
    return np.array([math.fsum(row) / len(row) for row in least.tolist()])


class Memory:
    """What is remembered of problems by id: the latest round's and ``size`` before those, oldest first."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._rows: dict[str, Any] = {}

    def add(self, rows: Iterable[tuple[str, Any]]) -> None:
        """Remember a round's problems, after forgetting the oldest of those before."""
        kept = list(self._rows.items())
        self._rows = dict(kept[len(kept) - self.size :] if len(kept) > self.size else kept)
        self._rows |= dict(rows)

    def others(self, problem_ids: Collection[str]) -> list[Any]:
        """What is remembered of all but these, oldest first."""
        return [row for i, row in self._rows.items() if i not in problem_ids]

    def state_dict(self) -> Json:
        """Plain JSON values, in order."""
        return dict(self._rows)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from ``state``."""
        self._rows = dict(state)
