from __future__ import annotations

from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from arena.config import RunConfig
from arena.domains import check_domain, make_domain
from arena.domains.base import Executor, Rejected
from arena.domains.reading import CLOSED, CORE_CELLS, Asked, Reading, read_spec
from arena.domains.reading_text import (
    TextFault,
    cut,
    held_out,
    holds,
    normalised,
    passages,
    place,
    tokens,
)
from arena.faults import ConfigError
from arena.sandbox import Sandbox
from arena.settings import load
from culture.records import Form
from culture.seeds import generator

domain = Reading()
FORMS: tuple[Form, ...] = ("terse", "natural")
LAMP = "The lamp beetle gives a light of pale violet."


def spec_of(seed: int, target: float) -> str:
    return domain.sample(generator(seed, "spec"), target)


specs = st.builds(spec_of, st.integers(0, 2**32), st.floats(1, 400))


# -- texts ---------------------------------------------------------------------------------------------
MARKDOWN = """---
kind: book
---

# A heading is not asked about

Ada's first *engine* had [forty wheels](http://x) of brass. It “sang” at noon — always loudly!

```
No code is read here, not a line.
```

| no | table |

* A list has points, and every point counts.
1. Another point follows the first one here.

<!-- nobody sees this comment of five words -->
Too short.
"""


def test_markdown_is_cut_into_passages_of_sentences() -> None:
    assert [p.sentences for p in cut(MARKDOWN)] == [
        ("Ada's first engine had forty wheels of brass.", 'It "sang" at noon - always loudly!'),
        (
            "A list has points, and every point counts.",
            "Another point follows the first one here.",
        ),
    ]


def test_long_paragraphs_are_cut_between_sentences() -> None:
    text = " ".join(f"Sentence number {n} of this long paragraph says nothing." for n in range(40))
    found = cut(text)
    assert len(found) > 2 and " ".join(p.text for p in found) == text
    assert all(len(p.text) <= 600 for p in found)


@given(st.text(max_size=300))
def test_any_text_is_cut(text: str) -> None:
    for passage in cut(text):
        assert passage.text and "|" not in passage.text and "_" not in passage.text
        assert "\n" not in passage.text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The Eiffel Tower!", "eiffel tower"),
        ("a  half-mile.", "halfmile"),
        ("An apple, the pear", "apple pear"),
        ("the", ""),
    ],
)
def test_answers_are_normalised_as_in_squad(one: str, other: str) -> None:
    """What the evaluation script of SQuAD 1.1 gives, worked by hand."""
    assert normalised(one) == other


def test_a_span_is_words_in_a_row() -> None:
    assert holds("The mill stands on nine legs.", "on nine")
    assert not holds("The mill stands on nine legs.", "nine on")
    assert not holds("The mill stands on ninety legs.", "nine")
    assert not holds("The mill.", "the")


def test_held_out_passages_are_in_no_problem() -> None:
    kept = {p.passage_id for p in held_out()}
    assert len(kept) == 8 and not kept & {p.passage_id for p in passages(None)}
    quoted = [read_spec(a.spec).quote for a in domain.anchors(64)]
    assert all(any(q in p.text for p in held_out()) for q in quoted)
    assert not any(q in p.text for q in quoted for p in passages(None))
    for quote in quoted[:3]:
        with pytest.raises(Rejected) as caught:
            domain.parse(f"Who or what is this?|{quote.split()[1]}|{quote}")
        assert caught.value.reason == "held_out"


