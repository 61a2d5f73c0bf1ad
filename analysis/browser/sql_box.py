"""A query of whoever looks, bounded in rows and time."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import pyarrow as pa

from analysis.browser.log import Log, Row, Slow
from analysis.tabular import rendered
from culture.queries import Refused, select_first
from culture.views import definitions

SHOWN = 200
"""Rows that are shown."""
KEPT = 10_000
"""Rows that can be downloaded."""
EXAMPLES = (
    (
        "Rounds",
        "SELECT round, admitted, mean_difficulty, correct / attempts AS solved FROM rounds ORDER BY round",
    ),
    (
        "Arms",
        "SELECT arm, count(*) AS attempts, avg(correct::INT) AS solved FROM attempts "
        "GROUP BY arm ORDER BY arm",
    ),
    (
        "Why rejected",
        "SELECT reason, count(*) AS n, any_value(text) AS example FROM problems WHERE reason IS NOT NULL "
        "GROUP BY reason ORDER BY n DESC",
    ),
    (
        "Measures",
        "SELECT name, domain, max_by(value, round) AS last FROM measures GROUP BY ALL ORDER BY ALL",
    ),
)
"""Queries to begin with."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a query."""

    error: str = ""
    total: int = 0
    """Rows that the query has."""
    table: pa.Table | None = None
    """The first ``KEPT`` of them."""

    def cells(self) -> tuple[list[str], list[tuple[object, ...]]]:
        """Names and the first ``SHOWN`` rows."""
        assert self.table is not None
        part = self.table.slice(0, SHOWN)
        columns = [column.to_pylist() for column in part.columns]
        return part.column_names, list(zip(*columns, strict=True)) if columns else []

    def csv(self) -> bytes:
        """The rows that were kept, as CSV."""
        return b"" if self.table is None else rendered(self.table, "csv")


def ask(log: Log, sql: str) -> Answer:
    """The rows of one SELECT, or why there are none."""
    if not sql.strip():
        return Answer()
    try:
        with log.held() as connection:
            table, total = select_first(connection, sql, KEPT)
    except (Refused, Slow, duckdb.Error) as error:
        return Answer(error=str(error))
    return Answer(total=total, table=table)


def tables(log: Log) -> list[Row]:
    """Tables and their columns, with their comments."""
    return log.rows(
        """
        SELECT table_name AS name, any_value(t.comment) AS comment,
            list({'name': column_name, 'type': data_type, 'comment': c.comment} ORDER BY column_index)
                AS columns
        FROM duckdb_columns() c JOIN duckdb_tables() t USING (database_name, schema_name, table_name)
        WHERE database_name = 'lake' GROUP BY table_name ORDER BY table_name
        """
    )


def views() -> list[Row]:
    """The views and the macros for FROM that every log has, with their comments."""
    found = sorted(definitions().values(), key=lambda d: d.name)
    return [
        {"name": d.name, "title": f"{d.name}{d.parameters or ''}", "comment": d.comment}
        for d in found
        if d.rows
    ]
