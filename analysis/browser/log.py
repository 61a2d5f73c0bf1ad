"""A log as the pages read it: one connection, queries one after another, never more rows than asked for."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from culture.catalog import LakeError, connect

MEMORY = "2GiB"
"""The most that the queries of one run's pages may take."""
PATIENCE = 30.0
"""After so many seconds a query is stopped."""

Row = dict[str, object]


class Slow(Exception):
    """A query that took too long; the message says so."""


@dataclass(frozen=True, slots=True)
class Head:
    """How far a run has come."""

    name: str
    seed: int
    last: int | None
    """The last committed round; None before the first."""
    planned: int | None
    """Rounds that the run is to have; None where its configuration does not say."""
    committed: datetime | None
    """When something was last committed, in UTC."""

    @property
    def finished(self) -> bool:
        """Whether all planned rounds are committed."""
        return self.last is not None and self.planned is not None and self.last + 1 >= self.planned


class Log:
    """The log of one run. All who look share it: its queries wait for one another."""

    def __init__(self, folder: Path) -> None:
        """Connects. Raises LakeError where there is no log."""
        self.folder = folder
        self.name = folder.resolve().name
        self.connection = connect(folder, memory=MEMORY)
        self._lock = threading.RLock()

        self.remembered: object = None
        """What the temporary table of the connection was made for (``analysis.browser.notes``)."""
        self._past: tuple[int, duckdb.DuckDBPyConnection] | None = None

    def close(self) -> None:
        """Let go of the log."""
        self.connection.close()
        if self._past is not None:
            self._past[1].close()

    @contextmanager
    def held(
        self, seconds: float = PATIENCE, *, round: int | None = None
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection for this thread alone; with ``round`` all its tables are as of the end of that one.

        Raises Slow where it is held for longer than ``seconds``.
        """
        with self._lock:
            connection = self.connection if round is None else self._as_of(round)
            timer = threading.Timer(seconds, connection.interrupt)
            timer.daemon = True
            timer.start()
            try:
                yield connection
            except duckdb.InterruptException as error:
                raise Slow(
                    f"expected a query of at most {seconds:.0f} seconds, got one that was not done. "
                    "Ask for fewer rounds or columns, or count instead of listing"
                ) from error
            finally:
                timer.cancel()
                timer.join()

    def _as_of(self, round: int) -> duckdb.DuckDBPyConnection:
        """A connection to the log as it was when it had a round and not the next; one is kept."""
        found = self.row(
            "SELECT min(snapshot_id) AS version FROM lake.snapshots() WHERE commit_message = $message",
            {"message": f"round {round}"},
        )
        version = found["version"] if found else None
        if version is None:
            raise LakeError(f"expected a commit of round {round}, got none; look at a later round")
        if self._past is None or self._past[0] != version:
            if self._past is not None:
                self._past[1].close()
            self._past = (int(str(version)), connect(self.folder, at=int(str(version)), memory=MEMORY))
        return self._past[1]

    def rows(self, sql: str, params: Sequence[object] | dict[str, object] = ()) -> list[Row]:
        """The rows of a query of ours, which has a LIMIT or is small by what it asks for."""
        with self.held() as connection:
            found = connection.execute(sql, params)
            names = [column[0] for column in found.description or ()]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def row(self, sql: str, params: Sequence[object] | dict[str, object] = ()) -> Row | None:
        """The first row, None where there is none."""
        found = self.rows(sql, params)
        return found[0] if found else None

    def head(self) -> Head:
        """How far the run has come."""
        run = self.row("SELECT name, seed, config FROM runs") or {}
        last = self.row("SELECT max(round) AS last FROM rounds") or {}
        when = self.row("SELECT max(snapshot_time) AS at FROM lake.snapshots()") or {}
        planned = json.loads(str(run.get("config", "{}"))).get("rounds")
        at, number = when.get("at"), last.get("last")
        return Head(
            str(run.get("name", self.name)),
            int(str(run.get("seed", 0))),
            None if number is None else int(str(number)),
            planned if isinstance(planned, int) else None,
            at.astimezone(UTC) if isinstance(at, datetime) else None,
        )


_opened: dict[Path, Log] = {}
_opening = threading.Lock()


def opened(folder: Path) -> Log:
    """The log of a run's folder, connected once a process. Raises LakeError."""
    with _opening:
        where = folder.resolve()
        if where not in _opened:
            _opened[where] = Log(folder)
        return _opened[where]