# -- proposals -----------------------------------------------------------------------------------------
@given(specs, st.sampled_from(FORMS))
def test_what_is_written_parses(spec: str, form: Form) -> None:
    assert domain.parse(domain.write(spec, form)) == spec
    assert read_spec(spec).spec == spec


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("The lamp beetle gives a light of _ violet.|pale||2", None),
        (f"Which light?|pale violet|{LAMP}|9", f"Which light?|pale violet|{LAMP}|5"),
        (
            f'Sure!\n**Question:** Which  light?\nAnswer: Pale violet / violet\nQuote: "{LAMP}"\nShown: 1',
            f"Which light?|Pale violet / violet|{LAMP}|1",
        ),
        ("Question: The lamp beetle gives a light of pale ____.\nAnswer: violet\nShown: 0",
         "The lamp beetle gives a light of pale _.|violet||0"),
    ],
)  # fmt: skip
def test_proposals_as_models_write_them(text: str, spec: str | None) -> None:
    assert domain.parse(text) == (spec or text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "syntax"),
        ("What?|", "syntax"),
        (f"What is it?|the|{LAMP}", "syntax"),
        (f"What is it?|a / b / c / d|{LAMP}", "syntax"),
        (f"What is it?|lamp|{LAMP}|x", "syntax"),
        (f"What is it?|lamp|{LAMP}|1|2", "syntax"),
        ("What gives violet light?|lamp beetle", "no_quote"),
        ("What gives violet light?|lamp beetle|The lamp beetle gives light", "no_quote"),
        ("The lamp _ gives a light of blue violet.|beetle", "no_quote"),
        (f"Which colour?|pale blue|{LAMP}", "no_span"),
        (f"Which colour?|violet / lilac|{LAMP}", "no_span"),
        (f"Is its light pale violet?|Violet!|{LAMP}", "told"),
        ("x" * 300 + f"?|lamp|{LAMP}", "too_long"),
        ("x" * 5000, "too_long"),
    ],
)
def test_rejections(text: str, reason: str) -> None:
    with pytest.raises(Rejected) as caught:
        domain.parse(text)
    assert caught.value.reason == reason


@given(st.text(max_size=120) | st.text("Question: Answer|_lamp beetle./\n", max_size=80))
def test_parse_raises_nothing_but_rejected(text: str) -> None:
    try:
        spec = domain.parse(text)
    except Rejected:
        return
    assert domain.parse(spec) == spec


@settings(max_examples=40)
@given(specs, st.integers(0, 2**32))
def test_what_is_varied_is_about_the_same_passage(spec: str, seed: int) -> None:
    before, after = read_spec(spec), read_spec(domain.mutate(spec, generator(seed, "mutate")))
    (passage,) = [p for p in passages(None) if before.quote in p.text]
    assert after.quote in passage.text and after != before


def test_most_problems_show_the_text_and_some_do_not() -> None:
    drawn = []
    for n in range(200):
        asked = read_spec(spec_of(n, 20.0))
        drawn.append(read_spec(domain.parse(f"{asked.question}|{asked.answers[0]}")).shown)
    assert 0.12 < drawn.count(0) / len(drawn) < 0.4
    assert set(drawn) == {0, 1, 2, 3, 4, 5}


def test_a_request_has_a_passage_and_what_is_asked_of_it_parses() -> None:
    rng = generator(0, "ask")
    shown = {domain.ask("natural", 20.0, None, rng) for _ in range(30)}
    assert len(shown) > 8
    sentence = domain.ask("terse", 20.0, None, rng).partition("\n")[0]
    assert any(sentence in p.text for p in passages(None))
    spec = domain.parse(f"{sentence.replace(sentence.split()[-1], '_')}|{sentence.split()[-1]}||1")
    assert domain.hindsight("terse", 8.0, spec) == f"{sentence}\n?g>"
    assert "Ask something else" in domain.brief("natural", None, spec)


# -- solving -------------------------------------------------------------------------------------------
@given(specs, st.sampled_from(FORMS))
def test_a_problem_shows_as_many_sentences_as_it_says(spec: str, form: Form) -> None:
    asked = read_spec(spec)
    (passage,) = [p for p in passages(None) if asked.quote in p.text]
    posed = domain.pose(spec, form)
    shown = [s for s in passage.sentences if s in posed]
    assert len(shown) == asked.shown
    assert (asked.quote in posed) == (asked.shown > 0)
    assert place(passage, asked.quote)[0] == passage.sentences.index(asked.quote)
    if form == "terse":
        assert posed.endswith(f"{asked.question}=") and set(posed) <= set(domain.alphabet)


