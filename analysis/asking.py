"""Questions to a log, one after another: a prompt at a terminal, or what comes through a pipe.

A question is one query and ends with a semicolon; a line that begins with a dot is a command. What is wrong
with a question is told, and the next one is awaited.
"""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import duckdb
import pyarrow as pa
from rich.console import Console

from analysis.tabular import Format, rendered
from culture.catalog import connect, connect_many
from culture.columns import Column, comments, declared
from culture.queries import Refused, select
from culture.quoting import printable
from culture.views import RUN, definitions, views

HISTORY = "LUDUS_HISTORY"
"""The environment variable that says where what was typed is kept."""
_PROMPT, _MORE = "ludus> ", "  ...> "
_HELP = """\
A query ends with a semicolon and may take several lines, as in: SELECT round, solve_rate FROM curriculum;
  .tables        tables, views and macros that can be asked
  .schema NAME   the columns of one of them, and what they mean
  .quit          end; so does Ctrl-D"""
_PIECE = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$|--[^\n]*(?:\n|\Z)|/\*.*?\*/"""
    r"""|(?P<open>'|"|\$\w*\$|/\*)|(?P<end>;)|.""",
    re.DOTALL,
)


def answer(
    folders: Mapping[str, Path],
    query: str | None,
    *,
    many: bool,
    at: int | None = None,
    form: Format = "table",
    out: Path | None = None,
) -> int:
    """Answer a query about runs, or without one all that is asked on standard input.

    ``folders`` are those of the runs by name; with ``many`` each row says of which run it is. ``at`` is the
    version of the one log to look at. Rows go to the file ``out``, or to standard output. Gives the number
    of questions from a pipe that could not be answered. Raises Refused or duckdb.Error where the query is
    at fault, Refused where the rest of it is, LakeError as ``connect`` does.
    """
    terminal = out is None and sys.stdout.isatty()
    if query is None and (out is not None or form == "parquet"):
        raise Refused("expected a query with --out or --format parquet, got none; write it after the runs")
    if form == "parquet" and terminal:
        raise Refused("expected a file for Parquet, got a terminal; write --out FILE, or pipe it")
    with _connected(folders, many, at) as connection:
        if query is None:
            asking = Asking(connection, form, many)
            asking.converse(sys.stdin)
            return 0 if sys.stdin.isatty() else asking.failed
        table = _selected(connection, query)
    if out is None:
        _put(table, form)
    else:
        out.write_bytes(rendered(table, form))
    return 0


def _connected(folders: Mapping[str, Path], many: bool, at: int | None) -> duckdb.DuckDBPyConnection:
    """A connection to one run or several; runs that are only being made are named and passed over."""
    if not many:
        (folder,) = folders.values()
        if at is not None:
            _check_version(folder, at)
        return connect(folder, at=at)
    if at is not None:
        raise Refused(f"expected one run with --at, got {len(folders)}; a version is of one log")
    connection = connect_many(folders, skip_unmade=True)
    rows = connection.execute("SELECT database_name FROM duckdb_databases()").fetchall()
    for name in folders:
        if not {(name,), (f"{name}_",)} & set(rows):
            print(f"passed over {name}: its log is only being made", file=sys.stderr)
    return connection


def _check_version(folder: Path, at: int) -> None:
    with connect(folder) as connection:
        rows = connection.execute("SELECT snapshot_id FROM lake.snapshots() ORDER BY 1").fetchall()
    versions = [int(row[0]) for row in rows]
    if at not in versions:
        raise Refused(f"expected a version from {versions[0]} to {versions[-1]} for --at, got {at}")


