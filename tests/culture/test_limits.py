"""Floods and near copies are refused; what is alike is found by the index."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from culture.edits import IMPORT, LibraryRefused
from culture.library import Library
from culture.limits import shingles, similarity
from tests.culture.test_trust import library, new, of

TEXTS = st.text("ab c", min_size=1, max_size=30)


def reason(lib: Library, edit: object) -> str:
    before = lib.version
    with pytest.raises(LibraryRefused) as caught:
        lib.write(edit)  # type: ignore[arg-type]
    assert lib.version == before
    return caught.value.reason


def test_an_author_writes_so_many_texts_a_round() -> None:
    lib = library(author_notes_per_round=2)
    name = lib.write(new("one")).revision.note_id
    assert lib.write(of(lib, name, "two", author="anna", round=1)).outcome == "head"
    edit = new("three", index=2)
    assert reason(lib, edit) == "flood"
    # what it wrote already is no new text, others may write, and so may it in the next round
    assert lib.write(new("one")).repeated
    lib.write(new("three", author="ben"))
    lib.write(new("four", round=2))
    lib.write(new("five", round=2, index=1))
    assert reason(lib, new("six", round=2, index=2)) == "flood"


def test_what_a_library_begins_with_is_no_flood() -> None:
    lib = library(author_notes_per_round=1)
    for index in range(4):
        lib.write(new(f"note {index}", author=IMPORT, round=0, index=index))
    assert len(lib) == 4


def test_a_near_copy_is_refused_whoever_writes_it() -> None:
    lib = library(near_duplicate=0.8)
    text = "To reverse a text, write its last character first, then the one before it."
    name = lib.write(new(text)).revision.note_id
    assert reason(lib, new(text + "\n", author="ben")) == "near_duplicate"
    assert reason(lib, new(text.replace(" ", "\n"), author="ben")) == "near_duplicate"
    assert reason(lib, new(text.replace("then", "and then"), author="ben")) == "near_duplicate"
    # the note itself may change a little, and other shelves and domains have texts of their own
    lib.write(of(lib, name, text + " So it goes."))
    lib.write(new(text, author="ben", shelf="org:red"), {"red"})
    lib.write(new(text, author="ben", domain="numbers"))


def test_short_worked_lines_are_not_alike() -> None:
    lib = library(near_duplicate=0.9)
    for index, body in enumerate(["RS1234=S4321=1234", "RS1235=S5321=1235", "R12=21", "R13=31"]):
        lib.write(new(body, index=index))
    assert len(lib) == 4


@given(TEXTS, TEXTS)
def test_similarity_is_one_for_equal_texts_and_symmetric(a: str, b: str) -> None:
    assert similarity(a, a) == 1
    assert similarity(a, b) == similarity(b, a)
    assert 0 <= similarity(a, b) <= 1
    assert similarity(a, f"  {a} ") == 1
    assert shingles(a)
