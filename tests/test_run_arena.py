"""The command line, as a person meets it."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from arena.run import Run
from culture import connect
from culture.catalog import LakeError
from run_arena import app
from tests.analysis.test_git_export import STORY
from tests.culture.histories import committed, told

ROOT = Path(__file__).parents[1]
SMALL = ["cluster.local=true", "domains=[transforms]", "rollout.problems=16", "evaluation.per_cell=1",
         "warm_up.tokens=20000"]  # fmt: skip
OVERRIDES = [part for setting in SMALL for part in ("--set", setting)]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Warmed-up models are kept while these tests run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LUDUS_CACHE", str(tmp_path_factory.getbasetemp().parent / "ludus-cache"))
        patch.delenv("LUDUS_DEBUG", raising=False)
        yield


def ludus(*arguments: str, runs: Path | None = None) -> Result:
    extra = [] if runs is None else ["--runs", str(runs)]
    return CliRunner().invoke(app, [*arguments, *extra])


def refused(result: Result, code: int = 2) -> str:
    """The message of a command that failed as it should: on stderr, and no traceback."""
    assert result.exit_code == code, result.output
    assert isinstance(result.exception, SystemExit | None)
    assert "Traceback" not in result.output
    return result.stderr


@pytest.fixture(scope="module")
def started(cache: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A folder of runs with one finished run of 3 rounds, and what starting it printed."""
    runs = tmp_path_factory.mktemp("runs")
    return runs, ludus("run", "tiny", "--rounds", "3", "--seed", "7", *OVERRIDES, runs=runs)


@pytest.fixture
def runs(started: tuple[Path, Result]) -> Path:
    return started[0]


def test_measures(runs: Path) -> None:
    result = ludus("measures", "tiny-seed7", runs=runs)
    assert result.exit_code == 0, result.output
    assert "texts compared by" in result.stdout and "Culture: effect of the library" in result.stdout
    found = json.loads(ludus("measures", "tiny-seed7", "--json", "--embedding", "ngrams", runs=runs).stdout)
    assert found["run"] == "tiny-seed7" and found["embedding"] == {"name": "ngrams", "why": "asked for"}
    shares = [m for m in found["measures"] if m["name"] == "became of proposals"]
    assert shares and all(m["low"] <= m["value"] <= m["high"] for m in shares)
    message = refused(ludus("measures", "tiny-seed7", "--embedding", "ngram", runs=runs))
    assert "write 'ngrams' instead" in message


# -- run, resume -----------------------------------------------------------------------------------------
def test_run(started: tuple[Path, Result]) -> None:
    runs, result = started
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines if line.startswith("round ")] == [
        "round 1/3", "round 2/3", "round 3/3",
    ]  # fmt: skip
    assert "warming up solver, proposer" in lines
    for words in ("What was learned", "transforms, held out", "The library", "Time"):
        assert words in result.stdout
    folder = runs / "tiny-seed7"
    assert (folder / "curriculum.png").read_bytes()[:4] == b"\x89PNG"
    assert f'sql {folder} "SELECT' in result.stdout
    # what a script would read is whole lines without colour
    assert "\x1b" not in result.stdout
    assert result.stderr == ""


def test_the_queries_to_try_work(started: tuple[Path, Result]) -> None:
    runs, result = started
    queries = re.findall(r'sql \S+ "(SELECT [^"]+)"', result.stdout)
    assert len(queries) == 3
    for query in queries:
        assert ludus("sql", "tiny-seed7", query, runs=runs).exit_code == 0


def test_names_that_are_taken(runs: Path) -> None:
    message = refused(ludus("run", "tiny", "--name", "tiny-seed7", *OVERRIDES, runs=runs))
    assert "write resume tiny-seed7" in message
    assert "--name tiny-seed7-2" in message
    message = refused(ludus("run", "tiny", "--name", "../x y", *OVERRIDES, runs=runs))
    assert "write 'x-y' instead" in message


