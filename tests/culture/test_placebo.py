from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from culture.config import LibraryConfig
from culture.edits import Edit
from culture.library import Library
from culture.placebo import FILLER
from culture.reading import Hit, Reader

ALPHABET = "RSQ0123456789= \n"
READER = Reader("anna", "red")


def shelf(*bodies: str, author: str = "anna") -> Library:
    library = Library(LibraryConfig(), seed=3)
    for i, body in enumerate(bodies):
        library.write(Edit(None, None, "example", "strings", "public", "", body, author, None, 1, index=i))
    return library


def placebos(library: Library, hits: list[Hit], query: str, *ids: int) -> list[Hit]:
    return library.placebo(hits, query=query, reader=READER, domain="strings", alphabet=ALPHABET, ids=ids)


def test_placebos_share_no_operator_with_the_query() -> None:
    library = shelf(*(f"R{i}=1" for i in range(100, 130)), *(f"S{i}=1" for i in range(500, 540)), "Q1=1")
    hits = library.search("R123=", READER, 3, 99)
    found = placebos(library, hits, "R123=", 1)
    assert [len(p.body) for p in found] == [6, 6, 6]
    assert all(p.body[0] in "SQ" and p.note_id != FILLER and p.score == 0 for p in found)
    assert len({p.note_id for p in found}) == 3
    assert found == placebos(library, hits, "R123=", 1) != placebos(library, hits, "R123=", 2)
    for p in found:
        assert library.head(p.note_id).revision_id == p.revision_id and p.tokens == 6


def test_too_few_notes_give_filler_of_the_alphabet() -> None:
    library = shelf("R123=321", "R124=421")
    hits = library.search("R123=", READER, 2, 99)
    found = placebos(library, hits, "R123=", 1)
    assert [(p.note_id, len(p.body)) for p in found] == [(FILLER, 8), (FILLER, 8)]
    assert set("".join(p.body for p in found)) <= set(ALPHABET) - {" ", "\n"}
    assert found[0].body != found[1].body


def test_notes_that_the_reader_cannot_see_are_no_placebos() -> None:
    library = shelf(*(f"S{i}=1" for i in range(500, 540)), author="carl")
    hit = Hit("n", "r", "R123=321", 5.0, "anna", "example", 8)
    assert [p.note_id for p in placebos(library, [hit], "R123=", 1)] == [FILLER]


def test_nothing_found_needs_no_placebo() -> None:
    assert placebos(shelf("S1"), [], "R1", 1) == []


@given(
    st.lists(st.text("RSQ12=\n", min_size=1, max_size=20).filter(str.strip), unique=True, max_size=12),
    st.lists(st.text("RSQ12=\n", min_size=1, max_size=30), min_size=1, max_size=4),
    st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_placebos_are_as_many_and_as_long(bodies: list[str], shown: list[str], draw: int) -> None:
    library = shelf(*bodies)
    hits = [Hit(f"h{i}", "r", body, 3.0, "ben", "example", len(body)) for i, body in enumerate(shown)]
    found = placebos(library, hits, "R12=", draw)
    assert [len(p.body) for p in found] == [len(body) for body in shown]
    named = [p.note_id for p in found if p.note_id != FILLER]
    assert len(named) == len(set(named))
    assert found == placebos(library, hits, "R12=", draw)


def test_a_note_about_the_very_problem_is_no_placebo_of_it() -> None:
    library = Library(LibraryConfig(), seed=3)
    for i in range(8):
        cited = (("problem", "p1" if i % 2 else "p2"),)
        edit = Edit(None, None, "example", "strings", "public", "", f"S{i}=7", "anna", None, 1, index=i)
        library.write(replace(edit, citations=cited))
    library.write(Edit(None, None, "example", "strings", "public", "", "R123=1", "anna", None, 1, index=9))
    hits = library.search("R123=", READER, 1, 99)
    asked = {"query": "R123=", "reader": READER, "domain": "strings", "alphabet": ALPHABET}
    others = [library.placebo(hits, **asked, ids=[n], exclude_cited=["p1"]) for n in range(30)]
    assert {placebo.body[1] for found in others for placebo in found} == {"0", "2", "4", "6"}
