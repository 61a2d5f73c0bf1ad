"""Pages: every link leads somewhere, nothing that a model wrote becomes markup, the past is as it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.browser import drawn, pages
from analysis.browser.address import Address
from analysis.browser.curriculum import effects
from analysis.browser.log import Head, Log
from culture.records import Measure
from tests.analysis.browser.school import CONTROL, HOSTILE, School
from tests.analysis.log import round_rows, write_log
from tests.analysis.older import older

ALLOWED = {
    "a", "article", "button", "caption", "code", "dd", "details", "div", "dl", "dt", "figcaption", "figure",
    "form", "h1", "h2", "h3", "img", "input", "label", "li", "nav", "ol", "option", "p", "pre", "select",
    "small", "span", "strong", "summary", "table", "tbody", "td", "textarea", "th", "thead", "tr", "ul",
}  # fmt: skip
ATTRIBUTES = {
    "alt", "aria-current", "aria-label", "checked", "class", "colspan", "data-page", "for", "height",
    "href", "id", "max", "method", "min", "name", "placeholder", "rel", "role", "rows", "scope", "selected",
    "spellcheck", "src", "start", "style", "tabindex", "type", "value", "width", "action",
}  # fmt: skip


class Seen(HTMLParser):
    """Elements, attributes, links and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.sources: list[str] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attributes:
            self.attributes.add(name)
            if name == "href":
                self.links.append(value or "")
            if name == "src":
                self.sources.append(value or "")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def shown(log: Log, text: str) -> Seen:
    return Seen(pages.page(log, log.head(), Address.read(text)).html())


def addresses(school: School) -> list[str]:
    found = [
        f"view={name}"
        for name in ("curriculum", "library", "books", "problems", "agents", "pictures", "sql")
    ]
    book = school.book.revision.note_id
    found += [f"view=note&id={name}" for name in (school.name, book, school.dispute.revision.note_id)]
    found += [f"view=book&id={book}", f"view=book&id={book}&chapter=2", "view=problem&id=p1-0"]
    found += ["view=attempt&id=a0", "view=agent&id=anna", "view=sql&sql=SELECT+body+FROM+revisions"]
    return found


def test_nothing_that_was_written_becomes_markup(log: Log, school: School) -> None:
    seen = ""
    for text in addresses(school):
        html = pages.page(log, log.head(), Address.read(text)).html()
        page = Seen(html)
        assert {t for t in page.tags if not t.startswith("page-")} <= ALLOWED, text
        assert page.attributes <= ATTRIBUTES, text
        assert not [c for c in html if ord(c) < 32 and c not in "\n\t"], text
        assert "\u202e" not in html, text
        assert all(link.startswith(("?", "#")) for link in page.links), text
        assert page.sources == [], text
        seen += "".join(page.texts)
    for part in HOSTILE[:3]:
        assert part in seen  # shown, as text
    assert "red\\x1b[31m \\u202eright to left\\u202c \\x07 <marimo-button>" in seen
    assert CONTROL not in seen


def test_every_link_leads_to_a_page(log: Log, school: School) -> None:
    todo = [f"?{text}" for text in addresses(school)[1:]]
    visited: set[tuple[str, str]] = set()
    while todo:
        address = Address.read(todo.pop().partition("#")[0])
        # one of each kind of page and thing
        if (address.view, address.get("id")) not in visited:
            visited.add((address.view, address.get("id")))
            page = shown(log, address.text())
            assert "Not there" not in page.text, address
            todo += page.links
    assert len(visited) > 20


@given(text=st.text(max_size=60))
def test_any_text_is_an_address(text: str) -> None:
    address = Address.read(text)
    assert Address.read(address.text()) == address


@given(
    st.sampled_from(["library", "note", "sql"]),
    st.none() | st.integers(0, 10**6),
    st.dictionaries(
        st.sampled_from(["id", "q", "kind"]), st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
    ),
)
def test_a_link_is_read_back(view: str, round: int | None, asked: dict[str, str]) -> None:
    link = Address("curriculum", "a run", round).link(view, **asked)
    assert Address.read(link) == Address(view, "a run", round, asked)


