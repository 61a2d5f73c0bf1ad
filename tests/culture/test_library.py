from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from culture.config import LibraryConfig
from culture.edits import MARKERS, Edit, LibraryRefused
from culture.library import Library
from culture.merging import BETWEEN
from culture.reading import Query, Reader
from culture.records import Citation, Revision, RoundRows

ANNA = Reader("anna", "red", ["ben"])


def new(body: str, **changes: Any) -> Edit:
    edit = Edit(None, None, "lesson", "strings", "public", "", body, "anna", "spark@1", 1)
    return replace(edit, **changes)


def of(library: Library, note_id: str, body: str, **changes: Any) -> Edit:
    """An edit of a note as it stands, unless ``changes`` names another base."""
    note = library.note(note_id)
    edit = Edit(
        note_id, library.head(note_id).revision_id, "lesson", note.domain, note.shelf, note.title, body,
        "ben", "spark@2", 2,
    )  # fmt: skip
    return replace(edit, **changes)


def library(**config: Any) -> Library:
    return Library(LibraryConfig(**config), seed=7)


def refused(lib: Library, edit: Edit) -> str:
    before = lib.version
    with pytest.raises(LibraryRefused, match="expected") as caught:
        lib.write(edit)
    assert lib.version == before
    return caught.value.reason


def reloaded(lib: Library, rows: RoundRows) -> Library:
    return Library.load(lib.config, lib.seed, rows.notes[::-1], rows.revisions[::-1], rows.citations[::-1])


def picture(lib: Library, queries: list[str]) -> dict[str, object]:
    """Everything that one can see of a library from outside."""
    return {
        "version": lib.version,
        "heads": lib.heads(),
        "archived": lib.archived,
        "branches": {n: lib.branches(n) for n in lib.heads()},
        "history": {n: lib.history(n) for n in lib.heads()},
        "notes": {n: lib.note(n) for n in lib.heads()},
        "citations": {
            r.revision_id: lib.citations(r.revision_id) for n in lib.heads() for r in lib.history(n)
        },
        "hits": [lib.search(q, r, 3, 60) for q in queries for r in (ANNA, Reader("ben", "blue", ["anna"]))],
    }


# -- writing -----------------------------------------------------------------------------------------


def test_a_new_note_is_its_own_head() -> None:
    lib = library()
    written = lib.write(new("R12=21", citations=[("problem", "p1"), ("problem", "p1")], evidence={"n": 3}))
    assert written.outcome == "head" and written.note is not None and written.conflict is None
    head = lib.head(written.note.note_id)
    assert (head.body, head.author, head.policy_version, head.tokens) == ("R12=21", "anna", "spark@1", 6)
    assert head.evidence == {"n": 3} and head.library_version == lib.version == 1
    assert written.citations == (Citation(head.revision_id, 1, "problem", "p1"),)


def test_an_edit_of_the_head_moves_it_and_keeps_the_old_text() -> None:
    lib = library()
    first = lib.write(new("one")).revision
    second = lib.write(of(lib, first.note_id, "two"))
    assert second.note is None and second.revision.parents == [first.revision_id]
    assert lib.head(first.note_id).body == "two"
    assert [r.body for r in lib.history(first.note_id)] == ["one", "two"]


def test_edits_of_different_lines_are_merged_and_the_text_as_written_is_kept() -> None:
    lib = library()
    base = lib.write(new("a\nb\nc")).revision
    name = base.note_id
    late = of(lib, name, "a\nb\nC", author="carl")
    head = lib.write(of(lib, name, "A\nb\nc")).revision
    written = lib.write(late)
    assert written.outcome == "merged" and written.conflict is None
    assert [r.outcome for r in written.revisions] == ["branch", "merged"]
    assert [r.body for r in written.revisions] == ["a\nb\nC", "A\nb\nC"]
    assert written.revision.parents == [head.revision_id, written.revisions[0].revision_id]
    assert lib.head(name) == written.revision and lib.branches(name) == []


def test_a_conflict_becomes_a_branch_that_an_edit_of_both_resolves() -> None:
    lib = library()
    name = lib.write(new("one")).revision.note_id
    late = of(lib, name, "three", author="carl")
    head = lib.write(of(lib, name, "two")).revision
    written = lib.write(late)
    assert written.outcome == "branch"
    assert written.conflict is not None and written.conflict.split("\n")[1:4] == ["two", BETWEEN, "three"]
    assert lib.head(name) == head and lib.branches(name) == [written.revision]
    both = lib.write(of(lib, name, "two or three", resolves=[written.revision.revision_id]))
    assert both.outcome == "head" and lib.branches(name) == []
    assert both.revision.parents == [head.revision_id, written.revision.revision_id]


