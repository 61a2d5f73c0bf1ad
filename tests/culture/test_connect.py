from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from culture import connect
from culture.catalog import LakeError, attach_statement, configured, place
from culture.columns import declared
from culture.config import LakeConfig
from culture.lake import Lake
from culture.queries import Refused, select
from tests.culture.rows import START, rows_of

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three rounds."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    with Lake.create(folder, LakeConfig()) as lake:
        for n in range(3):
            lake.commit(rows_of(n, attempts=60), "world", f"round {n}")
    return folder


@pytest.fixture(scope="module")
def reader(run: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(run) as connection:
        yield connection


def test_tables_are_at_hand_by_bare_name(reader: duckdb.DuckDBPyConnection) -> None:
    for table in declared():
        n = 1 if table == "rounds" else 60 if table == "attempts" else 5
        assert reader.execute(f"SELECT count(*) FROM {table}").fetchone() == (3 * n,)


def test_comments_are_in_the_log_itself(reader: duckdb.DuckDBPyConnection) -> None:
    for table, columns in declared().items():
        sql = "SELECT column_name, data_type, comment FROM duckdb_columns() WHERE table_name = ?"
        got = reader.execute(f"{sql} AND database_name = 'lake' ORDER BY column_index", [table]).fetchall()
        assert got == [(c.name, c.type, c.comment) for c in columns]
        sql = "SELECT comment FROM duckdb_tables() WHERE table_name = ? AND database_name = 'lake'"
        (comment,) = reader.execute(sql, [table]).fetchall()[0]
        assert comment.startswith("One row")


def test_json_columns_are_json_to_sql(reader: duckdb.DuckDBPyConnection) -> None:
    row = rows_of(2).rounds[0]
    got = reader.execute("SELECT state.length::INT, state->>'$.seen[1].k[0]' FROM rounds WHERE round = 2")
    assert got.fetchone() == (row.state["length"], "1")


def test_times_are_shown_in_utc(reader: duckdb.DuckDBPyConnection) -> None:
    got = reader.execute('SELECT "at"::VARCHAR FROM events WHERE round = 0 ORDER BY rowid').fetchone()
    assert got == (START.strftime("%Y-%m-%d %H:%M:%S.%f+00"),)
    fetched = reader.execute("SELECT started_at FROM rounds WHERE round = 0").fetchone()
    assert fetched == (START,)


def test_at_shows_the_log_as_it_was(run: Path) -> None:
    with connect(run) as now:
        versions = now.execute(
            "SELECT snapshot_id FROM lake.snapshots() WHERE commit_message LIKE 'round %' ORDER BY 1"
        ).fetchall()
    for n, (version,) in enumerate(versions):
        with connect(run, at=version) as then:
            assert then.execute("SELECT max(round) FROM rounds").fetchone() == (n,)
            assert then.execute("SELECT count(*) FROM attempts").fetchone() == (60 * (n + 1),)
    with pytest.raises(LakeError, match="expected the version of a commit, got 99"):
        connect(run, at=99)


def test_each_query_sees_new_commits_and_the_past_stays(tmp_path: Path) -> None:
    with Lake.create(tmp_path, LakeConfig()) as lake, connect(tmp_path) as connection:
        count = "SELECT count(*) FROM rounds"
        assert connection.execute(count).fetchone() == (0,)
        version = lake.commit(rows_of(0), "world", "")
        assert connection.execute(count).fetchone() == (1,)
        with connect(tmp_path, at=version) as then:
            lake.commit(rows_of(1), "world", "")
            assert then.execute(count).fetchone() == (1,)
        assert connection.execute(count).fetchone() == (2,)


WRITER = """
import sys
from pathlib import Path
from culture.config import LakeConfig
from culture.lake import Lake
from tests.culture.rows import rows_of

folder, rounds = Path(sys.argv[1]), int(sys.argv[2])
with Lake.open(folder, LakeConfig(compact_every=2)) as lake:
    for n in range(rounds):
        lake.commit(rows_of(n, attempts=60), "world", f"round {n}")
"""

WHOLE = """
    SELECT r.n, r.last, a.n, m.n FROM (SELECT count(*) AS n, max(round) AS last FROM rounds) r,
    (SELECT count(*) AS n FROM attempts WHERE length(completion) > 0) a,
    (SELECT count(*) AS n FROM measures WHERE length(name) > 0) m
"""


def test_reading_while_another_process_writes_and_compacts(tmp_path: Path) -> None:
    rounds = 16
    Lake.create(tmp_path, LakeConfig()).close()
    seen: list[int] = []

    def poll(connection: duckdb.DuckDBPyConnection) -> None:
        n, last, attempts, measures = connection.execute(WHOLE).fetchall()[0]
        assert (attempts, measures, last) == (60 * n, 5 * n, n - 1 if n else None)
        assert n >= max(seen, default=0)
        seen.append(n)

    command = [sys.executable, "-c", WRITER, str(tmp_path), str(rounds)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        try:
            with connect(tmp_path) as connection:
                while process.poll() is None:
                    for _ in range(5):
                        poll(connection)
                    # A new connection attaches while the writer is at work, as another reader's does.
                    with connect(tmp_path) as fresh:
                        poll(fresh)
                poll(connection)
        finally:
            process.kill()
        assert process.stderr is not None
        errors = process.stderr.read()
    assert process.returncode == 0, errors
    assert seen[-1] == rounds
    assert len(set(seen)) > 2, "the reader was never there while the writer wrote"


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO measures SELECT * FROM measures",
        "DELETE FROM attempts",
        "DROP TABLE attempts",
        "CREATE VIEW v AS SELECT 1",
        "COMMENT ON TABLE attempts IS 'x'",
        "CALL lake.set_option('data_inlining_row_limit', 3)",
        "CALL ducklake_expire_snapshots('lake', older_than => now())",
        "DELETE FROM __ducklake_metadata_lake.ducklake_snapshot",
    ],
)
def test_the_log_cannot_be_changed(reader: duckdb.DuckDBPyConnection, sql: str) -> None:
    with pytest.raises(duckdb.Error, match=r"read-only|readonly"):
        reader.execute(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT 1) TO '{elsewhere}'",
        "FROM read_csv('{secret}')",
        "FROM '{secret}'",
        "FROM read_text('{secret}')",
        "FROM glob('{secret}')",
        "ATTACH '{elsewhere}' AS other",
        "EXPORT DATABASE '{elsewhere}'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "RESET lock_configuration",
    ],
)
def test_files_outside_the_log_are_out_of_reach(run: Path, tmp_path: Path, sql: str) -> None:
    secret, elsewhere = tmp_path / "secret.csv", tmp_path / "elsewhere"
    secret.write_text("a\n1\n")
    refusals = (duckdb.PermissionException, duckdb.InvalidInputException)
    with connect(run) as connection, pytest.raises(refusals):
        connection.execute(sql.format(secret=secret, elsewhere=elsewhere))
    assert not elsewhere.exists()


