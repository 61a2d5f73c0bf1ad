"""The library as a log has it, read a part at a time: a large one is never in memory twice."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from culture.columns import declared, from_arrow
from culture.config import LibraryConfig
from culture.embedding import Embedder
from culture.library import Library
from culture.records import Citation, Note, Revision

ROWS_TOGETHER = 20_000
"""Revisions that are read at once."""

_CITED = """
    SELECT revision_id, list(round ORDER BY target_kind, target_id) AS cited_rounds,
        list(target_kind ORDER BY target_kind, target_id) AS cited_kinds,
        list(target_id ORDER BY target_kind, target_id) AS cited_ids
    FROM citations GROUP BY revision_id"""


def load_library(
    connection: duckdb.DuckDBPyConnection,
    config: LibraryConfig,
    seed: int,
    embedder: Embedder | None = None,
) -> Library:
    """The library whose records are in the log at ``connection``, as of the version that it shows.

    Raises ValueError where records are missing, or were changed.
    """
    library = Library(config, seed=seed, embedder=embedder)
    notes = from_arrow(Note, connection.execute("SELECT * FROM notes ORDER BY rowid").to_arrow_table())
    row = connection.execute("SELECT count(*) FROM citations").fetchone()
    assert row is not None
    with _no_collection():
        library.replay(notes, _revisions(connection), citations=row[0])
    return library


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


def _revisions(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[Revision, tuple[Citation, ...]]]:
    """Every revision with what it cites, in the order of library versions."""
    columns = ", ".join(f"r.{c.name}" for c in declared()["revisions"])
    reader = connection.execute(
        f"SELECT {columns}, cited_rounds, cited_kinds, cited_ids FROM revisions r "
        f"LEFT JOIN ({_CITED}) USING (revision_id) ORDER BY r.library_version"
    ).to_arrow_reader(ROWS_TOGETHER)
    for batch in reader:
        part = pa.Table.from_batches([batch])
        rounds, kinds, ids = (
            part.column(name).to_pylist() for name in ("cited_rounds", "cited_kinds", "cited_ids")
        )
        for at, revision in enumerate(from_arrow(Revision, part)):
            cited = zip(rounds[at] or (), kinds[at] or (), ids[at] or (), strict=True)
            yield revision, tuple(Citation(revision.revision_id, r, k, i) for r, k, i in cited)
