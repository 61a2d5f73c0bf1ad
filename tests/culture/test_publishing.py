"""Membership of organisations, and notes that move outward."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.git_export import export_git
from analysis.markdown_export import export_markdown
from culture.config import LibraryConfig
from culture.edits import Edit, LibraryRefused
from culture.graph import Node, citations
from culture.history import blame, library_at
from culture.library import Library
from culture.markdown import slug
from culture.note_views import opened
from culture.publishing import Publication, begun, outward
from culture.reading import Reader
from culture.records import RoundRows
from tests.culture.histories import MEMBERS, STEPS, Step, Story, in_memory, told
from tests.culture.test_library import new, of

RED = frozenset({"red"})
ANNA, BEN = Reader("anna", "red", ["carl"]), Reader("ben", "red", ["carl"])
CARL, ZOE = Reader("carl", "blue", ["anna"]), Reader("zoe", "blue")


def library(**config: Any) -> Library:
    return Library(LibraryConfig(**config), seed=7)


def reason(ask: Any) -> str:
    with pytest.raises(LibraryRefused, match="expected") as caught:
        ask()
    return caught.value.reason


def readers(lib: Library, name: str) -> set[str]:
    """Who finds a note, and sees it."""
    found = set()
    for reader in (ANNA, BEN, CARL, ZOE):
        hits = [h.note_id for h in lib.search("R1", reader, 9, 999)]
        assert (name in hits) == lib.visible(name, reader)
        found |= {reader.agent_id} if name in hits else set()
    return found


# -- membership --------------------------------------------------------------------------------------


def test_only_members_write_on_the_shelf_of_an_organisation() -> None:
    lib = library()
    assert reason(lambda: lib.write(new("R1", shelf="org:red"))) == "not_member"
    assert reason(lambda: lib.write(new("R1", shelf="org:red"), {"blue"})) == "not_member"
    name = lib.write(new("R1", shelf="org:red"), RED).revision.note_id
    assert reason(lambda: lib.write(of(lib, name, "R2"), {"blue"})) == "not_member"
    assert lib.write(of(lib, name, "R2"), RED).outcome == "head"


def test_nothing_that_an_edit_says_makes_its_author_a_member() -> None:
    lib = library()
    sly = new("R1", shelf="org:red", evidence={"organisations": ["red"]}, title="org:red")
    assert reason(lambda: lib.write(sly, {"blue"})) == "not_member"


# -- publishing --------------------------------------------------------------------------------------


def test_a_note_moves_from_its_owner_to_the_organisation_to_everyone() -> None:
    lib, rows = library(), RoundRows()
    written = lib.write(new("R1", shelf="agent:anna"))
    written.add_to(rows)
    name = written.revision.note_id
    assert readers(lib, name) == {"anna"}
    lib.publish(Publication(name, "anna", 2, "org:red"), RED).add_to(rows)
    assert readers(lib, name) == {"anna", "ben"} and lib.note(name).shelf == "org:red"
    lib.publish(Publication(name, "ben", 2, "public"), RED).add_to(rows)
    assert readers(lib, name) == {"anna", "carl"}  # next to its first author
    assert [r.outcome for r in lib.history(name)] == ["head", "published", "published"]
    assert lib.head(name).revision_id == written.revision.revision_id and lib.branches(name) == []
    assert {r.body for r in lib.history(name)} == {"R1"}
    assert begun(lib.note(name), lib.history(name)) == rows.notes[0]
    again = Library.load(lib.config, 7, rows.notes, rows.revisions, rows.citations)
    assert again.note(name) == lib.note(name) and readers(again, name) == {"anna", "carl"}


def test_the_same_again_is_one_move() -> None:
    lib, rows = library(), RoundRows()
    name = lib.write(new("R1", shelf="agent:anna")).revision.note_id
    first = lib.publish(Publication(name, "anna", 2, "public"))
    again = lib.publish(Publication(name, "anna", 2, "public"))
    assert again.revisions == first.revisions and again.repeated and lib.version == 2
    again.add_to(rows)
    assert rows.revisions == []


def test_a_move_says_who_decided_it_and_why() -> None:
    lib = library()
    name = lib.write(new("R1", shelf="agent:anna")).revision.note_id
    said = {"why": "good", "from": "nowhere"}
    (marker,) = lib.publish(Publication(name, "anna", 2, "public", "solver@3", said)).revisions
    assert (marker.author, marker.policy_version, marker.body) == ("anna", "solver@3", "R1")
    assert marker.evidence == {"why": "good", "from": "agent:anna", "shelf": "public"}


def test_where_a_note_can_be_published_to_depends_on_who_asks_and_on_what_stands_there() -> None:
    lib = library(shelf_budget_notes=1, archive_grace_rounds=0)
    own = lib.write(new("R1", shelf="agent:anna")).revision.note_id
    org = lib.write(new("R1=1", shelf="org:red"), RED).revision.note_id
    public = lib.write(new("R2")).revision.note_id
    assert lib.outward(own, "anna", RED) == ("org:red", "public")
    assert lib.outward(own, "anna", ()) == ("public",) and lib.outward(own, "ben", RED) == ()
    assert lib.outward(org, "ben", RED) == ("public",) and lib.outward(org, "carl", {"blue"}) == ()
    assert lib.outward(public, "anna", RED) == ()
    lib.write(of(lib, public, "R1"))
    assert lib.outward(own, "anna", RED) == ("org:red",)
    lib.write(new("R12", shelf="agent:anna"))
    (marker,) = lib.enforce_budgets(9)
    assert marker.note_id == own and lib.outward(own, "anna", RED) == ()
    with pytest.raises(KeyError):
        lib.outward("n0", "anna", RED)


@given(
    STEPS,
    st.sampled_from(["anna", "ben", "carl"]),
    st.sampled_from(["org:red", "org:blue", "public"]),
    st.integers(0),
)
@settings(max_examples=60, deadline=None)
def test_a_note_can_be_published_just_where_it_says(
    steps: list[Step], author: str, shelf: str, pick: int
) -> None:
    lib = told(steps, fresh=False).library
    if not lib.heads():
        return
    name = sorted(lib.heads())[pick % len(lib.heads())]
    there = lib.outward(name, author, MEMBERS)
    order = Publication(name, author, 99, shelf)
    if shelf in there:
        assert lib.publish(order, MEMBERS).outcome == "published" and lib.note(name).shelf == shelf
    else:
        reason(lambda: lib.publish(order, MEMBERS))


def test_moves_that_are_refused() -> None:
    lib = library(shelf_budget_notes=1, archive_grace_rounds=0)
    own = lib.write(new("R1", shelf="agent:anna")).revision.note_id
    org = lib.write(new("R1", shelf="org:red"), RED).revision.note_id
    public = lib.write(new("R1=1")).revision.note_id
    for name, author, shelf, member, wanted in [
        ("n0", "anna", "public", RED, "unknown_note"),
        (own, "ben", "public", RED, "not_owner"),
        (own, "anna", "org:red", frozenset({"blue"}), "not_member"),
        (own, "anna", "agent:ben", RED, "shelf"),
        (own, "anna", "org:", RED, "shelf"),
        (own, "anna", "attic", RED, "shelf"),
        (own, "anna", "org:red", RED, "duplicate"),
        (org, "carl", "public", frozenset({"blue"}), "not_member"),
        (org, "anna", "agent:anna", RED, "shelf"),
        (org, "anna", "org:blue", frozenset({"red", "blue"}), "shelf"),
        (public, "anna", "org:red", RED, "shelf"),
        (public, "anna", "public", RED, "shelf"),
    ]:
        before, order = lib.version, Publication(name, author, 2, shelf)
        assert reason(lambda a=order, m=member: lib.publish(a, m)) == wanted
        assert lib.version == before
    lib.write(new("R12", shelf="agent:anna"))
    (marker,) = lib.enforce_budgets(9)
    assert reason(lambda: lib.publish(Publication(marker.note_id, "anna", 9, "public"))) == "not_in_sight"


def test_an_edit_of_the_text_before_the_move_is_not_too_late() -> None:
    lib = library()
    name = lib.write(new("R1\nb", shelf="org:red"), RED).revision.note_id
    read = of(lib, name, "R1\nB", author="ben")
    lib.publish(Publication(name, "anna", 2, "public"), RED)
    assert reason(lambda: lib.write(replace(read, shelf="org:blue"), {"blue"})) == "identity"
    written = lib.write(read)  # a public note needs no member any more
    assert written.outcome == "head" and lib.note(name).shelf == "public"
    marker = lib.history(name)[1].revision_id
    assert reason(lambda: lib.write(of(lib, name, "x", base_revision_id=marker))) == "unknown_base"


def test_a_shelf_that_a_note_left_may_hold_its_text_again_and_budgets_follow() -> None:
    lib = library(shelf_budget_notes=1, archive_grace_rounds=0)
    first = lib.write(new("R1", shelf="org:red"), RED).revision.note_id
    lib.publish(Publication(first, "anna", 2, "public"), RED)
    second = lib.write(new("R1", shelf="org:red", index=1), RED).revision.note_id
    assert lib.enforce_budgets(9) == []
    assert reason(lambda: lib.write(new("R1"))) == "duplicate"
    third = lib.write(new("R3")).revision.note_id
    assert [m.note_id for m in lib.enforce_budgets(9)] == [first]
    assert not lib.archived & {second, third}


def test_changed_records_of_a_move_are_refused() -> None:
    lib, rows = library(), RoundRows()
    name = lib.write(new("R1", shelf="org:red"), RED)
    name.add_to(rows)
    lib.publish(Publication(name.revision.note_id, "anna", 2, "public"), RED).add_to(rows)
    for evidence in ({}, {"shelf": "org:blue"}, {"shelf": 3}):
        bad = [rows.revisions[0], replace(rows.revisions[1], evidence=evidence)]
        with pytest.raises(ValueError, match="the record was changed"):
            Library.load(lib.config, 7, rows.notes, bad, [])


def test_outward() -> None:
    shelves = ["agent:a", "org:b", "public"]
    assert [[outward(a, b) for b in shelves] for a in shelves] == [
        [False, True, True], [False, False, True], [False, False, False]
    ]  # fmt: skip


# -- its past ----------------------------------------------------------------------------------------


def moved() -> tuple[Story, str]:
    """A note: its author's own in round 0, its organisation's in 1, public and edited in 2."""
    story, rows = Story(), RoundRows()
    written = story.library.write(replace(new("one\ntwo", shelf="agent:anna", title="T"), round=0))
    written.add_to(rows)
    name = written.revision.note_id
    story.close(rows, {})
    rows = RoundRows()
    story.library.publish(Publication(name, "anna", 1, "org:red"), RED).add_to(rows)
    story.close(rows, {})
    rows = RoundRows()
    story.library.publish(Publication(name, "ben", 2, "public"), RED).add_to(rows)
    edit: Edit = of(story.library, name, "one\n2", author="carl", round=2)
    story.library.write(edit).add_to(rows)
    story.close(rows, {})
    return story, name


def test_time_travel_shows_a_note_on_the_shelf_where_it_was() -> None:
    story, name = moved()
    with in_memory(story) as log:
        for number, shelf in enumerate(["agent:anna", "org:red", "public"]):
            assert library_at(log, number).note(name).shelf == shelf
            assert opened(log, number).about(name)["shelf"] == shelf
            assert log.execute("SELECT shelf FROM library_at(?)", [number]).fetchall() == [(shelf,)]
            assert citations(log, round=number).nodes[Node("note", name)]["shelf"] == shelf
        past = opened(log, 2)
        told_of = [(r["outcome"], r["published_to"], r["added"], r["removed"]) for r in past.history(name)]
        assert told_of == [
            ("head", None, 2, 0), ("published", "org:red", 0, 0), ("published", "public", 0, 0),
            ("head", None, 1, 1),
        ]  # fmt: skip
        lines = blame(past.library, past.library.head(name).revision_id)
        assert [(line.text, line.revision.author) for line in lines] == [("one", "anna"), ("2", "carl")]


def test_exports_follow_a_note_to_its_shelf(tmp_path: Path) -> None:
    story, _ = moved()
    with in_memory(story) as log:
        export_markdown(log, tmp_path / "then", 1)
        export_markdown(log, tmp_path / "now")
        export_git(log, tmp_path / "git")
    for folder, shelf in (("then", "org:red"), ("now", "public"), ("git", "public")):
        files = [p for p in (tmp_path / folder).rglob("*.md") if p.name != "README.md"]
        assert [p.relative_to(tmp_path / folder).parts[0] for p in files] == [slug(shelf)]
        assert f'shelf: "{shelf}"' in files[0].read_text()


def shelves(lib: Library) -> list[str]:
    return [lib.note(name).shelf for name in lib.heads()]


@given(STEPS)
@settings(max_examples=40, deadline=None)
def test_any_history_is_rebuilt_with_every_note_on_its_shelf(steps: list[Step]) -> None:
    story = told(steps, fresh=True)
    with in_memory(story) as log:
        for number, then in enumerate(story.then):
            assert [n.shelf for n in then["notes"]] == shelves(library_at(log, number))
            rows = log.execute("SELECT note_id, shelf FROM library_at(?)", [number]).fetchall()
            assert dict(rows) == {n.note_id: n.shelf for n in then["notes"]}
