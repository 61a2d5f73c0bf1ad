"""The commands `notes`, as a person meets them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from culture import connect
from culture.edits import Edit
from culture.history import blame, library_at
from culture.library import Library
from culture.records import Attempt, Problem, Read, RoundRows
from run_arena import app
from tests.culture.histories import Story, committed
from tests.culture.rows import example

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31mred\r\u202eevil\u2028end"


def write(library: Library, rows: RoundRows, body: str, **changes: Any) -> str:
    edit = Edit(None, None, "lesson", "strings", "public", "How to reverse", body, "anna", "spark@1", 0)
    written = library.write(replace(edit, **changes))
    written.add_to(rows)
    return written.revision.revision_id


def told() -> tuple[Story, dict[str, str]]:
    """Three rounds: a note with a merge and an open branch, a hostile one, an archived one, a new one."""
    story = Story()
    lib, names = story.library, dict[str, str]()
    rows = RoundRows()
    names["first"] = write(
        lib, rows, "R12=21\n\nreverse it\n\nthe end", citations=[("problem", "p1"), ("attempt", "t1")],
        evidence={"solved": 1, "tried": 4},
    )  # fmt: skip
    note = lib.revision(names["first"]).note_id
    names["hostile"] = write(
        lib, rows, f"see also\n{HOSTILE}", title=HOSTILE, kind="book", author=f"ben{HOSTILE}",
        citations=[("note", note)], evidence={"why": HOSTILE},
    )  # fmt: skip
    rows.problems.append(replace(example(Problem, 0, 1), problem_id="p1", spec="R12"))
    rows.attempts.append(replace(example(Attempt, 0, 1), attempt_id="t1", solver="anna", verdict="correct"))
    read = example(Read, 0, 1)
    rows.reads += [
        replace(read, attempt_id=f"t{n}", reader="carl", note_id=note, round=0, arm=arm)
        for n, arm in enumerate(["library", "library", "placebo"])
    ]  # fmt: skip
    story.close(rows, {note: 3})
    rows = RoundRows()
    same = {"note_id": note, "base_revision_id": names["first"], "round": 1}
    names["second"] = write(lib, rows, "R123=321\n\nreverse it\n\nthe end", author="ben", **same)
    names["merged"] = write(lib, rows, "R12=21\n\nreverse it\n\nthe very end", author="carl", **same)
    names["branch"] = write(lib, rows, "R1=1\n\nreverse it\n\nthe end", author="dora", **same)
    names["old"] = write(lib, rows, "Q1", domain="numbers", round=1, index=1)
    story.close(rows, {note: 1, lib.revision(names["hostile"]).note_id: 1})
    rows = RoundRows()
    names["new"] = write(lib, rows, "Q2", domain="numbers", title="", kind="example", round=2, index=2)
    story.close(rows, {})
    return story, names


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    committed(told()[0], folder / "story")
    (folder / "story" / "run.yaml").write_text("seed: 7\nrounds: 3\n")
    return folder


@pytest.fixture
def names() -> dict[str, str]:
    return told()[1]


def notes(runs: Path, *arguments: str, run: str = "story") -> Result:
    command, *rest = arguments
    return CliRunner().invoke(app, ["notes", command, run, *rest, "--runs", str(runs)])


def lines(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def refused(result: Result) -> str:
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    return result.stderr


def test_search_finds_what_agents_find_and_narrows(runs: Path) -> None:
    found = lines(notes(runs, "search", "reverse"))
    assert found[0] == "1 of 3 notes in sight at the end of round 2"
    assert re.fullmatch(r"n\w{7}  lesson, strings, public, by anna in round 0  \(\d+\.\d\d\)", found[2])
    assert found[3:] == ["  How to reverse", "  R123=321"]
    for narrowed, n in ((["--kind", "lesson"], 1), (["--kind", "book"], 0), (["--author", "carl"], 1),
                        (["--domain", "numbers"], 0), (["--shelf", "public"], 1)):  # fmt: skip
        assert lines(notes(runs, "search", "reverse", *narrowed))[0].startswith(f"{n} of 3")
    assert (
        lines(notes(runs, "search", "reverse", "--at", "0"))[0]
        == "1 of 2 notes in sight at the end of round 0"
    )
    assert json.loads(notes(runs, "search", "reverse", "--json").stdout)["hits"][0]["kind"] == "lesson"


def test_show(runs: Path, names: dict[str, str]) -> None:
    shown = notes(runs, "show", names["merged"])
    head = {line[2:10].strip(): line[12:] for line in lines(shown)[1:10]}
    assert head["kind"] == "lesson about strings, on the shelf public"
    assert head["begun"] == "in round 0 by anna"
    assert re.fullmatch(r"r\w{7} \(merged\) of round 1 by carl with spark@1, \d+ tokens", head["text"])
    assert head["state"] == "in sight" and head["history"] == "5 revisions"
    assert head["branches"] == names["branch"][:8]
    assert head["reads"] == "3 attempts (2 library, 1 placebo) of 1 agent, last in round 0"
    for line in (
        "    cites     problem p1  R12  ",
        "    cites     attempt t1  anna, correct  ",
        "    cited by  n",
    ):
        assert line in shown.stdout
    assert shown.stdout.endswith("\n\nR123=321\n\nreverse it\n\nthe very end\n")
    first = notes(runs, "show", names["first"])
    assert "(head, not the last)" in first.stdout and '{"solved": 1, "tried": 4}' in first.stdout
    assert "archived: out of sight" in notes(runs, "show", names["old"]).stdout


def test_history(runs: Path, names: dict[str, str]) -> None:
    rows = [line.split() for line in lines(notes(runs, "history", names["merged"]))[3:]]
    short = {name: value[:8] for name, value in names.items()}
    assert [row[:4] for row in rows] == [
        [short["first"], "0", "head", "anna"], [short["second"], "1", "head", "ben"],
        [rows[2][0], "1", "branch", "carl"], [short["merged"], "1", "merged", "carl"],
        [short["branch"], "1", "branch", "dora"],
    ]  # fmt: skip
    assert [row[5:7] for row in rows[:2]] == [["+5", "-0"], ["+1", "-1"]]
    assert rows[3][7:] == [short["second"], rows[2][0]]


def test_diff(runs: Path, names: dict[str, str]) -> None:
    found = lines(notes(runs, "diff", names["first"], names["second"]))
    assert [line[:13] for line in found[:2]] == [
        f"--- {names['first'][:8]} ",
        f"+++ {names['second'][:8]} ",
    ]
    assert found[2:] == ["@@ -1,4 +1,4 @@", "-R12=21", "+R123=321", " ", " reverse it", " "]
    assert lines(notes(runs, "diff", names["first"], names["first"]))[2:] == ["the two texts are the same"]
    data = json.loads(notes(runs, "diff", names["first"], names["second"], "--json").stdout)
    assert [row["mark"] for row in data["lines"]] == ["-", "+", " ", " ", " ", " "]


def test_blame(runs: Path, names: dict[str, str]) -> None:
    first, second = names["first"][:8], names["second"][:8]
    found = lines(notes(runs, "blame", names["merged"]))
    assert found[0] == f"{second}  1  ben   1  R123=321"
    assert found[2] == f"{first}  0  anna  3  reverse it"
    assert re.fullmatch(r"r\w{7}  1  carl  5  the very end", found[4])
    with connect(runs / "story") as log:
        expected = blame(library_at(log, 2), names["merged"])
    told = json.loads(notes(runs, "blame", names["merged"], "--json").stdout)["lines"]
    assert [(row["text"], row["revision_id"]) for row in told] == [
        (line.text, line.revision.revision_id) for line in expected
    ]
    marker = next(row for row in _history(runs, names["old"]) if row["outcome"] == "archived")
    assert "an archive marker" in refused(notes(runs, "blame", marker["revision_id"]))


def _history(runs: Path, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(notes(runs, "history", name, "--json").stdout)["revisions"]
    return found


def test_cites_goes_both_ways(runs: Path, names: dict[str, str]) -> None:
    data = json.loads(notes(runs, "cites", names["first"], "--json").stdout)
    assert [(row["target_kind"], row["what"]) for row in data["cites"]] == [
        ("attempt", "anna, correct"), ("problem", "R12"),
    ]  # fmt: skip
    assert [row["revision_id"] for row in data["cited_by"]] == [names["hostile"]]
    back = lines(notes(runs, "cites", names["hostile"]))
    assert (
        back[2].startswith("cites 1 thing")
        and "How to reverse" in back[3]
        and back[-1] == "cited by 0 revisions"
    )


def test_at(runs: Path) -> None:
    found = lines(notes(runs, "at", "1"))
    assert found[0] == "round 1: 3 notes in sight, 0 archived, 1 open branch; version 7"
    assert [line.split() for line in found[3:5]] == [["public", "book", "1"], ["public", "lesson", "2"]]
    assert len(found) == 10
    assert lines(notes(runs, "at", "2"))[0].startswith("round 2: 3 notes in sight, 1 archived")
    assert json.loads(notes(runs, "at", "0", "--json").stdout)["library_version"] == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["show", "nope"],
            "expected the id of a note or revision, or the beginning of one, got 'nope'; near it are",
        ),
        (["show", "n"], "write more of it"),
        (["search", "R", "--kind", "leson"], "write 'lesson' instead"),
        (["search", "R", "--author", "zzzz"], "write one of these ('anna'"),
        (["at", "9"], "expected a committed round, from 0 to 2, got 9"),
        (["history", "x", "--at", "7"], "expected a committed round"),
    ],
)
def test_what_is_not_there_is_refused(runs: Path, arguments: list[str], words: str) -> None:
    assert words in refused(notes(runs, *arguments))


def test_near_ids_are_named(runs: Path, names: dict[str, str]) -> None:
    wrong = names["first"][:-1] + ("0" if names["first"][-1] != "0" else "1")
    assert f"near it are {names['first']}" in refused(notes(runs, "blame", wrong))


def test_the_run_is_looked_up_as_elsewhere(runs: Path) -> None:
    assert "write 'story' instead" in refused(notes(runs, "at", "0", run="stroy"))
    told = CliRunner().invoke(app, ["notes", "at", str(runs / "story"), "0"])
    assert told.exit_code == 0, told.output


def every_command(names: dict[str, str]) -> list[list[str]]:
    hostile = names["hostile"]
    return [
        ["search", "see also"], ["show", hostile], ["history", hostile], ["diff", names["first"], hostile],
        ["blame", hostile], ["cites", names["first"]], ["cites", hostile], ["at", "2"],
    ]  # fmt: skip


def test_no_text_can_act_on_a_terminal_and_lines_fit_it(
    runs: Path, names: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for command in every_command(names):
        for form in ([], ["--json"]):
            result = notes(runs, *command, *form)
            assert result.exit_code == 0, result.output
            assert "evil" in result.stdout or "how" in result.stdout.lower()
            for line in result.stdout.split("\n"):
                assert line.isprintable(), (command, line)
                if not form and "evidence" not in line and "  kind" not in line and "evil" not in line:
                    assert len(line) <= 80, (command, line)
    for command in (
        ["at", "2"],
        ["history", names["hostile"]],
        ["search", "see also"],
        ["cites", names["first"]],
    ):
        assert max(len(line) for line in lines(notes(runs, *command))) <= 80


def test_a_run_without_a_round_is_told_so(tmp_path: Path) -> None:
    committed(Story(), tmp_path / "empty")
    (tmp_path / "empty" / "run.yaml").write_text("seed: 7\n")
    assert "without any yet" in refused(notes(tmp_path, "at", "0", run="empty"))
