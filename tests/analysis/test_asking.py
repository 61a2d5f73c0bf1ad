from __future__ import annotations

import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

import culture
from analysis.asking import Asking, answer, askable, described, split
from analysis.tabular import Format
from culture.columns import declared
from culture.queries import Refused
from culture.views import definitions
from tests.analysis.log import round_rows, write_log

ROOT = Path(__file__).parents[2]


# -- questions apart -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "queries", "rest"),
    [
        ("SELECT 1;", ["SELECT 1;"], ""),
        ("SELECT 1; SELECT 2;\n", ["SELECT 1;", "SELECT 2;"], ""),
        ("SELECT 1;\nSELECT 2", ["SELECT 1;"], "\nSELECT 2"),
        ("SELECT ';' AS \"a;\"; ", ["SELECT ';' AS \"a;\";"], ""),
        ("SELECT 'it''s;'", [], "SELECT 'it''s;'"),
        ("SELECT 'open; ", [], "SELECT 'open; "),
        ("SELECT $$a;b$$;", ["SELECT $$a;b$$;"], ""),
        ("SELECT $x$a;$$;$x$;", ["SELECT $x$a;$$;$x$;"], ""),
        ("-- a; b\nSELECT 1; -- done;", ["-- a; b\nSELECT 1;"], ""),
        ("SELECT /* ; */ 1;", ["SELECT /* ; */ 1;"], ""),
        ("SELECT /* ; 1;", [], "SELECT /* ; 1;"),
        (";; ;\n", [], ""),
        ("", [], ""),
    ],
)
def test_split(text: str, queries: list[str], rest: str) -> None:
    assert split(text) == (queries, rest)


PIECES = ["SELECT 1", "';'", '";"', "''", "$$;$$", "--;\n", "/*;*/", " ", "\n", "x"]


@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=6).map("".join), max_size=4))
def test_queries_are_cut_at_their_ends_alone(bodies: list[str]) -> None:
    """Whatever is quoted or commented out within them, and a line at a time or at once."""
    said = [b for b in bodies if split(f"{b};")[0]]
    found, rest = split("".join(f"{b};" for b in bodies))
    assert (len(found), rest) == (len(said), "")
    assert [f.strip() for f in found] == [f"{b};".strip() for b in said] or any("--" in b for b in bodies)


@given(st.text("';\"$-/*\n a", max_size=30))
def test_any_text_can_be_split(text: str) -> None:
    found, rest = split(text)
    assert all(q.endswith(";") for q in found)
    assert sum(map(len, found)) + len(rest) <= len(text)


