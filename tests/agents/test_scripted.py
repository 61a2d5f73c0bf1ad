"""The scripted policy of writers does what the desk asks for, and nothing that it does not allow."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agents.actions import VERBS, Choices, Place, parse
from agents.scripted import Situation, decide, settled
from culture.desk import Ask, Desk, set_out
from culture.edits import Edit
from culture.library import Library
from culture.reading import Reader
from tests.culture.test_library import ANNA, library, new, of


def desk(lib: Library, *read: str, reader: Reader = ANNA) -> Desk:
    return set_out(lib, Ask(reader, "strings", "R12", read, 4, ("desk", 1)), 500)


def situation(found: Desk, **changes: object) -> Situation:
    chapters = () if found.book is None else found.book.unwritten
    first = Situation("anna", "strings", Choices(len(found.items), chapters), found, True, "R34=43")
    return replace(first, **changes)  # type: ignore[arg-type]


def verbs(s: Situation) -> Counter[str]:
    return Counter(decide(s, np.random.default_rng(n)).verb for n in range(60))


def test_with_an_empty_desk_it_writes_begins_a_book_or_leaves() -> None:
    lib = library()
    assert set(verbs(situation(desk(lib)))) == {"outline", "write", "leave"}
    assert set(verbs(situation(desk(lib), lesson=None))) == {"leave"}


def test_it_reviews_what_it_read_and_answers_a_review() -> None:
    lib = library()
    name = lib.write(new("R12=21", author="ben")).revision.note_id
    assert "review" in verbs(situation(desk(lib, name), lesson=None))
    review = Edit(None, None, "review", "strings", "public", "about", "good", "ben", None, 2)
    lib.write(replace(review, citations=[("note", name)]))
    found = verbs(situation(desk(lib, name), lesson=None))
    assert "review" not in found and "discuss" in found


def test_it_disputes_what_execution_refutes_but_never_its_own() -> None:
    lib = library()
    theirs = lib.write(new("R12=12", author="ben")).revision.note_id
    found = desk(lib, theirs)
    assert set(verbs(situation(found, refuted=frozenset({1})))) == {"dispute"}
    own = lib.write(new("R13=13", index=1)).revision.note_id
    assert "dispute" not in verbs(situation(desk(lib, own), refuted=frozenset({1})))


def test_it_writes_the_first_missing_chapter_and_cites_what_it_took_up() -> None:
    lib = library()
    book = Edit(None, None, "book", "strings", "public", "B", "B\n\n1. One\n2. Two", "ben", None, 1)
    lib.write(book)
    lib.write(new("R12=21", author="ben"))
    s = situation(desk(lib))
    actions = [decide(s, np.random.default_rng(n)) for n in range(60)]
    (chapter,) = {str(a) for a in actions if a.verb == "chapter"}
    assert chapter == "chapter 1 [1]: R12=21\nR34=43"
    assert "outline" not in {a.verb for a in actions}


def test_it_settles_a_conflict_before_anything_else() -> None:
    lib = library()
    name = lib.write(new("R12=21")).revision.note_id
    base = lib.head(name).revision_id
    lib.write(of(lib, name, "R12=12"))
    lib.write(of(lib, name, "R12=21!", author="anna", base_revision_id=base))
    s = situation(desk(lib))
    assert [str(decide(s, np.random.default_rng(n))) for n in range(3)] == ["revise 1: R12=21!"] * 3
    several = replace(s.desk.items[0], conflict="a\n<<<<<<< head\nb\n=======\nc\n>>>>>>> yours\nd")
    assert settled(several) == "a\nb\nc\nd"


def test_it_publishes_what_there_is_evidence_for() -> None:
    lib = library()
    own = lib.write(new("R12=21", shelf="agent:anna")).revision.note_id
    outward: dict[Place, list[int]] = {"organisation": [1], "public": [1]}

    def published(found: Desk, **changes: object) -> set[str]:
        choices = Choices(len(found.items), outward=outward)
        s = situation(found, lesson=None, choices=choices, **changes)
        decided = [decide(s, np.random.default_rng(n)) for n in range(30)]
        return {str(a) for a in decided if a.verb == "publish"}

    assert published(desk(lib)) == set()  # found, not read
    assert published(desk(lib, own)) == {"publish organisation 1: Read before a right answer."}
    assert published(desk(lib, own), solved=False) == set()
    lib.write(of(lib, own, "R12=21 ", author="anna", evidence={"recheck": "confirmed"}))
    for found in (desk(lib), desk(lib, own)):
        assert published(found) == {"publish public 1: Execution confirmed all that it says."}


@given(st.integers(0, 2**32), st.sets(st.sampled_from(VERBS)), st.booleans(), st.integers(16, 60))
def test_what_it_decides_can_always_be_done(seed: int, allowed: set[str], solved: bool, chars: int) -> None:
    lib = library()
    name = lib.write(new("R12=21" + "1" * (seed % 40), author="ben")).revision.note_id
    found = desk(lib, name)
    choices = Choices(len(found.items), (), {"organisation": [1]}, frozenset(allowed), chars)  # type: ignore[arg-type]
    action = decide(situation(found, choices=choices, solved=solved), np.random.default_rng(seed))
    assert parse(str(action), choices) == action
