"""Which notes match a question, best first: by BM25, by meaning, or by both.

Both are joined by reciprocal rank fusion: a note's score is the sum of 1 / (60 + rank) over the rankings
that have it, ranks from 1 (Cormack, Clarke and Buettcher 2009). A score can then be weighted by what the
note is estimated to be worth to its readers, and by the reputation of its author.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from culture.config import LibraryConfig
from culture.embedding import Embedder
from culture.search import Index
from culture.vectors import Vectors

RRF_K = 60
DEPTH = 100
"""Notes of a ranking that are fused, or whose scores are weighted; more are not asked for meaning."""

Ranked = list[tuple[str, float]]


def fused(rankings: Iterable[Sequence[tuple[str, float]]]) -> Ranked:
    """One ranking of keys out of several, with their fused scores; equal ones by key."""
    scores: dict[str, list[float]] = {}
    for ranking in rankings:
        for rank, (key, _) in enumerate(ranking, 1):
            scores.setdefault(key, []).append(1 / (RRF_K + rank))
    # fsum: three rankings in any order give the same sum
    return _ordered((key, math.fsum(parts)) for key, parts in scores.items())


class Finder:
    """The rankings of a library's notes."""

    def __init__(
        self,
        config: LibraryConfig,
        text: Callable[[str], str],
        worth: Callable[[str], float],
        embedder: Embedder | None,
        factor: Callable[[str], float] = lambda key: 1.0,
    ) -> None:
        """``text`` gives what a note is found by, ``worth`` its estimated worth in points of success,
        ``factor`` its author's reputation as a factor.

        Raises ValueError where the configuration needs an embedder and there is none.
        """
        if (config.search != "bm25") != (embedder is not None):
            raise ValueError(
                f"expected an embedder with library.search embeddings or fused, and none with bm25, got "
                f"{config.search} and {embedder}; give Library one, or write library.search: bm25"
            )
        self.config = config
        self.index = Index(config.max_query_terms, text)
        self._worth = worth
        self._factor = factor
        self._weighs = bool(config.worth_strength or config.reputation_strength)
        self._embedder = embedder
        self._vectors = None if embedder is None else Vectors(embedder.dimensions)
        self._text = text
        self._waiting: dict[str, Sequence[str]] = {}
        """Labels of notes whose vectors are made when they are first asked for: what is replaced before
        that, as most is while a library is loaded, costs none."""

    @property
    def by_bm25(self) -> bool:
        """Whether scores are those of BM25 alone."""
        return self._embedder is None and not self._weighs

    def put(self, key: str, text: str, labels: Sequence[str]) -> None:
        """Make ``text`` what is found under ``key``, replacing what was."""
        self.index.put(key, text, labels)
        if self._vectors is not None:
            self._vectors.drop(key)
            self._waiting[key] = labels

    def drop(self, key: str) -> None:
        """Find nothing under ``key`` any more."""
        self.index.drop(key)
        if self._vectors is not None:
            self._vectors.drop(key)
            self._waiting.pop(key, None)

    def ranked(self, query: str, labels: Sequence[str], first: int) -> Iterator[tuple[str, float]]:
        """Keys and scores of notes that match and carry one of ``labels``, best first, equal ones by key.

        With weights the first :data:`DEPTH` are put in order anew and those after them follow as they
        were. ``first``: how many are likely to be looked at; it changes the work done, never the order.
        """
        found = self._unweighted(query, labels, first if not self._weighs else DEPTH)
        if self._weighs:
            yield from self._weighted(islice(found, DEPTH))
        yield from found

    def _unweighted(self, query: str, labels: Sequence[str], first: int) -> Iterator[tuple[str, float]]:
        if self._vectors is None or self._embedder is None:
            return self.index.ranked(query, labels, first=first)
        if not query.strip():
            return iter(())
        for key, carried in self._waiting.items():
            self._vectors.put(key, self._embedder.note(self._text(key)), carried)
        self._waiting.clear()
        near = self._vectors.nearest(self._embedder.query(query), labels, DEPTH)
        if self.config.search == "embeddings":
            return iter(near)
        return iter(fused([list(islice(self.index.ranked(query, labels, first=DEPTH), DEPTH)), near]))

    def _weighted(self, found: Iterable[tuple[str, float]]) -> Ranked:
        strength = self.config.worth_strength

        def weight(key: str) -> float:
            trusted = self._factor(key) if self.config.reputation_strength else 1.0
            return math.exp(strength * self._worth(key)) * trusted

        # a cosine below zero would gain by a weight below one
        return _ordered((key, max(0.0, s) * weight(key)) for key, s in found)


def _ordered(scores: Iterable[tuple[str, float]]) -> Ranked:
    return sorted(scores, key=lambda found: (-found[1], found[0]))
