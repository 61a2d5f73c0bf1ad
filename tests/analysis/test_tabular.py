from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.tabular import rendered

VALUES = pa.table(
    {
        "n": [1, 20],
        "x": [0.123456789, float("nan")],
        "text": ['a,"b"\n\x1b[31mred', None],
        "list": [[1.5, 2.0], []],
        "sum": pa.array([Decimal(7), Decimal(8)], pa.decimal128(38, 0)),
        "at": pa.array([datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), None], pa.timestamp("us", "UTC")),
    }
)


def test_table() -> None:
    lines = rendered(VALUES, "table").decode().splitlines()
    assert lines[0].split() == ["n", "x", "text", "list", "sum", "at"]
    assert lines[2].startswith(' 1  0.123457  a,"b"\\n\\x1b[31mred  [1.5, 2.0]')
    assert "2026-01-02 03:04:05+00:00" in lines[2]
    assert lines[3].startswith("20       nan  NULL")
    assert lines[4:] == ["(2 rows)"]


def test_json() -> None:
    first, second = json.loads(rendered(VALUES, "json"))
    assert first == {
        "n": 1, "x": 0.123456789, "text": 'a,"b"\n\x1b[31mred', "list": [1.5, 2.0], "sum": 7,
        "at": "2026-01-02T03:04:05+00:00",
    }  # fmt: skip
    assert second["x"] is None
    assert second["text"] is None


def test_csv() -> None:
    rows = list(csv.reader(io.StringIO(rendered(VALUES, "csv").decode(), newline="")))
    assert rows[0] == VALUES.column_names
    assert rows[1][:4] == ["1", "0.123456789", 'a,"b"\n\x1b[31mred', "[1.5, 2.0]"]
    assert rows[2] == ["20", "nan", "", "[]", "8", ""]


def test_parquet() -> None:
    assert pq.read_table(io.BytesIO(rendered(VALUES, "parquet"))).to_pylist()[0] == VALUES.to_pylist()[0]


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_no_rows(form: str) -> None:
    text = rendered(VALUES.slice(0, 0), form).decode()  # type: ignore[arg-type]
    assert text == {"json": "[]\n", "csv": "n,x,text,list,sum,at\n"}.get(form, text)
    if form == "table":
        assert text.endswith("(0 rows)\n")


@given(st.lists(st.tuples(st.text(), st.text(max_size=60)), max_size=5), st.integers(20, 120))
def test_a_terminal_gets_lines_that_fit_and_nothing_to_obey(
    rows: list[tuple[str, str]], width: int
) -> None:
    table = pa.table(
        {"a": pa.array([a for a, _ in rows], pa.string()), "b": pa.array([b for _, b in rows], pa.string())}
    )
    text = rendered(table, "table", width=width).decode()
    lines = text[:-1].split("\n")
    assert len(lines) == len(rows) + 3
    assert all(len(line) <= width and line.isprintable() for line in lines)


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_what_is_piped_is_whole(values: list[str]) -> None:
    table = pa.table({"a": pa.array(values, pa.string())})
    found = csv.reader(io.StringIO(rendered(table, "csv").decode(), newline=""))
    assert [row[0] if row else "" for row in found] == ["a", *values]
