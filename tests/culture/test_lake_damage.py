"""What becomes of the log when processes die, disks fill and files break."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from culture import connect
from culture.catalog import LakeError
from culture.columns import tables
from culture.config import LakeConfig
from culture.lake import Lake
from culture.records import Attempt, Round
from culture.seeds import generator
from tests.culture.rows import rows_of

ROOT = Path(__file__).parents[2]

WRITER = """
import sys
from pathlib import Path
from culture.config import LakeConfig
from culture.lake import Lake
from tests.culture.rows import rows_of

with Lake.open(Path(sys.argv[1]), LakeConfig(compact_every=5)) as lake:
    first = -1 if lake.last_round() is None else lake.last_round()
    for n in range(first + 1, first + 1 + int(sys.argv[2])):
        lake.commit(rows_of(n, attempts=60), "world", f"round {n}")
        print(n, flush=True)
"""


def writer(run: Path, rounds: int) -> subprocess.Popen[str]:
    """Another process that commits ``rounds`` rounds to a run and prints the number of each."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(run), str(rounds)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def new_run(folder: Path, rounds: int = 0) -> None:
    with Lake.create(folder, LakeConfig()) as lake:
        for n in range(rounds):
            lake.commit(rows_of(n, attempts=60), "world", f"round {n}")


def assert_whole(lake: Lake) -> None:
    """Every round of the log has all its rows in every table."""
    last = lake.last_round()
    for cls, table in tables().items():
        wanted = [r for n in range(0 if last is None else last + 1) for r in getattr(rows_of(n), table)]
        if cls is Attempt:
            continue
        if "round" in cls.__dataclass_fields__:
            assert lake.records(cls) == wanted, table
    counts = lake.table("SELECT round, count(*) AS n FROM attempts GROUP BY round ORDER BY round")
    assert counts.to_pylist() == [{"round": n, "n": 60} for n in range(0 if last is None else last + 1)]


def parquet_files(run: Path) -> set[str]:
    return {str(p) for p in (run / "data").rglob("*.parquet")}


def known_files(lake: Lake, run: Path) -> set[str]:
    """Files of the newest version, and files that a merge left to readers for a while."""
    metadata = "__ducklake_metadata_lake"
    merged = lake.table(f"SELECT path FROM {metadata}.ducklake_files_scheduled_for_deletion").column(0)
    found = {str(run / "data" / path) for path in merged.to_pylist()}
    for table in tables().values():
        files = lake.table(f"SELECT data_file FROM ducklake_list_files('lake', '{table}')").column(0)
        found |= set(files.to_pylist())
    return found


def test_after_kill_9_the_log_has_whole_rounds_and_no_leftovers(tmp_path: Path) -> None:
    new_run(tmp_path)
    rng = generator(0, "kill")
    seen = -1
    for _ in range(3):
        process = writer(tmp_path, 1000)
        assert process.stdout is not None
        seen = int(process.stdout.readline())
        time.sleep(float(rng.uniform(0.1, 0.6)))
        process.kill()
        printed = process.stdout.read().split()
        process.stdout.close()
        assert process.wait() == -signal.SIGKILL
        seen = int(printed[-1]) if printed else seen
        with Lake.open(tmp_path, LakeConfig()) as lake:
            last = lake.last_round()
            assert last is not None and last >= seen
            assert_whole(lake)
            assert parquet_files(tmp_path) == known_files(lake, tmp_path)
    with Lake.open(tmp_path, LakeConfig()) as lake:
        lake.commit(rows_of(last + 1, attempts=60), "world", "goes on")
        assert_whole(lake)


def test_leftovers_are_deleted_on_open_and_other_files_are_not(tmp_path: Path) -> None:
    new_run(tmp_path, 2)
    kept = parquet_files(tmp_path)
    assert kept
    leftover = tmp_path / "data" / "main" / "attempts" / "ducklake-leftover.parquet"
    leftover.write_bytes(Path(min(kept)).read_bytes())
    with Lake.open(tmp_path, LakeConfig()) as lake:
        assert not leftover.exists()
        assert parquet_files(tmp_path) == kept == known_files(lake, tmp_path)
        assert_whole(lake)


