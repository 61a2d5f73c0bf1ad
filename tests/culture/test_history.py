from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from culture import connect
from culture.config import LakeConfig, LibraryConfig
from culture.edits import Edit
from culture.history import NoSuchRound, blame, diff, excerpt_at, hunks, library_at
from culture.lake import Lake
from culture.library import Library
from culture.queries import select
from culture.records import Revision
from tests.culture.histories import STEPS, Step, Story, in_memory, picture, rows_of, told

texts = st.lists(st.sampled_from(["a", "b", "c", "", "d\r"]), max_size=12).map("\n".join)


# -- diff ------------------------------------------------------------------------------------------------
@given(texts, texts)
def test_a_diff_holds_both_texts(old: str, new: str) -> None:
    lines = diff(old, new)
    assert "\n".join(line.text for line in lines if line.mark != "+") == old
    assert "\n".join(line.text for line in lines if line.mark != "-") == new
    for text, place in ((old, "old"), (new, "new")):
        numbers = [n for line in lines if (n := getattr(line, place)) is not None]
        assert numbers == list(range(1, len(text.split("\n")) + 1))
    assert (old == new) == all(line.mark == " " for line in lines)


@given(texts, texts, st.integers(0, 3))
def test_hunks_are_the_changes_and_what_is_near_them(old: str, new: str, context: int) -> None:
    lines = diff(old, new)
    found = hunks(lines, context)
    assert [x for h in found for x in h if x.mark != " "] == [x for x in lines if x.mark != " "]
    for hunk in found:
        marks = "".join(line.mark for line in hunk)
        assert marks.strip() and " " * (2 * context + 1) not in marks.strip()
        assert len(marks) - len(marks.lstrip()) <= context and len(marks) - len(marks.rstrip()) <= context


def test_a_diff_of_a_long_text_keeps_its_common_lines() -> None:
    old = "\n".join(["same"] * 300 + ["old"])
    assert [x.mark for x in diff(old, old.replace("old", "new"))] == [" "] * 300 + ["-", "+"]


# -- blame -----------------------------------------------------------------------------------------------
def note(library: Library, *bodies: str, authors: str = "abcdef") -> list[Revision]:
    """A note whose texts were written one after the other, each on the one before."""
    found: list[Revision] = []
    for body, author in zip(bodies, authors, strict=False):
        found.append(on(library, found[-1] if found else None, body, author))
    return found


def on(library: Library, base: Revision | None, body: str, author: str, **changes: Any) -> Revision:
    name, text = (None, None) if base is None else (base.note_id, base.revision_id)
    edit = Edit(name, text, "lesson", "strings", "public", "", body, author, None, 1)
    return library.write(replace(edit, **changes)).revision


def authors(library: Library, revision: Revision) -> list[tuple[str, str]]:
    return [(line.text, line.revision.author) for line in blame(library, revision.revision_id)]


def test_lines_are_of_who_wrote_them() -> None:
    lib = Library(LibraryConfig(), seed=3)
    *_, last = note(lib, "one\ntwo", "one\nand\ntwo", "one\nand\nthree\n")
    assert authors(lib, last) == [("one", "a"), ("and", "b"), ("three", "c"), ("", "c")]
    assert [line.number for line in blame(lib, last.revision_id)] == [1, 2, 3, 4]


def test_a_merge_brings_in_nothing_and_lines_come_from_both_sides() -> None:
    lib = Library(LibraryConfig(), seed=3)
    first, _ = note(lib, "one\n\ntwo\n\nthree", "ONE\n\ntwo\n\nthree")
    merged = on(lib, first, "one\n\ntwo\n\nTHREE\n\nfour", "z")
    assert merged.outcome == "merged"
    assert authors(lib, merged) == [
        ("ONE", "b"), ("", "a"), ("two", "a"), ("", "a"), ("THREE", "z"), ("", "a"), ("four", "z"),
    ]  # fmt: skip


