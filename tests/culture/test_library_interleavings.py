"""Many agents read and edit one library in any order, with crashes in between, and no text is ever lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from culture.config import LibraryConfig
from culture.edits import MARKERS, Edit, LibraryRefused, Written
from culture.library import Library
from culture.publishing import Publication
from culture.reading import Reader
from culture.records import Revision, RoundRows
from culture.seeds import generator
from tests.culture.histories import picture

CONFIG = LibraryConfig(shelf_budget_notes=3, archive_grace_rounds=1, exploration=0.3)
SEED = 11
MEMBERS = {"anna": {"red"}, "ben": {"red"}, "carl": {"blue"}}
"""Whose organisation is which."""
REFUSALS = {"duplicate", "not_owner", "not_member", "not_in_sight", "shelf"}

Ask = Edit | Publication
Act = tuple[str, str, int, int, str]

ACTS: st.SearchStrategy[list[Act]] = st.lists(
    st.tuples(
        st.sampled_from(
            ["new", "read", "read", "edit", "edit", "edit", "resolve", "publish", "round", "crash", "again"]
        ),
        st.sampled_from(["anna", "ben", "carl"]),
        st.integers(0, 7),
        st.integers(0, 7),
        st.lists(st.sampled_from(["R1=1", "S2", "12", "Q", ""]), min_size=1, max_size=4).map("\n".join),
    ),
    max_size=40,
)


@dataclass(slots=True)
class School:
    """A library, what of it is committed, and what agents hold in their hands."""

    library: Library = field(default_factory=lambda: Library(CONFIG, seed=SEED))
    committed: RoundRows = field(default_factory=RoundRows)
    state: Mapping[str, Any] = field(default_factory=lambda: {"reads": {}})
    rows: RoundRows = field(default_factory=RoundRows)
    asked: list[Ask] = field(default_factory=list)
    """What was asked since the last commit, in order."""
    round: int = 0
    bases: dict[str, list[Revision]] = field(default_factory=dict)
    """What each agent has read, the latest last; it may be old when the agent writes."""
    reads: dict[str, int] = field(default_factory=dict)
    kept: set[tuple[str, str]] = field(default_factory=set)
    """Note and text of every edit that was accepted."""

    def ask(self, ask: Ask) -> Written | None:
        """Give the library one edit or move; None where it is refused, and then nothing has changed."""
        before = picture(self.library)["version"]
        try:
            written = self._done(ask)
        except LibraryRefused as refused:
            assert refused.reason in REFUSALS | {"empty"}, refused
            assert self.library.version == before
            return None
        written.add_to(self.rows)
        self.asked.append(ask)
        if isinstance(ask, Edit):
            self.kept.add((written.revision.note_id, ask.body))
        return written

    def _done(self, ask: Ask) -> Written:
        mine = MEMBERS[ask.author]
        if isinstance(ask, Publication):
            return self.library.publish(ask, mine)
        return self.library.write(ask, mine)

    def commit(self) -> None:
        """End the round: count reads, archive, and keep all rows for good."""
        self.library.observe_reads(self.reads)
        self.rows.revisions += self.library.enforce_budgets(self.round)
        for table in ("notes", "revisions", "citations"):
            getattr(self.committed, table).extend(getattr(self.rows, table))
        self.state = self.library.state_dict()
        self.rows, self.asked, self.reads = RoundRows(), [], {}
        self.round += 1

    def crash(self) -> None:
        """Lose the library and all that was not committed; then do again what was asked since."""
        before, asked = picture(self.library), self.asked
        rows, self.rows, self.asked = self.rows, RoundRows(), []
        self.library = loaded(self.committed, self.state)
        for ask in asked:
            assert self.ask(ask) is not None
        assert picture(self.library) == before
        assert (self.rows.notes, self.rows.revisions, self.rows.citations) == (
            rows.notes, rows.revisions, rows.citations,
        )  # fmt: skip


def loaded(rows: RoundRows, state: Mapping[str, Any]) -> Library:
    library = Library.load(CONFIG, SEED, rows.notes[::-1], rows.revisions[::-1], rows.citations)
    library.load_state_dict(dict(state))
    return library


def played(acts: Sequence[Act]) -> School:
    school = School()
    for turn, (action, who, pick, other, body) in enumerate(acts):
        library, mine = school.library, school.bases.setdefault(who, [])
        match action:
            case "round":
                school.commit()
            case "crash":
                school.crash()
            case "again" if school.asked:
                repeated = school.ask(school.asked[pick % len(school.asked)])
                assert repeated is not None and repeated.repeated
                school.asked.pop()
            case "read":
                reader = Reader(who, *MEMBERS[who], ["anna", "ben"])
                for hit in library.search(body, reader, 2, 99):
                    mine.append(library.revision(hit.revision_id))
                    school.reads[hit.note_id] = school.reads.get(hit.note_id, 0) + 1
            case "publish" if mine:
                name = mine[pick % len(mine)].note_id
                to = ["public", "org:red", "org:blue"][other % 3]
                school.ask(Publication(name, who, school.round, to))
            case "edit" | "resolve" if mine:
                base = mine[-1 - pick % min(3, len(mine))]
                note = library.note(base.note_id)
                open_ = [r.revision_id for r in library.branches(note.note_id)]
                written = school.ask(
                    Edit(
                        note.note_id, base.revision_id, "lesson", note.domain, note.shelf, note.title,
                        edited(base.body, body, other), who, "s@1", school.round, turn,
                        resolves=open_ if action == "resolve" else (),
                    )
                )  # fmt: skip
                if written is not None:
                    mine.append(written.revisions[0])
            case "new":
                shelf = ["public", f"agent:{who}", *(f"org:{o}" for o in MEMBERS[who])][other % 3]
                written = school.ask(
                    Edit(
                        None, None, "lesson", "strings", shelf, "", body, who, "s@1", school.round, turn,
                        citations=[("problem", f"p{pick}")],
                    )
                )  # fmt: skip
                if written is not None:
                    mine.append(written.revision)
    return school


def edited(base: str, body: str, how: int) -> str:
    """``body``, or ``base`` with one of its lines replaced by it, or with it at one end."""
    lines = base.split("\n")
    match how % 4:
        case 0:
            return body
        case 1:
            return "\n".join([body, *lines])
        case 2:
            return "\n".join([*lines, body])
    lines[how % len(lines)] = body
    return "\n".join(lines)


def every(library: Library) -> Iterator[Revision]:
    for name in library.heads():
        yield from library.history(name)


def assert_whole(library: Library, kept: set[tuple[str, str]]) -> None:
    """No text is lost, a note has one head, and what is in nobody's line of descent is an open branch."""
    revisions = list(every(library))
    assert kept <= {(r.note_id, r.body) for r in revisions}
    assert sorted(r.library_version for r in revisions) == list(range(1, library.version + 1))
    for name, head in library.heads().items():
        history = library.history(name)
        texts = [r for r in history if r.outcome not in MARKERS]
        assert head == [r for r in texts if r.outcome != "branch"][-1].revision_id
        taken = {p for r in texts for p in r.parents}
        tips = {r.revision_id for r in texts if r.revision_id not in taken}
        assert tips == {head, *(r.revision_id for r in library.branches(name))}


