"""Where a run's log is, and connections to it.

The log is a DuckLake: rows in Parquet files, and a catalog of them in SQLite or PostgreSQL. Readers
attach it read-only, while the writer goes on writing.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import duckdb
import yaml

from culture import views
from culture.config import LakeConfig

LAKE = "lake"
"""The name under which the log is attached."""
CATALOG_FILE = "catalog.sqlite"
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


def load_extensions(connection: duckdb.DuckDBPyConnection, where: Place) -> None:
    """Load what the catalog and the data at ``where`` need. Raises LakeError where it is not to be had."""
    load_extension(connection, "sqlite_scanner" if where.schema is None else "postgres_scanner")
    if where.remote:
        load_extension(connection, "httpfs")
    if where.schema is None:
        # With several threads a scan of the catalog opens several SQLite connections, each at a state
        # of its own: a reader then lost or doubled rows while the writer compacted.
        connection.execute("SET GLOBAL sqlite_disable_multithreaded_scans = true")


def session(where: Place, threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection with what the log at ``where`` needs loaded; times are shown in UTC."""
    connection = duckdb.connect(config={} if threads is None else {"threads": threads})
    try:
        load_extension(connection, "ducklake")
        load_extensions(connection, where)
        connection.execute("SET TimeZone = 'UTC'")
    except BaseException:
        connection.close()
        raise
    return connection


def attach_statement(
    where: Place, *, write: bool, create: bool = False, at: int | None = None, alias: str = LAKE
) -> str:
    """The ATTACH statement for the log at ``where``; ``alias`` is the name that it gets, an identifier.

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
    return f"ATTACH {quoted('ducklake:' + where.catalog)} AS {alias} ({', '.join(options)})"


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
    alias: str = LAKE,
) -> None:
    """Attach the log at ``where`` as ``alias``, an identifier; as ``lake`` it is made the default.

    Raises LakeError where there is none, or it is damaged.
    """
    if not create and where.schema is None and not (where.folder / CATALOG_FILE).exists():
        raise missing_catalog(where)
    try:
        connection.execute(attach_statement(where, write=write, create=create, at=at, alias=alias))
        if alias == LAKE:
            connection.execute(f"USE {LAKE}")
    except duckdb.Error as error:
        if where.schema is not None and "does not exist - and creating" in str(error):
            raise missing_catalog(where) from None
        if at is not None and "snapshot" in str(error).lower():
            raise LakeError(f"expected the version of a commit, got {at}: {error}") from error
        raise damaged_catalog(where, error) from None


def _present(connection: duckdb.DuckDBPyConnection) -> dict[str, views.Present]:
    """The columns of every table of every log attached, by the log's alias."""
    rows = connection.execute(
        "SELECT database_name, table_name, list(column_name) FROM duckdb_columns() "
        "WHERE NOT internal GROUP BY database_name, table_name"
    ).fetchall()
    found: dict[str, dict[str, frozenset[str]]] = {}
    for log, table, columns in rows:
        found.setdefault(log, {})[table] = frozenset(columns)
    return dict(found)


def _unmade(where: Place) -> LakeUnmade:
    return LakeUnmade(
        f"expected the log of a run in {where.folder}, got one that is being made, or whose making "
        "was cut short. Try again in a moment, or resume the run"
    )


def _seal(connection: duckdb.DuckDBPyConnection, places: Iterable[Place]) -> None:
    """From here on nothing outside the logs can be read or written."""
    data = ", ".join(quoted(where.data) for where in places)
    connection.execute(f"SET allowed_directories = [{data}]")
    connection.execute("SET enable_external_access = false")
    # Else a bare name could be a Python variable of the caller's.
    connection.execute("SET python_enable_replacements = false")
    connection.execute("SET lock_configuration = true")


def connect(
    run: str | Path, *, at: int | None = None, memory: str | None = None
) -> duckdb.DuckDBPyConnection:
    """A read-only connection to the log of a run, finished or going on.

    ``run`` is the run's folder; where the log is follows from its ``run.yaml``. Tables are at hand by bare
    name, and so are the views and macros of ``culture/views.sql``; each query sees all rounds committed so
    far, and times are in UTC. With ``at`` all tables are as they were at that version. Outside the log no
    file can be read or written. ``memory``: the most that queries may take together, as in ``1GiB``; by
    default four fifths of the machine's.

    Raises LakeError where there is no log, it is damaged, or ``at`` is no version of it; LakeUnmade, which
    is one, where it is only being made.
    """
    folder = Path(run)
    where = place(folder, configured(folder))
    connection = session(where)
    try:
        attach(connection, where, write=False, at=at)
        present = _present(connection).get(LAKE, {})
        if at is None and not present:
            raise _unmade(where)
        views.make(connection, LAKE, present)
        if memory is not None:
            connection.execute(f"SET memory_limit = {quoted(memory)}")
        _seal(connection, [where])
    except BaseException:
        connection.close()
        raise
    return connection


_TAKEN = ("main", "memory", "system", "temp")
"""Names that DuckDB has given already."""


def connect_many(
    runs: Mapping[str, str | Path] | Iterable[str | Path], *, skip_unmade: bool = False
) -> duckdb.DuckDBPyConnection:
    """A read-only connection to the logs of several runs as if they were one, finished or going on.

    ``runs``: the runs' folders, by the name that each is to have, or without names, which then are those of
    the folders. Every table, view and macro for FROM has the rows of all of them, with a column ``run``
    before its own; a column that the log of an earlier version lacks is NULL. Identifiers are unique
    within a run only, so join by ``run`` as well: ``JOIN problems USING (run, problem_id)``. One run's own
    log is at hand by its name, as in ``"spark-seed0".rounds``.

    Raises ValueError without any run, or where two would have one name, else as :func:`connect` does. With
    ``skip_unmade`` runs whose log is only being made are left out, if there are others.
    """
    folders = {name: Path(folder) for name, folder in runs.items()} if isinstance(runs, Mapping) else {}
    for folder in () if isinstance(runs, Mapping) else map(Path, runs):
        name = os.path.basename(os.path.abspath(folder))
        if name in folders:
            raise ValueError(
                f"expected runs of different names, got two called {name!r}; write a mapping from names to "
                "folders"
            )
        folders[name] = folder
    if not folders:
        raise ValueError("expected at least one run, got none; write the folders of runs")
    places = {name: place(folder, configured(folder)) for name, folder in folders.items()}
    first, *others = places.values()
    connection = session(first)
    try:
        for where in others:
            load_extensions(connection, where)
        aliases: dict[str, str] = {}
        for name, where in places.items():
            alias = name
            while alias.lower() in (*_TAKEN, *(a.lower() for a in aliases.values())):
                alias += "_"
            attach(connection, where, write=False, alias=views.identifier(alias))
            aliases[name] = alias
        present = _present(connection)
        made = [name for name in places if aliases[name] in present]
        for name in places:
            if name in made:
                continue
            if not (skip_unmade and made):
                raise _unmade(places[name])
            connection.execute(f"DETACH {views.identifier(aliases[name])}")
        views.make_many(connection, {name: (aliases[name], present[aliases[name]]) for name in made})
        _seal(connection, places.values())
    except BaseException:
        connection.close()
        raise
    return connection
