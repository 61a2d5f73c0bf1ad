"""The action format: what is written is read, what cannot be done is refused with a reason."""

from __future__ import annotations

import re
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.actions import FREE, PLACES, VERBS, Action, Choices, Malformed, Verb, parse, pattern, told

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60).map(str.strip)
texts = texts.filter(bool)


@st.composite
def desks(draw: st.DrawFn) -> Choices:
    verbs = draw(st.sets(st.sampled_from(VERBS)))
    chapters = draw(st.sets(st.integers(1, 9), max_size=4))
    notes = draw(st.integers(0, 5))
    some = st.lists(st.integers(1, notes), unique=True) if notes else st.just([])
    outward = draw(st.dictionaries(st.sampled_from(PLACES), some))
    return Choices(notes, tuple(sorted(chapters)), outward, frozenset(verbs))


@st.composite
def actions(draw: st.DrawFn, choices: Choices) -> Action:
    verb = draw(st.sampled_from(choices.allowed))
    if verb == "leave":
        return Action("leave")
    note = st.integers(1, max(1, choices.notes))
    place = draw(st.sampled_from(choices.places)) if verb == "publish" else None
    many = {"write": 0, "outline": 0, "merge": 2}.get(verb, 1)
    numbers = draw(
        st.sampled_from(choices.chapters).map(lambda n: (n,))
        if verb == "chapter"
        else st.sampled_from(choices.outward[place]).map(lambda n: (n,))
        if place is not None
        else st.lists(note, min_size=many, max_size=many, unique=True).map(tuple)
    )
    cited = draw(st.lists(note, max_size=2, unique=True).map(tuple)) if choices.notes else ()
    kind = draw(st.sampled_from(FREE)) if verb == "write" else None
    text = draw(texts) if verb != "outline" else "A book / One / Two"
    return Action(verb, kind, numbers, cited, text, place)


@given(st.data())
def test_what_is_written_is_read(data: st.DataObject) -> None:
    choices = data.draw(desks())
    action = data.draw(actions(choices))
    assert parse(str(action), choices) == action


@given(desks(), st.text(max_size=80))
def test_any_text_is_an_action_or_malformed(choices: Choices, text: str) -> None:
    try:
        action = parse(text, choices)
    except Malformed as error:
        assert str(error).startswith("expected")
    else:
        assert action.verb in choices.allowed


@given(st.data())
def test_what_matches_the_pattern_can_be_done(data: st.DataObject) -> None:
    choices = data.draw(desks())
    line = data.draw(st.from_regex(re.compile(pattern(choices), re.ASCII), fullmatch=True))
    if re.fullmatch(r"merge (\d) \1: .*", line):
        return  # that both are different no regular expression of this size says
    if not line.partition(": ")[2].strip() and line != "leave":
        return  # nothing but spaces
    assert str(parse(line, choices).verb) == line.partition(" ")[0].rstrip(":")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "expected one of leave, write"),
        ("Sure! Here is", "expected one of leave, write"),
        ("write: something", "write and one of"),
        ("write book: something", "write and one of"),
        ("review: good", "1 different numbers"),
        ("review 3: good", "on the desk, got 3"),
        ("review 0: good", "on the desk, got 0"),
        ("merge 1 1: same", "2 different numbers"),
        ("write lesson [7]: x", "on the desk, got 7"),
        ("revise 1:", "a text after revise"),
        ("revise 1: " + "x" * 300, "at most 240 characters"),
        ("chapter 1: x", "what this desk allows"),
        ("outline: only a title", "a title and up to"),
        ("review lesson 1: good", "review without another word"),
        ("publish 1: good", "publish and one of public, got publish"),
        ("publish organisation 1: good", "publish and one of public"),
        ("publish everyone 1: good", "publish and one of public"),
        ("publish public 1: good", "published to public (2), got 1"),
        ("publish public 3: good", "on the desk, got 3"),
        ("publish public 1 2: good", "1 different numbers"),
        ("publish public 2", "a text after publish"),
    ],
)
def test_what_cannot_be_done_is_refused(text: str, why: str) -> None:
    with pytest.raises(Malformed, match=re.escape(why)):
        parse(text, Choices(2, outward={"public": [2], "organisation": []}))


def test_publishing_is_offered_where_a_note_can_be_published_and_says_where_to() -> None:
    nothing = Choices(2, outward={"public": []})
    assert "publish" not in Choices(2).allowed and "publish" not in nothing.allowed
    with pytest.raises(Malformed, match="what this desk allows"):
        parse("publish public 1: good", nothing)
    only = cast("set[Verb]", {"publish"})
    choices = Choices(3, outward={"public": [1, 3], "organisation": [3]}, verbs=only)
    assert choices.offered == ["publish"]
    assert told(choices) == [
        "publish organisation NUMBER: why your organisation should read that note, or "
        "publish public NUMBER: why everyone should read that note"
    ]
    can = {f"publish {where}: {'x' * 9}" for where in ("organisation 3", "public 1", "public 3")}
    wide = {f"publish {place} {n}: {'x' * 9}" for place in PLACES for n in range(5)}
    assert {line for line in wide if re.fullmatch(pattern(choices), line)} == can


def test_a_desk_allows_what_its_notes_allow() -> None:
    assert Choices(0).allowed == ["leave", "write", "outline"]
    assert "merge" not in Choices(1).allowed and "merge" in Choices(2).allowed
    assert Choices(2, verbs=cast("set[Verb]", {"review"})).allowed == ["leave", "review"]
    assert Choices(2, verbs=cast("set[Verb]", {"review"})).offered == ["review"]
    assert Choices(0, verbs=cast("set[Verb]", {"review"})).offered == ["leave"]
    assert len(told(Choices(2, (1,), {"public": [1]}))) == len(VERBS)
    assert Action("outline", text="A / B / C").chapters == ("B", "C")
