"""The views and macros of ``views.sql`` and ``macros.sql``, made for one log or over several.

Over several logs a definition is made for each and the rows are put together by name of column, with a
column ``run`` before the others: ids are only unique within a run, so what a view joins must be joined run
by run. A log of an earlier version may lack tables or columns: then it has none of those rows, or NULL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb

from culture.columns import Column, declared

FILES = tuple(Path(__file__).with_name(name) for name in ("macros.sql", "views.sql"))
RUN = "run"
"""The column that says which run a row is of, where there are several."""
_DEFINITION = re.compile(
    r"^CREATE TEMP (?P<kind>VIEW|MACRO) (?P<name>\w+)(?P<parameters>\([^)]*\))? AS(?P<table> TABLE)?\s+"
    r"(?P<body>.*?);$",
    re.MULTILINE | re.DOTALL,
)
_COMMENT = re.compile(r"^COMMENT ON (?:VIEW|MACRO TABLE|MACRO|COLUMN) ([\w.]+) IS '(.*)';$", re.MULTILINE)
_TABLE = re.compile(r"\blake\.(\w+)")
Present = Mapping[str, frozenset[str]]
"""The columns of each table that a log has."""


@dataclass(frozen=True, slots=True)
class Definition:
    """One view or macro, as its file has it."""

    name: str
    parameters: str | None
    """Those of a macro, in parentheses; None for a view."""
    rows: bool
    """Whether it gives rows: a view, or a macro for FROM. Else it is a macro that gives one value."""
    body: str
    comment: str

    @property
    def begins(self) -> str:
        """The statement up to the body."""
        if self.parameters is None:
            return f"CREATE TEMP VIEW {self.name} AS "
        return f"CREATE TEMP MACRO {self.name}{self.parameters} AS {'TABLE ' if self.rows else ''}"

    @property
    def over_log(self) -> bool:
        """Whether the body names tables of the log; else it stands on other definitions alone."""
        return _TABLE.search(self.body) is not None


@cache
def definitions() -> dict[str, Definition]:
    """All views and macros by name, in order."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in FILES)
    comments = _comments()
    return {
        m["name"]: Definition(
            m["name"],
            m["parameters"],
            m["kind"] == "VIEW" or m["table"] is not None,
            m["body"],
            comments.get(m["name"], ""),
        )
        for m in _DEFINITION.finditer(text)
    }


@cache
def _comments() -> dict[str, str]:
    """Comments by the name of a view, macro or column (``view.column``)."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in FILES)
    return {name: said.replace("''", "'") for name, said in _COMMENT.findall(text)}


@cache
def views() -> dict[str, tuple[Column, ...]]:
    """The columns of each view and of each macro for FROM, in order. Those of macros have no comment."""
    found = {}
    with duckdb.connect() as scratch:
        scratch.execute("ATTACH ':memory:' AS lake; USE lake")
        for table, columns in declared().items():
            listed = ", ".join(f'"{c.name}" {c.type}' for c in columns)
            scratch.execute(f"CREATE TABLE {table} ({listed})")
        make(scratch)
        for d in definitions().values():
            if not d.rows:
                continue
            call = d.name if d.parameters is None else f"{d.name}({', '.join('0' * _arity(d))})"
            rows = scratch.execute(f"DESCRIBE FROM {call}").fetchall()
            found[d.name] = tuple(
                Column(d.name, row[0], row[1], True, _comments().get(f"{d.name}.{row[0]}", ""))
                for row in rows
            )
    return found


def _arity(definition: Definition) -> int:
    return (definition.parameters or "").count(",") + 1


def make(
    connection: duckdb.DuckDBPyConnection, alias: str = "lake", present: Present | None = None
) -> None:
    """Make all views and macros for the one log attached as ``alias``.

    ``present``: what the log has; None where it has everything that is declared. In place of tables that it
    lacks, in part or whole, stand views, so that queries of today can be asked of it. They show ``rowid``
    as a column, which a table has unseen.
    """
    made = [
        f"CREATE TEMP VIEW {table} AS FROM {_relation(alias, table, present, numbered=True)}"
        for table in _lacking(present)
    ]
    made += [d.begins + _over(d.body, alias, present) for d in definitions().values()]
    connection.execute(_script(made))


def make_many(connection: duckdb.DuckDBPyConnection, logs: Mapping[str, tuple[str, Present]]) -> None:
    """Make tables, views and macros over several logs, each with a column ``run``.

    ``logs`` has the alias of each run's log and what it has, by the name of the run.
    """
    made = []
    for table in declared():
        parts = {run: f"FROM {_relation(alias, table, present)}" for run, (alias, present) in logs.items()}
        made.append(f"CREATE TEMP VIEW {table} AS {_united(parts)}")
    for d in definitions().values():
        parts = {run: _over(d.body, alias, present) for run, (alias, present) in logs.items()}
        made.append(d.begins + (_united(parts) if d.over_log else d.body))
    connection.execute(_script(made))


def _script(made: Sequence[str]) -> str:
    """These statements and all comments as one text, which takes DuckDB less time than one by one."""
    said = [_comment(name, text) for name, text in _comments().items()]
    return ";\n".join(["BEGIN", *made, *said, "COMMIT"])


def _united(parts: Mapping[str, str]) -> str:
    """The rows of all parts, each with its run."""
    each = [f"SELECT {_literal(run)} AS {RUN}, * FROM (\n{body}\n)" for run, body in parts.items()]
    return "\nUNION ALL BY NAME\n".join(each)


def _over(body: str, alias: str, present: Present | None) -> str:
    return _TABLE.sub(lambda m: _relation(alias, m[1], present), body)


def _relation(alias: str, table: str, present: Present | None, *, numbered: bool = False) -> str:
    """The table, or what stands for it where the log lacks some of it; ``numbered``: with ``rowid``."""
    named = f"{identifier(alias)}.{table}"
    if present is None:
        return named
    columns = declared()[table]
    if table not in present:
        number = ", NULL::BIGINT AS rowid" if numbered else ""
        return f"(SELECT {_nulls(columns)}{number} WHERE false)"
    lacking = [c for c in columns if c.name not in present[table]]
    if not lacking:
        return named
    number = ", rowid" if numbered else ""
    return f"(SELECT *, {_nulls(lacking)}{number} FROM {named})"


def _nulls(columns: Sequence[Column]) -> str:
    return ", ".join(f'NULL::{c.type} AS "{c.name}"' for c in columns)


def _lacking(present: Present | None) -> list[str]:
    """Tables that the log lacks, or columns of which it lacks."""
    if present is None:
        return []
    every = declared().items()
    return [table for table, columns in every if {c.name for c in columns} - present.get(table, set())]


def _comment(name: str, said: str) -> str:
    d = definitions().get(name)
    if d is None:
        what = "COLUMN"
    elif d.parameters is None:
        what = "VIEW"
    else:
        what = "MACRO TABLE" if d.rows else "MACRO"
    return f"COMMENT ON {what} {name} IS {_literal(said)}"


def identifier(name: str) -> str:
    """``name`` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