# -- answers ---------------------------------------------------------------------------------------------
def test_a_pipe_is_answered_to_its_end(schools: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    text = """
        SELECT 1 AS a,
            ';' AS b; SELECT nope;
        .schema held_out
        .schema helt_out
        .nonsense
        DELETE FROM rounds;
        SELECT count(*) AS rounds
        FROM rounds"""
    with culture.connect(schools[0]) as log:
        asking = Asking(log)
        asking.converse(io.StringIO(text))
    out, err = capsys.readouterr()
    assert out.splitlines()[2].split() == ["1", ";"]
    assert "  share           DOUBLE   Share solved, from 0 to 1." in out
    assert out.endswith("rounds\n------\n     4\n(1 row)\n")
    assert asking.failed == 4
    for words in ('"nope" was not found', "write held_out", "got .nonsense", "the log is read-only"):
        assert words in err


def test_quit_ends_it(schools: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    with culture.connect(schools[0]) as log:
        Asking(log).converse(io.StringIO("SELECT 1;\n.quit\nSELECT 2;\n"))
    assert capsys.readouterr().out.count("(1 row)") == 1


def test_everything_that_can_be_asked_is_described() -> None:
    assert set(askable()) == {*declared(), *definitions()}
    assert described("library_at")[0].startswith("library_at(last_round): One row a note")
    assert described("rounds", many=True)[1].split() == ["run", "VARCHAR", "Run", "by", "its", "name."]
    assert len(described("wilson_low")) == 1


def test_several_runs_and_versions(schools: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    folders = {path.name: path for path in schools}
    query = "SELECT run, count(*) AS n FROM rounds GROUP BY run ORDER BY run"
    assert answer(folders, query, many=True, form="csv") == 0
    assert capsys.readouterr().out == "run,n\na,4\nb,4\n"
    with pytest.raises(Refused, match="expected one run with --at, got 2"):
        answer(folders, query, many=True, at=1)
    with pytest.raises(Refused, match="expected a version from 0 to"):
        answer({"a": schools[0]}, "SELECT 1", many=False, at=99)
    with pytest.raises(Refused, match="expected a query with --out"):
        answer(folders, None, many=True, out=Path("x.csv"))


# -- what models wrote -----------------------------------------------------------------------------------
class Terminal(io.TextIOWrapper):
    """A standard output that people look at."""

    def __init__(self, tty: bool) -> None:
        self.raw_bytes = io.BytesIO()
        self.tty = tty
        super().__init__(self.raw_bytes, encoding="utf-8")

    def isatty(self) -> bool:
        return self.tty

    def shown(self) -> str:
        self.flush()
        return self.raw_bytes.getvalue().decode()


HOSTILE = "red\x1b[31m \x07 \x9b1m \u202eback"
ESCAPED = "red\\x1b[31m \\x07 \\x9b1m \\u202eback"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = round_rows(0)
    rows.problems[0] = replace(rows.problems[0], text=HOSTILE)
    return write_log(tmp_path_factory.mktemp("hostile") / "run", [rows])


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_a_terminal_is_given_nothing_to_obey(
    hostile: Path, form: Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = "SELECT text FROM problems WHERE problem_id = 'p0-0'"
    for tty in (True, False):
        monkeypatch.setattr(sys, "stdout", screen := Terminal(tty))
        answer({"run": hostile}, query, many=False, form=form)
        shown = screen.shown()
        if tty:
            assert all(c.isprintable() or c == "\n" for c in shown)
        if form == "csv":
            assert shown == f"text\n{ESCAPED if tty else HOSTILE}\n"
        if form == "json" and not tty:
            assert json.loads(shown) == [{"text": HOSTILE}]


def test_an_error_that_quotes_a_model_is_escaped(hostile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with culture.connect(hostile) as log:
        Asking(log).converse(io.StringIO("SELECT text::INT FROM problems WHERE problem_id = 'p0-0';"))
    assert ESCAPED in capsys.readouterr().err


# -- at a terminal ---------------------------------------------------------------------------------------
PROGRAM = """
import sys
from pathlib import Path
from analysis.asking import answer
sys.exit(answer({"a": Path(sys.argv[1])}, None, many=False))
"""
SLOW = "SELECT count(*) FROM range(1000000) a, range(1000000) b, range(1000) c WHERE a.range < b.range;"


def test_a_terminal(schools: list[Path], tmp_path: Path) -> None:
    """A query over two lines, one that is dropped, one that is wrong, one that is stopped, and the end."""
    ours, theirs = pty.openpty()
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "LUDUS_HISTORY": str(tmp_path / "history"), "TERM": "dumb"
    }  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(schools[0])],
        stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True,
    ) as process:  # fmt: skip
        os.close(theirs)

        shown = ""

        def expect(words: str) -> None:
            """Wait until they are shown, after what was expected before."""
            nonlocal shown
            end = time.monotonic() + 120
            while words not in shown:
                assert time.monotonic() < end, shown
                if select.select([ours], [], [], 0.1)[0]:
                    shown += os.read(ours, 65536).decode(errors="replace")
            shown = shown.partition(words)[2]

        def say(text: str) -> None:
            os.write(ours, text.encode())

        try:
            expect("ludus> ")
            say("SELECT round + 100 AS r\n")
            expect("...> ")
            say("FROM rounds ORDER BY round;\n")
            expect("103")
            expect("ludus> ")
            say("SELECT dropped\n")
            expect("...> ")
            os.kill(process.pid, signal.SIGINT)
            expect("ludus> ")
            say("FROM nowhere;\n")
            expect("nowhere does not exist")
            expect("ludus> ")
            say(SLOW + "\n")
            before = sum(psutil.Process(process.pid).cpu_times()[:2])
            expect("range;")
            while sum(psutil.Process(process.pid).cpu_times()[:2]) < before + 0.5:  # until it is at work
                time.sleep(0.05)
            os.kill(process.pid, signal.SIGINT)
            expect("stopped")
            say("SELECT 6 * 7 AS after;\n")
            expect("42")
            expect("ludus> ")  # what is typed before the prompt is there may be read as a line
            say("\x04")
            assert process.wait(60) == 0
        finally:
            process.kill()
            os.close(ours)
    assert "FROM rounds ORDER BY round;" in (tmp_path / "history").read_text()
