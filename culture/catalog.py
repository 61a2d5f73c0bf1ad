"""Where a run's log is, and connections to it.

The log is a DuckLake: rows in Parquet files, and a catalog of them in SQLite or PostgreSQL. Readers
attach it read-only, while the writer goes on writing.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import duckdb
import yaml

from culture.config import LakeConfig

LAKE = "lake"
"""The name under which the log is attached."""
CATALOG_FILE = "catalog.sqlite"
MACROS = Path(__file__).with_name("macros.sql")
BUSY_TIMEOUT = 60_000
"""How long SQLite waits for a lock, in milliseconds."""


class LakeError(Exception):
    """The log cannot be read or written; the message says what is intact and what to do."""


class LakeUnmade(LakeError):
    """A log whose creation was interrupted: it holds no round."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the log of one run is, resolved."""

    folder: Path
    catalog: str
    """What DuckLake attaches: ``sqlite:/path/catalog.sqlite`` or ``postgres:<libpq string>``."""
    schema: str | None
    """The schema of the run inside PostgreSQL; None with SQLite."""
    data: str
    """Absolute folder or URL of the Parquet files, with a slash at the end."""

    @property
    def remote(self) -> bool:
        """Whether the Parquet files are in an object store."""
        return "://" in self.data


def place(folder: Path, config: LakeConfig) -> Place:
    """Where ``config`` puts the log of the run in ``folder``."""
    folder = folder.resolve()
    slug = re.sub(r"[^a-z0-9_]", "_", folder.name.lower())
    if config.data_path is None:
        data = f"{folder / 'data'}/"
    elif "://" in config.data_path:
        data = f"{config.data_path.rstrip('/')}/{folder.name}/"
    else:
        data = f"{(folder / config.data_path).resolve() / folder.name}/"
    if config.catalog == "sqlite":
        return Place(folder, f"sqlite:{folder / CATALOG_FILE}", None, data)
    return Place(folder, config.catalog, f"ludus_{slug}", data)


def configured(folder: Path) -> LakeConfig:
    """The configuration under the key ``lake`` of ``folder/run.yaml``; the default where there is none.

    Raises LakeError where the file cannot be read as that.
    """
    path = folder / "run.yaml"
    if not path.exists():
        return LakeConfig()
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return LakeConfig.model_validate((content or {}).get("lake") or {})
    except (OSError, ValueError, AttributeError, yaml.YAMLError) as error:
        raise LakeError(f"expected a valid key 'lake' in {path}, got: {error}") from error


def quoted(text: str) -> str:
    """``text`` as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def load_extension(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Load a DuckDB extension: from its Python package where installed, else from the network.

    Raises LakeError where neither is to be had.
    """
    try:
        package = importlib.import_module(f"duckdb_extension_{name}")
        folder = files(package) / "extensions" / f"v{duckdb.__version__}"
        connection.load_extension(str(folder / f"{name}.duckdb_extension"))
        return
    except (ImportError, duckdb.Error) as error:
        cause = error
    try:
        connection.install_extension(name)
        connection.load_extension(name)
    except duckdb.Error as error:
        raise LakeError(
            f"expected the DuckDB extension {name}, got: {cause}; {error}. Write: pip install "
            f"duckdb-extensions=={duckdb.__version__} "
            f"duckdb-extension-{name.replace('_', '-')}=={duckdb.__version__}"
        ) from error