def test_of_a_line_that_both_sides_wrote_the_head_had_it_first() -> None:
    lib = Library(LibraryConfig(), seed=3)
    first, _ = note(lib, "one\ntwo", "same\none\ntwo")
    merged = on(lib, first, "same\none\ntwo\nthree", "z")
    assert merged.outcome == "merged" and authors(lib, merged)[0] == ("same", "b")


def test_a_resolution_is_blamed_for_what_neither_side_had() -> None:
    lib = Library(LibraryConfig(), seed=3)
    first, head = note(lib, "one", "two")
    branch = on(lib, first, "three", "z")
    assert branch.outcome == "branch"
    both = on(lib, branch, "two\nor\nthree", "y", resolves=[head.revision_id])
    assert both.outcome == "head" and authors(lib, both) == [("two", "b"), ("or", "y"), ("three", "z")]
    # keeping one side as it is leaves all of it to who wrote it
    kept = on(lib, both, "four", "x")
    late = on(lib, both, "five", "w")
    assert authors(lib, on(lib, kept, "five", "v", resolves=[late.revision_id])) == [("five", "w")]


def test_lines_that_were_moved_or_written_again_are_old() -> None:
    lib = Library(LibraryConfig(), seed=3)
    *_, last = note(lib, "one\ntwo\nthree", "three\none\ntwo\none")
    assert {author for _, author in authors(lib, last)} == {"a"}


def test_a_note_that_came_back_keeps_its_lines_and_a_marker_has_none() -> None:
    lib = Library(LibraryConfig(shelf_budget_notes=1, archive_grace_rounds=0), seed=3)
    (old,) = note(lib, "one\ntwo")
    on(lib, None, "other", "a", round=2)
    (marker,) = lib.enforce_budgets(3)
    assert blame(lib, marker.revision_id) == []
    assert authors(lib, on(lib, old, "one\nthree", "b", round=4)) == [("one", "a"), ("three", "b")]
    with pytest.raises(KeyError, match="expected the id of a revision"):
        blame(lib, "r0")


def test_a_merge_that_another_version_made_otherwise_is_compared_by_lines() -> None:
    lib = Library(LibraryConfig(), seed=3)
    first, _ = note(lib, "one\nand\ntwo", "ONE\nand\ntwo")
    merged = on(lib, first, "one\nand\nTWO", "z")
    assert merged.outcome == "merged"
    lib._revisions.add(replace(merged, body="TWO\nONE\nby hand"), ())
    assert authors(lib, merged) == [("TWO", "z"), ("ONE", "b"), ("by hand", "z")]


@given(STEPS, st.booleans())
@settings(max_examples=60)
def test_blame_is_the_text_and_names_who_brought_each_line_in(steps: list[Step], fresh: bool) -> None:
    lib = told(steps, fresh=fresh).library
    for revision in (r for name in lib.heads() for r in lib.history(name)):
        found = blame(lib, revision.revision_id)
        assert "\n".join(line.text for line in found) == revision.body
        for line in found:
            origin = line.revision
            assert origin.body.split("\n")[line.number - 1] == line.text
            assert all(line.text not in lib.revision(p).body.split("\n") for p in origin.parents)
            assert origin.outcome != "merged"
            assert origin.library_version <= revision.library_version


# -- time travel -----------------------------------------------------------------------------------------
HEADS = """
    SELECT note_id, revision_id, archived, open_branches, author, revised_by, body, library_version
    FROM library_at(?) ORDER BY note_id
"""


def assert_as_it_was(reader: duckdb.DuckDBPyConnection, story: Story) -> None:
    for number, then in enumerate(story.then):
        found = library_at(reader, number)
        assert picture(found) == then
        in_sql = [tuple(row.values()) for row in select(reader, HEADS, [number]).to_pylist()]
        assert in_sql == [
            (
                n, head.revision_id, n in found.archived, [r.revision_id for r in found.branches(n)],
                found.note(n).author, head.author, head.body, head.library_version,
            )
            for n in sorted(found.heads()) for head in [found.head(n)]
        ]  # fmt: skip


