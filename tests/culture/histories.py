"""Random histories of a library for tests: notes, edits of old texts, merges, branches, notes hidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
from hypothesis import strategies as st

from culture.catalog import LAKE
from culture.columns import SCHEMA, declared, to_arrow
from culture.config import LakeConfig, LibraryConfig
from culture.edits import MARKERS, Edit, LibraryRefused
from culture.lake import Lake
from culture.library import Library
from culture.publishing import Publication
from culture.records import Round, RoundRows, Run
from culture.views import FILES
from tests.culture.rows import START, example

CONFIG = LibraryConfig(shelf_budget_notes=3, archive_grace_rounds=0)
SEED = 7
MEMBERS = frozenset({"red"})
"""The organisation that everyone is of."""
WORDS = ["R1=1", "S2", "", "the word", "  12"]

Step = tuple[str, str, int, list[int]]
STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "new",
                "own",
                "edit",
                "edit",
                "edit",
                "late",
                "late",
                "late",
                "resolve",
                "publish",
                "close",
                "harm",
            ]
        ),
        st.sampled_from(["anna", "ben", "carl"]),
        st.integers(0, 5),
        st.lists(st.integers(0, 9), min_size=1, max_size=6),
    ),
    max_size=30,
)


@dataclass(slots=True)
class Story:
    """A library after a history, and what each round of it would have committed."""

    library: Library = field(default_factory=lambda: Library(CONFIG, seed=SEED))
    rounds: list[RoundRows] = field(default_factory=list)
    then: list[dict[str, Any]] = field(default_factory=list)
    """What the library looked like at the end of each round."""

    def close(self, rows: RoundRows, reads: Mapping[str, int]) -> None:
        """End a round in which ``rows`` were written and notes were read so often."""
        self.library.observe_reads(reads)
        rows.revisions += self.library.enforce_budgets(len(self.rounds))
        self.rounds.append(rows)
        self.then.append(picture(self.library))


def told(steps: Sequence[Step], *, fresh: bool) -> Story:
    """The story of ``steps``.

    With ``fresh`` every line that is written is a new one, and lines are neither moved nor written again;
    without, texts are drawn from a few lines, blank ones among them.
    """
    story, rows, written = Story(), RoundRows(), 0
    for action, author, pick, numbers in [*steps, ("close", "anna", 0, [1])]:
        lib, now = story.library, len(story.rounds)
        names = list(lib.heads())
        if action == "close":
            story.close(rows, {name: n for name, n in zip(names, numbers, strict=False) if n})
            rows = RoundRows()
            continue
        if action == "harm":
            if names:
                rows.revisions += lib.quarantine(names[pick % len(names)], now, {"reason": "harmful"})
            continue
        if action == "publish" and names:
            name, shelf = names[pick % len(names)], ["org:red", "public"][numbers[0] % 2]
            try:
                lib.publish(Publication(name, author, now, shelf), MEMBERS).add_to(rows)
            except LibraryRefused as refusal:
                assert refusal.reason in ("duplicate", "not_in_sight", "not_owner", "shelf")
            continue
        new = action in ("new", "own") or not names
        name = "" if new else names[pick % len(names)]
        texts = [] if new else [r for r in lib.history(name) if r.outcome not in MARKERS]
        base = None if new else texts[pick % len(texts)] if action == "late" else lib.head(name)
        resolves = [] if new or action != "resolve" else [r.revision_id for r in lib.branches(name)]
        if fresh:
            lines = edited([] if base is None else base.body.split("\n"), numbers, written)
        else:
            lines = [WORDS[n % len(WORDS)] for n in numbers]
        written += 100
        edit = Edit(
            None if base is None else name,
            None if base is None else base.revision_id,
            "lesson", "strings",
            lib.note(name).shelf if not new else f"agent:{author}" if action == "own" else "public",
            f"Title {written}" if new else lib.note(name).title,
            "\n".join(lines), author, f"spark@{now}", now,
            citations=[("note", names[0])] if names else [("problem", "p1")], resolves=resolves,
            # what brings a note back from quarantine
            evidence={"recheck": "confirmed"} if pick == 5 else {},
        )  # fmt: skip
        try:
            lib.write(edit, MEMBERS).add_to(rows)
        except LibraryRefused as refusal:
            assert refusal.reason in ("duplicate", "empty", "not_owner")
    return story


def edited(lines: Sequence[str], numbers: Sequence[int], first: int) -> list[str]:
    """``lines`` with some left out, some replaced and some put in; what is new says so by its number."""
    found: list[str] = []
    for at, line in enumerate([*lines, None]):
        number = numbers[at % len(numbers)]
        if line is not None and number not in (0, 1, 2):
            found.append(line)
        if number in (2, 3, 4) or (line is None and not found):
            found.append(f"line {first + at}")
    return found


def picture(library: Library) -> dict[str, Any]:
    """Everything that one can see of a library from outside, but for what its search finds."""
    names = list(library.heads())
    return {
        "version": library.version,
        "heads": library.heads(),
        "archived": library.archived,
        "notes": [library.note(n) for n in names],
        "branches": {n: library.branches(n) for n in names},
        "history": {n: library.history(n) for n in names},
        "citations": {
            r.revision_id: library.citations(r.revision_id) for n in names for r in library.history(n)
        },
        "state": library.state_dict(),
    }


def rows_of(story: Story) -> list[RoundRows]:
    """All rows of each round, as a run would commit them."""
    found = []
    for number, rows in enumerate(story.rounds):
        state: dict[str, object] = {"library": story.then[number]["state"], "library_size": 0}
        begun = START + timedelta(minutes=number)
        row = replace(example(Round, number, 1), state=state, started_at=begun, seconds=30.0)
        runs = []
        if not number:
            config: dict[str, object] = {"library": CONFIG.model_dump(mode="json")}
            runs.append(replace(example(Run, 0, 1), name="story", seed=SEED, config=config))
        found.append(replace(rows, rounds=[row], runs=runs))
    return found


def committed(story: Story, folder: Path) -> None:
    """Make the log of ``story`` in ``folder``, one commit a round, as a run does."""
    with Lake.create(folder, LakeConfig()) as lake:
        for number, rows in enumerate(rows_of(story)):
            lake.commit(rows, "arena", f"round {number}")


def in_memory(story: Story) -> duckdb.DuckDBPyConnection:
    """The log of ``story`` in plain tables of the same schema: made in a moment, and without snapshots."""
    connection = duckdb.connect()
    connection.execute(f"ATTACH ':memory:' AS {LAKE}; USE {LAKE}; SET TimeZone = 'UTC'")
    connection.execute(SCHEMA.read_text(encoding="utf-8"))
    connection.execute(FILES[0].read_text(encoding="utf-8"))
    for rows in rows_of(story):
        for table in declared():
            if records := getattr(rows, table):
                connection.register("incoming", to_arrow(table, records))
                connection.execute(f"INSERT INTO {table} SELECT * FROM incoming")
                connection.unregister("incoming")
    return connection