def test_files_of_versions_are_never_taken_for_leftovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_run(tmp_path, 1)
    kept = parquet_files(tmp_path)
    execute = Lake._execute

    def mistaken(self: Lake, sql: str, params: object = ()) -> object:
        if "dry_run" in sql:
            sql = f"SELECT {min(kept)!r} AS path"
        return execute(self, sql, params)  # type: ignore[arg-type]

    monkeypatch.setattr(Lake, "_execute", mistaken)
    with pytest.raises(LakeError, match=r"leftovers to be in no version, got .* Nothing was deleted"):
        Lake.open(tmp_path, LakeConfig())
    assert parquet_files(tmp_path) == kept


def test_a_second_writer_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    refusal = rf"expected no other writer of .*, got process {os.getpid()}\."
    with Lake.create(tmp_path, LakeConfig()) as lake:
        for make in (Lake.open, Lake.create):
            with pytest.raises(LakeError, match=refusal):
                make(tmp_path, LakeConfig())
        lake.commit(rows_of(0), "world", "")
    Lake.open(tmp_path, LakeConfig()).close()


def test_the_lock_of_another_process_holds_until_it_ends(tmp_path: Path) -> None:
    new_run(tmp_path)
    process = writer(tmp_path, 1000)
    assert process.stdout is not None
    process.stdout.readline()
    with pytest.raises(LakeError, match=f"got process {process.pid}"):
        Lake.open(tmp_path, LakeConfig())
    process.kill()
    process.wait()
    process.stdout.close()
    Lake.open(tmp_path, LakeConfig()).close()


FULL_DISK = """
import resource, sys
from pathlib import Path
from culture.catalog import LakeError
from culture.config import LakeConfig
from culture.lake import Lake
from tests.culture.rows import rows_of

folder, limit, attempts = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
with Lake.create(folder, LakeConfig()) as lake:
    lake.commit(rows_of(0, attempts=60), "world", "fits")
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    for _ in range(2):
        try:
            lake.commit(rows_of(1, attempts=attempts), "world", "does not fit")
        except LakeError as error:
            print(error)
        else:
            sys.exit("expected a full disk to be noticed")
        assert lake.last_round() == 0
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    lake.commit(rows_of(1, attempts=60), "world", "fits again")
"""


# A Parquet file that does not fit; a catalog that does not while Parquet files would; nothing at all.
@pytest.mark.parametrize(
    ("limit", "attempts", "failed"),
    [(50_000, 4000, "Could not write file"), (60_000, 60, 'query "COMMIT"'), (1, 60, "journal_mode")],
)
def test_a_full_disk_loses_nothing_and_the_round_can_be_repeated(
    tmp_path: Path, limit: int, attempts: int, failed: str
) -> None:
    run = tmp_path / "run"
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(run), str(limit), str(attempts)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(failed) == 2
    assert "All versions up to round 0 are as they were committed" in done.stdout
    assert "Make room on the disk" in done.stdout
    with Lake.open(run, LakeConfig()) as lake:
        assert lake.last_round() == 1
        assert_whole(lake)
        assert parquet_files(run) == known_files(lake, run)


@pytest.mark.parametrize("damage", ["truncated", "missing"])
def test_a_damaged_file_is_named_and_the_rest_can_be_read(tmp_path: Path, damage: str) -> None:
    new_run(tmp_path, 2)
    attempts = sorted((tmp_path / "data" / "main" / "attempts").glob("*.parquet"))
    with connect(tmp_path) as connection:
        listed = "SELECT data_file FROM ducklake_list_files('lake', 'attempts') ORDER BY 1"
        assert connection.execute(listed).fetchall() == [(str(p),) for p in attempts]
        versions = [v for (v,) in connection.execute("SELECT snapshot_id FROM lake.snapshots()").fetchall()]
    size = attempts[1].stat().st_size
    if damage == "truncated":
        os.truncate(attempts[1], size - 10)
    else:
        attempts[1].unlink()
    got = f"{size - 10} bytes" if damage == "truncated" else "no such file"
    before = versions[-1] - 1
    with pytest.raises(
        LakeError,
        match=rf"expected {attempts[1]} to have {size} bytes, got {got}\. It holds rows of attempts from "
        rf"version {versions[-1]} on; .* are intact and can be read: .*at={before}\)\. Restore the file",
    ):
        Lake.open(tmp_path, LakeConfig())
    with connect(tmp_path) as connection:
        assert connection.execute("SELECT count(*) FROM rounds").fetchone() == (2,)
        assert connection.execute("SELECT count(*) FROM problems").fetchone() == (10,)
    with connect(tmp_path, at=before) as connection:
        assert connection.execute("SELECT count(*) FROM attempts").fetchone() == (60,)