def session(where: Place, threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection with what the log at ``where`` needs loaded; times are shown in UTC."""
    connection = duckdb.connect(config={} if threads is None else {"threads": threads})
    try:
        load_extension(connection, "ducklake")
        load_extension(connection, "sqlite_scanner" if where.schema is None else "postgres_scanner")
        if where.remote:
            load_extension(connection, "httpfs")
        if where.schema is None:
            # With several threads a scan of the catalog opens several SQLite connections, each at a state
            # of its own: a reader then lost or doubled rows while the writer compacted.
            connection.execute("SET GLOBAL sqlite_disable_multithreaded_scans = true")
        connection.execute("SET TimeZone = 'UTC'")
    except BaseException:
        connection.close()
        raise
    return connection


def attach_statement(where: Place, *, write: bool, create: bool = False, at: int | None = None) -> str:
    """The ATTACH statement for the log at ``where``.

    The data path overrides the one in the catalog, so that a run's folder can be moved.
    """
    options = [f"DATA_PATH {quoted(where.data)}", "OVERRIDE_DATA_PATH true"]
    options.append(f"CREATE_IF_NOT_EXISTS {'true' if create else 'false'}")
    if where.schema is None:
        options.append(f"META_BUSY_TIMEOUT {BUSY_TIMEOUT}")
        if write:
            # With a write-ahead log readers and the writer do not wait for each other.
            options.append("META_JOURNAL_MODE 'WAL'")
    else:
        options.append(f"METADATA_SCHEMA {quoted(where.schema)}")
    if not write:
        options.append("READ_ONLY")
    if at is not None:
        options.append(f"SNAPSHOT_VERSION {at:d}")
    return f"ATTACH {quoted('ducklake:' + where.catalog)} AS {LAKE} ({', '.join(options)})"


def without_password(text: object) -> str:
    """``text`` with the passwords of connection strings in it blotted out."""
    return re.sub(r"(?i)(password\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s\"']+)", r"\1***", str(text))


def missing_catalog(where: Place) -> LakeError:
    """The error for a folder that has no catalog."""
    if where.schema is not None:
        return LakeError(
            f"expected the schema {where.schema} of a run in {without_password(where.catalog)}, got none. "
            "Create the run first, or give its folder the name that it had when the run was created"
        )
    return LakeError(
        f"expected the log of a run, {where.folder / CATALOG_FILE}, got no such file. Write the folder "
        f"of a run, or create the run first. If the file was lost, restore it from a copy: the Parquet "
        f"files under {where.data} are intact"
    )


def damaged_catalog(where: Place, error: Exception) -> LakeError:
    """The error for a catalog that is there and cannot be attached.

    LakeUnmade where it is a database without tables: killed while it was created, or emptied since.
    """
    kind = LakeUnmade if "does not exist - and creating" in str(error) else LakeError
    return kind(
        f"expected a readable catalog, {where.catalog.partition(':')[0]} for {where.folder}, got: "
        f"{without_password(error)}. The Parquet files under {where.data} are not touched by this; restore "
        "the catalog from a copy, or query the files with read_parquet"
    )


def attach(
    connection: duckdb.DuckDBPyConnection,
    where: Place,
    *,
    write: bool,
    create: bool = False,
    at: int | None = None,
) -> None:
    """Attach the log at ``where`` as ``lake`` and make it the default.

    Raises LakeError where there is none, or it is damaged.
    """
    if not create and where.schema is None and not (where.folder / CATALOG_FILE).exists():
        raise missing_catalog(where)
    try:
        connection.execute(attach_statement(where, write=write, create=create, at=at))
        connection.execute(f"USE {LAKE}")
    except duckdb.Error as error:
        if where.schema is not None and "does not exist - and creating" in str(error):
            raise missing_catalog(where) from None
        if at is not None and "snapshot" in str(error).lower():
            raise LakeError(f"expected the version of a commit, got {at}: {error}") from error
        raise damaged_catalog(where, error) from None


def _has_tables(connection: duckdb.DuckDBPyConnection) -> bool:
    found = connection.execute("SELECT count(*) FROM duckdb_tables() WHERE database_name = ?", [LAKE])
    return found.fetchone() != (0,)


def connect(
    run: str | Path, *, at: int | None = None, memory: str | None = None
) -> duckdb.DuckDBPyConnection:
    """A read-only connection to the log of a run, finished or going on.

    ``run`` is the run's folder; where the log is follows from its ``run.yaml``. Tables are at hand by bare
    name, and so is the macro ``library_at(ROUND)``; each query sees all rounds committed so far, and times
    are in UTC. With ``at`` all tables are as they were at that version. Outside the log no file can be read
    or written. ``memory``: the most that queries may take together, as in ``1GiB``; by default four fifths
    of the machine's.

    Raises LakeError where there is no log, it is damaged, or ``at`` is no version of it; LakeUnmade, which
    is one, where it is only being made.
    """
    folder = Path(run)
    where = place(folder, configured(folder))
    connection = session(where)
    try:
        attach(connection, where, write=False, at=at)
        if at is None and not _has_tables(connection):
            raise LakeUnmade(
                f"expected the log of a run in {where.folder}, got one that is being made, or whose making "
                "was cut short. Try again in a moment, or resume the run"
            )
        connection.execute(MACROS.read_text(encoding="utf-8"))
        connection.execute(f"SET allowed_directories = [{quoted(where.data)}]")
        connection.execute("SET enable_external_access = false")
        if memory is not None:
            connection.execute(f"SET memory_limit = {quoted(memory)}")
        # Else a bare name could be a Python variable of the caller's.
        connection.execute("SET python_enable_replacements = false")
        connection.execute("SET lock_configuration = true")
    except BaseException:
        connection.close()
        raise
    return connection
