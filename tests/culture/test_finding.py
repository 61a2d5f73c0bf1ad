from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from culture.choosing import EXPLORED, FEW_READS, explores
from culture.config import LibraryConfig
from culture.edits import Edit
from culture.finding import DEPTH, fused
from culture.library import Library
from culture.reading import Hit, Query, Reader
from culture.records import RoundRows
from culture.shrinkage import shrink
from culture.vectors import Whole, rounded

ANNA = Reader("anna", "red", ["ben"])


class Letters:
    """Embeds a text by the letters that it has, so that what texts mean can be told by eye."""

    dimensions = 27

    def __init__(self) -> None:
        self.asked: list[str] = []

    def note(self, text: str) -> Whole:
        self.asked.append(text)
        counts = [text.lower().count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"]
        return rounded(np.array([*counts, 0.01]))

    query = note


def library(embedder: Letters | None = None, **config: Any) -> Library:
    if embedder is None and config.get("search", "bm25") != "bm25":
        embedder = Letters()
    return Library(LibraryConfig(**config), seed=7, embedder=embedder)


def new(body: str, **changes: Any) -> Edit:
    edit = Edit(None, None, "lesson", "strings", "public", "", body, "anna", "spark@1", 1)
    return replace(edit, **changes)


def wrote(lib: Library, *bodies: str, **changes: Any) -> list[str]:
    edits = [new(body, index=i, **changes) for i, body in enumerate(bodies)]
    return [lib.write(edit).revision.note_id for edit in edits]


def shown(lib: Library, text: str, k: int = 9, budget: int = 999, **changes: Any) -> list[str]:
    (hits,) = lib.search_many([replace(Query(text, ANNA, k, budget), **changes)])
    return [h.body for h in hits]


# -- fusion ------------------------------------------------------------------------------------------


def test_ranks_are_fused_as_by_cormack_clarke_and_buettcher() -> None:
    first = [("a", 9.0), ("b", 8.0), ("c", 1.0)]
    second = [("b", 0.9), ("d", 0.8), ("a", 0.1)]
    found = fused([first, second])
    assert [key for key, _ in found] == ["b", "a", "d", "c"]
    assert dict(found) == {
        "a": 1 / 61 + 1 / 63, "b": 1 / 62 + 1 / 61, "c": 1 / 63, "d": 1 / 62,
    }  # fmt: skip
    assert round(dict(found)["b"], 12) == 0.032522474881
    assert fused([second, first]) == found


def test_equal_fused_scores_are_ordered_by_key() -> None:
    assert [key for key, _ in fused([[("z", 2.0), ("a", 1.0)], [("a", 2.0), ("z", 1.0)]])] == ["a", "z"]
    assert fused([]) == fused([[], []]) == []


def test_meaning_finds_what_shares_no_word() -> None:
    bodies = ["turn it about", "the dog", "dog god dog"]
    by_words, by_meaning, by_both = (library(search=s) for s in ("bm25", "embeddings", "fused"))
    for lib in (by_words, by_meaning, by_both):
        wrote(lib, *bodies)
    assert shown(by_words, "a god") == ["dog god dog"]
    assert shown(by_meaning, "good")[0] == "dog god dog"
    assert shown(by_words, "good") == []
    assert shown(by_both, "god")[0] == "dog god dog"
    assert set(shown(by_both, "the god")) == set(bodies)
    assert shown(by_both, " ") == shown(by_meaning, "") == []


def test_a_fused_hit_has_the_sum_of_its_ranks() -> None:
    lib = library(search="fused")
    wrote(lib, "dog god", "the dog")
    (first, second) = lib.search("god", ANNA, 2, 99)
    assert (first.score, second.score) == (2 / 61, 1 / 62)


@pytest.mark.parametrize("search", ["embeddings", "fused"])
def test_search_by_meaning_keeps_to_sight_domain_exclusions_and_budget(search: str) -> None:
    lib = library(search=search)
    for shelf, author in [
        ("public", "anna"), ("public", "ben"), ("public", "carl"), ("org:red", "carl"),
        ("org:blue", "anna"), ("agent:anna", "anna"), ("agent:ben", "ben"),
    ]:  # fmt: skip
        lib.write(new(f"dog {shelf} {author}", shelf=shelf, author=author), {"red", "blue"})
    seen = set(shown(lib, "dog"))
    assert seen == {"dog public anna", "dog public ben", "dog org:red carl", "dog agent:anna anna"}
    assert shown(lib, "dog", domain="numbers") == []
    assert all(len(shown(lib, "dog", k)) == k for k in range(5))
    assert sum(map(len, shown(lib, "dog", 9, 32))) <= 32
    cited = lib.write(new("dog dog", citations=[("problem", "p1")])).revision.note_id
    assert "dog dog" in shown(lib, "dog") and "dog dog" not in shown(lib, "dog", exclude_cited=("p1",))
    assert "dog dog" not in shown(lib, "dog", exclude_notes=(cited,))


@pytest.mark.parametrize("search", ["bm25", "embeddings", "fused"])
def test_placebos_are_judged_by_bm25_whatever_was_searched_by(search: str) -> None:
    lib = library(search=search)
    wrote(lib, *(f"R{i}=1" for i in range(100, 120)), *(f"S{i}=1" for i in range(500, 540)))
    hits = lib.search("R123=", ANNA, 2, 99)
    asked: dict[str, Any] = {
        "query": "R123=",
        "reader": ANNA,
        "domain": "strings",
        "alphabet": "RS0123456789=",
    }
    found = lib.placebo(hits, **asked, ids=["t1"])
    assert [len(p.body) for p in found] == [len(h.body) for h in hits]
    assert all(p.body[0] == "S" and not p.explored for p in found)


def test_a_library_without_the_model_it_needs_is_refused() -> None:
    with pytest.raises(ValueError, match="expected an embedder"):
        Library(LibraryConfig(search="fused"), seed=1)
    with pytest.raises(ValueError, match="none with bm25"):
        Library(LibraryConfig(), seed=1, embedder=Letters())


# -- worth -------------------------------------------------------------------------------------------


def test_worth_reorders_what_matches_and_nothing_else() -> None:
    lib = library(worth_strength=0.1)
    good, bad, other = wrote(lib, "R1=1", "R1=12", "Q77")
    assert shown(lib, "R1=") == ["R1=1", "R1=12"]
    lib.observe_worth({good: (-20.0, 1.0), bad: (20.0, 1.0), other: (20.0, 1.0)})
    assert shown(lib, "R1=") == ["R1=12", "R1=1"]
    hits = {h.note_id: h.score for h in lib.search("R1=", ANNA, 9, 99)}
    plain = {h.note_id: h.score for h in library_of(lib).search("R1=", ANNA, 9, 99)}
    drawn = shrink([-20.0, 20.0, 20.0], [1.0, 1.0, 1.0]).means
    assert hits[bad] == pytest.approx(plain[bad] * np.exp(0.1 * drawn[1]), rel=1e-12)
    assert hits[good] == pytest.approx(plain[good] * np.exp(0.1 * drawn[0]), rel=1e-12)


def library_of(lib: Library) -> Library:
    """The same notes without weights."""
    plain = library()
    for name in lib.heads():
        note, head = lib.note(name), lib.head(name)
        plain.write(new(head.body, author=note.author, index=len(plain)))
    assert plain.heads() == lib.heads()
    return plain


def test_uncertain_worth_counts_little() -> None:
    lib = library(worth_strength=0.05)
    sure, unsure = wrote(lib, "R1=1", "R1=2")
    standing = lib._standing
    assert standing.worth(sure) == 0.0
    lib.observe_worth({sure: (6.0, 1.0), unsure: (9.0, 30.0)})
    # no more spread than error: all is chance
    assert standing.worth(sure) == standing.worth(unsure) == pytest.approx(6.0, abs=0.01)
    assert shown(lib, "R1=") == ["R1=1", "R1=2"]
    lib.observe_worth({sure: (-30.0, 1.0), unsure: (40.0, 20.0)})
    drawn = shrink([-30.0, 40.0], [1.0, 20.0])
    worth = {sure: drawn.means[0], unsure: drawn.means[1]}
    assert {n: standing.worth(n) for n in worth} == pytest.approx(worth)
    assert worth[sure] < -29.9 and worth[unsure] < 35


def test_a_note_without_an_estimate_is_taken_to_be_worth_what_is_usual() -> None:
    lib = library(worth_strength=0.1)
    worst, new_, best = wrote(lib, "R1=1", "R1=2", "R1=3")
    plain = {h.note_id: h.score for h in lib.search("R1=", ANNA, 9, 99)}
    # reading as such costs twenty points, whatever the note
    lib.observe_worth({worst: (-40.0, 1.0), best: (0.0, 1.0)})
    assert shown(lib, "R1=") == ["R1=3", "R1=2", "R1=1"]
    assert lib._standing.worth(new_) == pytest.approx(-20.0)
    weights = {h.note_id: h.score / plain[h.note_id] for h in lib.search("R1=", ANNA, 9, 99)}
    assert weights[new_] == pytest.approx(np.exp(-2.0))
    lib.observe_worth({})
    assert lib._standing.worth(new_) == lib._standing.worth(best) == 0.0


def test_worth_that_cannot_be_is_refused() -> None:
    lib = library()
    (name,) = wrote(lib, "R1")
    for bad in ((float("nan"), 1.0), (1.0, 0.0), (1.0, -1.0), (1.0, float("inf"))):
        with pytest.raises(ValueError, match="expected worth"):
            lib.observe_worth({name: bad})
    with pytest.raises(KeyError, match="expected the id of a note"):
        lib.observe_worth({"n0": (1.0, 1.0)})


def test_worth_is_part_of_the_state_and_an_older_state_has_none() -> None:
    lib = library(worth_strength=0.1)
    first, second = wrote(lib, "R1=1", "R1=12")
    lib.observe_worth({first: (-20.0, 1.0), second: (20.0, 1.0)})
    other = library(worth_strength=0.1)
    wrote(other, "R1=1", "R1=12")
    other.load_state_dict(lib.state_dict())
    assert shown(other, "R1=") == shown(lib, "R1=") == ["R1=12", "R1=1"]
    other.load_state_dict({"reads": {first: 1.0}})
    assert shown(other, "R1=") == ["R1=1", "R1=12"]


def test_past_the_depth_notes_follow_as_they_were() -> None:
    lib = library(worth_strength=0.5)
    names = wrote(lib, *(f"R1={'5' * i}" for i in range(1, DEPTH + 21)))
    plain = [h.note_id for h in lib.search("R1=", ANNA, 200, 10**6)]
    assert sorted(plain) == sorted(names)
    lib.observe_worth({plain[-1]: (90.0, 0.1), plain[DEPTH - 1]: (90.0, 0.1), plain[0]: (0.0, 0.1)})
    found = [h.note_id for h in lib.search("R1=", ANNA, 200, 10**6)]
    assert found[0] == plain[DEPTH - 1] and found[DEPTH:] == plain[DEPTH:]


# -- exploration -------------------------------------------------------------------------------------


def explored(lib: Library, k: int, *ids: str) -> list[Hit]:
    (hits,) = lib.search_many([Query("R1=", ANNA, k, 999, ids=ids)])
    return hits


def test_an_explored_place_goes_to_the_best_match_that_few_have_read() -> None:
    lib = library(exploration=1.0)
    names = wrote(lib, "R1=1", "R1=11", "R1=111", "R1=1111")
    best = [h.note_id for h in explored(lib, 4)]
    assert best == names
    lib.observe_reads({names[0]: 9, names[1]: 9, names[3]: 9})
    hits = explored(lib, 2, "t1")
    assert [(h.note_id, h.explored) for h in hits] == [(names[2], True), (names[0], False)]
    assert [h.note_id for h in lib.search("R1=", ANNA, 2, 999)] == names[:2]
    lib.observe_reads({names[2]: 9})
    assert [(h.note_id, h.explored) for h in explored(lib, 2, "t1")] == [(n, False) for n in names[:2]]


def test_a_best_match_that_few_have_read_is_shown_for_what_it_is() -> None:
    lib = library(exploration=1.0)
    wrote(lib, "R1=1", "R1=11")
    assert [h.explored for h in explored(lib, 2, "t1")] == [False, False]


def test_explored_notes_match_fit_and_are_no_repetition() -> None:
    lib = library(exploration=1.0)
    first, _long, _other = wrote(lib, "R1=1", "R1=1" + "1" * 50, "Q77")
    lib.observe_reads({first: 9})
    lib.write(new("R1=1", shelf="org:red"), {"red"})
    (hits,) = lib.search_many([Query("R1=", ANNA, 3, 20, ids=("t1",))])
    assert [h.body for h in hits] == ["R1=1"]


def test_the_share_of_explored_places_is_that_of_the_configuration() -> None:
    query = Query("R1=", ANNA, 2, 99)
    drawn = [
        explores(7, 0.3, replace(query, ids=(f"t{i}", "0")), place) for i in range(2000) for place in (0, 1)
    ]
    assert 0.27 < np.mean(drawn) < 0.33
    assert not explores(7, 0.0, replace(query, ids=("t1",)), 0) and not explores(7, 1.0, query, 0)
    again = [
        explores(7, 0.3, replace(query, ids=(f"t{i}", "0")), place) for i in range(2000) for place in (0, 1)
    ]
    assert again == drawn


def test_exploration_looks_no_further_than_it_says() -> None:
    lib = library(exploration=1.0)
    names = wrote(lib, *(f"R1={'1' * i}" for i in range(EXPLORED + 2)))
    ranked = [h.note_id for h in lib.search("R1=", ANNA, len(names), 10**6)]
    lib.observe_reads(dict.fromkeys(ranked[:EXPLORED], int(FEW_READS)))
    assert not any(h.explored for h in explored(lib, 1, "t1"))
    lib.observe_reads(dict.fromkeys(ranked[: EXPLORED - 1], 99))
    lib._standing._reads[ranked[EXPLORED - 1]] = 0.0
    assert [h.note_id for h in explored(lib, 1, "t1")] == [ranked[EXPLORED - 1]]


# -- budgets -----------------------------------------------------------------------------------------


def test_the_least_worth_goes_before_the_least_read() -> None:
    lib = library(shelf_budget_notes=2, archive_grace_rounds=0)
    names = wrote(lib, "R1", "R2", "R3", "R4")
    lib.observe_reads({names[0]: 9, names[1]: 1})
    lib.observe_worth({names[0]: (-30.0, 1.0), names[2]: (30.0, 1.0)})
    assert [m.note_id for m in lib.enforce_budgets(5)] == [names[0], names[3]]


def test_a_shelf_keeps_to_its_tokens() -> None:
    lib = library(shelf_budget_tokens=10, archive_grace_rounds=0)
    names = wrote(lib, "R123456", "R12", "R1")
    lib.write(new("R" * 10, shelf="org:red"), {"red"})
    assert [m.note_id for m in lib.enforce_budgets(5)] == [names[0]]
    assert lib.enforce_budgets(5) == [] and len(lib) == 3


bodies = st.text("R1=2 go", min_size=1, max_size=30).filter(str.strip)
STEPS = st.lists(st.tuples(bodies, st.integers(0, 5), st.sampled_from(["public", "org:red"])), max_size=25)


@given(STEPS, st.integers(1, 4), st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_no_shelf_is_over_a_budget_after_a_round(
    steps: list[tuple[str, int, str]], notes: int, tokens: int
) -> None:
    lib = library(shelf_budget_notes=notes, shelf_budget_tokens=tokens, archive_grace_rounds=1)
    for turn, (body, pick, shelf) in enumerate(steps):
        names = [n for n in lib.heads() if lib.note(n).shelf == shelf]
        edit = new(body, shelf=shelf, round=turn)
        if names and pick:
            name = names[pick % len(names)]
            edit = replace(edit, note_id=name, base_revision_id=lib.head(name).revision_id)
        if not shown_already(lib, edit):
            lib.write(edit, {"red"})
        if pick % 2:
            lib.enforce_budgets(turn)
            for place in ("public", "org:red"):
                held = [n for n in lib.heads() if lib.note(n).shelf == place and n not in lib.archived]
                assert len(held) <= notes
                assert sum(lib.head(n).tokens for n in held) <= tokens
                assert sum(lib.head(n).tokens for n in held) == lib._shelves.tokens(place)


def shown_already(lib: Library, edit: Edit) -> bool:
    from culture.records import Note

    note = Note("", 0, edit.kind, edit.domain, edit.shelf, edit.title, edit.author)
    return bool(lib._shelves.same_text(note, edit.body))


# -- the same again ----------------------------------------------------------------------------------


@given(STEPS, st.lists(bodies, min_size=1, max_size=3), st.integers(0, 24))
@settings(max_examples=40, deadline=None)
def test_every_search_is_the_same_after_loading_at_any_time(
    steps: list[tuple[str, int, str]], queries: list[str], cut: int
) -> None:
    settings_: dict[str, Any] = {"search": "fused", "exploration": 0.5, "worth_strength": 0.1}
    settings_ |= {"shelf_budget_notes": 4, "archive_grace_rounds": 0}
    straight, resumed = library(**settings_), library(**settings_)
    rows = RoundRows()
    for turn, (body, pick, shelf) in enumerate(steps):
        if turn == cut:
            state = resumed.state_dict()
            resumed = Library.load(
                resumed.config, 7, rows.notes, rows.revisions, rows.citations, embedder=Letters()
            )
            resumed.load_state_dict(state)
        edit = new(body, shelf=shelf, round=turn)
        if shown_already(straight, edit):
            continue
        written = straight.write(edit, {"red"})
        assert resumed.write(edit, {"red"}) == written
        written.add_to(rows)
        name = written.revision.note_id
        for lib in (straight, resumed):
            lib.observe_reads({name: pick})
            lib.observe_worth({n: (float(i - 2), 1.0) for i, n in enumerate(lib.heads())})
            if turn % 2 == 0 and lib is resumed:
                lib.search(body, ANNA, 3, 60)
        markers = straight.enforce_budgets(turn)
        assert resumed.enforce_budgets(turn) == markers
        rows.revisions += markers
    asked = [Query(q, ANNA, 3, 60, ids=(str(i),)) for q in queries for i in range(4)]
    assert straight.search_many(asked) == resumed.search_many(asked)
    assert straight.search_many(asked[::-1])[::-1] == resumed.search_many(asked)


def test_notes_are_embedded_alone_and_when_they_are_asked_for() -> None:
    embedder = Letters()
    lib = library(embedder, search="embeddings")
    first, second = wrote(lib, "dog", "god")
    head = lib.head(first).revision_id
    lib.write(new("dogs", note_id=first, base_revision_id=head))
    assert embedder.asked == []
    for _ in range(2):
        assert [h.note_id for h in lib.search("dogs", ANNA, 2, 99)] == [first, second]
    assert sorted(embedder.asked) == ["\ndogs", "\ngod", "dogs", "dogs"]
