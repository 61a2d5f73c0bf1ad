"""Records to Arrow columns and back, by the column types that ``schema.sql`` declares."""

from __future__ import annotations

import json
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pyarrow as pa

from culture.records import RoundRows

T = TypeVar("T")

SCHEMA = Path(__file__).with_name("schema.sql")

ARROW: dict[str, pa.DataType] = {
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "VARCHAR": pa.string(),
    "JSON": pa.string(),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", "UTC"),
    "VARCHAR[]": pa.list_(pa.string()),
    "INTEGER[]": pa.list_(pa.int32()),
    "DOUBLE[]": pa.list_(pa.float64()),
}
"""The Arrow type of each column type that the schema may declare."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the log."""

    table: str
    name: str
    type: str
    """DuckDB's name of the type."""
    nullable: bool
    comment: str


@cache
def declared() -> dict[str, tuple[Column, ...]]:
    """The columns of each table, in the order in which ``schema.sql`` declares them."""
    with duckdb.connect() as connection:
        connection.execute(SCHEMA.read_text(encoding="utf-8"))
        rows = connection.execute(
            "SELECT table_name, column_name, data_type, is_nullable, coalesce(comment, '') "
            "FROM duckdb_columns() WHERE NOT internal ORDER BY table_oid, column_index"
        ).fetchall()
    found: dict[str, list[Column]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(Column(*row))
    return {table: tuple(columns) for table, columns in found.items()}


@cache
def comments() -> dict[str, str]:
    """What ``schema.sql`` says of each table."""
    with duckdb.connect() as connection:
        connection.execute(SCHEMA.read_text(encoding="utf-8"))
        rows = connection.execute(
            "SELECT table_name, coalesce(comment, '') FROM duckdb_tables()"
        ).fetchall()
    return {str(name): str(said) for name, said in rows}


def schema() -> list[tuple[str, str, str, str]]:
    """Every column of the log as (table, column, type, comment), in order."""
    return [(c.table, c.name, c.type, c.comment) for columns in declared().values() for c in columns]


@cache
def tables() -> dict[type, str]:
    """The table of each record class."""
    hints = typing.get_type_hints(RoundRows)
    return {typing.get_args(hints[f.name])[0]: f.name for f in fields(RoundRows)}


def table_of(cls: type) -> str:
    """The table of a record class. Raises ValueError for any other class."""
    if cls not in tables():
        names = ", ".join(sorted(c.__name__ for c in tables()))
        raise ValueError(f"expected a record class ({names}), got {cls!r}")
    return tables()[cls]


def _mended(value: object) -> object:
    """Text without lone surrogates, which have no UTF-8 form: each becomes U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list | tuple):
        return [_mended(v) for v in value]
    return value


def _instant(value: object) -> object:
    """A datetime that knows its time zone: Arrow would take any other for UTC."""
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError("a datetime without time zone; write datetime.now(UTC)")
    return value


def _dumped(value: object) -> str:
    if not isinstance(value, dict):
        raise TypeError(f"{type(value).__name__}")
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if json.loads(text) != value and not ("NaN" in text or "Infinity" in text):
        raise TypeError("an object that JSON does not give back, e.g. a tuple or a key that is no string")
    return text


def _array(column: Column, values: list[object]) -> pa.Array:
    kind = ARROW[column.type]
    if column.type == "JSON":
        values = [_dumped(v) for v in values]
    elif pa.types.is_timestamp(kind):
        values = [_instant(v) for v in values]
    try:
        if column.type in ("BIGINT", "INTEGER[]"):
            # Told the type at once, Arrow would cut the fraction off a float and say nothing.
            return pa.array(values).cast(kind)
        return pa.array(values, kind)
    except UnicodeEncodeError:
        return pa.array([_mended(v) for v in values], kind)


def to_arrow(table: str, records: Sequence[object]) -> pa.Table:
    """Records of one table as Arrow columns of the declared types, one row a record.

    A lone surrogate in a text has no UTF-8 form and is stored as U+FFFD. Raises ValueError naming
    the column where a value does not fit its declared type.
    """
    columns = declared()[table]
    arrays = []
    for column in columns:
        values = list(map(attrgetter(column.name), records))
        try:
            array = _array(column, values)
        except (TypeError, ValueError, OverflowError, pa.ArrowException) as error:
            raise ValueError(f"expected {column.type} in {table}.{column.name}, got {error}") from error
        if isinstance(array, pa.ListArray) and array.flatten().null_count:
            raise ValueError(f"expected {column.type} in {table}.{column.name}, got a list with None in it")
        if not column.nullable and array.null_count:
            at = values.index(None)
            raise ValueError(f"expected {column.type} in {table}.{column.name}, got None in row {at}")
        arrays.append(array)
    return pa.Table.from_arrays(arrays, names=[c.name for c in columns])


def _utc(value: Any) -> object:
    return None if value is None else value.astimezone(UTC)


def _reader(column: Column) -> Callable[[Any], object] | None:
    if column.type == "JSON":
        return json.loads
    if pa.types.is_timestamp(ARROW[column.type]):
        return _utc
    return None


def from_arrow(cls: type[T], rows: pa.Table) -> list[T]:
    """Records of ``cls`` from the columns of its table, one a row."""
    columns: list[list[object]] = []
    for column in declared()[table_of(cls)]:
        values = rows.column(column.name).to_pylist()
        read = _reader(column)
        columns.append(values if read is None else [read(v) for v in values])
    return [cls(*row) for row in zip(*columns, strict=True)]
