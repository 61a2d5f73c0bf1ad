"""What there is to know of notes: the search of those who look into a library from outside."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings

from culture.edits import Edit
from culture.history import library_at
from culture.note_views import opened
from culture.reading import Reader
from culture.records import RoundRows
from culture.search import Index
from culture.terms import tokens
from tests.culture.histories import STEPS, Step, Story, in_memory, told
from tests.culture.test_library import new


def test_talk_and_outlines_are_found_by_who_looks_in_and_by_no_agent() -> None:
    story, rows = Story(), RoundRows()
    about = story.library.write(replace(new("reverse it"), round=0))
    about.add_to(rows)
    story.close(rows, {})
    rows = RoundRows()
    said = {"review": "reverse helps", "book": "reverse\n\n1. One"}
    for index, (kind, body) in enumerate(said.items()):
        edit = Edit(None, None, kind, "strings", "agent:ben", kind, body, "ben", None, 1, index=index)  # type: ignore[arg-type]
        story.library.write(replace(edit, citations=[("note", about.revision.note_id)])).add_to(rows)
    story.close(rows, {})
    with in_memory(story) as log:
        past = opened(log, 1)
        hits = past.search("reverse", {})
        assert {h["kind"]: h["body"] for h in hits} == {"lesson": "reverse it", **said}
        assert [h["kind"] for h in past.search("reverse", {"kind": "book"})] == ["book"]
        assert [h["body"] for h in opened(log, 0).search("reverse", {})] == ["reverse it"]
        ben = Reader("ben", "red", ["anna"])
        for lib in (library_at(log, 1), story.library):
            assert [h.body for h in lib.search("reverse", ben, 9, 999)] == ["reverse it"]


@given(STEPS)
@settings(max_examples=20, deadline=None)
def test_it_finds_all_in_sight_that_share_a_term_and_scores_them_as_the_library_does(
    steps: list[Step],
) -> None:
    story = told(steps, fresh=False)
    with in_memory(story) as log:
        past = opened(log, len(story.rounds) - 1)
    library, query = past.library, "R1 the word"
    texts = {n: f"{library.note(n).title}\n{library.head(n).body}" for n in past.in_sight()}
    found = past.search(query, {})
    wanted = set(tokens(query))
    assert {h["note_id"] for h in found} == {n for n, text in texts.items() if wanted & set(tokens(text))}
    scores = [(-float(str(h["score"])), h["note_id"]) for h in found]
    assert scores == sorted(scores, key=lambda pair: (pair[0], str(pair[1])))
    # where no text was replaced, one index that is made anew has the same statistics
    if all(len(library.history(n)) == 1 for n in library.heads()):
        index = Index(library.config.max_query_terms, texts.__getitem__)
        for name, text in texts.items():
            index.put(name, text, ["all"])
        assert [(h["note_id"], h["score"]) for h in found] == list(index.ranked(query, ["all"]))