def _selected(connection: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    """``select``, such that Ctrl-C ends the query and leaves a connection that can be used.

    DuckDB 1.5 would stop a query of the main thread on Ctrl-C as well, but with a DuckLake attached
    everything that the connection is asked for afterwards waits for ever, closing it too.
    """
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(select, connection, query)
        try:
            return found.result()
        except KeyboardInterrupt:
            connection.interrupt()
            wait([found])
            raise


def _put(table: pa.Table, form: Format) -> None:
    """To standard output: whole where it is no terminal, else with nothing that it would obey."""
    terminal = sys.stdout.isatty()
    data = rendered(table, form, width=Console().width if terminal else None)
    if terminal:
        data = printable(data.decode("utf-8"), keep="\n\t").encode("utf-8")
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


# -- what there is to ask --------------------------------------------------------------------------------
def described(name: str, *, many: bool = False) -> list[str]:
    """Lines about a table, view or macro: what it is, and each column with its type and comment.

    ``many``: whether several runs are asked. Raises KeyError for an unknown name.
    """
    columns: Sequence[Column]
    if name in declared():
        head, columns = comments()[name], declared()[name]
    else:
        d = definitions()[name]
        head, columns = d.comment, views().get(name, ())
        name = name if d.parameters is None else f"{name}{d.parameters}"
    if many and columns:
        columns = [Column(name, RUN, "VARCHAR", False, "Run by its name."), *columns]
    wide = max((len(c.name) for c in columns), default=0)
    typed = max((len(c.type) for c in columns), default=0)
    lines = [f"  {c.name:{wide}}  {c.type:{typed}}  {c.comment}".rstrip() for c in columns]
    return [f"{name}: {head}", *lines]


def askable() -> list[str]:
    """Names of all tables, then of views and macros."""
    return [*declared(), *definitions()]


def _listed() -> Iterator[str]:
    yield "Tables"
    yield f"  {', '.join(declared())}"
    found = definitions().values()
    yield "Views"
    yield f"  {', '.join(d.name for d in found if d.parameters is None)}"
    yield "Macros"
    yield f"  {', '.join(f'{d.name}{d.parameters}' for d in found if d.parameters is not None)}"


# -- reading questions -----------------------------------------------------------------------------------
def split(text: str) -> tuple[list[str], str]:
    """The whole queries of a text, and what has begun after the last of them.

    A semicolon ends a query where it is in no string, quoted name or comment. Queries that are empty but
    for comments are left out.
    """
    queries: list[str] = []
    begun, said = 0, False
    for piece in _PIECE.finditer(text):
        if piece["open"]:
            said = True
            break
        if piece["end"]:
            if said:
                queries.append(text[begun : piece.end()].strip())
            begun, said = piece.end(), False
        elif not piece[0].isspace() and not piece[0].startswith(("--", "/*")):
            said = True
    return queries, text[begun:] if said else ""


@dataclass(slots=True)
class Asking:
    """Questions to one connection and where the answers go."""

    connection: duckdb.DuckDBPyConnection
    """From ``culture.connect`` or ``connect_many``."""
    form: Format = "table"
    many: bool = False
    """Whether the connection has several runs."""
    failed: int = 0
    """Questions that could not be answered."""

    def converse(self, source: TextIO) -> None:
        """Answer all that ``source`` asks, to its end; at a terminal with a prompt and a history."""
        if source is sys.stdin and source.isatty() and sys.stdout.isatty():
            with _History():
                print(_HELP)
                self._follow(_typed())
        else:
            self._follow(line.rstrip("\n") for line in source)

    def _follow(self, lines: Iterator[str | None]) -> None:
        """None among the lines says that what was begun is dropped."""
        begun = ""
        for line in lines:
            if line is None:
                begun = ""
            elif not begun and line.lstrip().startswith("."):
                if not self._command(line.split()):
                    return
            else:
                queries, begun = split(f"{begun}{line}\n")
                for query in queries:
                    self.answer(query)
            _PENDING.begun = bool(begun)
        if begun.strip():
            self.answer(begun.strip())

    def answer(self, query: str) -> None:
        """Print the rows of a query, or what is wrong with it."""
        try:
            table = _selected(self.connection, query)
        except (Refused, duckdb.Error) as error:
            self._tell(str(error))
            return
        except KeyboardInterrupt:
            if not sys.stdin.isatty():
                raise
            self._tell("stopped")
            return
        _put(table, self.form)

    def _tell(self, fault: str) -> None:
        self.failed += 1
        sys.stdout.flush()
        print(printable(fault, keep="\n\t"), file=sys.stderr, flush=True)  # it may quote a model's text

    def _command(self, words: Sequence[str]) -> bool:
        """Do what a line with a dot says; whether to go on."""
        name, *rest = words
        if name in (".quit", ".exit"):
            return False
        if name == ".help":
            print(_HELP)
        elif name == ".tables":
            print("\n".join(_listed()))
        elif name == ".schema":
            self._schema(rest)
        else:
            self._tell(f"expected .tables, .schema NAME, .help or .quit, got {name}")
        return True

    def _schema(self, wanted: Sequence[str]) -> None:
        for name in wanted or askable():
            name = name.rstrip(";")
            if name not in askable():
                near = difflib.get_close_matches(name, askable(), 1)
                advice = f"write {near[0]}" if near else "write .tables for all names"
                self._tell(f"expected a table, view or macro, got {name}; {advice}")
                continue
            print("\n".join(described(name, many=self.many)))


# -- the terminal ----------------------------------------------------------------------------------------
@dataclass(slots=True)
class _Pending:
    begun: bool = False


_PENDING = _Pending()
"""Whether a query has begun, which the prompt shows."""


def _typed() -> Iterator[str | None]:
    """What is typed, a line at a time; None where Ctrl-C dropped what was begun."""
    while True:
        try:
            yield input(_MORE if _PENDING.begun else _PROMPT)
        except KeyboardInterrupt:
            print()
            yield None
        except EOFError:
            print()
            return


class _History:
    """Line editing with a history that is kept, and names completed by Tab, where Python has readline."""

    def __init__(self) -> None:
        self._path = Path(os.environ.get(HISTORY) or Path.home() / ".ludus_history")

    def __enter__(self) -> None:
        try:
            import readline
        except ImportError:  # not on every system; input() works without
            return
        words = sorted({*askable(), *(c.name for columns in declared().values() for c in columns)})
        words += sorted({c.name for columns in views().values() for c in columns} - set(words))

        def complete(text: str, state: int) -> str | None:
            found = [word for word in words if word.startswith(text)]
            return found[state] if state < len(found) else None

        readline.set_completer(complete)
        readline.parse_and_bind("tab: complete")
        readline.set_history_length(1000)
        try:
            readline.read_history_file(self._path)
        except OSError:
            readline.clear_history()

    def __exit__(self, *_: object) -> None:
        try:
            import readline

            readline.write_history_file(self._path)
        except (ImportError, OSError) as error:
            print(f"what was typed is not kept: {error}", file=sys.stderr)
