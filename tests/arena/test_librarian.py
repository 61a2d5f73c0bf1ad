"""The librarian asks the library what it is asked, and a lost one is made anew from the log."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from analysis.identical import differences
from arena.config import RunConfig
from arena.librarian import Librarian, Reading, Shelved
from culture import connect
from culture.config import LakeConfig, LibraryConfig
from culture.edits import Edit
from culture.lake import Lake
from culture.reading import Reader
from culture.records import Attempt, Read, Round, RoundRows
from tests.arena.consistency import check_log
from tests.arena.scripted import play
from tests.culture.rows import example

CONFIG = RunConfig(library=LibraryConfig(exploration=1.0, worth_strength=0.1, shelf_budget_tokens=40))


def edit(body: str, index: int) -> Edit:
    return Edit(
        None, None, "lesson", "transforms", "public", "", body, "pupil-0", "s@1", 0, index,
        citations=(("problem", f"p{index}"), ("attempt", f"t{index}")),
    )  # fmt: skip


def reading(query: str, attempt: str, problem: str = "p9") -> Reading:
    return Reading(query, Reader("pupil-0", "red"), "library", "transforms", 99, problem, (attempt, "0"))


def attempts(notes: dict[str, bool]) -> RoundRows:
    """At 12 problems a note, one attempt that read it, right or not, and one that read nothing."""
    rows = RoundRows()
    for name, right in notes.items():
        for p in range(12):
            for arm in ("library", "none"):
                correct = right if arm == "library" else right == (p < 3)
                a = replace(
                    example(Attempt, 0, p), attempt_id=f"{name}-{p}-{arm}", problem_id=f"{name}-{p}",
                    arm=arm, correct=correct, verdict="correct" if correct else "wrong",
                )  # fmt: skip
                rows.attempts.append(a)
            first = f"{name}-{p}-library"
            rows.reads.append(replace(example(Read, 0, p), attempt_id=first, arm="library", note_id=name))
    return rows


def committed(
    folder: Path, number: int, shelved: Shelved, *, create: bool, tried: dict[str, bool] | None = None
) -> None:
    row = replace(example(Round, number, 0), started_at=datetime.now(UTC), state={"library": shelved.state})
    with (Lake.create if create else Lake.open)(folder, LakeConfig()) as lake:
        rows = attempts(tried or {})
        heads = {r.note_id: r.revision_id for r in shelved.revisions}
        rows.reads = [replace(r, revision_id=heads[r.note_id]) for r in rows.reads]
        rows.rounds.append(row)
        rows.notes, rows.revisions = shelved.notes, shelved.revisions
        rows.citations = shelved.citations
        lake.commit(rows, "test", "round")


@pytest.fixture
def run(tmp_path: Path) -> tuple[Path, Librarian, list[str]]:
    """A run of one round, its librarian, and the notes that it wrote."""
    folder = tmp_path / "run"
    librarian = Librarian(folder, CONFIG)
    bodies = ["R1=1", "R1=11", "R1=111"]
    shelved = librarian.close_round(-1, 0, [edit(b, i) for i, b in enumerate(bodies)], {})
    names = [note.note_id for note in shelved.notes]
    committed(folder, 0, shelved, create=True, tried={names[0]: False, names[2]: True})
    return folder, librarian, names


def test_a_lost_librarian_reads_the_same_from_the_log(run: tuple[Path, Librarian, list[str]]) -> None:
    folder, librarian, names = run
    edits = [edit("S2=2" + "2" * i, 3 + i) for i in range(5)]
    shelved = librarian.close_round(0, 1, edits, {names[2]: 9, names[1]: 2})
    worth = shelved.state["worth"]
    assert isinstance(worth, dict) and set(worth) == {names[0], names[2]}
    assert worth[names[0]][0] == pytest.approx(-75) and worth[names[2]][0] == pytest.approx(75)
    assert any(r.outcome == "archived" for r in shelved.revisions)
    committed(folder, 1, shelved, create=False)
    asked = [reading(q, f"t{i}", f"p{i}") for q in ("R1=", "S22=") for i in range(6)]
    other = Librarian(folder, CONFIG)
    assert other.read(1, 2, asked) == librarian.read(1, 2, asked)
    assert other.library.state_dict() == shelved.state and len(other.library) == shelved.size
    for name, head in librarian.library.heads().items():
        assert other.library.head(name).revision_id == head
        assert other.library.history(name) == librarian.library.history(name)
        assert other.library.citations(head) == librarian.library.citations(head)


def test_what_is_explored_is_named_by_the_attempt(run: tuple[Path, Librarian, list[str]]) -> None:
    _, librarian, names = run
    librarian.library.observe_reads({names[0]: 9})
    ((first, second),) = librarian.read(0, 2, [reading("R1=", "t1")])
    assert (first.note_id, first.explored) == (names[1], True)
    assert (second.note_id, second.explored) == (names[2], True)
    ((best, _),) = librarian.read(0, 2, [reading("R1=", "t1", "p1")])
    assert best.note_id == names[2]


@pytest.mark.parametrize("search", ["bm25", pytest.param("fused", marks=pytest.mark.llm)])
def test_a_run_that_explores_comes_out_the_same_again(search: str, tmp_path: Path) -> None:
    sets = ["rounds=3", "rollout.notes_written=16", f"library.search={search}", "library.exploration=0.5"]
    first, second = (play(tmp_path / name, sets) for name in ("a", "b"))
    assert differences(first, second) == []
    check_log(first)
    with connect(first) as log:
        found = dict(log.execute("SELECT explored, count(*) FROM reads GROUP BY explored").fetchall())
        placebo = log.execute("SELECT count(*) FROM reads WHERE arm = 'placebo' AND explored").fetchone()
    assert found[True] > 0 and found[False] > 0 and placebo == (0,)