def test_default_name_and_resume(runs: Path) -> None:
    again = ludus("run", "tiny", "--rounds", "1", "--seed", "7", *OVERRIDES, runs=runs)
    assert again.exit_code == 0, again.output
    folder = runs / "tiny-seed7-2"
    done = ludus("resume", "tiny-seed7-2", runs=runs)
    assert done.exit_code == 0
    assert "all 1 rounds are played" in done.stdout
    longer = ludus("resume", "tiny-seed7-2", "--rounds", "2", runs=runs)
    assert longer.exit_code == 0, longer.output
    assert "round 2/2" in longer.stdout
    assert "round 1/2" not in longer.stdout
    with connect(folder) as log:
        assert log.execute("SELECT list(round ORDER BY round) FROM rounds").fetchone() == ([0, 1],)
    assert "expected --rounds of 2 or more" in refused(ludus("resume", str(folder), "--rounds", "1"))
    (folder / "run.yaml").write_text((folder / "run.yaml").read_text().replace("seed:", "sead:"))
    assert "write 'seed' instead" in refused(ludus("resume", str(folder)))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "tni"], "write 'tiny' instead"),
        (["run", "absent.yaml"], "No such file"),
        (["run", "tiny", "--set", "learner.lrr=1"], "write 'lr' instead"),
        (["run", "tiny", "--set", "learner.lr"], "expected a dotted key, = and a value"),
        (["run", "tiny", "--set", "rollout.attempts=none"], "rollout.attempts: expected"),
        (["run", "tiny", "--rounds", "0"], "rounds: expected"),
        (["run", "tiny", "--seed", "-1"], "seed: expected"),
        (["resume", "tiny-sed7"], "write 'tiny-seed7' instead"),
        (["info", "zzz"], "`info` lists the runs"),
        (["info", "--picture"], "write info RUN --picture"),
        (["sql", "tny-seed7", "SELECT 1"], "write 'tiny-seed7' instead"),
    ],
)
def test_bad_input(runs: Path, arguments: list[str], words: str) -> None:
    before = sorted(runs.iterdir())
    assert words in refused(ludus(*arguments, runs=runs))
    assert sorted(runs.iterdir()) == before


def test_all_faults_at_once(tmp_path: Path) -> None:
    message = refused(ludus("run", "tiny", "--set", "rounds=x", "--set", "nope=1", runs=tmp_path))
    assert "2 problems" in message


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (LakeError("expected storage, got none"), "expected storage, got none"),
        (OSError(28, "No space left on device"), "make room on the disk"),
        (ZeroDivisionError("division"), "the run stopped: ZeroDivisionError: division"),
    ],
)
def test_what_happens_in_a_run_is_told(
    error: Exception, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Run, watch: object) -> None:
        raise error

    monkeypatch.setattr(Run, "play", broken)
    assert words in refused(ludus("run", "tiny", "--name", "x", *OVERRIDES, runs=tmp_path), 1)
    monkeypatch.setenv("LUDUS_DEBUG", "1")
    assert ludus("resume", "x", runs=tmp_path).exception is error


def test_damage_is_told(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "tiny-seed7", tmp_path / "x")
    (tmp_path / "x" / "catalog.sqlite").write_bytes(b"nothing of a database" * 100)
    assert "expected a readable catalog" in refused(ludus("info", "x", runs=tmp_path), 1)
    listed = ludus("info", runs=tmp_path)
    assert listed.exit_code == 0
    assert "unreadable: expected a readable catalog" in listed.stdout


# -- sql -------------------------------------------------------------------------------------------------
def test_sql_formats(runs: Path, tmp_path: Path) -> None:
    query = "SELECT round, requested FROM rounds ORDER BY round"
    table = ludus("sql", "tiny-seed7", query, runs=runs)
    assert table.stdout.split()[4:] == ["0", "16", "1", "16", "2", "16", "(3", "rows)"]
    found = ludus("sql", str(runs / "tiny-seed7"), query, "--format", "json")
    assert json.loads(found.stdout)[2] == {"round": 2, "requested": 16}
    assert ludus(
        "sql", "tiny-seed7", query, "--format", "csv", runs=runs
    ).stdout == "round,requested\n" + "".join(f"{r},16\n" for r in range(3))
    raw = ludus("sql", "tiny-seed7", query, "--format", "parquet", runs=runs).stdout_bytes
    assert pq.read_table(io.BytesIO(raw)).column("round").to_pylist() == [0, 1, 2]
    out = tmp_path / "rounds.parquet"
    ludus("sql", "tiny-seed7", query, "--format", "parquet", "--out", str(out), runs=runs)
    assert pq.read_table(out).num_rows == 3
    assert "write 'csv' instead" in refused(ludus("sql", "tiny-seed7", query, "--format", "cvs", runs=runs))


def test_sql_at_a_version(runs: Path) -> None:
    versions = ludus(
        "sql", "tiny-seed7",
        "SELECT snapshot_id AS v FROM lake.snapshots() WHERE commit_message = 'round 1'",
        "--format", "json", runs=runs,
    )  # fmt: skip
    (row,) = json.loads(versions.stdout)
    then = ludus(
        "sql",
        "tiny-seed7",
        "SELECT count(*) AS n FROM rounds",
        "--at",
        str(row["v"]),
        "--format",
        "csv",
        runs=runs,
    )
    assert then.stdout == "n\n2\n"
    assert "expected a version from 0 to" in refused(
        ludus("sql", "tiny-seed7", "SELECT 1", "--at", "99", runs=runs)
    )


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT nope FROM rounds", 'column "nope" not found'),
        ("SELEC 1", "syntax error"),
        ("SELECT 1; SELECT 2", "one query"),
        ("DELETE FROM rounds", "the log is read-only"),
        ("CREATE TABLE t (x INT)", "the log is read-only"),
        ("COPY rounds TO 'x.csv'", "the log is read-only"),
        ("SELECT * FROM read_text('run_arena.py')", "got read_text"),
        ("FROM 'pyproject.toml'", "does not exist"),
    ],
)
def test_sql_that_is_refused(runs: Path, query: str, words: str) -> None:
    assert words in refused(ludus("sql", "tiny-seed7", query, runs=runs))


