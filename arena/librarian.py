"""Holds the library while a run goes on. Its process needs no model, so nothing here imports torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agents.population import Population
from arena.config import RunConfig
from arena.run_files import cache_folder
from arena.seeding import kept
from culture import connect
from culture.clubs import Chosen, Invitation, chapter_for
from culture.desk import Ask, Desk, set_out
from culture.disputes import settle
from culture.edits import Archive, LibraryRefused
from culture.effect import culture_effect
from culture.embedding import MiniLM
from culture.harm import quarantine_harmful
from culture.library import Library
from culture.loading import load_library
from culture.publishing import Entry, Publication
from culture.reading import Hit, Query, Reader
from culture.records import Arm, Citation, Json, Measure, Note, Revision, RoundRows
from culture.reputation import reputations
from culture.worth import MEASURED, worths


@dataclass(frozen=True, slots=True)
class Reading:
    """What an attempt would like to read; ``ids`` name its random stream."""

    query: str
    reader: Reader
    arm: Arm
    domain: str
    budget_chars: int
    problem_id: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shelved:
    """What the library made of a round."""

    notes: list[Note]
    revisions: list[Revision]
    citations: list[Citation]
    refused: list[tuple[int, str, str]]
    """Index of the edit, reason and detail."""
    version: int
    state: Json
    size: int
    """Notes in sight."""
    quarantined: int
    """Notes in quarantine."""


class Librarian:
    """Holds the library, as of the last committed round."""

    def __init__(self, folder: Path, config: RunConfig) -> None:
        self.folder = folder
        self.config = config
        self._embedder = None if config.library.search == "bm25" else MiniLM(cache_folder())
        self._seeds = kept(folder)
        self._alphabets = {name: config.domain(name).alphabet for name in config.domains}
        self.library = self._empty()
        self.round = -1
        self._population = Population(config.population, config.seed)
        self._begun = RoundRows()
        """Rows of what the library began with, until they are handed over to be committed."""
        self._begin(-1)

    def read(self, committed: int, k: int, readings: Sequence[Reading]) -> list[list[Hit]]:
        """What each attempt is shown, as of round ``committed``: notes, or placebos of equal length.

        A note about the very problem that is being attempted is never shown.
        """
        self._catch_up(committed)
        found = self.library.search_many(
            Query(r.query, r.reader, k, r.budget_chars, r.domain, exclude_cited=(r.problem_id,), ids=r.ids)
            for r in readings
        )
        return [
            self.library.placebo(
                hits,
                query=r.query,
                reader=r.reader,
                domain=r.domain,
                alphabet=self._alphabets[r.domain].replace("\n", ""),
                ids=r.ids,
                exclude_cited=(r.problem_id,),
            )
            if r.arm == "placebo"
            else hits
            for r, hits in zip(readings, found, strict=True)
        ]

    def find(self, committed: int, k: int, readings: Sequence[Reading]) -> list[list[tuple[Note, Hit]]]:
        """What :meth:`read` shows, with the notes whose texts that are, for whoever writes on in them."""
        found = self.read(committed, k, readings)
        return [[(self.library.note(hit.note_id), hit) for hit in hits] for hits in found]

    def desks(self, committed: int, asks: Sequence[Ask]) -> list[Desk]:
        """The desks of agents that are to decide what to write, as of round ``committed``."""
        self._catch_up(committed)
        return [set_out(self.library, ask, self.config.writing.desk_chars) for ask in asks]

    def club_chapters(self, committed: int, invitations: Sequence[Invitation]) -> list[Chosen | None]:
        """The chapter that each book club talks about, as of round ``committed``."""
        self._catch_up(committed)
        return [chapter_for(self.library, invitation) for invitation in invitations]

    def close_round(
        self, committed: int, round: int, edits: Sequence[Entry], reads: Mapping[str, int]
    ) -> Shelved:
        """Write a round's edits, archive, count its reads and keep shelves within their budgets.

        Who is a member of which organisation is what the population of the round says. Where worth counts,
        it is estimated anew from the rounds that are committed, and so it is, in an
        evaluated round, where what does harm is quarantined.
        """
        self._catch_up(committed)
        rows, self._begun = self._begun, RoundRows()
        refused = []
        there = self._population_of(round)
        for index, edit in enumerate(edits):
            try:
                self._do(edit, there.organisations_of(edit.author), rows)
            except LibraryRefused as error:
                refused.append((index, error.reason, error.detail))
        self.library.observe_reads(reads)
        helpful = self._weigh(round, rows) if committed >= 0 else set[str]()
        for settled in settle(self.library, round, helpful):
            settled.add_to(rows)
        rows.revisions.extend(self.library.enforce_budgets(round))
        self.round = round
        return Shelved(
            rows.notes,
            rows.revisions,
            rows.citations,
            refused,
            self.library.version,
            self.library.state_dict(),
            len(self.library),
            len(self.library.trust.quarantined),
        )

    def effects(self, committed: int) -> list[Measure]:
        """Measures of the next round: the library's effect and worth over all rounds up to ``committed``.

        A worth is there for every shelf, kind, author and note of which an interval can be given, a
        reputation for every author of whose texts some were checked.
        """
        now = committed + 1
        with connect(self.folder) as connection:
            found = [
                Measure(
                    now, f"effect/{e.treatment}-{e.control}", domain, e.difference, e.low, e.high,
                    e.treated + e.controls,
                )
                for domain in self.config.domains
                for e in culture_effect(connection, domain=domain, rounds=range(now))
            ]  # fmt: skip
            for by in MEASURED:
                found += [
                    Measure(
                        now, f"worth/{by}/{w.key}", "", w.difference, w.low, w.high,
                        w.treated + w.controls,
                    )
                    for w in worths(connection, by)
                    if w.low is not None
                ]  # fmt: skip
            for author, record in reputations(connection).items():
                low, high = record.interval()
                found.append(Measure(now, f"reputation/{author}", "", record.mean, low, high, record.texts))
        return found

    def _do(self, entry: Entry, organisations: frozenset[str], rows: RoundRows) -> None:
        """Do what an author asks for. Raises LibraryRefused."""
        if isinstance(entry, Archive):
            rows.revisions.append(self.library.archive(entry, organisations))
        elif isinstance(entry, Publication):
            self.library.publish(entry, organisations).add_to(rows)
        else:
            self.library.write(entry, organisations).add_to(rows)

    def _population_of(self, round: int) -> Population:
        """The population as it is in a round."""
        if self._population.round > round:
            self._population = Population(self.config.population, self.config.seed)
        while self._population.round < round:
            self._population = self._population.next()
        return self._population

    def _weigh(self, round: int, rows: RoundRows) -> set[str]:
        """Act on what notes are worth by the committed rounds, and name those that are shown to help.

        It is estimated once, and only where it counts: for ranking, and in evaluated rounds for quarantine
        and for disputes, whose helpful notes are then named.
        """
        ranked, evaluated = self.config.library.worth_strength > 0, self.config.evaluated(round)
        harm = evaluated and self.config.library.quarantine_harmful
        disputed = evaluated and bool(self.library.threads.disputes())
        if not (ranked or harm or disputed):
            return set()
        with connect(self.folder) as log:
            notes = worths(log, "note")
            if ranked:
                self.library.observe_worth(
                    {
                        w.key: (100 * w.difference, 100 * w.standard_error)
                        for w in notes
                        if w.standard_error is not None
                    }
                )
            if harm:
                rows.revisions.extend(quarantine_harmful(self.library, log, notes, round))
        return {w.key for w in notes if disputed and w.corrected_low is not None and w.corrected_low > 0}

    def _empty(self) -> Library:
        return Library(self.config.library, seed=self.config.seed, embedder=self._embedder)

    def _catch_up(self, committed: int) -> None:
        """Be at round ``committed``: a restarted librarian, or one ahead of the log, reads it anew."""
        if self.round == committed:
            return
        if committed < 0:
            self._begin(committed)
            return
        with connect(self.folder) as log:
            found = log.execute("SELECT state FROM rounds WHERE round = ?", [committed]).fetchone()
            if found is None:
                raise LookupError(f"expected round {committed} in the log of {self.folder}, got none")
            self.library = load_library(log, self.config.library, self.config.seed, self._embedder)
        if not self.library.version:
            self._begin(committed)
            return
        self._begun = RoundRows()
        self.library.load_state_dict(json.loads(found[0])["library"])
        self.round = committed

    def _begin(self, committed: int) -> None:
        """A library with nothing but what the run begins with, to be committed with the next round.

        It was there in round 0 and is dated so, even where that round's writing failed.
        """
        self.library, self.round = self._empty(), committed
        self._begun = RoundRows()
        for index, seed in enumerate(self._seeds):
            self.library.write(seed.edit(index), seed.organisations).add_to(self._begun)