def test_variables_of_the_caller_are_out_of_reach(reader: duckdb.DuckDBPyConnection) -> None:
    secret = reader.execute("SELECT 1 AS x").to_arrow_table()
    assert secret.num_rows == 1
    with pytest.raises(duckdb.CatalogException, match="secret"):
        reader.execute("FROM secret")


@pytest.mark.parametrize(
    ("sql", "params", "expected"),
    [
        ("SELECT count(*) AS n FROM attempts", [], [{"n": 180}]),
        ("FROM rounds SELECT round WHERE round >= ? ORDER BY round;", [1], [{"round": 1}, {"round": 2}]),
        ("WITH a AS (FROM rounds) SELECT count(*) AS n FROM a -- ;", [], [{"n": 3}]),
        ("SELECT i FROM rounds, unnest([round]) u(i) WHERE i = 2", [], [{"i": 2}]),
        ("SELECT DISTINCT author FROM lake.snapshots() WHERE author = 'world'", [], [{"author": "world"}]),
        ("SELECT 'a;b' AS x", [], [{"x": "a;b"}]),
        (
            "FROM (PIVOT attempts ON arm IN ('library', 'none') USING count(*) GROUP BY round) "
            "SELECT count(*) AS n, count(library) AS counted",
            [],
            [{"n": 3, "counted": 3}],
        ),
    ],
)
def test_select_gives_rows(
    reader: duckdb.DuckDBPyConnection, sql: str, params: list[object], expected: list[dict[str, object]]
) -> None:
    assert select(reader, sql, params).to_pylist() == expected


