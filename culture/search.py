"""Finding notes: BM25 over an in-memory tantivy index, in an order that is exactly reproducible.

Tantivy finds candidates; their order is computed here, in double precision and a fixed order of
terms. Tantivy sums single-precision scores in an order that depends on how its segments happened to
be merged, so equal notes can come out a rounding error apart, and a resumed run would then read other
notes than the run that it resumes. For the same reason nothing is ever deleted from a tantivy index:
deleted texts count in its statistics until a background merge drops them. Replaced texts stay, and are
passed over, until they outnumber half of the live ones; then the index is built anew. The texts that
the statistics are over are so a function of the sequence of changes alone.

What is kept here of a text is a few numbers. Its terms are in tantivy alone, which also says how many
texts have a term; the texts themselves are with the library, and the few that a search has to score are
looked at again. Tantivy keeps texts in the order of their places (those that carry the same labels are in
one place), so that a search among a few places skips the others.

BM25 as in Robertson and Zaragoza, "The Probabilistic Relevance Framework" (2009), with the constants,
the idf and the one-byte document lengths of Lucene and tantivy; words and symbol runs are two fields, each
with lengths of its own, and their scores are added.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import heappop, heappush

import tantivy

from culture.places import Places
from culture.terms import Counted, encodable, gram_count, split, stored_length, tokens

K1, B = 1.2, 0.75
MAX_QUERY_CHARS = 4096
"""Characters of a query that are looked at."""
TOLERANCE = 1e-4
"""Bound on the relative difference between tantivy's single-precision scores and the exact ones."""
FEW_PLACES = 64
"""Up to so many places are named in a search; more cost more to name than to pass over."""
SMALL_SHARE = 0.01
"""Places with a smaller share of the texts are named however many they are."""
MANY_TEXTS = 300_000
"""A query is cut where its terms together would be in more texts; its rarest terms always stay."""
ALWAYS = 3
"""So many terms are looked for however many texts have them."""
WAITING = 4096
"""Texts that wait to be handed to tantivy, at most."""
LOOKED_AT = 2048
"""Texts whose terms are kept at hand, at most."""

_FIELDS = {"w": "words", "g": "runs"}


