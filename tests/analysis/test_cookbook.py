"""Every question of docs/sql.md is asked of a small school whose answers can be counted by hand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

import culture
from benchmarks.queries import PAGE, questions
from culture.queries import select
from tests.analysis.counted_school import rows_of
from tests.analysis.log import write_log

TEXT = PAGE.read_text(encoding="utf-8")
ASKED = {words: (query, several) for words, query, several in questions()}


@pytest.fixture(scope="module")
def one(schools: list[Path]) -> Iterator[duckdb.DuckDBPyConnection]:
    with culture.connect(schools[0]) as log:
        yield log


@pytest.fixture(scope="module")
def both(schools: list[Path]) -> Iterator[duckdb.DuckDBPyConnection]:
    with culture.connect_many(schools) as log:
        yield log


EXPECTED: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "Did problems get harder, and were they still solved?": (
        "round, admitted, mean_difficulty, low_difficulty, solve_rate",
        [(0, 2, 4.0, 3.2, 0.3), (1, 2, 6.0, 5.2, 0.4), (2, 2, 8.0, 7.2, 0.4), (3, 2, 10.0, 9.2, 0.4)],
    ),
    "Where is the frontier, and do new problems stay at it?": (
        "round, policy, ability, difficulty, gap, zone, frontier_difficulty, asked",
        [
            (0, "solver", -1.0, 0.0, 1.0, 0.5, 3.0, 4.0), (1, "solver", None, None, 2.0, 0.5, None, 5.0),
            (2, "solver", None, None, 3.0, 0.5, None, 6.0), (3, "solver", 2.0, 3.0, 4.0, 0.5, 6.0, 7.0),
        ],
    ),
    "Who makes the problems that are any good?": (
        "origin, proposed, round(admitted, 3), difficulty",
        [("policy", 13, 0.385, 5.8), ("mutation", 3, 1.0, 9.0)],
    ),
    "What did nobody solve at first and somebody later?": (
        "problem_id, round, first_solved, rounds_later, attempts", [("p0-1", 0, 3, 3, 6)],
    ),
    "How deep do lines of descent go?": (
        "generation, problems, lines", [(0, 5, 5), (1, 1, 1), (2, 1, 1), (3, 1, 1)],
    ),
    "What did one problem come of?": (
        "generation, problem_id, origin, correct, attempts",
        [(0, "p3-1", "mutation", 1, 5), (-1, "p2-1", "mutation", 1, 5), (-2, "p1-1", "mutation", 1, 5),
         (-3, "p0-1", "policy", 1, 6)],
    ),
    "Which cells of the grid are solved?": (
        "cell, at_first, at_last, anchors", [("1x1", 0.2, 0.6, 5), ("2x1", 0.0, 1.0, 5)],
    ),
    "Does the library help?": (
        "treatment, control, treated, controls, problems, read_share",
        2 * [("library", "none", 16, 17, 8, 0.75), ("library", "placebo", 16, 8, 8, 0.75),
             ("placebo", "none", 8, 17, 8, 0.75)],
    ),
    "Does it help more as it grows?": (
        "rounds, treatment, control, round(difference, 3)",
        [("first half", "library", "none", 0.375), ("second half", "library", "none", 0.417),
         ("first half", "library", "placebo", 0.625), ("second half", "library", "placebo", 0.75),
         ("first half", "placebo", "none", -0.25), ("second half", "placebo", "none", -0.333)],
    ),
    "Does reading more do more?": (
        "arm, dose, attempts, round(solved, 3)",
        [("library", 2, 16, 0.688), ("none", 0, 17, 0.294), ("placebo", 2, 8, 0.0)],
    ),
    "Which notes are worth reading?": (
        "note_id, author, worth, reads", [("n0", "ann", 0.25, 12), ("n1", "ben", -0.1, 12)],
    ),
    "What did agents read before they solved something?": (
        "round, solver, spec, author, written_in, body",
        [(3, "ann", "3+0", "ben", 2, "text v2"), (3, "ben", "3+0", "ben", 2, "text v2"),
         (3, "ben", "3+0", "ben", 0, "text v1"), (3, "ann", "3+1", "ben", 2, "text v2"),
         (2, "ann", "2+0", "ann", 0, "text v0"), (2, "ben", "2+0", "ann", 0, "text v0"),
         (2, "ben", "2+0", "ben", 0, "text v1"), (2, "ann", "2+1", "ann", 0, "text v0"),
         (1, "ann", "1+0", "ann", 0, "text v0"), (1, "ben", "1+0", "ann", 0, "text v0")],
    ),
    "Who reads whom?": (
        "reader, author, reads, library, adjacent, same_organisation",
        [("ann", "ben", 8, 2, True, False), ("ben", "ann", 4, 4, True, False)],
    ),
    "How much of what is read comes over the edges of the topology?": (
        "whose, authors", [("neighbour", 2), ("own", 2)],
    ),
    "Does a place in the topology make a difference?": (
        "neighbours, organisation, attempts", [(1, "blue", 17), (1, "red", 24)],
    ),
    "Which books are being written?": (
        "book_id, begun_by, chapters, alternatives, last_round, tokens", [("nb", "ann", 2, 0, 3, 10)],
    ),
    "What do agents decide to do?": (
        "action, outcome, n, on_the_desk",
        [("leave", "left", 4, 2.0), ("no action", "malformed", 4, 2.0), ("revise", "refused", 4, 2.0),
         ("write", "written", 4, 2.0)],
    ),
    "What became of the library in the last rounds?": (
        "change, kind, notes, revisions",
        [("begun", "chapter", 2, 2), ("archived", "example", 1, 0), ("quarantined", "lesson", 1, 0),
         ("revised", "lesson", 1, 1)],
    ),
    "What is cited most?": (
        "target_kind, target_id, title, citations, authors",
        [("note", "nb", "about nb", 2, 2), ("note", "n1", "about n1", 1, 1),
         ("problem", "p0-1", None, 1, 1)],
    ),
    "Whose texts hold?": (
        "author, hostile, reputation, texts, confirmed, refuted, quarantined",
        [("eve", "wrong", 0.25, 1, 0, 1, 1), ("ann", None, 0.75, 4, 1, 0, 0),
         ("ben", None, None, 3, 1, 0, 0)],
    ),
    "What was put out of sight, and why?": (
        "round, note_id, author, outcome, reason, rounds_since_begun",
        [(2, "n2", "eve", "quarantined", "refuted", 1), (3, "n1", "ben", "archived", "n0 says it", 3)],
    ),
    "What did each version come of, and what can it do?": (
        "policy_version, rows, round(loss, 1), share",
        [("proposer@0", None, None, None), ("proposer@1", None, None, None), ("solver@0", None, None, 0.1),
         ("solver@1", 4, 1.8, 0.2), ("solver@2", 5, 1.6, None), ("solver@3", 5, 1.4, None),
         ("solver@4", 7, 1.2, 0.8)],
    ),
    "What changed between two versions?": (
        "change, anchors", [("gained", 8), ("lost", 1), ("never", 1)],
    ),
    "Where did a training row come from?": (
        "row, trained, problem_id, solver, solved_by, note_id, note_author, note_by, note_checkpoint",
        [(0, "solver@4", "p3-0", "ann", "solver@3", "n0", "ben", "solver@2", "checkpoints/solver@2"),
         (1, "solver@4", "p3-0", "ben", "solver@3", "n0", "ben", "solver@2", "checkpoints/solver@2"),
         (1, "solver@4", "p3-0", "ben", "solver@3", "n1", "ben", "solver@0", "checkpoints/solver@0"),
         (3, "solver@4", "p3-1", "ann", "solver@3", "n0", "ben", "solver@2", "checkpoints/solver@2"),
         (6, "solver@4", None, None, None, "n0", "ben", "solver@2", "checkpoints/solver@2")],
    ),
    "What is trained on?": (
        "role, source_kind, rows",
        [("proposer", "problem", 4), ("solver", "attempt", 16), ("solver", "note", 1)],
    ),
    "What was forgotten of earlier problems?": (
        "posed, round, problems, solved", [(0, 3, 2, 0.5), (1, 3, 2, 0.5)],
    ),
    "What fails, and whose fault is it?": (
        "what, source, kind, n",
        [("attempt", "solver", "malformed", 8), ("decision", None, "malformed", 4),
         ("decision", None, "refused", 4), ("event", "infrastructure", "engine_lost", 4),
         ("problem", None, "duplicate", 4),
         ("problem", "proposer", "invalid", 4), ("attempt", "infrastructure", "error", 1),
         ("policy", "learner", "refused", 1)],
    ),
    "What does a right answer cost?": (
        "round, tokens_per_correct, total_generated, total_trained",
        [(0, 1000 / 3, 1000, 500), (1, 250.0, 2000, 1000), (2, 250.0, 3000, 1500), (3, 200.0, 4000, 2000)],
    ),
    "How do runs differ, and what did each come to?": (
        "run, seed, strategy, rounds, domain, held_out",
        [("a", 0, "learnability", 4, "sums", 0.8), ("b", 1, "learnability", 4, "sums", 0.8)],
    ),
    "What is the library's effect over seeds?": (
        "treatment, control, runs",
        [("library", "none", 2), ("library", "placebo", 2), ("placebo", "none", 2)],
    ),
    "Which run learned most for what it cost?": (
        "run, policy_version, share, tokens",
        [("a", "solver@0", 0.1, 0), ("b", "solver@0", 0.1, 0), ("a", "solver@1", 0.2, 1500),
         ("b", "solver@1", 0.2, 1500), ("a", "solver@4", 0.8, 6000), ("b", "solver@4", 0.8, 6000)],
    ),
    "Which curricula climbed?": (
        "run, rounds, correlation, per_round, round(solve_rate, 3)",
        [("a", 4, 1.0, 2.0, 0.375), ("b", 4, 1.0, 2.0, 0.3)],
    ),
}  # fmt: skip
"""Columns of an answer, and its rows in that order."""


@pytest.mark.parametrize("words", list(ASKED))
def test_question(words: str, one: duckdb.DuckDBPyConnection, both: duckdb.DuckDBPyConnection) -> None:
    query, several = ASKED[words]
    log = both if several else one
    assert select(log, query).num_rows > 0
    if words == "Where does the time go?":  # phases that took none are in no order
        phases = {r["phase"]: (r["seconds"], r["share"]) for r in select(log, query).to_pylist()}
        assert len(phases) == 8
        assert phases["attempt_seconds"] == (24.0, 0.6)
        assert phases["learn_seconds"] == (12.0, 0.3)
        return
    columns, rows = EXPECTED[words]
    found = log.execute(f"SELECT {columns} FROM ({query})").fetchall()
    if words == "How much of what is read comes over the edges of the topology?":
        found.sort()
    assert [tuple(_near(x) for x in row) for row in found] == [
        tuple(map(_near, row)) for row in _rows(rows)
    ]


def _rows(rows: list[Any]) -> list[tuple[object, ...]]:
    return [tuple(row) for row in rows]


def _near(value: object) -> object:
    return round(value, 9) if isinstance(value, float) else value


def test_there_are_25_questions_and_more_and_all_have_an_answer() -> None:
    assert len(ASKED) == len(questions()) >= 25
    assert set(ASKED) - set(EXPECTED) == {"Where does the time go?"}


@pytest.mark.parametrize("first", [0, 1])
def test_the_untrained_version_is_the_start_and_not_the_result(first: int, tmp_path: Path) -> None:
    """Round 0 has both, in whatever order their rows come."""
    rows = rows_of(0, 0)
    rows.evaluations.sort(key=lambda e: e.policy_version != f"solver@{first}")
    folder = write_log(tmp_path / "run", [rows])

    def asked(log: duckdb.DuckDBPyConnection, words: str, columns: str) -> list[tuple[Any, ...]]:
        return log.execute(f"SELECT {columns} FROM ({ASKED[words][0]})").fetchall()

    with culture.connect(folder) as log:
        cells = asked(log, "Which cells of the grid are solved?", "cell, at_first, at_last")
        assert cells == [("1x1", 0.2, 0.4), ("2x1", 0.0, 0.0)]
        changes = asked(log, "What changed between two versions?", "change, anchors")
        assert changes == [("gained", 1), ("kept", 1), ("never", 8)]
        for view in ("held_out", "cells"):
            assert log.execute(f"SELECT DISTINCT version FROM {view} ORDER BY 1").fetchall() == [(0,), (1,)]
    with culture.connect_many([folder]) as log:
        runs = asked(log, "How do runs differ, and what did each come to?", "run, held_out")
        assert runs == [("run", 0.2)]


def test_a_question_of_one_run_can_be_asked_of_several(both: duckdb.DuckDBPyConnection) -> None:
    """What a view says of several runs is what it says of each."""
    query = """
        SELECT run, difference FROM culture_effect
        WHERE treatment = 'library' AND control = 'none' AND domain = '' ORDER BY run
    """
    assert both.execute(query).fetchall() == [("a", 11 / 16 - 5 / 17), ("b", 8 / 16 - 5 / 17)]


def test_python_of_the_page_runs(schools: list[Path], tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "spark-seed0").symlink_to(schools[0])
    (block,) = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", block],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(PAGE.parents[1])}, capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("(4, 13) 4\n")
