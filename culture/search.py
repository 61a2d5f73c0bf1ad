"""Finding notes: BM25 over an in-memory tantivy index, in an order that is exactly reproducible.

Tantivy finds candidates; their order is computed here, in double precision and a fixed order of
terms. Tantivy sums single-precision scores in an order that depends on how its segments happened to
be merged, so equal notes can come out a rounding error apart, and a resumed run would then read other
notes than the run that it resumes. For the same reason nothing is ever deleted from a tantivy index:
deleted texts count in its statistics until a background merge drops them. Replaced texts stay, and are
passed over, until they outnumber half of the live ones; then the index is built anew. The texts that
the statistics are over are so a function of the sequence of changes alone.

BM25 as in Robertson and Zaragoza, "The Probabilistic Relevance Framework" (2009), with the constants,
the idf and the one-byte document lengths of Lucene and tantivy.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import tantivy

K1, B = 1.2, 0.75
GRAMS = (1, 2, 3)
MAX_QUERY_CHARS = 4096
"""Characters of a query that are looked at."""
TOLERANCE = 1e-4
"""Bound on the relative difference between tantivy's single-precision scores and the exact ones."""

_SPACE = re.compile(r"[\s;]+")
_WORD = re.compile(r"[^\W\d_]{2,40}(?:['’-][^\W\d_]{1,40})*")
_EDGES = ".,:!?\"'()"
_Label = tuple[str, ...]


def tokens(text: str) -> list[str]:
    """The index terms of a text, repeated as often as they occur.

    Words (two letters or more, lower case but for the first) become ``w`` and the word in lower case.
    Every other run, such as ``RS1234=`` or ``(3+4)*2=``, becomes its character 1-, 2- and 3-grams,
    each after a ``g``; their case is kept, for operators are letters there.
    """
    found: list[str] = []
    for run in _SPACE.split(text):
        word = run.strip(_EDGES)
        if _WORD.fullmatch(word) and word[1:] == word[1:].lower() and word != word.upper():
            found.append("w" + word.lower())
        else:
            found += ["g" + run[i : i + n] for n in GRAMS for i in range(len(run) - n + 1)]
    return found


def encodable(text: str) -> str:
    """``text`` with what UTF-8 cannot carry (lone surrogates) replaced by question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def stored_length(n: int) -> int:
    """``n`` tokens as tantivy stores a document's length in one byte: exact to 40, then rounded down."""
    if n < 24:
        return n
    excess = n - 24
    shift = max(excess.bit_length() - 4, 0)
    return 24 + (excess >> shift << shift)


@dataclass(slots=True)
class _Text:
    key: str
    counts: dict[str, int]
    length: int
    stored: int
    """``length`` as tantivy stores it."""
    labels: frozenset[str]
    live: bool