def test_a_branch_may_be_resolved_by_keeping_the_head_as_it_is() -> None:
    lib = library()
    name = lib.write(new("one")).revision.note_id
    late = of(lib, name, "three", author="carl")
    lib.write(of(lib, name, "two"))
    branch = lib.write(late).revision
    assert lib.write(of(lib, name, "two", resolves=[branch.revision_id])).outcome == "head"
    assert lib.branches(name) == [] and lib.head(name).body == "two"


def test_an_edit_based_on_a_branch_is_merged_over_the_last_common_text() -> None:
    lib = library()
    name = lib.write(new("a\nb\nc\nd\ne")).revision.note_id
    late = of(lib, name, "x\nb\nc\nd\ne", author="carl")
    lib.write(of(lib, name, "y\nb\nc\nd\ne"))
    branch = lib.write(late).revision
    again = of(lib, name, "a\nb\nc\nd\nE", author="carl", base_revision_id=branch.revision_id, round=3)
    written = lib.write(again)
    assert written.revision.body == "y\nb\nc\nd\nE" and lib.branches(name) == []


def test_the_same_edit_again_gives_the_same_revisions_and_no_version() -> None:
    lib = library()
    name = lib.write(new("a\nb\nc")).revision.note_id
    clash, clean = of(lib, name, "z\nb\nc", author="carl"), of(lib, name, "a\nb\nC", author="dora")
    edits = [new("a\nb\nc"), of(lib, name, "A\nb\nc"), clash, clean]
    first = [lib.write(edits[0]), *(lib.write(edit) for edit in edits[1:])]
    before = picture(lib, ["a"])
    again = [lib.write(edit) for edit in edits]
    assert [w.outcome for w in again] == ["head", "head", "branch", "merged"]
    assert [replace(w, repeated=True) for w in first] == again
    assert picture(lib, ["a"]) == before
    rows = RoundRows()
    for written in again:
        written.add_to(rows)
    assert rows == RoundRows()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"body": " \n"}, "empty"),
        ({"body": "x" * 41}, "too_long"),
        ({"title": "x" * 121}, "too_long"),
        ({"body": "a\x00"}, "unencodable"),
        ({"body": "a\ud800"}, "unencodable"),
        ({"kind": "poem"}, "kind"),
        ({"shelf": "attic"}, "shelf"),
        ({"shelf": "org:"}, "shelf"),
        ({"shelf": "agent:ben"}, "not_owner"),
        ({"shelf": "org:red"}, "not_member"),
        ({"citations": [("planet", "x")]}, "citation"),
        ({"base_revision_id": "r1"}, "unknown_note"),
        ({"note_id": "n1"}, "unknown_note"),
    ],
)
def test_new_notes_that_are_refused(changes: dict[str, Any], reason: str) -> None:
    assert refused(library(max_note_chars=40), replace(new("a"), **changes)) == reason


def test_edits_that_are_refused() -> None:
    lib = library()
    name = lib.write(new("one")).revision.note_id
    other = lib.write(new("two")).revision
    assert refused(lib, of(lib, name, "three", title="x")) == "identity"
    assert refused(lib, of(lib, name, "three", base_revision_id=None)) == "unknown_base"
    assert refused(lib, of(lib, name, "three", base_revision_id=other.revision_id)) == "unknown_base"
    assert refused(lib, of(lib, name, "three", resolves=["r0"])) == "unknown_base"


def test_a_text_that_stands_on_the_shelf_already_is_refused() -> None:
    lib = library()
    name = lib.write(new("one")).revision.note_id
    assert refused(lib, new("one", author="ben")) == "duplicate"
    assert refused(lib, of(lib, name, "one")) == "duplicate"
    assert lib.write(new("one", shelf="org:red"), {"red"}).outcome == "head"
    assert lib.write(new("one", domain="numbers")).outcome == "head"
    lib.write(of(lib, name, "two"))
    assert lib.write(new("one", author="ben")).outcome == "head"


def test_a_merge_beyond_the_length_limit_is_a_branch() -> None:
    lib = library(max_note_chars=12)
    name = lib.write(new("a\nb\nc")).revision.note_id
    late = of(lib, name, "a\nb\nccccccc", author="carl")
    lib.write(of(lib, name, "aaaaaaa\nb\nc"))
    written = lib.write(late)
    assert written.outcome == "branch" and written.conflict == "aaaaaaa\nb\nccccccc"


# -- archiving ---------------------------------------------------------------------------------------


