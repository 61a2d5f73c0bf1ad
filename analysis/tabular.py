"""Rows of a query as text or Parquet.

Texts written by models are in the log as they were written. In a table for people their control characters
are shown escaped, since a terminal would obey them; the other formats hold the values as they are, and are
escaped by who shows them on a terminal (``analysis.asking``).
"""

from __future__ import annotations

import io
import json
import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from culture.quoting import printable

Format = Literal["table", "csv", "json", "parquet"]


def rendered(table: pa.Table, form: Format, *, width: int | None = None) -> bytes:
    """The rows in one of the formats, UTF-8 where it is text.

    ``width`` is that of the terminal in columns, to which a ``table`` is cut; None cuts nothing.
    """
    if form == "parquet":
        sink = io.BytesIO()
        pq.write_table(table, sink)
        return sink.getvalue()
    text = _csv(table) if form == "csv" else _json(table) if form == "json" else _table(table, width)
    return text.encode("utf-8", "backslashreplace")


def _csv(table: pa.Table) -> str:
    """With a header; NULL is an empty field, an empty text is quoted, lists and structures are JSON."""
    rows: list[tuple[object, ...]] = [tuple(table.column_names), *_rows(table)]
    return "".join(",".join(map(_field, row)) + "\n" for row in rows)


def _field(value: object) -> str:
    """Not the csv module's: before Python 3.13 it leaves a carriage return unquoted, which ends a row."""
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value)
    plain = _plain(value)
    text = plain if isinstance(plain, str) else _dumped(plain)
    if not text or any(c in text for c in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def _json(table: pa.Table) -> str:
    """An array of one object a row, a line each; NaN and infinities, which JSON lacks, are null."""
    names = table.column_names
    lines = [_dumped(dict(zip(names, row, strict=True))) for row in _rows(table)]
    return "[" + ",\n ".join(lines) + "]\n"


def _table(table: pa.Table, width: int | None) -> str:
    """Aligned columns, numbers to the right; then the number of rows."""
    columns = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        cells = [_cell(v) for v in column.to_pylist()]
        kind = column.type
        right = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
        columns.append(([printable(name), *cells], right))
    sizes = [max(len(cell) for cell in cells) for cells, _ in columns]
    if width is not None:
        sizes = _fitted(sizes, width)
    lines = []
    for at in range(table.num_rows + 1):
        parts = []
        for (cells, right), size in zip(columns, sizes, strict=True):
            cell = cells[at] if len(cells[at]) <= size else cells[at][: size - 1] + "…"
            parts.append(cell.rjust(size) if right else cell.ljust(size))
        lines.append("  ".join(parts).rstrip())
        if at == 0:
            lines.append("  ".join("-" * size for size in sizes))
    lines.append(f"({table.num_rows} {'row' if table.num_rows == 1 else 'rows'})")
    if width is not None:
        lines = [line if len(line) <= width else line[: width - 1] + "…" for line in lines]
    return "\n".join(lines) + "\n"


def _fitted(sizes: list[int], width: int) -> list[int]:
    """Column widths for a terminal: the widest give way first, none below 8."""
    sizes = list(sizes)
    while sum(sizes) + 2 * (len(sizes) - 1) > width and max(sizes) > 8:
        # All of the widest at once, down to the next widest or as far as is needed.
        top = max(sizes)
        widest = [i for i, size in enumerate(sizes) if size == top]
        below = max([s for s in sizes if s < top], default=8)
        excess = sum(sizes) + 2 * (len(sizes) - 1) - width
        down = max(1, min(top - max(below, 8), -(-excess // len(widest))))
        for i in widest:
            sizes[i] = top - down
    return sizes


def _rows(table: pa.Table) -> list[tuple[object, ...]]:
    if not table.num_columns:
        return []
    # By column: a query may give several columns one name.
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def _cell(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    return printable(_dumped(value).strip('"'))


def _dumped(value: object) -> str:
    return json.dumps(_plain(value), ensure_ascii=False)


def _plain(value: object) -> object:
    """The value as JSON has it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):  # DuckDB's sums of whole numbers among them
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value
