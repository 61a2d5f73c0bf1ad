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