def test_what_is_not_there_is_said(log: Log) -> None:
    assert "No note 'zzz' was there at the end of round 2" in shown(log, "view=note&id=zzz").text
    assert "No problem 'p' was there" in shown(log, "view=problem&id=p").text  # several begin so
    assert "No agent" in shown(log, "view=agent&id=nobody").text
    empty = Head("a school", 5, None, None, None)
    assert "has not committed a round" in pages.page(log, empty, Address()).html()


def test_the_curriculum_tells_the_latest_by_then(log: Log) -> None:
    now, then = shown(log, ""), shown(log, "round=1")
    assert "held out solver 75.0%" in now.text and "ability solver 1.00 [0.00, 2.00]" in now.text
    assert "held out solver 50.0%" in then.text and "held out solver 75.0%" not in then.text
    assert "1 to 3 of 3 rounds" in now.text and "1 to 2 of 2 rounds" in then.text
    assert "library less none sums +12.5 [+5.0, +20.0]" in now.text


def test_an_effect_has_no_interval_of_an_earlier_round(tmp_path: Path) -> None:
    rounds = [round_rows(0), round_rows(1)]
    for at, rows in enumerate(rounds):
        ends = (None, None) if at else (0.0, 0.5)
        rows.measures = [Measure(at, "effect/library-none", "sums", 0.25 + at / 2, *ends, 20 + at)]
    log = Log(write_log(tmp_path / "run", rounds))
    try:
        (found,) = effects(log, 1)
    finally:
        log.close()
    assert found == {
        "contrast": "library-none", "domain": "sums", "round": 1, "value": 0.75, "low": None, "high": None,
        "n": 21,
    }  # fmt: skip


def test_the_library_as_it_was(log: Log, school: School) -> None:
    now, then = shown(log, "view=library"), shown(log, "view=library&round=0")
    assert "1 to 7 of 7 notes" in now.text and "To be archived" not in now.text
    assert "1 to 3 of 3 notes" in then.text and "To be archived" in then.text
    assert "out of sight" in shown(log, "view=library&archived=yes&q=archived").text
    old = shown(log, f"view=note&id={school.name}&round=0")
    assert "line two" in old.text and "line 2, revised" not in old.text


def test_notes_are_found_by_words_kind_and_author(log: Log) -> None:
    assert "1 to 1 of 1 notes" in shown(log, "view=library&q=REVISED+one&kind=lesson").text
    assert "no notes" in shown(log, "view=library&q=revised+nothing").text
    assert "1 to 2 of 2 notes" in shown(log, "view=library&author=carl").text
    assert "no notes" in shown(log, "view=library&kind=x'; DROP TABLE notes; --").text


def test_a_note_has_all_that_is_known_of_it(log: Log, school: School) -> None:
    page = shown(log, f"view=note&id={school.name}").text
    assert "+30.0 points of success [+0.0, +50.0]" in page
    assert "Shown to 1 agents, last in round 1: 2 attempts of the arm library" in page
    assert "+3 −1" in page  # lines of the second text that the first has not, and the other way
    assert "line 2, revised" in page and "line two" in page  # compared with the text before
    assert "It helped" in page and "It is wrong" in page and "dismissed" in page
    assert "After the lesson" in page and "spec p0-0" in page and "ben, correct" in page
    same = shown(log, f"view=note&id={school.name}&old={school.note.revision.revision_id}"
                      f"&new={school.note.revision.revision_id}").text  # fmt: skip
    assert "There is one text to compare" in same
    first = shown(log, f"view=note&id={school.name}&text={school.note.revision.revision_id}").text
    assert "not the head" in first
    blame = first.partition("Who brought in which line")[2].partition("Citations")[0]
    assert "anna" in blame and "ben" not in blame


def test_a_book_and_one_chapter(log: Log, school: School) -> None:
    name = school.book.revision.note_id
    assert "2 of 3 chapters written" in shown(log, "view=books").text
    whole, one = shown(log, f"view=book&id={name}"), shown(log, f"view=book&id={name}&chapter=2")
    assert "text 1" in whole.text and "text 2" in whole.text and "Not written yet" in whole.text
    assert "text 1" not in one.text and "text 2" in one.text
    assert "text 1" not in shown(log, f"view=book&id={name}&round=0").text


