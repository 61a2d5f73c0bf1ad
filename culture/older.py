"""Logs of other versions: where what this one asks does not fit them, that is told, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from culture.catalog import LakeError, connect

UNFIT = (duckdb.BinderException, duckdb.CatalogException, duckdb.ConversionException)
"""What DuckDB raises where a query of ours does not fit the tables."""


def unfit(log: duckdb.DuckDBPyConnection, error: duckdb.Error) -> LakeError:
    """One of ``UNFIT``, with the version that wrote the log of a connection from ``connect``."""
    row = log.execute("SELECT any_value(code_version) FROM runs").fetchone()
    wrote = "another version" if row is None or row[0] is None else f"ludus {row[0]}"
    return LakeError(
        f"expected a log that fits this version of Ludus, got one that {wrote} wrote: {error}; write `sql` "
        "with the run to query what it has, or use the version that wrote it"
    )


@contextmanager
def reading(run: str | Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """``connect``, for queries of ours. Raises LakeError as it does, and where they do not fit the log."""
    with connect(run) as log:
        try:
            yield log
        except UNFIT as error:
            raise unfit(log, error) from error
