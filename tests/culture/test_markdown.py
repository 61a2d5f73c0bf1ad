from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from arena.yaml_text import parse
from culture.markdown import (
    FOOTER,
    credited,
    escaped,
    file_id,
    front_matter,
    one_line,
    page,
    path_of,
    slug,
    split,
)
from culture.records import Note, Revision

NOTE = Note("n0123456789abcdef", 3, "lesson", "strings", "public", "How to reverse", "anna")
FIRST = Revision("r1", NOTE.note_id, 3, "anna", None, [], "head", "body", 4, {}, 1)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
HOSTILE = ["../../etc/passwd", "a\nkind: book", "---", "1e-4", "no", "null", "\x1b[2J", "\u202e",
           "x" * 3000, "# a: b", '"', "'", "\\", "é\x85\u2028", "🦊", " a ", "~", "", "[x](y)"]  # fmt: skip


@given(texts, texts, st.sampled_from(["", "- cites the problem p1\n"]))
@example("---\nkind: book\n---\n", "\n", "")
@example(f"a\n{FOOTER}\nb", "", "")
@example(FOOTER, "", "- x\n")
@example("\r\n", "\r\n", "")
@example("\n\n\n", "", "- x\n")
def test_a_page_gives_back_its_body_and_its_fields(body: str, title: str, footer: str) -> None:
    fields = {"kind": "lesson", "title": title}
    matter, found = split(page(fields, body, footer))
    assert found == body and matter is not None
    assert yaml.safe_load(matter) == fields
    assert parse(matter) == fields
    assert len(matter.split("\n")) == 3


@pytest.mark.parametrize("value", HOSTILE)
def test_no_value_ends_the_front_matter_or_adds_to_it(value: str) -> None:
    matter, body = split(page({"title": value, "author": value}, "body"))
    assert matter is not None and parse(matter) == {"title": value, "author": value} and body == "body"
    assert all(c.isprintable() or c == "\n" for c in matter)


@pytest.mark.parametrize(
    ("text", "matter", "body"),
    [
        ("# Title\n\ntext\n", None, "# Title\n\ntext"),
        ("text", None, "text"),
        ("---\nkind: book\n---\ntext\n", "kind: book\n", "text"),
        ("---\nkind: book\n---\n\ntext\n\n", "kind: book\n", "text\n"),
        ("---\n---\ntext", "", "text"),
        ("---\r\nkind: book\r\n---\r\n\r\none\r\ntwo\r\n", "kind: book\n", "one\ntwo"),
        ("---\na rule and no end", None, "---\na rule and no end"),
        ("----\nkind: book\n---\n", None, "----\nkind: book\n---"),
        ("---\nkind: book\n---", "kind: book\n", ""),
    ],
)
def test_files_of_people(text: str, matter: str | None, body: str) -> None:
    assert split(text) == (matter, body)


@given(texts, texts, texts, texts)
@example("../x", "..", "agent:../../root", ".git")
@example("CON", "con", "C:\\x", "n" * 90)
def test_names_of_files_stay_in_their_folder(title: str, kind: str, shelf: str, name: str) -> None:
    path = path_of(replace(NOTE, title=title, kind=kind, shelf=shelf, note_id=name))
    assert len(path.parts) == 4 and path.parts[2] == "round-0003" and path.suffix == ".md"
    for part in (*path.parts[:3], path.stem):
        assert part and set(part) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") and len(part) <= 120
    assert path.stem.endswith(file_id(name))


def test_names_say_what_a_note_is() -> None:
    assert path_of(NOTE) == PurePosixPath("public/lesson/round-0003/how-to-reverse-n0123456789abcdef.md")
    assert path_of(replace(NOTE, title="", shelf="agent:pupil-1")).parts[::3] == (
        "agent-pupil-1", "n0123456789abcdef.md",
    )  # fmt: skip
    assert slug("Übung: 7 × 5 = ?") == "ubung-7-5"


def test_an_imported_note_is_credited_to_the_author_in_its_file() -> None:
    first = replace(FIRST, evidence={"author": "zoe"})
    assert credited(replace(NOTE, author="import"), first) == "zoe"
    assert credited(replace(NOTE, author="import"), FIRST) == "import"
    assert credited(NOTE, first) == "anna"
    assert front_matter(NOTE, FIRST)["id"] == NOTE.note_id


@given(texts)
def test_lines_and_links_hold_no_more_than_one_line(text: str) -> None:
    assert one_line(text, 60).isprintable() and len(one_line(text, 60)) <= 60
    assert "<" not in escaped(text) and escaped(text).isprintable()


def test_titles_cannot_end_a_link() -> None:
    assert escaped("](http://evil) <b> `x` &lt;") == "\\]\\(http://evil\\) &lt;b> \\`x\\` &amp;lt;"