def test_a_problem_has_its_family_and_attempts(log: Log) -> None:
    page = shown(log, "view=problem&id=p1-0")
    assert "spec p0-0" in page.text.partition("Ancestors")[2].partition("Descendants")[0]
    assert "spec p2-0" in page.text.partition("Descendants")[2].partition("Attempts")[0]
    assert "1 to 2 of 2 attempts" in page.text and "library: 1 of 1 right; none: 0 of 1 right" in page.text
    assert "None by round 1" in shown(log, "view=problem&id=p1-0&round=1").text
    assert "1 to 4 of 4 proposals" in shown(log, "view=problems&of=2").text
    assert "no proposals" in shown(log, "view=problems&q='; DROP TABLE problems; --").text


def test_an_attempt_has_its_turns_and_what_it_read(log: Log, school: School) -> None:
    page = shown(log, "view=attempt&id=a0")
    assert "2 turns" in page.text and "a search of the library" in page.text
    assert "Turn 2, the last" in page.text
    assert f"?view=note&id={school.name}" in page.links


def test_agents_come_and_go(log: Log) -> None:
    assert "2 agents are there, 1 have retired" in shown(log, "view=agents").text
    assert "3 agents are there" in shown(log, "view=agents&round=1").text


@pytest.mark.parametrize("name", sorted({n for names in drawn.WANTED.values() for n in names}))
def test_figures_are_drawn_as_of_a_round_and_kept(log: Log, name: str) -> None:
    head = log.head()
    now = pages.page(log, head, Address())
    figure = drawn.figure(log, head, now, name)
    assert drawn.figure(log, head, now, name) is figure
    then = drawn.figure(log, head, pages.page(log, head, Address(round=0)), name)
    assert "<figcaption>" in then
    for html in (figure, then):
        assert all(
            source.startswith(("data:image/svg+xml;base64,", "data:image/png;base64,"))
            for source in Seen(html).sources
        )
    assert Seen(figure).sources


def test_heavy_figures_are_left_out_of_large_runs(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawn, "MOST_ATTEMPTS", 3)
    drawn._drawn.clear()
    head = log.head()
    found = Seen(drawn.figure(log, head, pages.page(log, head, Address()), "effect"))
    assert "Not drawn here: the run has 6 attempts" in found.text and not found.sources
    drawn._drawn.clear()


def test_numbers_are_told_in_few_digits() -> None:
    assert pages.number(1234567) == "1,234,567" and pages.number(float("nan")) == "–"
    assert pages.share(1, 8) == "12.5%" and pages.share(1, 0) == "–" and pages.points(-0.031) == "-3.1"
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert [pages.ago(now - timedelta(seconds=s), now) for s in (0, 59, 3599, 90_000)] == [
        "0 s ago", "59 s ago", "59 min ago", "1 d ago",
    ]  # fmt: skip
    assert pages.text("x" * 30_000).endswith("… (10,000 more characters)")


def test_the_head_says_how_far_the_run_has_come(log: Log) -> None:
    head = log.head()
    assert (head.last, head.planned, head.finished) == (2, 5, False) and head.committed is not None
    text = Seen(pages.navigation(["a", "b"], head, Address.read("view=note&id=x&round=1"))).text
    assert "round 2 is the last of 3 played and 5 planned; last commit" in text
    one = Seen(pages.navigation(["a"], head, Address()))
    assert "view=library" in " ".join(one.links) and all("run=" not in link for link in one.links)


def test_every_page_of_an_older_log(school: School, tmp_path: Path) -> None:
    """What the log never had is missing, and no page fails for it."""
    log = Log(older(school.folder, tmp_path / "old"))
    for text in addresses(school):
        page = pages.page(log, log.head(), Address.read(text))
        assert page.template != "message.html" or text.startswith("view=sql"), (text, page.values)
    assert "carl" in shown(log, "view=agents").text
    log.close()


def test_a_log_that_does_not_fit_is_told_with_who_wrote_it(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(log: Log, round: int, address: Address) -> dict[str, object]:
        return {"found": log.rows("SELECT nowhere FROM agents")}

    monkeypatch.setitem(pages._PAGES, "agents", ask)
    text = shown(log, "view=agents").text
    assert "That cannot be shown" in text and "got one that ludus" in text and "write `sql`" in text
