"""Whether two runs are the same: the same rows in every table, whatever the clocks said.

The same seed and configuration give the same log, on one actor or many and across interruptions. What may
differ is left out: times and durations, memory, the run's name, the versions that it ran on, how its work
was spread (``cluster`` of its configuration), and what happened to the machinery (events of the source
``infrastructure``).
"""

from __future__ import annotations

import json
from pathlib import Path

import duckdb

from culture import connect
from culture.columns import declared

_OWN = {
    "runs": {"run_id", "name", "code_version", "packages"},
    "rounds": {"peak_memory"},
}
"""Columns that are a run's own, by table."""
_SHOWN = 120
"""Characters shown of a value that differs."""


def differences(run_a: Path, run_b: Path) -> list[str]:
    """What differs between the logs of two runs' folders, a line a table; empty where nothing does.

    Rows are compared in the order of their commits. Raises LakeError where a folder has no log.
    """
    with connect(run_a) as a, connect(run_b) as b:
        lines = [_table(a, b, table) for table in declared()]
    return [line for line in lines if line]


def _table(a: duckdb.DuckDBPyConnection, b: duckdb.DuckDBPyConnection, table: str) -> str:
    columns = [c.name for c in declared()[table] if not _timed(c.name)]
    columns = [c for c in columns if c not in _OWN.get(table, ())]
    rows_a, rows_b = _rows(a, table, columns), _rows(b, table, columns)
    if len(rows_a) != len(rows_b):
        return f"{table}: {len(rows_a)} rows and {len(rows_b)}"
    for number, (x, y) in enumerate(zip(rows_a, rows_b, strict=True)):
        for column, p, q in zip(columns, x, y, strict=True):
            # the text of numbers tells -0.0 from 0.0 and one NaN from none
            if repr(p) != repr(q):
                return f"{table}: row {number}, {column}: {repr(p)[:_SHOWN]} and {repr(q)[:_SHOWN]}"
    return ""


def _timed(column: str) -> bool:
    return column in ("at", "seconds") or column.endswith(("_at", "_seconds"))


def _rows(log: duckdb.DuckDBPyConnection, table: str, columns: list[str]) -> list[tuple[object, ...]]:
    names = ", ".join(f'"{c}"' for c in columns)
    only = "WHERE source <> 'infrastructure'" if table == "events" else ""
    rows = log.execute(f"SELECT {names} FROM {table} {only} ORDER BY rowid").fetchall()
    if table == "runs":
        place = columns.index("config")
        rows = [(*r[:place], _config(r[place]), *r[place + 1 :]) for r in rows]
    return rows


def _config(value: object) -> str:
    tree = json.loads(value) if isinstance(value, str) else dict(value)  # type: ignore[call-overload]
    tree.pop("cluster", None)
    return json.dumps(tree, sort_keys=True)