def test_a_file_damaged_while_open_is_reported(tmp_path: Path) -> None:
    with Lake.create(tmp_path, LakeConfig()) as lake:
        lake.commit(rows_of(0, attempts=60), "world", "")
        (file,) = (tmp_path / "data" / "main" / "attempts").glob("*.parquet")
        size = file.stat().st_size
        file.write_bytes(b"\0" * size)
        with pytest.raises(LakeError, match=rf"{file.name}.*up to round 0 are as they were committed"):
            lake.records(Attempt)
        assert [r.round for r in lake.records(Round)] == [0]


@pytest.mark.parametrize("damage", ["garbage", "page"])
def test_a_damaged_catalog_is_reported_and_the_data_kept(tmp_path: Path, damage: str) -> None:
    new_run(tmp_path, 2)
    files = parquet_files(tmp_path)
    catalog = tmp_path / "catalog.sqlite"
    content = bytearray(catalog.read_bytes())
    start = 0 if damage == "garbage" else len(content) // 2
    content[start : start + 4096 * 4] = b"\xff" * (4096 * 4)
    catalog.write_bytes(content)
    with pytest.raises(LakeError, match=r"expected a readable catalog, .* are not touched by this"):
        Lake.open(tmp_path, LakeConfig())
    assert parquet_files(tmp_path) == files


def test_a_lost_catalog_is_reported_and_the_data_kept(tmp_path: Path) -> None:
    new_run(tmp_path, 1)
    files = parquet_files(tmp_path)
    (tmp_path / "catalog.sqlite").unlink()
    for open_ in (lambda: Lake.open(tmp_path, LakeConfig()), lambda: connect(tmp_path)):
        with pytest.raises(LakeError, match=r"got no such file.*restore it from a copy"):
            open_()
    assert parquet_files(tmp_path) == files
    assert not (tmp_path / "catalog.sqlite").exists()


def test_a_log_of_another_schema_is_refused_and_can_be_queried(tmp_path: Path) -> None:
    with Lake.create(tmp_path / "run", LakeConfig()) as lake:
        lake.commit(rows_of(0), "world", "round 0")
        lake._connection.execute("ALTER TABLE reads DROP COLUMN explored")
        lake._connection.execute("DROP TABLE measures")
    with pytest.raises(
        LakeError, match=r"differs in measures\.domain.*ludus sql or connect.*run\.yaml names"
    ):
        Lake.open(tmp_path / "run", LakeConfig())
    with connect(tmp_path / "run") as log:
        assert log.execute("SELECT count(*) FROM reads").fetchone() == (5,)


def test_an_interrupted_creation_is_finished_by_create(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Lake, "_make_tables", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            Lake.create(tmp_path, LakeConfig())
    with pytest.raises(LakeError, match=r"creation was interrupted.*Lake\.create"):
        Lake.open(tmp_path, LakeConfig())
    with pytest.raises(LakeError, match=r"being made.*Try again"):
        connect(tmp_path)
    new_run(tmp_path, 1)
    with Lake.open(tmp_path, LakeConfig()) as lake:
        assert_whole(lake)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match=r"expected the folder of a run, got .*none, which is no folder"):
        Lake.open(tmp_path / "none", LakeConfig())
    (tmp_path / "file").write_text("")
    with pytest.raises(LakeError, match="expected a folder that can be made"):
        Lake.create(tmp_path / "file" / "run", LakeConfig())
