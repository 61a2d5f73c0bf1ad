"""Tests of what notes are worth, on logs whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from culture import connect
from culture.config import LakeConfig
from culture.lake import Lake
from culture.records import Arm, Attempt, Note, Read, Revision, RoundRows
from culture.seeds import generator
from culture.worth import Worth, worths
from tests.culture.rows import example

NOTES = 12
HELPS, HARMS = 0, 1
"""Notes whose reading adds 0.3 and takes 0.3; the others do nothing."""
ARMS: tuple[Arm, ...] = ("library", "none", "placebo")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Notes 0 to 11, each found by 60 problems; the later the note, the easier its problems."""
    rng = generator(0, "a library's worth")
    rows = RoundRows()
    for i in range(NOTES):
        author = "ann" if i < 6 else "ben"
        kind = "example" if i % 2 else "lesson"
        note = replace(example(Note, 0, i), note_id=f"n{i}", kind=kind, author=author, shelf="public")
        rows.notes.append(note)
        rows.revisions.append(
            replace(example(Revision, 0, i), revision_id=f"r{i}", note_id=f"n{i}", author=author)
        )
    for p in range(NOTES * 60):
        note, base = p % NOTES, 0.35 + 0.3 * (p % NOTES) / NOTES
        for k in range(6):
            arm = ARMS[int(rng.integers(3))]
            gain = {HELPS: 0.3, HARMS: -0.3}.get(note, 0.0) if arm == "library" else 0.0
            right = bool(rng.random() < base + gain)
            name = f"a{p}-{k}"
            rows.attempts.append(
                replace(
                    example(Attempt, 0, k), attempt_id=name, problem_id=f"p{p}", domain="sums", arm=arm,
                    policy_version="solver@0", correct=right, verdict="correct" if right else "wrong",
                )
            )  # fmt: skip
            if arm == "library":
                rows.reads.append(
                    replace(
                        example(Read, 0, 0), attempt_id=name, arm=arm, note_id=f"n{note}",
                        revision_id=f"r{note}",
                    )
                )  # fmt: skip
    folder = tmp_path_factory.mktemp("log") / "run"
    with Lake.create(folder, LakeConfig()) as lake:
        lake.commit(rows, "test", "round 0")
    return folder


@pytest.mark.parametrize("control", ["none", "placebo"])
def test_notes_that_help_and_harm_are_found_and_no_other(log: Path, control: Arm) -> None:
    with connect(log) as connection:
        found = {w.key: w for w in worths(connection, "note", control=control)}
    assert len(found) == NOTES
    assert next(iter(found)) == f"n{HELPS}" and list(found)[-1] == f"n{HARMS}"
    for i in range(NOTES):
        w = found[f"n{i}"]
        truth = {HELPS: 0.3, HARMS: -0.3}.get(i, 0.0)
        assert w.q is not None and w.corrected_low is not None and w.corrected_high is not None
        assert (w.q < 0.05) == (truth != 0)
        assert w.corrected_low <= truth <= w.corrected_high
        assert w.low is not None and w.corrected_low < w.low
        assert w.shrunken is not None and abs(w.shrunken) < abs(w.difference) + 0.02


def test_by_author_kind_and_shelf(log: Path) -> None:
    with connect(log) as connection:
        (everything,) = worths(connection, "shelf")
        authors = {w.key: w for w in worths(connection, "author")}
        kinds = {w.key for w in worths(connection, "kind")}
        assert worths(connection, "note", domain="other") == []
    assert everything.key == "public" and everything.problems > 400
    assert set(authors) == {"ann", "ben"} and kinds == {"example", "lesson"}
    assert authors["ann"].treated + authors["ben"].treated == everything.treated


def test_a_policy_is_compared_with_itself(tmp_path: Path) -> None:
    """The able read more often, which is nothing that the note does."""
    rows = RoundRows(
        notes=[replace(example(Note, 0, 0), note_id="n")],
        revisions=[replace(example(Revision, 0, 0), revision_id="r", note_id="n")],
    )
    for p in range(12):
        for policy, readers in (("able", 3), ("weak", 1)):
            for k in range(4):
                name = f"{policy}-{p}-{k}"
                arm: Arm = "library" if k < readers else "none"
                rows.attempts.append(
                    replace(
                        example(Attempt, 0, k), attempt_id=name, problem_id=f"p{p}", arm=arm,
                        policy_version=f"{policy}@0", correct=policy == "able", verdict="wrong",
                    )
                )  # fmt: skip
                if arm == "library":
                    shown = replace(example(Read, 0, 0), attempt_id=name, arm=arm)
                    rows.reads.append(replace(shown, note_id="n", revision_id="r"))
    with Lake.create(tmp_path / "run", LakeConfig()) as lake:
        lake.commit(rows, "test", "round 0")
    with connect(tmp_path / "run") as connection:
        (found,) = worths(connection, "note")
    assert (found.difference, found.treated, found.controls, found.problems) == (0.0, 48, 48, 12)


def test_few_problems_have_no_interval(tmp_path: Path) -> None:
    rows = RoundRows(
        notes=[replace(example(Note, 0, 0), note_id="n")],
        revisions=[replace(example(Revision, 0, 0), revision_id="r", note_id="n")],
    )
    for i, (arm, right) in enumerate([("library", True), ("none", False), ("library", True)]):
        rows.attempts.append(
            replace(
                example(Attempt, 0, i), attempt_id=f"a{i}", problem_id="p", arm=arm, correct=right,
                policy_version="solver@0", verdict="correct",
            )
        )  # fmt: skip
        if arm == "library":
            read = replace(example(Read, 0, 0), attempt_id=f"a{i}", arm=arm, note_id="n", revision_id="r")
            rows.reads.append(read)
    with Lake.create(tmp_path / "run", LakeConfig()) as lake:
        lake.commit(rows, "test", "round 0")
    with connect(tmp_path / "run") as connection:
        (found,) = worths(connection, "note")
        with pytest.raises(ValueError, match="expected by to be one of note, author, kind, shelf"):
            worths(connection, "title")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="expected control to be none, placebo or shuffled"):
            worths(connection, "note", control="library")
    assert found == Worth(
        "note", "n", 1.0, None, None, None, None, None, None, None, None, None, 2, 1, 1
    )  # fmt: skip
