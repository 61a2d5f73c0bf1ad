"""The SQL box: one SELECT, so many rows and no more, errors in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.browser import sql_box
from analysis.browser.log import Log, Slow


def test_rows_are_limited_and_counted(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_box, "KEPT", 10)
    monkeypatch.setattr(sql_box, "SHOWN", 3)
    answer = sql_box.ask(log, "SELECT i FROM range(1000) t(i) ORDER BY i DESC -- the end")
    assert (answer.error, answer.total) == ("", 1000)
    assert answer.cells() == (["i"], [(999,), (998,), (997,)])
    assert answer.csv() == b"i\n" + b"".join(b"%d\n" % i for i in range(999, 989, -1))
    few = sql_box.ask(log, "SELECT 1 AS x UNION ALL SELECT 2 ORDER BY x;")
    assert (few.total, few.cells()[1]) == (2, [(1,), (2,)])


@pytest.mark.parametrize(
    "text",
    ["DESCRIBE notes", "SHOW TABLES", "SUMMARIZE rounds", "FROM rounds", "VALUES (1)",
     "WITH a AS (SELECT 1) FROM a", "SELECT count(*) FROM library_at(1)", "SELECT 'a;b' -- c"],
)  # fmt: skip
def test_what_is_a_query_is_answered(log: Log, text: str) -> None:
    answer = sql_box.ask(log, text)
    assert answer.error == "" and answer.total >= 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("DROP TABLE rounds", "expected a query, got DROP"),
        ("SELECT 1; SELECT 2", "got 2 statements"),
        ("SELECT nope FROM rounds", 'Referenced column "nope" not found'),
        ("SELEC", "syntax error"),
        ("SELECT * FROM read_text('/etc/passwd')", "expected functions of"),
        ("COPY rounds TO '/tmp/x'", "expected a query, got COPY"),
        ("SELECT 1) ; DROP TABLE rounds; --", "syntax error"),
    ],
)
def test_what_is_none_is_said_politely(log: Log, text: str, said: str) -> None:
    answer = sql_box.ask(log, text)
    assert said in answer.error and answer.table is None
    assert log.row("SELECT count(*) AS n FROM rounds") == {"n": 3}


def test_nothing_is_asked_by_nothing(log: Log) -> None:
    assert sql_box.ask(log, " \n") == sql_box.Answer()


def test_slow_queries_are_stopped(log: Log) -> None:
    with pytest.raises(Slow, match=r"expected a query of at most 0 seconds"), log.held(0.2) as connection:
        connection.execute(
            "SELECT count(*) FROM range(100000) a, range(100000) b, range(1000) c"
        ).fetchall()
    assert log.row("SELECT 1 AS one") == {"one": 1}


def test_memory_is_bounded(log: Log) -> None:
    assert sql_box.ask(log, "SELECT current_setting('memory_limit')").cells()[1] == [("2.0 GiB",)]


def test_the_files_of_a_log_are_not_written(log: Log) -> None:
    before = sorted(p for p in Path(log.folder).rglob("*") if p.is_file())
    sql_box.ask(log, "SELECT * FROM rounds")
    assert sorted(p for p in Path(log.folder).rglob("*") if p.is_file()) == before


def test_tables_are_told_with_their_comments(log: Log) -> None:
    found = {str(t["name"]): t for t in [*sql_box.tables(log), *sql_box.views()]}
    assert str(found["library_at"]["comment"]).startswith("One row a note")
    assert found["problem_lineage"]["title"] == "problem_lineage(problem)"
    assert "problems" in found and found["notes"]["comment"].startswith("One row a note")  # type: ignore[attr-defined]