class Index:
    """Texts under keys, found by BM25 among those that carry one of the reader's labels."""

    def __init__(self, max_terms: int) -> None:
        """``max_terms``: a query is cut to its so many rarest terms."""
        self.max_terms = max_terms
        self._schema = (
            tantivy.SchemaBuilder()
            .add_text_field("text", tokenizer_name="whitespace", index_option="freq")
            .add_text_field("label", tokenizer_name="raw", index_option="basic")
            .add_unsigned_field("ordinal", fast=True)
            .build()
        )
        self._current: dict[str, int] = {}
        self._filters: dict[_Label, tantivy.Query] = {}
        self._start([])

    def __len__(self) -> int:
        return len(self._current)

    def __contains__(self, key: object) -> bool:
        return key in self._current

    def put(self, key: str, text: str, labels: Iterable[str]) -> None:
        """Make ``text`` what is found under ``key``, replacing what was."""
        self.drop(key)
        counts = Counter(tokens(encodable(text)))
        length = sum(counts.values())
        self._enter(_Text(key, dict(counts), length, stored_length(length), frozenset(labels), True))

    def drop(self, key: str) -> None:
        """Find nothing under ``key`` any more. A key that is not there is no error."""
        ordinal = self._current.pop(key, None)
        if ordinal is None:
            return
        self._texts[ordinal].live = False
        if len(self._texts) - len(self._current) > max(64, len(self._current) // 2):
            self._start([text for text in self._texts if text.live])

    def terms(self, query: str) -> list[tuple[str, float]]:
        """The rarest known terms of a query with their idf weights, at most ``max_terms``."""
        known = [t for t in set(tokens(encodable(query[:MAX_QUERY_CHARS]))) if t in self._frequency]
        known.sort(key=lambda t: (self._frequency[t], t))
        n = len(self._texts)
        return [
            (t, (1 + K1) * math.log(1 + (n - self._frequency[t] + 0.5) / (self._frequency[t] + 0.5)))
            for t in known[: self.max_terms]
        ]

    def share(self, term: str) -> float:
        """Share of the indexed texts that contain ``term``."""
        return self._frequency[term] / len(self._texts) if self._texts else 0.0

    def score(self, terms: Sequence[tuple[str, float]], key: str) -> float:
        """BM25 of the text under ``key`` for weighted terms as :meth:`terms` gives them."""
        return self._score(terms, self._texts[self._current[key]])

    def counts(self, key: str) -> dict[str, int]:
        """Terms of the text under ``key`` and how often each occurs."""
        return self._texts[self._current[key]].counts

    def ranked(self, query: str, labels: Sequence[str], first: int = 16) -> Iterator[tuple[str, float]]:
        """Keys and scores of texts that share a term with ``query`` and carry one of ``labels``.

        Best first, equal scores by key. ``first``: how many texts to look at before looking further;
        it changes the work done, never the order.
        """
        terms = self.terms(query)
        if not terms or not labels:
            return
        self._sync()
        q, must, should = tantivy.Query, tantivy.Occur.Must, tantivy.Occur.Should
        matching = q.boolean_query(
            [(should, q.term_query(self._schema, "text", term, "freq")) for term, _ in terms]
        )
        wanted = q.boolean_query([(must, matching), (must, self._filter(tuple(labels)))])
        limit, passed = first, 0
        while True:
            found = self._searcher.search(wanted, limit, count=False).hits
            ordinals = self._searcher.fast_field_values("ordinal", [address for _, address in found])
            texts = [self._texts[int(o)] for o in ordinals if o is not None]
            exact = sorted((-self._score(terms, t), t.key) for t in texts if t.live)
            exhausted = len(found) < limit
            # A text that was not fetched scores no more than the last one that was.
            floor = -math.inf if exhausted else found[-1][0] * (1 + TOLERANCE)
            for negative, key in exact[passed:]:
                if -negative <= floor:
                    break
                passed += 1
                yield key, -negative
            if exhausted:
                return
            limit *= 4

    # -- inside ------------------------------------------------------------------------------------
    def _score(self, terms: Sequence[tuple[str, float]], text: _Text) -> float:
        # The float64 sum runs over terms in their fixed order.
        norm = K1 * (1 - B + B * text.stored * len(self._texts) / self._tokens)
        counts = text.counts
        total = 0.0
        for term, weight in terms:
            count = counts.get(term)
            if count is not None:
                total += weight * (count / (count + norm))
        return total

    def _enter(self, text: _Text) -> None:
        self._current[text.key] = len(self._texts)
        self._texts.append(text)
        self._frequency.update(text.counts.keys())
        self._tokens += text.length

    def _start(self, texts: list[_Text]) -> None:
        """Begin a new tantivy index that holds ``texts``."""
        self._texts: list[_Text] = []
        self._frequency: Counter[str] = Counter()
        self._tokens = 0
        self._synced = 0
        self._writer: tantivy.IndexWriter | None = None
        self._current.clear()
        for text in texts:
            self._enter(text)

    def _sync(self) -> None:
        """Bring the tantivy index up to the texts entered since the last search."""
        if self._writer is None:
            self._tantivy = tantivy.Index(self._schema)
            self._writer = self._tantivy.writer(heap_size=15_000_000, num_threads=1)
        if self._synced == len(self._texts):
            return
        for ordinal in range(self._synced, len(self._texts)):
            text = self._texts[ordinal]
            document = tantivy.Document()
            document.add_text("text", " ".join(t for t, n in text.counts.items() for _ in range(n)))
            for label in sorted(text.labels):
                document.add_text("label", label)
            document.add_unsigned("ordinal", ordinal)
            self._writer.add_document(document)
        self._writer.commit()
        self._tantivy.reload()
        self._searcher = self._tantivy.searcher()
        self._synced = len(self._texts)

    def _filter(self, labels: _Label) -> tantivy.Query:
        """The query for texts that carry one of ``labels``; it adds nothing to a score."""
        found = self._filters.get(labels)
        if found is None:
            if len(self._filters) >= 4096:
                self._filters.clear()
            # A union of term queries: a term set query costs several times as much.
            q, should = tantivy.Query, tantivy.Occur.Should
            union = q.boolean_query(
                [(should, q.term_query(self._schema, "label", label, "basic")) for label in labels]
            )
            found = self._filters[labels] = q.const_score_query(union, 0.0)
        return found