@given(STEPS)
@settings(max_examples=15)
def test_the_library_at_a_round_is_what_was_there(steps: list[Step]) -> None:
    story = told(steps, fresh=False)
    with in_memory(story) as reader:
        assert_as_it_was(reader, story)


STORY: list[Step] = [
    ("new", "anna", 0, [5, 4]), ("new", "ben", 0, [3, 2]), ("close", "anna", 0, [1]),
    ("edit", "ben", 0, [9, 3]), ("late", "carl", 0, [2, 9]), ("close", "anna", 0, [2, 1]),
    ("new", "anna", 0, [1]), ("new", "ben", 0, [4]), ("resolve", "anna", 0, [7, 3]),
    ("close", "anna", 0, [0, 1]),
    ("late", "carl", 1, [8, 8, 3]),
]  # fmt: skip
"""One with a branch, its resolution, and a note that is archived."""


@given(STEPS, st.integers(0, 5))
@settings(max_examples=10)
def test_an_excerpt_has_of_its_notes_what_the_library_has(steps: list[Step], pick: int) -> None:
    story = told(steps, fresh=False)
    last = len(story.rounds) - 1
    with in_memory(story) as log:
        whole = library_at(log, last, unread=())
        names = list(whole.heads())[pick : pick + 2]
        some = excerpt_at(log, last, names)
    assert set(some.heads()) == set(names)
    for name in names:
        assert some.note(name) == whole.note(name)
        assert some.history(name) == whole.history(name)
        assert some.branches(name) == whole.branches(name)
        assert (name in some.archived) == (name in whole.archived)
        for revision in whole.history(name):
            of = revision.revision_id
            assert some.citations(of) == whole.citations(of)
            assert blame(some, of) == blame(whole, of)


def test_it_is_so_in_the_log_of_a_run_for_its_readers_and_its_writer(tmp_path: Path) -> None:
    story = told(STORY, fresh=True)
    assert any(then["archived"] for then in story.then) and any(
        branches for then in story.then for branches in then["branches"].values()
    )
    with Lake.create(tmp_path, LakeConfig()) as lake, connect(tmp_path) as reader:
        for number, rows in enumerate(rows_of(story)):
            lake.commit(rows, "arena", f"round {number}")
            assert picture(library_at(reader, number)) == story.then[number]
        assert picture(library_at(lake, 1)) == story.then[1]
    with connect(tmp_path) as reader:
        assert_as_it_was(reader, story)


def test_a_library_of_the_past_can_be_written_to() -> None:
    story = told(STORY, fresh=True)
    with in_memory(story) as reader:
        old = library_at(reader, 0)
        name = next(iter(old.heads()))
        assert on(old, old.head(name), "else", "carl", title=old.note(name).title).outcome == "head"
        assert picture(library_at(reader, 0)) == story.then[0]


def test_the_past_of_a_run_that_searches_by_meaning_needs_no_model() -> None:
    story = told(STORY, fresh=True)
    with in_memory(story) as reader:
        reader.execute("UPDATE runs SET config = replace(config::VARCHAR, '\"bm25\"', '\"fused\"')::JSON")
        assert "fused" in str(reader.execute("SELECT config FROM runs").fetchone())
        assert picture(library_at(reader, 1)) == story.then[1]


def test_rounds_that_are_not_committed_are_refused() -> None:
    with in_memory(Story()) as reader, pytest.raises(NoSuchRound, match="without any"):
        library_at(reader, 0)
    with in_memory(told([], fresh=True)) as reader:
        for number in (-1, 1):
            with pytest.raises(NoSuchRound, match=f"from 0 to 0, got {number}"):
                library_at(reader, number)
