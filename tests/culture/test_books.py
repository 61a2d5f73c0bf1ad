"""Books: outlines are read back, chapters are found whoever writes them, and the whole is put together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from culture.books import Book, book, contents, open_books, outline, pages, read_outline
from culture.config import LibraryConfig
from culture.edits import Archive, Edit
from culture.library import Library
from culture.reading import Reader

ANNA = Reader("anna", "red", ["ben"])
STRANGER = Reader("zoe", "blue", [])
words = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12)
titles = st.lists(words, min_size=1, max_size=4).map(" ".join)


@pytest.fixture
def library() -> Library:
    return Library(LibraryConfig(), seed=7)


def begun(library: Library) -> str:
    body = outline("Adding", ["One digit", "Carrying"])
    edit = Edit(None, None, "book", "sums", "public", "Adding", body, "anna", "s@1", 1)
    return library.write(edit).revision.note_id


def chapter(library: Library, of: str, number: int, body: str, **changes: Any) -> str:
    edit = Edit(
        None, None, "chapter", "sums", "public", f"Adding: {number}", body, "ben", "s@1", 2,
        citations=[("note", of), ("problem", "p1")], evidence={"chapter": number},
    )  # fmt: skip
    return library.write(replace(edit, **changes)).revision.note_id


@given(titles, st.lists(titles, min_size=1, max_size=9))
def test_an_outline_is_read_back(title: str, chapters: list[str]) -> None:
    assert read_outline(outline(title, chapters)) == (title, chapters)


@given(st.text(max_size=200))
def test_any_text_can_be_read_as_an_outline(body: str) -> None:
    title, chapters = read_outline(body)
    assert all(name.strip() for name in chapters)
    assert "\n" not in title


def test_chapters_are_the_first_in_sight_by_whoever_wrote_them(library: Library) -> None:
    name = begun(library)
    assert book(library, name).unwritten == (1, 2)
    first = chapter(library, name, 2, "Carry the one.")
    other = chapter(library, name, 2, "Carry it.", author="carl")
    chapter(library, name, 7, "There is no such chapter.")
    found = book(library, name)
    assert found.unwritten == (1,)
    assert (found.chapters[1].note_id, found.chapters[1].alternatives) == (first, (other,))
    library.archive(Archive(first, "anna", None, 3))
    assert book(library, name).chapters[1].note_id == other
    # carl is no neighbour of anna
    assert book(library, name, ANNA).unwritten == (1, 2)


def test_a_book_is_open_while_a_chapter_is_missing_and_it_is_in_sight(library: Library) -> None:
    name = begun(library)
    assert [b.note_id for b in open_books(library, "sums", ANNA)] == [name]
    assert open_books(library, "sums", STRANGER) == [] == open_books(library, "words", ANNA)
    chapter(library, name, 1, "Add them.")
    chapter(library, name, 2, "Carry.")
    assert open_books(library, "sums", ANNA) == []


def test_a_book_has_contents_authors_and_references(library: Library) -> None:
    name = begun(library)
    lesson = Edit(None, None, "lesson", "sums", "public", "7+5", "7+5=12", "anna", "s@1", 1, index=1)
    note = library.write(lesson).revision.note_id
    first = chapter(library, name, 1, "Add them.", citations=[("note", name), ("note", note)])
    base = library.head(first)
    kept = library.note(first)
    library.write(
        Edit(
            first, base.revision_id, "chapter", "sums", "public", kept.title, "Add them slowly.", "anna",
            "s@2", 3, citations=[("problem", "p9")],
        )
    )  # fmt: skip
    text = pages(library, book(library, name))
    assert contents(book(library, name)) == ["1. One digit", "2. Carrying (not written yet)"]
    assert text.startswith("# Adding\n\n1. One digit\n2. Carrying (not written yet)\n\n## 1. One digit")
    assert f"by ben and anna, note {first}\n\nAdd them slowly.\n\n[1][2]" in text
    assert text.endswith(f"## References\n\n[1] anna, 7+5 (lesson {note}, round 1)\n[2] problem p9")
    alone = pages(library, book(library, name), 2)
    assert alone == "## 2. Carrying\n\n(not written yet)"
    with pytest.raises(ValueError, match="from 1 to 2, got 3"):
        pages(library, book(library, name), 3)
    with pytest.raises(ValueError, match="of kind book"):
        book(library, note)


def test_outlines_and_talk_are_shown_to_nobody_who_solves(library: Library) -> None:
    name = begun(library)
    chapter(library, name, 2, "Carrying the one in Adding.")
    about = [("note", name)]
    for index, kind in enumerate(("review", "dispute", "discussion")):
        body = f"Adding and Carrying: {kind}"
        edit = Edit(None, None, kind, "sums", "public", "Adding", body, "ben", None, 2, index=index)  # type: ignore[arg-type]
        library.write(replace(edit, citations=about))  # type: ignore[arg-type]
    hits = library.search("Adding Carrying", ANNA, 9, 999)
    assert [h.kind for h in hits] == ["chapter"]
    assert [library.note(n).kind for n in library.threads.talk(name)] == ["review", "dispute", "discussion"]
    drawn = library.placebo(
        hits, query="Subtraction", reader=ANNA, domain="sums", alphabet="xyz", ids=("t",)
    )  # fmt: skip
    assert {h.kind for h in drawn} <= {"chapter"}


def test_a_book_of_nothing() -> None:
    assert read_outline("") == ("", [])
    assert Book("n", "t", ()).unwritten == ()


# -- budgets -------------------------------------------------------------------------------------------


def shelved(notes: int) -> Library:
    return Library(LibraryConfig(shelf_budget_notes=notes, archive_grace_rounds=0), seed=7)


def lesson(library: Library, body: str, **changes: Any) -> str:
    edit = Edit(None, None, "lesson", "sums", "public", body, body, "ben", "s@1", 3)
    return library.write(replace(edit, **changes)).revision.note_id


def test_an_outline_outlives_its_chapters_and_goes_with_the_last() -> None:
    lib = shelved(3)
    name = begun(lib)
    poor, good = chapter(lib, name, 1, "Add them."), chapter(lib, name, 2, "Carry.")
    plain = [lesson(lib, f"lesson {n}", index=n) for n in range(4)]
    # the outline is the oldest, and was read by nobody
    lib.observe_reads({poor: 1, good: 5, plain[0]: 2, plain[1]: 9, plain[2]: 9, plain[3]: 9})
    assert [m.note_id for m in lib.enforce_budgets(9)] == [poor, plain[0], good, name]
    assert lib.heads().keys() - lib.archived == set(plain[1:])


def test_a_book_stays_whole_where_its_chapters_are_worth_keeping() -> None:
    lib = shelved(3)
    name = begun(lib)
    chapters = [chapter(lib, name, n, f"Chapter {n}.", index=n) for n in (1, 2)]
    plain = [lesson(lib, f"lesson {n}", index=n) for n in range(3)]
    lib.observe_reads(dict.fromkeys(chapters, 5))
    assert {m.note_id for m in lib.enforce_budgets(9)} == set(plain)
    assert book(lib, name).unwritten == ()


def test_an_outline_without_chapters_goes_as_any_other_note() -> None:
    lib = shelved(2)
    name = begun(lib)
    gone = chapter(lib, name, 1, "Add them.")
    lib.archive(Archive(gone, "ben", None, 3))
    plain = [lesson(lib, f"lesson {n}", index=n) for n in range(2)]
    lib.observe_reads(dict.fromkeys(plain, 1))
    assert [m.note_id for m in lib.enforce_budgets(9)] == [name]


def test_chapters_on_another_shelf_keep_their_outline_to_the_last() -> None:
    lib = shelved(1)
    name = begun(lib)
    chapter(lib, name, 1, "Add them.", shelf="agent:ben")
    read = lesson(lib, "lesson")
    lib.observe_reads({read: 99})
    assert [m.note_id for m in lib.enforce_budgets(9)] == [read]
    # a shelf of nothing but such outlines keeps to its budget all the same
    other = Edit(None, None, "book", "sums", "public", "B", "B\n\n1. One", "anna", "s@1", 2)
    second = lib.write(other).revision.note_id
    mine = chapter(lib, second, 1, "One.", shelf="agent:carl", author="carl")
    lib.observe_reads({mine: 9})
    assert [m.note_id for m in lib.enforce_budgets(9)] == [name]


@given(
    st.lists(
        st.tuples(st.sampled_from(["book", "chapter", "chapter", "lesson"]), st.integers(0, 3),
                  st.sampled_from(["public", "public", "agent:ben"]), st.integers(0, 3)),
        max_size=14,
    ),
    st.integers(1, 5),
)  # fmt: skip
def test_no_budget_takes_an_outline_from_its_chapters_before_all_else(
    steps: list[tuple[str, int, str, int]], most: int
) -> None:
    lib, books, reads = shelved(most), list[str](), dict[str, int]()
    for n, (kind, of, shelf, count) in enumerate(steps):
        if kind == "book":
            edit = Edit(None, None, "book", "sums", shelf, "B", f"B {n}\n\n1. One", "ben", "s@1", n)
            books.append(lib.write(edit).revision.note_id)
        elif kind == "chapter" and books:
            name = chapter(lib, books[of % len(books)], 1, f"text {n}", shelf=shelf, round=n)
            reads[name] = count
        else:
            reads[lesson(lib, f"text {n}", shelf=shelf, round=n)] = count
    lib.observe_reads(reads)
    lib.enforce_budgets(99)
    here = lib.heads().keys() - lib.archived

    def chapters(name: str) -> set[str]:
        return set(lib.threads.chapters(name)) & here

    for shelf in ("public", "agent:ben"):
        left = {name for name in here if lib.note(name).shelf == shelf}
        assert len(left) <= most
        orphaned = [b for b in books if b in lib.archived and lib.note(b).shelf == shelf and chapters(b)]
        # what is left are outlines as well, and every chapter of the orphaned stands elsewhere
        assert not orphaned or all(name in books and chapters(name) for name in left)
        assert not left & {c for b in orphaned for c in chapters(b)}
