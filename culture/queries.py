"""Queries whose text comes from outside: one SELECT over the log, and nothing else.

A read-only connection cannot change the log's tables, but DuckDB can do more than query them: COPY
writes files, and functions such as ``sqlite_scan`` open files by themselves. So the statement is parsed
first, and only what reads the log is let through.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import duckdb
import pyarrow as pa

from culture.views import definitions

ALLOWED = frozenset(
    [
        "generate_series",
        "json_each",
        "json_tree",
        "range",
        "unnest",
        "duckdb_columns",
        "duckdb_functions",
        "duckdb_tables",
        "duckdb_types",
        "duckdb_views",
        "current_snapshot",
        "ducklake_current_snapshot",
        "ducklake_snapshots",
        "snapshots",
        "ducklake_table_changes",
        "ducklake_table_deletions",
        "ducklake_table_info",
        "ducklake_table_insertions",
        "table_changes",
        "table_deletions",
        "table_info",
        "table_insertions",
        *(d.name for d in definitions().values() if d.parameters is not None and d.rows),
    ]
)
"""Functions that a FROM clause may call: those that read the log, its history or its schema."""


class Refused(ValueError):
    """The text is not one query over the log; the message says what to write instead."""


def _called(node: object) -> Iterator[str]:
    """Names of all table functions in a parsed statement, at any depth."""
    if isinstance(node, dict):
        if node.get("type") == "TABLE_FUNCTION":
            yield str(node["function"].get("function_name", "")).lower()
        for child in node.values():
            yield from _called(child)
    elif isinstance(node, list):
        for child in node:
            yield from _called(child)


def select(connection: duckdb.DuckDBPyConnection, sql: str, params: Sequence[object] = ()) -> pa.Table:
    """The rows of one SELECT (or FROM, WITH, VALUES, DESCRIBE, SHOW, SUMMARIZE) on a connection.

    ``connection`` is from ``connect``; ``params`` fill the question marks of ``sql``, in order. Raises
    Refused where the text is anything else, and duckdb.Error where the query is at fault.
    """
    return connection.execute(checked(connection, sql), list(params)).to_arrow_table()


def select_first(connection: duckdb.DuckDBPyConnection, sql: str, most: int) -> tuple[pa.Table, int]:
    """The first ``most`` rows of such a query, and how many it has in all.

    However many these are, no more than ``most`` are in memory at once, and what the query itself takes.
    Raises as ``select`` does.
    """
    text = checked(connection, sql).query.rstrip("; \n\t")
    # on a line of its own: the text may end with a comment
    first = connection.execute(f"FROM (\n{text}\n) LIMIT {most + 1:d}").to_arrow_table()
    if first.num_rows <= most:
        return first, first.num_rows
    row = connection.execute(f"SELECT count(*) FROM (\n{text}\n)").fetchone()
    assert row is not None
    return first.slice(0, most), int(row[0])


def checked(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    """The one query that ``sql`` is. Raises Refused where it is not, duckdb.Error for its syntax."""
    statements = connection.extract_statements(sql)
    if len(statements) > 1 and not statements[0].query:  # one of DuckDB's own, to find the values
        raise Refused(
            "expected one query, got a PIVOT that has to find its values first. Write them, as in PIVOT "
            "attempts ON arm IN ('library', 'none') USING avg(correct::INT) GROUP BY round, or count with "
            "count(*) FILTER (arm = 'none')"
        )
    if len(statements) != 1:
        raise Refused(f"expected one query, got {len(statements)} statements. Write them one at a time")
    statement = statements[0]
    if statement.type != duckdb.StatementType.SELECT:
        raise Refused(f"expected a query, got {statement.type.name}. Write a SELECT: the log is read-only")
    text = statement.query.rstrip("; \n\t")
    row = connection.execute("SELECT json_serialize_sql(?)", [text]).fetchone()
    assert row is not None
    parsed = json.loads(row[0])
    if parsed["error"]:
        raise Refused(f"expected a query, got one that cannot be checked: {parsed['error_message']}")
    for name in _called(parsed):
        if name not in ALLOWED:
            raise Refused(f"expected functions of {', '.join(sorted(ALLOWED))} in FROM, got {name}")
    return statement
