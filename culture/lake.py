"""The log: whole rounds committed, versions, and records read back.

A commit is one DuckLake transaction. Parquet files that an interrupted commit left behind are in no
version, and are deleted when the next writer opens the log.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import duckdb
import pyarrow as pa

from culture import catalog
from culture.catalog import LAKE, LakeError, LakeUnmade, Place, quoted
from culture.columns import SCHEMA, declared, from_arrow, table_of, to_arrow
from culture.config import LakeConfig
from culture.records import RoundRows, Run

T = TypeVar("T")

INLINE_ROWS = 50
"""Commits of up to as many rows of a table are kept in the catalog until compaction: a Parquet file for
each would cost more than its rows, to write and for every later reader to open."""
TARGET_FILE_SIZE = "32MB"
"""Compaction merges Parquet files up to this size, so that what it rewrites each time is bounded."""
KEPT_FOR_READERS = "2 days"
"""How long files that were merged stay for readers that began before. With SQLite, DuckLake 1.0 compares
only the dates, so one day fewer is certain."""
LOCK_FILE = "writer.lock"
METADATA = f"__ducklake_metadata_{LAKE}"


class Lake:
    """The writer's hold on the log of one run; there is at most one at a time.

    ``create`` and ``open`` make one. All methods raise :class:`LakeError` where storage fails.
    """

    def __init__(self, where: Place, config: LakeConfig, connection: duckdb.DuckDBPyConnection, lock: int):
        """Of use to ``create`` and ``open`` only."""
        self._where = where
        self._config = config
        self._connection = connection
        self._lock: int | None = lock
        self._last_round: int | None = None
        self._since_compaction = 0

    # -- opening and closing -----------------------------------------------------------------------
    @classmethod
    def create(cls, folder: Path, config: LakeConfig) -> Lake:
        """A new, empty log for the run in ``folder``, which is made where it does not exist.

        Raises LakeError where there is a log in it, or another writer.
        """
        where = catalog.place(folder, config)
        try:
            where.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LakeError(f"expected a folder that can be made, got {where.folder}: {error}") from error
        lake = cls._attached(where, config, create=True)
        try:
            if lake._table_count():
                raise LakeError(
                    f"expected no log in {where.folder}, got one. Open it with Lake.open to go on with "
                    "that run, or write another folder"
                )
            lake._refuse_foreign_data()
            lake._make_tables()
        except BaseException:
            lake.close()
            raise
        return lake

    @classmethod
    def open(cls, folder: Path, config: LakeConfig) -> Lake:
        """The log of the run in ``folder``, checked, and with what interrupted commits left deleted.

        Raises LakeError where there is no log, where it is damaged, or where another writer has it.
        """
        where = catalog.place(folder, config)
        if not where.folder.is_dir():
            raise LakeError(f"expected the folder of a run, got {where.folder}, which is no folder")
        lake = cls._attached(where, config, create=False)
        try:
            if not lake._table_count():
                raise LakeUnmade(
                    f"expected a log in {where.folder}, got one whose creation was interrupted. It "
                    "holds no round: create it again with Lake.create"
                )
            lake._check_columns()
            lake._check_catalog()
            lake._check_files()
            lake._delete_leftovers()
            lake._last_round = lake._find_last_round()
        except BaseException:
            lake.close()
            raise
        return lake

    @classmethod
    def _attached(cls, where: Place, config: LakeConfig, *, create: bool) -> Lake:
        lock = _take_lock(where.folder)
        try:
            # One thread: rows of a round are too few to share out, and the cores have models to run.
            connection = catalog.session(where, threads=1)
            try:
                if create and where.schema is not None:
                    _make_schema(connection, where)
                catalog.attach(connection, where, write=True, create=create)
            except BaseException:
                connection.close()
                raise
        except BaseException:
            os.close(lock)
            raise
        return cls(where, config, connection, lock)

    def close(self) -> None:
        """Let go of the log; another writer may open it. A second call does nothing."""
        if self._lock is None:
            return
        self._connection.close()
        os.close(self._lock)
        self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- writing -----------------------------------------------------------------------------------
    def commit(self, rows: RoundRows, author: str, message: str) -> int:
        """Add all of ``rows`` in one transaction and give the version that has them.

        Rounds of ``rows.rounds`` must come after those in the log. Without any row there is no new
        version. Raises ValueError where a value does not fit its column, LakeError where the round
        comes too early or storage fails; then none of the rows is in the log and it can be tried again.
        """
        numbers = [r.round for r in rows.rounds]
        if self._last_round is not None and any(n <= self._last_round for n in numbers):
            raise LakeError(f"expected a round after {self._last_round}, got {numbers}, committed already")
        gathered = {f.name: getattr(rows, f.name) for f in fields(rows)}
        arrow = {table: to_arrow(table, records) for table, records in gathered.items() if records}
        if not arrow:
            return self.version()
        if self._config.compact_every and self._since_compaction >= self._config.compact_every:
            self.compact()
        self._transact(lambda: self._insert(arrow), author, message)
        self._last_round = max(numbers, default=self._last_round)
        self._since_compaction += 1
        return self.version()

    def _insert(self, arrow: dict[str, pa.Table]) -> None:
        for table, columns in arrow.items():
            self._write(f"INSERT INTO {table} SELECT * FROM incoming", columns)

    def _write(self, sql: str, incoming: pa.Table) -> None:
        """SQL that reads the table ``incoming``."""
        self._connection.register("incoming", incoming)
        try:
            self._connection.execute(sql)
        finally:
            self._connection.unregister("incoming")

    def replan(self, rounds: int, author: str) -> None:
        """Make ``rounds`` the length in the run's configuration, by a commit, where it says another.

        Earlier versions say what they said. Nothing is done before the first round. Raises LakeError where
        storage fails.
        """
        found = self.records(Run)
        if not found or found[0].config.get("rounds") == rounds:
            return
        arrow = to_arrow("runs", [replace(found[0], config={**found[0].config, "rounds": rounds})])
        sql = "UPDATE runs SET config = (SELECT config FROM incoming)"
        self._transact(lambda: self._write(sql, arrow), author, f"{rounds} rounds are planned")

    def compact(self) -> None:
        """Merge small Parquet files and move the catalog's rows to Parquet; all versions stay readable."""
        for call in ("flush_inlined_data", "merge_adjacent_files"):
            self._execute(f"CALL ducklake_{call}('{LAKE}')")
        before = f"now() - INTERVAL '{KEPT_FOR_READERS}'"
        self._execute(f"CALL ducklake_cleanup_old_files('{LAKE}', older_than => {before})")
        self._since_compaction = 0

    def _transact(self, work: Callable[[], object], author: str, message: str) -> None:
        try:
            self._connection.execute("BEGIN")
            work()
            self._connection.execute(f"CALL {LAKE}.set_commit_message(?, ?)", [author, message])
            self._connection.execute("COMMIT")
        except BaseException as error:
            self._roll_back()
            if isinstance(error, duckdb.Error):
                raise self._failed(error) from error
            raise

    def _roll_back(self) -> None:
        try:
            self._connection.execute("ROLLBACK")
        except duckdb.Error as error:
            # A COMMIT that failed has ended the transaction by itself.
            if "no transaction is active" not in str(error):
                raise LakeError(f"expected to roll back, got {error}. Open the log again") from error

    # -- reading -----------------------------------------------------------------------------------
    def version(self) -> int:
        """The version that the last commit made."""
        row = self._execute(f"FROM {LAKE}.current_snapshot()").fetchone()
        assert row is not None
        return int(row[0])

    def last_round(self) -> int | None:
        """The last committed round, or None before the first."""
        return self._last_round

    def _find_last_round(self) -> int | None:
        row = self._execute("SELECT max(round) FROM rounds").fetchone()
        assert row is not None
        return None if row[0] is None else int(row[0])

    def table(self, sql: str, params: Sequence[object] = ()) -> pa.Table:
        """The rows that a query gives. ``params`` fill the question marks of ``sql``, in order."""
        return self._execute(sql, params).to_arrow_table()

    def batches(self, sql: str, params: Sequence[object], size: int) -> pa.RecordBatchReader:
        """The same in parts of ``size`` rows, to be read before the next query."""
        return self._execute(sql, params).to_arrow_reader(size)

    def records(self, cls: type[T], where_sql: str = "", params: Sequence[object] = ()) -> list[T]:
        """Records of one class as they were committed, in that order; ``where_sql`` filters them.

        >>> lake.records(Problem, "round >= ? AND status = 'admitted'", [10])  # doctest: +SKIP
        """
        condition = f"WHERE {where_sql}" if where_sql else ""
        rows = self.table(f"SELECT * FROM {table_of(cls)} {condition} ORDER BY rowid", params)
        return from_arrow(cls, rows)

    def _execute(self, sql: str, params: Sequence[object] = ()) -> duckdb.DuckDBPyConnection:
        try:
            return self._connection.execute(sql, list(params))
        except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException):
            raise
        except duckdb.Error as error:
            raise self._failed(error) from error

    # -- what can go wrong -------------------------------------------------------------------------
    def _failed(self, error: duckdb.Error) -> LakeError:
        last = "no round" if self._last_round is None else f"round {self._last_round}"
        return LakeError(
            f"expected the storage of the log in {self._where.folder} to work, got: "
            f"{catalog.without_password(error)}. All versions up to {last} are as they were committed, and "
            "nothing of an unfinished commit is in them. Make room on the disk or restore the file that "
            f"the error names, then open the log again to go on after {last}"
        )

    def _table_count(self) -> int:
        row = self._execute(
            "SELECT count(*) FROM duckdb_tables() WHERE database_name = ? AND table_name IN "
            "(SELECT unnest(?::VARCHAR[]))",
            [LAKE, list(declared())],
        ).fetchone()
        assert row is not None
        return int(row[0])

    def _make_tables(self) -> None:
        def make() -> None:
            self._connection.execute(SCHEMA.read_text(encoding="utf-8"))
            self._option("parquet_compression", "zstd")
            self._option("target_file_size", TARGET_FILE_SIZE)
            self._option("data_inlining_row_limit", 0)

        def inline() -> None:
            for table, columns in declared().items():
                # DuckLake 1.0 cannot inline a list of texts one of which has a NUL character.
                if not any(c.type == "VARCHAR[]" for c in columns):
                    self._option("data_inlining_row_limit", INLINE_ROWS, table)

        self._transact(make, "ludus", "Create the tables")
        # Only tables that are there already can be set; if this is never reached, all rows go to Parquet.
        self._transact(inline, "ludus", "Keep small commits in the catalog")

    def _option(self, name: str, value: str | int, table: str | None = None) -> None:
        scope = "" if table is None else f", table_name => {quoted(table)}"
        call = f"CALL {LAKE}.set_option({quoted(name)}, {quoted(str(value))}{scope})"
        self._connection.execute(call)

    def _refuse_foreign_data(self) -> None:
        """Files of another log would look like leftovers of this one, and be deleted."""
        found = self._execute("SELECT file FROM glob(?) LIMIT 1", [f"{self._where.data}**"]).fetchone()
        if found is not None:
            raise LakeError(
                f"expected nothing under {self._where.data}, got {found[0]}. Write another folder for the "
                "run, or another data_path"
            )

    def _check_columns(self) -> None:
        """A log of an older or a newer schema could be read, but no rows could be added to it."""
        rows = self._execute(
            "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE database_name = ?",
            [LAKE],
        ).fetchall()
        own = {(c.table, c.name, c.type) for columns in declared().values() for c in columns}
        got = {(str(t), str(c), str(kind)) for t, c, kind in rows if t in declared()}
        if lacking := sorted(f"{t}.{c}" for t, c, _ in own ^ got):
            raise LakeError(
                f"expected the columns of this version of Ludus in the log in {self._where.folder}, got a "
                f"log that differs in {', '.join(lacking[:5])}. It can be queried as it is, with ludus sql "
                "or connect; to go on with the run, use the version of Ludus that its run.yaml names"
            )

    def _check_catalog(self) -> None:
        if self._where.schema is not None:
            return
        try:
            rows = self._connection.execute(
                f"FROM sqlite_query('{METADATA}', 'PRAGMA quick_check(1)')"
            ).fetchall()
        except duckdb.Error as error:
            raise catalog.damaged_catalog(self._where, error) from error
        if rows != [("ok",)]:
            raise catalog.damaged_catalog(self._where, ValueError(str(rows[0][0])))

    def _live_files(self) -> dict[str, tuple[str, int, int]]:
        """Table, first version and size in bytes of every Parquet file that a version refers to."""
        tables = METADATA if self._where.schema is None else f"{METADATA}.{self._where.schema}"
        rows = self._execute(
            f"SELECT s.path, s.path_is_relative, t.path, t.path_is_relative, f.path, f.path_is_relative, "
            f"t.table_name, f.begin_snapshot, f.file_size_bytes "
            f"FROM {tables}.ducklake_data_file f JOIN {tables}.ducklake_table t USING (table_id) "
            f"JOIN {tables}.ducklake_schema s USING (schema_id)"
        ).fetchall()
        found = {}
        for schema, schema_relative, table, table_relative, file, relative, name, begin, size in rows:
            path = str(file)
            if relative:
                path = f"{table}{path}"
                if table_relative:
                    path = f"{schema}{path}"
                    if schema_relative:
                        path = f"{self._where.data}{path}"
            found[path] = (str(name), int(begin), int(size))
        return found

    def _check_files(self) -> None:
        if self._where.remote:
            return
        for path, (table, begin, size) in self._live_files().items():
            try:
                got = f"{os.stat(path).st_size} bytes"
            except FileNotFoundError:
                got = "no such file"
            if got != f"{size} bytes":
                raise LakeError(
                    f"expected {path} to have {size} bytes, got {got}. It holds rows of {table} from "
                    f"version {begin} on; the other tables, and {table} before version {begin}, are intact "
                    f"and can be read: connect({str(self._where.folder)!r}, at={begin - 1}). Restore the "
                    "file from a copy to go on with the run"
                )

    def _delete_leftovers(self) -> None:
        """Delete Parquet files in no version. The lock says that no live writer has them."""
        call = f"ducklake_delete_orphaned_files('{LAKE}', cleanup_all => true"
        doomed = {str(r[0]) for r in self._execute(f"FROM {call}, dry_run => true)").fetchall()}
        if not doomed:
            return
        live = {os.path.realpath(p) for p in self._live_files()} if not self._where.remote else set()
        mistaken = sorted(p for p in doomed if os.path.realpath(p) in live)
        if mistaken:
            raise LakeError(
                f"expected leftovers to be in no version, got {mistaken[0]}, which is. Nothing was deleted"
            )
        self._execute(f"CALL {call})")


def _take_lock(folder: Path) -> int:
    """A file descriptor that holds the writer's lock; the system lets go of it when the process ends."""
    path = folder / LOCK_FILE
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise LakeError(f"expected to write {path}, got: {error}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(lock, 64).decode(errors="replace").strip() or "another process"
        os.close(lock)
        raise LakeError(
            f"expected no other writer of {folder}, got {holder}. Wait until it ends, or stop it; "
            "to read meanwhile use connect"
        ) from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"process {os.getpid()}\n".encode(), 0)
    return lock


def _make_schema(connection: duckdb.DuckDBPyConnection, where: Place) -> None:
    """The PostgreSQL schema that a run has to itself. Raises LakeError where the server refuses."""
    try:
        connection.execute(
            f"ATTACH {quoted(where.catalog.removeprefix('postgres:'))} AS server (TYPE postgres)"
        )
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS server.{where.schema}")
        connection.execute("USE memory")
        connection.execute("DETACH server")
    except duckdb.Error as error:
        raise LakeError(
            f"expected a PostgreSQL server that lets us make the schema {where.schema}, got: "
            f"{catalog.without_password(error)}. Check lake.catalog and the rights of its user"
        ) from None
