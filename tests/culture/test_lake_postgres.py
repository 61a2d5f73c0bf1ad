"""The log with its catalog in PostgreSQL, against a server of our own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from culture import connect
from culture.catalog import LakeError
from culture.columns import tables
from culture.config import LakeConfig
from culture.lake import Lake
from tests.culture.rows import rows_of

pytestmark = pytest.mark.slow


def program(name: str) -> str | None:
    """The newest installed PostgreSQL program of that name."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return str(installed[0]) if installed else shutil.which(name)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A connection string of a fresh server that listens on a socket only."""
    initdb, control = program("initdb"), program("pg_ctl")
    if initdb is None or control is None:
        pytest.skip("no PostgreSQL server is installed (initdb and pg_ctl)")
    # The server refuses to run as root; a socket's path must be short.
    user = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    os.chown(folder, user.pw_uid, user.pw_gid)
    options = f"-k {folder} -c listen_addresses= -c fsync=off"

    def call(*command: str) -> None:
        done = subprocess.run(
            command, user=user.pw_uid, group=user.pw_gid, cwd=folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    try:
        data = str(folder / "data")
        call(initdb, "-D", data, "-A", "trust", "-U", "ludus", "--no-sync", "--encoding=UTF8", "--locale=C")
        call(control, "-D", data, "-o", options, "-l", str(folder / "log"), "-w", "start")
        try:
            yield f"postgres:host={folder} user=ludus dbname=postgres"
        finally:
            call(control, "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder)


def assert_holds(lake: Lake, rounds: int, attempts: int) -> None:
    for cls, table in tables().items():
        wanted = [r for n in range(rounds) for r in getattr(rows_of(n, attempts=attempts), table)]
        assert lake.records(cls) == wanted, table


def test_a_run_as_with_sqlite(server: str, tmp_path: Path) -> None:
    run, config = tmp_path / "First run", LakeConfig(catalog=server)
    with pytest.raises(LakeError, match=r"expected the schema ludus_first_run of a run in .* got none"):
        run.mkdir()
        Lake.open(run, config)
    (run / "run.yaml").write_text(f"lake: {{catalog: '{server}'}}\n")
    with Lake.create(run, config) as lake:
        versions = [lake.commit(rows_of(n, attempts=60), "world", f"round {n}") for n in range(3)]
        assert_holds(lake, 3, 60)
        with connect(run) as connection:
            count = "SELECT count(*) FROM attempts WHERE length(completion) > 0"
            assert connection.execute(count).fetchone() == (180,)
            versions.append(lake.commit(rows_of(3, attempts=60), "world", ""))
            assert connection.execute(count).fetchone() == (240,)
        with connect(run, at=versions[1]) as connection:
            assert connection.execute(count).fetchone() == (120,)
        lake.compact()
        assert_holds(lake, 4, 60)
    leftover = run / "data" / "main" / "attempts" / "ducklake-leftover.parquet"
    shutil.copy(min(leftover.parent.glob("*.parquet")), leftover)
    with Lake.open(run, config) as lake:
        assert not leftover.exists()
        assert lake.last_round() == 3
        assert_holds(lake, 4, 60)
    with pytest.raises(LakeError, match="expected no log in"):
        Lake.create(run, config)


def test_runs_share_a_server_and_no_rows(server: str, tmp_path: Path) -> None:
    config = LakeConfig(catalog=server, data_path=str(tmp_path / "store"))
    for name, rounds in (("a", 1), ("b", 2)):
        with Lake.create(tmp_path / name, config) as lake:
            for n in range(rounds):
                lake.commit(rows_of(n, attempts=60), "world", "")
    for name, rounds in (("a", 1), ("b", 2)):
        with Lake.open(tmp_path / name, config) as lake:
            assert_holds(lake, rounds, 60)


def test_a_server_that_is_not_there_is_reported_without_the_password(tmp_path: Path) -> None:
    config = LakeConfig(catalog=f"postgres:host={tmp_path} password=tell-no-one dbname=none")
    with pytest.raises(LakeError, match=r"(?s)expected a PostgreSQL server .*Check lake") as raised:
        Lake.create(tmp_path / "run", config)
    assert "tell-no-one" not in str(raised.value)
    assert "password=***" in str(raised.value)