def test_sql_over_several_runs(runs: Path, tmp_path: Path) -> None:
    for name in ("sweep-1", "sweep-2"):
        shutil.copytree(runs / "tiny-seed7", tmp_path / name)
    query = "SELECT run, count(*) AS n FROM curriculum GROUP BY run ORDER BY run"
    expected = "run,n\nsweep-1,3\nsweep-2,3\n"
    for asked in (["sweep-*"], [f"{tmp_path}/sweep-?"], ["sweep-1", "sweep-2"]):
        assert ludus("sql", *asked, query, "--format", "csv", runs=tmp_path).stdout == expected
    long = query.replace("SELECT", "SELECT " + " ".join(f"{n} AS c{n}," for n in range(60)))
    assert ludus("sql", "sweep-*", long, runs=tmp_path).exit_code == 0
    one = ludus("sql", "*-1", "SELECT DISTINCT run FROM rounds", "--format", "csv", runs=tmp_path)
    assert one.stdout == "run\nsweep-1\n"
    assert "expected runs that fit 'swep-*'" in refused(ludus("sql", "swep-*", query, runs=tmp_path))
    assert "expected the name of a run before the query" in refused(ludus("sql", query, runs=tmp_path))


def test_sql_from_a_pipe(runs: Path) -> None:
    def piped(text: str) -> Result:
        arguments = ["sql", "tiny-seed7", "--format", "csv", "--runs", str(runs)]
        return CliRunner().invoke(app, arguments, input=text)

    good = piped("SELECT max(round) AS last\nFROM rounds; SELECT 1 AS one;")
    assert (good.exit_code, good.stdout) == (0, "last\n2\none\n1\n")
    bad = piped("SELECT nope;\nSELECT 1 AS one;\n")
    assert (bad.exit_code, bad.stdout) == (1, "one\n1\n")
    assert "nope" in bad.stderr


# -- info, presets, schema -------------------------------------------------------------------------------
def test_info(started: tuple[Path, Result], tmp_path: Path) -> None:
    runs, result = started
    told = ludus("info", "tiny-seed7", runs=runs)
    assert told.exit_code == 0
    # the same as was printed at the end of the run
    assert result.stdout.endswith(told.stdout)
    picture = runs / "tiny-seed7" / "curriculum.png"
    picture.unlink()
    assert f"picture: {picture}" in ludus("info", "tiny-seed7", "--picture", runs=runs).stdout
    assert picture.exists()
    listed = ludus("info", runs=runs).stdout.splitlines()
    assert re.match(r"tiny-seed7 +3 +3 +7 +transforms \d+\.\d%", listed[1])
    assert "no runs" in ludus("info", runs=tmp_path).stdout


def test_presets_and_schema() -> None:
    presets = ludus("presets").stdout
    assert re.search(r"^tiny +6 +Seconds long", presets, re.MULTILINE)
    whole = ludus("schema").stdout
    assert "attempts: One row an attempt" in whole
    one = ludus("schema", "reads").stdout
    assert one.startswith("reads: ")
    assert re.search(r"^  rank +BIGINT +Place in what retrieval returned", one, re.MULTILINE)
    assert one in whole
    assert re.search(r"^  solve_rate +DOUBLE +Share of the attempts", whole, re.MULTILINE)
    assert ludus("schema", "library_at").stdout.startswith("library_at(last_round): One row a note")
    assert "write 'attempts' instead" in refused(ludus("schema", "attempt"))


def test_no_arguments() -> None:
    result = ludus()
    assert result.exit_code == 0
    assert len(re.findall(r"^  python run_arena\.py", result.stdout, re.MULTILINE)) == 3


# -- export ----------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def told_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs with one whose library has a history."""
    folder = tmp_path_factory.mktemp("told")
    committed(told(STORY, fresh=True), folder / "story")
    (folder / "story" / "run.yaml").write_text("seed: 7\n")
    return folder


