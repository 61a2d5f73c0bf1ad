"""The library as a log has it, read a part at a time: a large one is never in memory twice."""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from culture.columns import declared, from_arrow
from culture.config import LibraryConfig
from culture.embedding import Embedder
from culture.lake import Lake
from culture.library import Library
from culture.records import Citation, Note, Revision
from culture.threads import UNREAD

ROWS_TOGETHER = 20_000
"""Revisions that are read at once."""

_CITED = """
    SELECT revision_id, list(round ORDER BY target_kind, target_id) AS cited_rounds,
        list(target_kind ORDER BY target_kind, target_id) AS cited_kinds,
        list(target_id ORDER BY target_kind, target_id) AS cited_ids
    FROM citations WHERE round <= coalesce(?, round) {cited_by} GROUP BY revision_id"""

_AMONG = "AND list_contains(?, note_id)"
_CITED_BY = f"AND revision_id IN (SELECT revision_id FROM revisions WHERE true {_AMONG})"

Log = Lake | duckdb.DuckDBPyConnection
"""The log of a run, as its writer holds it or as a reader is connected to it."""


def load_library(
    log: Log,
    config: LibraryConfig,
    seed: int,
    embedder: Embedder | None = None,
    *,
    round: int | None = None,
    unread: Collection[str] = UNREAD,
    only: Sequence[str] | None = None,
) -> Library:
    """The library whose records are in ``log``, as of the version that it shows.

    ``round``: only those of rounds up to this one. ``unread``: kinds of notes that no search finds.
    ``only``: the ids of notes to read; the others are as if they were not there. Raises ValueError where
    records are missing, or were changed.
    """
    library = Library(config, seed=seed, embedder=embedder, unread=unread)
    among, cited_by = ("", "") if only is None else (_AMONG, _CITED_BY)
    given: list[object] = [round] if only is None else [round, list(only)]
    told = f"SELECT * FROM notes WHERE round <= coalesce(?, round) {among} ORDER BY rowid"
    counted = f"SELECT count(*) AS n FROM citations WHERE round <= coalesce(?, round) {cited_by}"
    (citations,) = query(log, counted, given).column("n").to_pylist()
    notes = from_arrow(Note, query(log, told, given))
    with _no_collection():
        library.replay(
            notes, _revisions(log, given, among, cited_by), citations=citations, excerpt=only is not None
        )
    return library


def query(log: Log, sql: str, params: Sequence[object] = ()) -> pa.Table:
    """The rows that a query gives of either kind of log."""
    if isinstance(log, Lake):
        return log.table(sql, params)
    return log.execute(sql, list(params)).to_arrow_table()


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without the search for cycles, of which records have none, among millions of new objects."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _revisions(
    log: Log, given: Sequence[object], among: str, cited_by: str
) -> Iterator[tuple[Revision, tuple[Citation, ...]]]:
    """Every revision with what it cites, in the order of library versions.

    ``given``: the last round, and the notes where ``among`` and ``cited_by`` say that it is some.
    """
    columns = ", ".join(f"r.{c.name}" for c in declared()["revisions"])
    whole = _CITED.format(cited_by=cited_by)
    sql = (
        f"SELECT {columns}, cited_rounds, cited_kinds, cited_ids FROM revisions r LEFT JOIN ({whole}) "
        f"USING (revision_id) WHERE r.round <= coalesce(?, r.round) {among} ORDER BY r.library_version"
    )
    both = [*given, *given]
    reader = (
        log.batches(sql, both, ROWS_TOGETHER)
        if isinstance(log, Lake)
        else log.execute(sql, both).to_arrow_reader(ROWS_TOGETHER)
    )
    for batch in reader:
        part = pa.Table.from_batches([batch])
        rounds, kinds, ids = (
            part.column(name).to_pylist() for name in ("cited_rounds", "cited_kinds", "cited_ids")
        )
        for at, revision in enumerate(from_arrow(Revision, part)):
            cited = zip(rounds[at] or (), kinds[at] or (), ids[at] or (), strict=True)
            yield revision, tuple(Citation(revision.revision_id, r, k, i) for r, k, i in cited)