@given(ACTS)
@settings(max_examples=150, deadline=None)
def test_no_text_is_lost_in_any_interleaving_with_any_crashes(acts: list[Act]) -> None:
    school = played(acts)
    assert_whole(school.library, school.kept)
    school.commit()
    again = loaded(school.committed, school.state)
    assert picture(again) == picture(school.library)
    for query in ("R1=", "S2 12", "Q"):
        for who, of in MEMBERS.items():
            reader = Reader(who, *of, ["anna", "ben"])
            assert again.search(query, reader, 3, 60) == school.library.search(query, reader, 3, 60)


# -- a thousand edits of one note --------------------------------------------------------------------

WRITERS, EDITS = 50, 20


def first_text() -> str:
    """A line for each writer, and lines between them that nobody edits: what touches cannot be merged."""
    return "\n".join(f"line {i}\n-- {i} --" for i in range(WRITERS))


class Desk:
    """A library behind a door: whoever asks reads a text, and later hands in a new one."""

    def __init__(self) -> None:
        self.library = Library(LibraryConfig(max_note_chars=60_000), seed=SEED)
        self.rows = RoundRows()
        written = self.library.write(
            Edit(None, None, "lesson", "strings", "public", "", first_text(), "w0", None, 0)
        )
        written.add_to(self.rows)
        self.note = written.revision.note_id

    def head(self) -> Revision:
        return self.library.head(self.note)

    def hand_in(self, who: int, turn: int, base: str, body: str) -> str:
        note = self.library.note(self.note)
        edit = Edit(
            self.note, base, "lesson", "strings", "public", note.title, body, f"w{who}", "s@1", turn
        )
        written = self.library.write(edit)
        written.add_to(self.rows)
        return written.outcome

    def all(self) -> tuple[list[Revision], str, list[Revision], RoundRows]:
        library = self.library
        return (
            library.history(self.note),
            library.head(self.note).body,
            library.branches(self.note),
            self.rows,
        )