def test_the_least_read_notes_beyond_the_budget_are_archived() -> None:
    lib = library(shelf_budget_notes=2, archive_grace_rounds=0)
    names = [lib.write(new(f"R{i}", index=i)).revision.note_id for i in range(4)]
    lib.write(new("R9", shelf="org:red"), {"red"})
    lib.observe_reads({names[0]: 2, names[3]: 1})
    markers = lib.enforce_budgets(5)
    assert {m.note_id for m in markers} == lib.archived == {names[1], names[2]}
    assert all((m.outcome, m.body, m.round) == ("archived", "", 5) for m in markers)
    assert lib.head(names[1]).body == "R1" and not lib.visible(names[1], ANNA)
    assert lib.enforce_budgets(5) == []
    assert {h.note_id for h in lib.search("R1", ANNA, 9, 99)} == {names[0], names[3]} | {
        n for n in lib.heads() if lib.note(n).shelf == "org:red"
    }


def test_new_notes_have_a_grace_and_old_reads_fade() -> None:
    lib = library(shelf_budget_notes=2, archive_grace_rounds=3, read_decay=0.5)
    old, older = (lib.write(new(f"R{i}", index=i)).revision.note_id for i in range(2))
    lib.observe_reads({old: 10})
    for _ in range(5):
        lib.observe_reads({older: 1})
    young = lib.write(new("R2", round=9)).revision.note_id
    lib.enforce_budgets(10)
    assert lib.archived == {old} and lib.visible(young, ANNA)


def test_a_new_text_brings_an_archived_note_back() -> None:
    lib = library(shelf_budget_notes=1, archive_grace_rounds=0)
    name = lib.write(new("R0")).revision.note_id
    lib.write(new("R1"))
    lib.enforce_budgets(2)
    assert lib.archived == {name}
    assert refused(lib, of(lib, name, "R1")) == "duplicate"
    assert lib.write(of(lib, name, "R0", round=3)).outcome == "head"
    assert lib.visible(name, ANNA)


def test_the_state_is_what_the_records_do_not_say() -> None:
    lib = library()
    name = lib.write(new("R0")).revision.note_id
    lib.observe_reads({name: 3})
    other = library()
    other.write(new("R0"))
    other.load_state_dict(lib.state_dict())
    assert other.state_dict() == lib.state_dict() == {"reads": {name: 3.0}, "worth": {}}
    with pytest.raises(ValueError, match="load them first"):
        library().load_state_dict(lib.state_dict())
    with pytest.raises(ValueError, match="expected a state"):
        lib.load_state_dict({})
    with pytest.raises(KeyError, match="expected the id of a note"):
        lib.observe_reads({"n0": 1})


# -- reading -----------------------------------------------------------------------------------------


def test_readers_see_what_the_topology_lets_them_see() -> None:
    lib = library()
    for shelf, author in [
        ("public", "anna"), ("public", "ben"), ("public", "carl"), ("org:red", "carl"),
        ("org:blue", "anna"), ("agent:anna", "anna"), ("agent:ben", "ben"),
    ]:  # fmt: skip
        lib.write(new(f"R1 {shelf} {author}", shelf=shelf, author=author), {"red", "blue"})
    seen = {h.body for h in lib.search("R1", ANNA, 9, 999)}
    assert seen == {"R1 public anna", "R1 public ben", "R1 org:red carl", "R1 agent:anna anna"}
    assert seen == {lib.head(n).body for n in lib.heads() if lib.visible(n, ANNA)}


def test_search_keeps_to_number_budget_domain_and_exclusions() -> None:
    lib = library()
    first = lib.write(new("R1=1", citations=[("problem", "p1")])).revision.note_id
    second = lib.write(new("R1=1;R1=1", index=1)).revision.note_id
    third = lib.write(new("R1=1,R2", index=2)).revision.note_id
    lib.write(new("R1=1", domain="numbers"))
    lib.write(of(lib, first, "R1=1,"))

    def names(**changes: Any) -> set[str]:
        asked = {"k": 9, "budget_chars": 99, "domain": "strings", **changes}
        return {h.note_id for h in lib.search("R1=", ANNA, **asked)}

    assert names() == {first, second, third}
    assert len(names(domain=None)) == 4
    assert len(names(k=1)) == 1 and names(k=0) == set()
    assert names(budget_chars=5) == {first} and names(budget_chars=4) == set()
    assert names(exclude_notes={second}) == {first, third}
    assert names(exclude_cited={"p1"}) == {second, third}


