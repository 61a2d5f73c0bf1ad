"""The part of a library that readers meet: what is found for a question, and placebos in its place."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice

from culture.choosing import chosen, explores
from culture.config import LibraryConfig
from culture.embedding import Embedder
from culture.finding import Finder
from culture.limits import CANDIDATES
from culture.placebo import drawn_from, equal_length, irrelevant
from culture.reading import NOTHING, Hit, Query, Reader, label
from culture.records import Note
from culture.seeds import Id, generator
from culture.shelves import Shelves
from culture.standing import Standing
from culture.store import Page, Store
from culture.trust import Trust, confirmed


class Reads:
    """Notes in sight, and the search over them."""

    def __init__(
        self,
        config: LibraryConfig,
        seed: int,
        count_tokens: Callable[[str], int],
        embedder: Embedder | None,
        unread: Collection[str],
    ) -> None:
        """As for ``culture.library.Library``."""
        self.config = config
        self._unread = unread
        self.seed = seed
        self._count_tokens = count_tokens
        self._pages: dict[str, Page] = {}
        self._revisions = Store()
        self._shelves = Shelves()
        self._standing = Standing(config.read_decay)
        self.trust = Trust(config)
        """Quarantined notes and the reputations of authors; to look at, not to change."""
        self._finder = Finder(config, self._indexed, self._standing.worth, embedder, self._trusted)

    def search(
        self,
        query: str,
        reader: Reader,
        k: int,
        budget_chars: int,
        domain: str | None = None,
        exclude_notes: Collection[str] = NOTHING,
        exclude_cited: Collection[str] = NOTHING,
    ) -> list[Hit]:
        """Notes for a reader, best first, equal scores by note id: see :class:`Query`.

        A note that no longer fits the budget is passed over for the next that does. No body is shown
        twice, and no place is explored, for which a :class:`Query` names its attempt. Bodies are as
        written: pass them through ``culture.quoting.quote`` before a model reads.
        """
        return self._search(Query(query, reader, k, budget_chars, domain, exclude_notes, exclude_cited))

    def search_many(self, queries: Iterable[Query]) -> list[list[Hit]]:
        """What :meth:`search` finds for each query, in order."""
        return [self._search(query) for query in queries]

    def matches(self, query: str) -> Iterator[tuple[str, float]]:
        """Notes in sight that share a term with ``query``, whoever may read them, and their BM25 scores.

        Best first, equal scores by note id; of worth and reputation nothing.
        """
        return self._finder.index.ranked(query, None, first=len(self._finder.index) + 1)

    def placebo(
        self,
        hits: Sequence[Hit],
        *,
        query: str,
        reader: Reader,
        domain: str,
        alphabet: str,
        ids: Sequence[Id],
        exclude_cited: Collection[str] = NOTHING,
    ) -> list[Hit]:
        """As many texts as ``hits``, each of as many characters, that are not about ``query``.

        They are notes of the domain that the reader could see, drawn by the stream named ``ids``, cut
        or joined to length. Where there are too few, random characters of ``alphabet`` (what the domain
        can write) under the note id ``filler``. Notes that cite one of ``exclude_cited`` are none.
        """
        if not hits:
            return []
        rng = generator(self.seed, "placebo", *ids)
        pools = self._shelves.pools(domain, reader)
        drawn = drawn_from(pools, self.config.placebo_draws, rng)
        shown, bodies = {h.note_id for h in hits}, {h.body for h in hits}
        index = self._finder.index
        scores = [h.score for h in hits]
        if not self._finder.by_bm25:
            terms = index.terms(query)
            scores = [index.score(terms, h.note_id) for h in hits]
        ceiling = self.config.placebo_relevance * max(scores)
        cited = set(exclude_cited)
        drawn = [n for n in drawn if self._pages[n].note.round >= reader.since]
        drawn = [n for n in drawn if self._shown(self._pages[n])]
        drawn = [n for n in drawn if cited.isdisjoint(self._pages[n].cited)]
        fit = [n for n in irrelevant(index, query, drawn, ceiling) if n not in shown]
        candidates = [self._hit(name, 0.0) for name in fit]
        candidates = [c for c in candidates if c.body not in bodies]
        return equal_length(hits, candidates, alphabet, rng, self._count_tokens)

    def _search(self, query: Query) -> list[Hit]:
        def explore(place: int) -> bool:
            return explores(self.seed, self.config.exploration, query, place)

        return chosen(self._matching(query), query, explore, self._standing.reads)

    def _matching(self, query: Query) -> Iterator[Hit]:
        """Notes that match and may be shown, best first."""
        if query.k <= 0 or query.budget_chars <= 0:
            return
        labels = [label(query.domain, place) for place in query.reader.sources()]
        excluded, cited = query.exclude_notes, set(query.exclude_cited)
        for name, score in self._finder.ranked(query.text, labels, 4 * query.k + 24):
            page = self._pages[name]
            seen = page.note.round >= query.reader.since
            if seen and name not in excluded and cited.isdisjoint(page.cited):
                yield self._hit(name, score)

    def _hit(self, name: str, score: float) -> Hit:
        page = self._pages[name]
        head = self._revisions[page.head]
        return Hit(
            name, page.head, head.body, score, head.author, page.note.kind, head.tokens, head.round,
            confirmed(head.evidence),
        )  # fmt: skip

    def _shown(self, page: Page) -> bool:
        """Whether solvers are shown what a note says, as far as its re-check decides."""
        return self.config.unchecked == "show" or confirmed(self._revisions[page.head].evidence)

    def _findable(self, page: Page) -> bool:
        """Whether a search may come upon a note that is in sight."""
        return page.note.kind not in self._unread and (not self._unread or self._shown(page))

    def _trusted(self, name: str) -> float:
        """What the score of a note is multiplied by for its author's reputation."""
        return self.trust.factor(self._revisions[self._pages[name].head].author)

    def _alike(self, note: Note, body: str) -> Iterator[tuple[str, str]]:
        """Notes on the shelf and of the domain of ``note`` that match ``body`` best, and their texts."""
        labels = [label(note.domain, place) for place in self._shelves.places(note)]
        for name, _ in islice(self._finder.index.ranked(body, labels), CANDIDATES):
            yield name, self._revisions[self._pages[name].head].body

    def _indexed(self, name: str) -> str:
        """What a note is found by."""
        page = self._pages[name]
        return f"{page.note.title}\n{self._revisions[page.head].body}"