@pytest.mark.parametrize("sql", ["SHOW TABLES", "DESCRIBE attempts", "SUMMARIZE measures"])
def test_select_describes(reader: duckdb.DuckDBPyConnection, sql: str) -> None:
    assert select(reader, sql).num_rows > 0


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("", "got 0 statements"),
        ("SELECT 1; SELECT 2", "got 2 statements"),
        ("PIVOT attempts ON arm USING count(*)", "Write them, as in PIVOT"),
        ("-- by arm\nFROM (pivot attempts ON arm USING count(*))", "Write them, as in PIVOT"),
        ("COPY attempts TO '{run}/data/x.parquet'", "got COPY"),
        ("SET threads = 1", "got SET"),
        ("CALL lake.snapshots()", "got CALL"),
        ("ATTACH ':memory:' AS m", "got ATTACH"),
        ("EXPLAIN ANALYZE SELECT 1", "got EXPLAIN"),
        ("FROM sqlite_scan('{run}/catalog.sqlite', 'ducklake_table')", "got sqlite_scan"),
        ("SELECT (SELECT count(*) FROM postgres_scan('host=x', 's', 't'))", "got postgres_scan"),
        ("WITH a AS (FROM read_csv('x')) SELECT 1", "got read_csv"),
        ("DESCRIBE (FROM sqlite_query('lake', 'x'))", "got sqlite_query"),
        ("FROM query('SELECT 1')", "got query"),
        ("FROM ducklake_cleanup_old_files('lake', cleanup_all => true)", "got ducklake_cleanup_old_files"),
    ],
)
def test_select_refuses_all_but_one_query_over_the_log(
    reader: duckdb.DuckDBPyConnection, run: Path, sql: str, message: str
) -> None:
    with pytest.raises(Refused, match=message):
        select(reader, sql.format(run=run))
    assert not (run / "data" / "x.parquet").exists()


def test_where_the_log_is_follows_from_run_yaml(tmp_path: Path) -> None:
    run = tmp_path / "run"
    config = LakeConfig(data_path=str(tmp_path / "store"))
    with Lake.create(run, config) as lake:
        lake.commit(rows_of(0, attempts=60), "world", "")
    (run / "run.yaml").write_text(f"seed: 3\nlake:\n  data_path: {tmp_path / 'store'}\n")
    with connect(run) as connection:
        assert connection.execute("SELECT count(*) FROM attempts").fetchone() == (60,)


@pytest.mark.parametrize(
    "text", ["lake: {catalogue: x}", "lake: {catalog: mysql}", "lake: [", "[1]", "lake: 3"]
)
def test_a_run_yaml_that_is_wrong_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.yaml").write_text(text)
    with pytest.raises(LakeError, match=r"expected a valid key 'lake' in .*run\.yaml, got"):
        configured(tmp_path)


def test_a_folder_without_a_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match=r"expected the log of a run, .*catalog\.sqlite, got no such file"):
        connect(tmp_path)


def test_attach_statements_quote_what_they_are_given(tmp_path: Path) -> None:
    where = place(
        tmp_path / "My run", LakeConfig(catalog="postgres:host=db password='x'", data_path="s3://b/")
    )
    assert where.remote
    assert attach_statement(where, write=False, at=7) == (
        "ATTACH 'ducklake:postgres:host=db password=''x''' AS lake (DATA_PATH 's3://b/My run/', "
        "OVERRIDE_DATA_PATH true, CREATE_IF_NOT_EXISTS false, METADATA_SCHEMA 'ludus_my_run', READ_ONLY, "
        "SNAPSHOT_VERSION 7)"
    )
    assert place(tmp_path / "r", LakeConfig(data_path="../d")).data == f"{tmp_path}/d/r/"


def test_a_folder_with_quotes_in_its_name(tmp_path: Path) -> None:
    run = tmp_path / "it's; a 'run'"
    with Lake.create(run, LakeConfig()) as lake:
        lake.commit(rows_of(0, attempts=60), "world", "")
    Lake.open(run, LakeConfig()).close()
    with connect(run) as connection:
        assert connection.execute("SELECT count(*) FROM attempts").fetchone() == (60,)