def test_no_body_is_shown_twice_and_hits_say_who_wrote_them() -> None:
    lib = library()
    name = lib.write(new("R1")).revision.note_id
    lib.write(of(lib, name, "R1=1"))
    lib.write(new("R1=1", shelf="org:red"), {"red"})
    hits = lib.search("R1", ANNA, 5, 99)
    assert len(hits) == 1
    assert lib.search_many([Query("R1", ANNA, 5, 99)] * 2) == [hits, hits]
    shown = lib.search("R1", Reader("dora", "none", ["anna"]), 5, 99)
    assert [(h.note_id, h.author, h.kind, h.tokens) for h in shown] == [(name, "ben", "lesson", 4)]
    assert shown[0].revision_id == lib.head(name).revision_id


# -- loading -----------------------------------------------------------------------------------------


def test_records_that_are_not_whole_are_refused() -> None:
    lib, rows = library(), RoundRows()
    written = lib.write(new("one", citations=[("note", "n1")]))
    written.add_to(rows)
    lib.write(of(lib, written.revision.note_id, "two")).add_to(rows)
    notes, (one, two), cites = rows.notes, rows.revisions, rows.citations
    assert Library.load(lib.config, 7, notes, [two, one], cites).heads() == lib.heads()
    for bad, problem in [
        ((notes, [two], cites), "expected library version 1, got 2"),
        (([], [one, two], cites), "expected a note for every revision"),
        ((notes, [], []), "got none for notes"),
        ((notes, [one, two], [replace(cites[0], revision_id="r0")]), "1 citations"),
        ((notes, [one, replace(two, body="three")], cites), "the record was changed"),
        ((notes, [one, replace(two, parents=["r0"])], cites), "expected parents"),
        ((notes, [one, replace(two, outcome="lost")], cites), "expected an outcome"),
        ((notes, [replace(one, outcome="branch"), two], cites), "expected 'branch' after its parents"),
    ]:
        with pytest.raises(ValueError, match=problem):
            Library.load(lib.config, 7, *bad)


LINES = st.lists(st.sampled_from(["R1=1", "S2", "12", "Q", "the word"]), min_size=1, max_size=4)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["anna", "ben", "carl"]),
        st.sampled_from(["new", "edit", "edit", "edit", "resolve", "repeat", "archive"]),
        LINES.map("\n".join),
        st.integers(0, 5),
        st.sampled_from(["public", "org:red"]),
    ),
    max_size=25,
)


@given(STEPS)
@settings(max_examples=60, deadline=None)
def test_any_interleaving_keeps_every_text_and_is_rebuilt_from_its_records(
    steps: list[tuple[str, str, str, int, str]],
) -> None:
    lib, rows = library(shelf_budget_notes=3, archive_grace_rounds=1), RoundRows()
    kept: list[tuple[str, str]] = []
    edits: list[Edit] = []
    for turn, (author, action, body, pick, shelf) in enumerate(steps):
        before = lib.version
        names = list(lib.heads())
        if action == "archive":
            rows.revisions += lib.enforce_budgets(turn)
            continue
        again = action == "repeat" and bool(edits)
        if again:
            edit = edits[pick % len(edits)]
        elif action == "new" or not names:
            edit = new(body, author=author, shelf=shelf, round=turn, citations=[("problem", f"p{pick}")])
        else:
            name = names[pick % len(names)]
            texts = [r.revision_id for r in lib.history(name) if r.outcome not in MARKERS]
            resolves = [r.revision_id for r in lib.branches(name)] if action == "resolve" else []
            base = texts[pick % len(texts)]
            edit = of(lib, name, body, author=author, base_revision_id=base, round=turn, resolves=resolves)
        try:
            written = lib.write(edit, {"red"})
        except LibraryRefused as refusal:
            assert refusal.reason == "duplicate"
            assert lib.version == before
            continue
        written.add_to(rows)
        edits.append(edit)
        kept.append((written.revision.note_id, edit.body))
        assert lib.version == before + (0 if written.repeated else len(written.revisions))
        assert written.repeated == again
        if written.outcome == "branch":
            assert written.conflict is not None

    everything = {(r.note_id, r.body) for n in lib.heads() for r in lib.history(n)}
    assert set(kept) <= everything
    assert sum(len(lib.history(n)) for n in lib.heads()) == lib.version == len(rows.revisions)
    for name in lib.heads():
        head, history = lib.head(name), lib.history(name)
        assert head.note_id == name and head.outcome in ("head", "merged")
        assert head == [r for r in history if r.outcome in ("head", "merged")][-1]
        taken_up = {parent for r in history if r.outcome not in MARKERS for parent in r.parents}
        tips: list[Revision] = [
            r for r in history if r.outcome == "branch" and r.revision_id not in taken_up
        ]
        assert lib.branches(name) == tips
        assert name in lib.archived or head.body
    queries = ["R1=", "S2 12", "word", steps[0][2] if steps else "Q"]
    assert picture(reloaded(lib, rows), queries) == picture(lib, queries)