def text_of(who: int, turn: int, base: str, *, line: int) -> str:
    """``base`` with one line written anew."""
    lines = base.split("\n")
    lines[2 * line] = f"line {line} by {who} in {turn}"
    return "\n".join(lines)


def assert_none_lost(
    handed_in: Sequence[str],
    outcomes: Sequence[str],
    found: tuple[list[Revision], str, list[Revision], Any],
) -> None:
    history, head, branches, rows = found
    assert len(handed_in) == len(outcomes) == WRITERS * EDITS
    bodies = [r.body for r in history if r.outcome in ("head", "branch")]
    assert set(handed_in) <= set(bodies) and len(bodies) == 1 + len(handed_in)
    assert outcomes.count("branch") == len(branches)
    assert outcomes.count("merged") == sum(r.outcome == "merged" for r in history)
    assert head == [r for r in history if r.outcome != "branch"][-1].body
    again = Library.load(LibraryConfig(max_note_chars=60_000), SEED, rows.notes, rows.revisions, [])
    (name,) = again.heads()
    assert again.history(name) == history and again.branches(name) == branches
    assert_whole(again, {(name, body) for body in handed_in})


@pytest.mark.parametrize("own_lines", [True, False], ids=["lines of their own", "any line"])
@pytest.mark.parametrize("order", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2))])
def test_a_thousand_edits_of_one_note_by_fifty_writers(order: int, own_lines: bool) -> None:
    """Every writer reads, and hands in when others have handed in since, by an order drawn at random."""
    rng = generator(SEED, "order", order)
    desk = Desk()
    turns = [who for who in range(WRITERS) for _ in range(2 * EDITS)]
    held: dict[int, Revision] = {}
    last: dict[int, str] = {}
    handed_in, outcomes = [], []
    for number, place in enumerate(rng.permutation(len(turns))):
        who = turns[place]
        if who not in held:
            held[who] = desk.head()
            continue
        base = held.pop(who)
        line = who if own_lines else int(rng.integers(WRITERS))
        last[who] = text_of(who, number, base.body, line=line)
        handed_in.append(last[who])
        outcomes.append(desk.hand_in(who, number, base.revision_id, last[who]))
    assert_none_lost(handed_in, outcomes, desk.all())
    assert outcomes.count("merged") > 300  # hardly anyone has the head when handing in
    assert ("branch" in outcomes) is not own_lines
    if own_lines:
        lines = desk.head().body.split("\n")
        assert all(lines[2 * who] == last[who].split("\n")[2 * who] for who in range(WRITERS))


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(300)
def test_a_thousand_edits_by_fifty_tasks_at_once() -> None:
    """The same with tasks of Ray that really run at once, and one actor that holds the library."""
    ray: Any = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    try:
        desk = ray.remote(Desk).options(num_cpus=0).remote()
        tasks = [ray.remote(written_by).options(num_cpus=0).remote(desk, who) for who in range(WRITERS)]
        done = [pair for found in ray.get(tasks) for pair in found]
        found = ray.get(desk.all.remote())
    finally:
        ray.shutdown()
    assert_none_lost([text for text, _ in done], [outcome for _, outcome in done], found)
    lines = found[1].split("\n")
    assert all(lines[2 * who] == f"line {who} by {who} in {EDITS - 1}" for who in range(1, WRITERS, 2))
    assert lines[1::2] == first_text().split("\n")[1::2]


def written_by(desk: Any, who: int) -> list[tuple[str, str]]:
    """Every other writer has a line of its own, the others share one."""
    import ray

    found = []
    for turn in range(EDITS):
        base = ray.get(desk.head.remote())
        text = text_of(who, turn, base.body, line=who if who % 2 else 0)
        outcome = ray.get(desk.hand_in.remote(who, turn, base.revision_id, text))
        found.append((text, outcome))
    return found