def test_export_of_the_library(told_runs: Path, tmp_path: Path) -> None:
    exported = ludus("export", "story", "--to", "git", runs=told_runs)
    assert exported.exit_code == 0, exported.output
    folder = told_runs / "story" / "export-git"
    assert exported.stdout.startswith(f"{folder}: 11 commits, 1 open branch\n")
    assert (folder / ".git" / "HEAD").read_text() == "ref: refs/heads/main\n"
    message = refused(ludus("export", "story", "--to", "git", runs=told_runs))
    assert "write --out with another folder" in message
    pages = ludus(
        "export", "story", "--to", "markdown", "--at", "0", "--out", str(tmp_path / "md"), runs=told_runs
    )
    assert pages.stdout == f"{tmp_path / 'md'}: 2 pages, listed in README.md\n"
    assert len(list((tmp_path / "md").rglob("*.md"))) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--to", "gitt"], "tensorboard or wandb for --to, got 'gitt'; write 'git' instead"),
        (["--to", "git", "--role", "solver"], "expected no --role with --to git"),
        (["--to", "trl", "--at", "1"], "expected no --at with --to trl"),
        (["--to", "wandb", "--policy", "solver"], "expected no --policy with --to wandb"),
        (["--to", "markdown", "--at", "7"], "expected a committed round, from 0 to 3, got 7"),
    ],
)
def test_exports_that_are_refused(
    told_runs: Path, tmp_path: Path, arguments: list[str], words: str
) -> None:
    out = tmp_path / "out"
    assert words in refused(ludus("export", "story", *arguments, "--out", str(out), runs=told_runs))
    assert not out.exists()


# -- report ----------------------------------------------------------------------------------------------
def test_report(started: tuple[Path, Result]) -> None:
    runs, _ = started
    run = runs / "tiny-seed7"
    told = ludus("report", run.name, runs=runs)
    assert told.exit_code == 0, told.output
    assert told.stdout.startswith(f"{run / 'report' / 'index.html'}: ")
    page = (run / "report" / "index.html").read_text(encoding="utf-8")
    assert "The nearest preset is <code>tiny</code>" in page
    message = refused(ludus("report", run.name, "--out", str(run), runs=runs))
    assert "one with an earlier report" in message
    assert "got one of them twice" in refused(ludus("report", run.name, str(run), runs=runs))


# -- import ----------------------------------------------------------------------------------------------
def test_import_says_what_would_be_the_library(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("RS9217=S7129=1279")
    one = ["--set", "domains=[transforms]"]
    found = ludus("import", str(tmp_path), "tiny", *one)
    assert found.exit_code == 0, found.output
    assert found.stdout.splitlines() == [
        "1 note to begin a run of tiny with:",
        "  1 lesson about transforms",
        "start it with: python run_arena.py run tiny --set 'domains=[transforms]' "
        f"--set library.seed_from={tmp_path}",
    ]
    (tmp_path / "c.md").write_text("---\nkind: example\n---\nX41=41")
    found = ludus("import", str(tmp_path), "tiny", *one)
    assert found.exit_code == 0 and found.stdout.splitlines()[:5] == [
        "2 notes to begin a run of tiny with:",
        "  1 example about transforms",
        "  1 lesson about transforms",
        "execution refutes 1 of them, which would begin in quarantine, out of sight:",
        "  c.md: X41 gives 14, not 41",
    ]
    (tmp_path / "b.md").write_text("in words")
    message = refused(ludus("import", str(tmp_path), "tiny", *one))
    assert "has 1 problem:" in message and "b.md: expected only characters" in message
    started = ludus(
        "run", "tiny", "--name", "x", *OVERRIDES, "--set", f"library.seed_from={tmp_path}", runs=tmp_path
    )
    assert "b.md: expected only characters" in refused(started)
    assert not (tmp_path / "x").exists()


# -- signals ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("sent", "code"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)],
)
def test_stopped_and_gone_on_with(sent: signal.Signals, code: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "run_arena", "run", "tiny", "--name", "x", "--rounds", "5000"]
    process = subprocess.Popen(
        [*command, *OVERRIDES, "--runs", str(tmp_path)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("round 2/"):
            break
    os.killpg(process.pid, sent)  # as a terminal does: the sandbox's processes get it too
    rest, errors = process.communicate(timeout=120)
    assert process.returncode == code, errors
    assert errors.strip() == "stopping; once more ends it at once"
    assert f"resume {tmp_path / 'x'}" in rest
    assert (tmp_path / "x" / "curriculum.png").exists()
    with connect(tmp_path / "x") as log:
        found = log.execute("SELECT count(*) FROM rounds").fetchone()
    assert found is not None
    (done,) = found
    assert done >= 2
    assert f"stopped after {done} committed rounds" in rest
    resumed = ludus("resume", "x", "--rounds", str(done + 1), runs=tmp_path)
    assert resumed.exit_code == 0, resumed.output
    assert f"round {done + 1}/{done + 1}: " in resumed.stdout