class Index:
    """Texts under keys, found by BM25 among those that carry one of the reader's labels."""

    def __init__(self, max_terms: int, text: Callable[[str], str]) -> None:
        """``max_terms``: a query is cut to its so many rarest terms.

        ``text`` gives the text that was last put under a key.
        """
        self.max_terms = max_terms
        self._text = text
        self._schema = (
            tantivy.SchemaBuilder()
            .add_text_field("words", tokenizer_name="raw", index_option="freq")
            .add_text_field("runs", tokenizer_name="grams", index_option="freq")
            .add_unsigned_field("place", indexed=True, fast=True)
            .add_unsigned_field("ordinal", fast=True)
            .build()
        )
        self._places = Places()
        self._current: dict[str, int] = {}
        self._start([])

    def __len__(self) -> int:
        return len(self._current)

    def __contains__(self, key: object) -> bool:
        return key in self._current

    def put(self, key: str, text: str, labels: Iterable[str]) -> None:
        """Make ``text`` what is found under ``key``, replacing what was."""
        self.drop(key)
        place = self._places.number(labels)
        if place == len(self._sizes):
            self._sizes.append(0)
        self._enter(key, text, place)

    def drop(self, key: str) -> None:
        """Find nothing under ``key`` any more. A key that is not there is no error."""
        ordinal = self._current.pop(key, None)
        if ordinal is None:
            return
        self._live[ordinal] = 0
        if len(self._keys) - len(self._current) > max(64, len(self._current) // 2):
            self._start([(self._keys[o], self._place_of[o]) for o in self._current.values()])

    def terms(self, query: str) -> list[tuple[str, float]]:
        """The rarest known terms of a query with their idf weights, at most ``max_terms``.

        Fewer where those are common in a large index: what they would add to the order is little, and a
        search costs by the texts that have them.
        """
        self._sync()
        found = ((self._frequency(t), t) for t in set(tokens(encodable(query[:MAX_QUERY_CHARS]))))
        known = sorted((frequency, t) for frequency, t in found if frequency)
        n, texts = len(self._keys), 0
        weighted: list[tuple[str, float]] = []
        for frequency, term in known[: self.max_terms]:
            texts += frequency
            if texts > MANY_TEXTS and len(weighted) >= ALWAYS:
                break
            weighted.append((term, (1 + K1) * math.log(1 + (n - frequency + 0.5) / (frequency + 0.5))))
        return weighted

    def share(self, term: str) -> float:
        """Share of the indexed texts that contain ``term``."""
        self._sync()
        return self._frequency(term) / len(self._keys) if self._keys else 0.0

    def score(self, terms: Sequence[tuple[str, float]], key: str) -> float:
        """BM25 of the text under ``key`` for weighted terms as :meth:`terms` gives them."""
        self._sync()
        return self._score(terms, self._current[key])

    def has(self, term: str, key: str) -> bool:
        """Whether the text under ``key`` contains ``term``."""
        return self._counted(self._current[key]).count(term) > 0

    def ranked(
        self, query: str, labels: Sequence[str] | None, first: int = 32
    ) -> Iterator[tuple[str, float]]:
        """Keys and scores of texts that share a term with ``query`` and carry one of ``labels``.

        Best first, equal scores by key. ``labels``: None is all texts. ``first``: how many texts to fetch
        before fetching more; it changes the work done, never the order.
        """
        terms = self.terms(query)
        places = frozenset(range(len(self._sizes))) if labels is None else self._places.seen(labels)
        seen = sum(self._sizes[place] for place in places)
        if not terms or not seen:
            return
        q, must = tantivy.Query, tantivy.Occur.Must
        wanted = q.boolean_query([(tantivy.Occur.Should, self._containing(term)) for term, _ in terms])
        limit, share = first, seen / len(self._keys)
        if labels is not None and (len(places) <= FEW_PLACES or share < SMALL_SHARE):
            wanted = q.boolean_query([(must, wanted), (must, self._within(places))])
        else:
            # Tantivy finds the best of all texts by skipping whole blocks, of some texts it cannot.
            limit = math.ceil(first / share)
        met: set[int] = set()
        scored: list[tuple[float, str]] = []
        while True:
            found = self._searcher.search(wanted, limit, count=False).hits
            ordinals = self._searcher.fast_field_values("ordinal", [address for _, address in found])
            for (rough, _), ordinal in zip(found, map(int, ordinals), strict=True):  # type: ignore[arg-type]
                if ordinal in met:
                    continue
                # What comes from here on scores no more than this, by tantivy's account.
                yield from _above(rough * (1 + TOLERANCE), scored)
                met.add(ordinal)
                if self._live[ordinal] and self._place_of[ordinal] in places:
                    heappush(scored, (-self._score(terms, ordinal), self._keys[ordinal]))
            if len(found) < limit:
                yield from _above(-math.inf, scored)
                return
            limit *= 4

    # -- inside ------------------------------------------------------------------------------------
    def _score(self, terms: Sequence[tuple[str, float]], ordinal: int) -> float:
        # The float64 sum runs over terms in their fixed order.
        counted, n = self._counted(ordinal), len(self._keys)
        norms = {
            kind: K1 * (1 - B + B * stored_length(lengths[ordinal]) * n / max(total, 1))
            for kind, lengths, total in (
                ("w", self._words, self._all_words),
                ("g", self._grams, self._all_grams),
            )
        }
        total = 0.0
        for term, weight in terms:
            count = counted.count(term)
            if count:
                total += weight * (count / (count + norms[term[0]]))
        return total

    def _counted(self, ordinal: int) -> Counted:
        found = self._looked_at.get(ordinal)
        if found is None:
            if len(self._looked_at) >= LOOKED_AT:
                self._looked_at.clear()
            found = self._looked_at[ordinal] = Counted(encodable(self._text(self._keys[ordinal])))
        return found

    def _frequency(self, term: str) -> int:
        return self._searcher.doc_freq(_FIELDS[term[0]], term[1:]) if self._keys else 0

    def _containing(self, term: str) -> tantivy.Query:
        return tantivy.Query.term_query(self._schema, _FIELDS[term[0]], term[1:], "freq")

    def _within(self, places: frozenset[int]) -> tantivy.Query:
        """The query for texts in one of ``places``; it adds nothing to a score."""
        q, should = tantivy.Query, tantivy.Occur.Should
        each = [(should, q.term_query(self._schema, "place", place)) for place in sorted(places)]
        return q.const_score_query(q.boolean_query(each), 0.0)

    def _enter(self, key: str, text: str, place: int) -> None:
        self._current[key] = len(self._keys)
        self._keys.append(key)
        self._live.append(1)
        self._place_of.append(place)
        self._sizes[place] += 1
        self._waiting.append(text)
        if len(self._waiting) >= WAITING:
            self._hand_over()

    def _start(self, entries: list[tuple[str, int]]) -> None:
        """Begin a new tantivy index that holds what is under some keys, each with its place."""
        self._keys: list[str] = []
        self._live = bytearray()
        self._place_of = array("I")
        self._words = array("I")
        self._grams = array("I")
        self._all_words = 0
        self._all_grams = 0
        self._sizes = [0] * len(self._places)
        self._waiting: list[str] = []
        self._looked_at: dict[int, Counted] = {}
        self._committed = False
        self._writer: tantivy.IndexWriter | None = None
        self._current.clear()
        for key, place in entries:
            self._enter(key, self._text(key), place)

    def _hand_over(self) -> None:
        """Give tantivy the texts that wait."""
        if self._writer is None:
            self._tantivy = tantivy.Index(self._schema, sort_by_field="place")
            grams = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.ngram(1, 3)).build()
            self._tantivy.register_tokenizer("grams", grams)
            self._writer = self._tantivy.writer(heap_size=30_000_000, num_threads=1)
        for text in self._waiting:
            ordinal = len(self._words)
            words, runs = split(encodable(text))
            document = tantivy.Document()
            for word in words:
                document.add_text("words", word)
            for run in runs:
                document.add_text("runs", run)
            document.add_unsigned("place", self._place_of[ordinal])
            document.add_unsigned("ordinal", ordinal)
            self._writer.add_document(document)
            self._words.append(len(words))
            self._grams.append(sum(map(gram_count, runs)))
            self._all_words += self._words[-1]
            self._all_grams += self._grams[-1]
        self._committed = self._committed and not self._waiting
        self._waiting.clear()

    def _sync(self) -> None:
        """Bring the tantivy index up to the texts entered since the last search."""
        if not self._keys:
            return
        self._hand_over()
        if not self._committed and self._writer is not None:
            self._writer.commit()
            self._tantivy.reload()
            self._searcher = self._tantivy.searcher()
            self._committed = True


def _above(floor: float, scored: list[tuple[float, str]]) -> Iterator[tuple[str, float]]:
    """Takes what scores more than ``floor`` off a heap of negative scores and keys, best first."""
    while scored and -scored[0][0] > floor:
        negative, key = heappop(scored)
        yield key, -negative
