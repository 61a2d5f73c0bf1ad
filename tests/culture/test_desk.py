"""What lies on a desk: conflicts first, then what was read, what matches, and what others say of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from culture.desk import Ask, set_out
from culture.edits import Edit
from culture.library import Library
from culture.reading import Reader
from tests.culture.test_library import ANNA, library, new, of

BEN = Reader("ben", "red", ["anna"])


def ask(reader: Reader = ANNA, *, read: tuple[str, ...] = (), notes: int = 3) -> Ask:
    return Ask(reader, "strings", "R12 reverse", read, notes, ("desk", reader.agent_id, 1))


def talk(library: Library, about: str, body: str, author: str, index: int) -> str:
    edit = Edit(None, None, "review", "strings", "public", "about", body, author, None, 2, index=index)
    return library.write(replace(edit, citations=[("note", about)])).revision.note_id


def test_read_notes_come_before_found_ones_and_talk_follows_its_note() -> None:
    lib = library()
    found = lib.write(new("R12=21")).revision.note_id
    shown = lib.write(new("S31=13", index=1)).revision.note_id
    talk(lib, shown, "good", "anna", 0)
    other = talk(lib, shown, "bad", "ben", 1)
    desk = set_out(lib, ask(read=(shown,), notes=9), 500)
    assert [(i.note.note_id, i.why) for i in desk.items] == [
        (shown, "read"), (other, "talk"), (found, "found"),
    ]  # fmt: skip
    assert desk.items[0].talk == 2
    assert desk.book is None


def test_a_conflict_lies_on_top_for_its_author_alone_until_it_is_settled() -> None:
    lib = library()
    name = lib.write(new("R12=21")).revision.note_id
    base = lib.head(name).revision_id
    lib.write(of(lib, name, "R12=21 is right"))
    branch = lib.write(of(lib, name, "R12=21 or so", author="anna", base_revision_id=base)).revision
    assert branch.outcome == "branch"
    (item,) = set_out(lib, ask(), 500).items
    assert (item.why, item.branch) == ("conflict", branch.revision_id)
    assert item.conflict is not None and "is right" in item.conflict and "or so" in item.conflict
    assert set_out(lib, ask(BEN), 500).items[0].conflict is None
    settled = of(lib, name, "R12=21 for sure", author="anna", resolves=(branch.revision_id,))
    assert lib.write(settled).outcome == "head"
    assert set_out(lib, ask(), 500).items[0].why == "found"
    assert lib.unresolved("anna") == []
    with pytest.raises(ValueError, match="open branch"):
        lib.conflict(branch.revision_id)


def test_a_desk_is_as_large_as_it_may_be_and_hides_what_the_agent_may_not_see() -> None:
    lib = library()
    for n in range(5):
        lib.write(new(f"R12{n}", index=n))
    lib.write(new("R12 of others", author="zoe"))
    assert len(set_out(lib, ask(notes=2), 500).items) == 2
    assert len(set_out(lib, ask(notes=9), 9).items) == 2
    assert {i.note.author for i in set_out(lib, ask(notes=9), 500).items} == {"anna"}
    stranger = Reader("carl", "blue", [])
    assert set_out(lib, ask(stranger, read=tuple(lib.heads())), 500).items == ()


def test_an_open_book_lies_there() -> None:
    lib = library()
    edit = Edit(None, None, "book", "strings", "public", "B", "B\n\n1. One\n2. Two", "ben", None, 1)
    name = lib.write(edit).revision.note_id
    desk = set_out(lib, ask(), 500)
    assert desk.book is not None and desk.book.note_id == name and desk.book.unwritten == (1, 2)
    assert desk.outline == lib.head(name)
    assert desk.library_version == lib.version == 1


def test_notes_that_the_agent_may_publish_say_where_to() -> None:
    lib = library()
    own = lib.write(new("R12=21", shelf="agent:anna")).revision.note_id
    ours = lib.write(new("R12=2", shelf="org:red", author="ben"), {"red"}).revision.note_id
    everyones = lib.write(new("R12=12")).revision.note_id
    there = {own: ("org:red", "public"), ours: ("public",), everyones: ()}
    assert {i.note.note_id: i.outward for i in set_out(lib, ask(notes=9), 500).items} == there
    mine = {i.note.note_id: i.outward for i in set_out(lib, ask(BEN, notes=9), 500).items}
    assert mine == {ours: ("public",), everyones: ()}