@pytest.mark.parametrize(
    ("said", "form", "verdict"),
    [
        ("pale violet", "terse", "correct"),
        ("Violet!\nor so", "terse", "correct"),
        ("pale", "terse", "wrong"),
        ("violet light", "terse", "wrong"),
        ("...", "terse", "malformed"),
        ("It shines.\n**Answer:** The pale violet.", "natural", "correct"),
        ("I think it is\nViolet", "natural", "correct"),
        ("Answer: violet\nAnswer: red", "natural", "wrong"),
        ("", "natural", "malformed"),
    ],
)
def test_answers_are_judged_by_exact_match(said: str, form: Form, verdict: str) -> None:
    spec = f"Which colour is its light?|pale violet / violet|{LAMP}|1"
    turn = domain.turn(spec, "pale violet", [said], form)
    assert turn.verdict == verdict


def test_difficulty_is_words_to_read() -> None:
    def hard(spec: str, sandbox: Executor) -> float:
        (solution,) = domain.solve([spec], sandbox)
        assert not isinstance(solution, Rejected)
        return domain.difficulty(domain.features(spec, solution))

    with Sandbox() as sandbox:
        assert hard("The lamp _ gives a light of pale violet.|beetle||1", sandbox) == 9
        assert hard("The lamp _ gives a light of pale violet.|beetle||0", sandbox) == CLOSED


def test_a_repeated_word_stands_elsewhere_in_what_is_shown() -> None:
    """The floor: who copies a frequent word of the text is right now and then."""
    anchors = [a for a in domain.anchors(64) if a.cell == "repeated"]
    assert len(anchors) == 64 and CORE_CELLS[0] == "repeated"
    for anchor in anchors:
        shown = domain.pose(anchor.spec, "terse").rpartition("\n")[0]
        assert tokens(shown).count(anchor.answer_key) >= 2


# -- a folder of one's own -----------------------------------------------------------------------------
def test_a_folder_of_one_s_own_is_asked_about(tmp_path: Path, sandbox: Executor) -> None:
    (tmp_path / "books").mkdir()
    rivers = [f"River number {n} flows past the town of Place{n} to the sea." for n in range(12)]
    (tmp_path / "books" / "one.md").write_text("# Rivers\n\n" + " ".join(rivers), encoding="utf-8")
    config = load("tiny", ["domains=[reading]", f"reading.folder={tmp_path}"], RunConfig)
    mine = config.domain("reading")
    check_domain(mine, sandbox, trials=1)
    assert "River number" in mine.sample(generator(0, "mine"), 10.0)
    assert mine.anchors(2) == domain.anchors(2)
    with pytest.raises(Rejected):
        domain.parse(mine.sample(generator(0, "mine"), 10.0))
    assert make_domain("reading").material() == domain.material() != mine.material()


@pytest.mark.parametrize("text", [None, "# Only a heading\n\nAnd this.\n"])
def test_a_folder_with_nothing_to_read_is_refused(tmp_path: Path, text: str | None) -> None:
    folder = tmp_path / "none"
    if text is not None:
        folder.mkdir()
        (folder / "a.md").write_text(text, encoding="utf-8")
    with pytest.raises(TextFault, match=r"reading\.folder: expected a folder"):
        Reading(str(folder))
    with pytest.raises(ConfigError, match=r"reading\.folder: expected a folder"):
        load("tiny", ["domains=[reading]", f"reading.folder={folder}"], RunConfig)


def test_what_is_not_utf_8_and_what_spark_cannot_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"\xff\xfe words and more words here.")
    with pytest.raises(TextFault, match="expected UTF-8 text"):
        Reading(str(tmp_path))
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.md").write_text("Zoë walked along the shore of the lake.", encoding="utf-8")
    with pytest.raises(ConfigError, match="expected reading to be of printable ASCII"):
        load("tiny", ["domains=[reading]", f"reading.folder={other}"], RunConfig)


def test_a_text_that_was_changed_is_said_so() -> None:
    asked = Asked("What flows past Place1?", ("River",), "River number 1 flows past Place1.", 1)
    with pytest.raises(Rejected, match="expected the text as it was when the problem was set"):
        domain.pose(asked.spec, "terse")
