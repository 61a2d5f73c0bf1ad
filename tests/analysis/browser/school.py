"""A small log with everything that pages show, told by hand; titles and texts of it are hostile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from culture.books import outline
from culture.config import LakeConfig, LibraryConfig
from culture.edits import Archive, Edit
from culture.lake import Lake
from culture.library import Library
from culture.records import Action, Agent, Attempt, Decision, Measure, Read, Run
from tests.analysis.log import round_rows
from tests.culture.rows import example

SCRIPT = "<script>window.hurt = 1</script>"
IMAGE = "<img src=x onerror='window.hurt = 2'>"
LINK = "[read this](javascript:window.hurt=3) ![](http://outside.example/x.png) http://outside.example"
CONTROL = "red\x1b[31m \u202eright to left\u202c \x07 <marimo-button>"
TITLE = f"Title {SCRIPT} {IMAGE} *bold*"
FIRST = f"line one\nline two\n{SCRIPT}\n{IMAGE}"
SECOND = f"line one\nline 2, revised\n{SCRIPT}\n{IMAGE}\n{LINK}\n{CONTROL}"
HOSTILE = (SCRIPT, IMAGE, LINK, CONTROL)
ROUNDS = 3


class School:
    """What was written into the log, by what it is called in tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.library = Library(LibraryConfig(), seed=5)
        self.rows = [round_rows(at) for at in range(ROUNDS)]
        for rows in self.rows:  # the examples of single rows are no whole library
            rows.notes, rows.revisions, rows.citations = [], [], []
        config = {"library": LibraryConfig().model_dump(mode="json"), "rounds": ROUNDS + 2}
        self.rows[0].runs = [replace(example(Run, 0, 0), name="a school", seed=5, config=config)]
        self._agents()
        self._problems()
        self._notes()
        self._attempts()
        self._measures()
        with Lake.create(folder, LakeConfig()) as lake:
            for at, rows in enumerate(self.rows):
                lake.commit(rows, "arena", f"round {at}")
        (folder / "run.yaml").write_text(f"rounds: {ROUNDS + 2}\n", encoding="utf-8")

    def _agents(self) -> None:
        for name, role, others in (
            ("anna", "proposer", ["ben"]),
            ("ben", "solver", ["anna", "carl"]),
            ("carl", "solver", ["ben"]),
        ):
            self.rows[0].agents.append(
                replace(
                    example(Agent, 0, 0), agent_id=name, roles=[role], organisation="red",
                    neighbours=others, persona=SCRIPT, policy="solver", born=0, retired=None, hostile=None,
                )
            )  # fmt: skip
        gone = replace(self.rows[0].agents[2], round=2, neighbours=[], retired=2)
        self.rows[2].agents.append(gone)
        self.rows[1].decisions.append(
            replace(
                example(Decision, 1, 0), decision_id="d1", agent_id="anna", action="write", note_id=None,
                outcome="refused", reason="empty", completion=f"write {SCRIPT}", club=None,
            )
        )  # fmt: skip

    def _problems(self) -> None:
        """p0-0, its child p1-0, whose child is p2-0."""
        for at, rows in enumerate(self.rows):
            changed = []
            for problem in rows.problems:
                child = at and problem.problem_id == f"p{at}-0"
                spec = f"spec {problem.problem_id} {SCRIPT}" if problem.answer_key else None
                parent = f"p{at - 1}-0" if child else None
                changed.append(replace(problem, parent_id=parent, spec=spec, proposer="anna", text=IMAGE))
            rows.problems = changed

    def write(self, at: int, kind: str, title: str, body: str, author: str, **more: Any) -> Any:
        """An edit of the library in round ``at``."""
        edit = Edit(None, None, kind, "sums", "public", title, body, author, "solver@1", at, **more)  # type: ignore[arg-type]
        done = self.library.write(edit)
        done.add_to(self.rows[at])
        return done

    def _notes(self) -> None:
        self.note = self.write(0, "lesson", TITLE, FIRST, "anna", citations=[("problem", "p0-0")])
        self.name = self.note.revision.note_id
        about = [("note", self.name)]
        self.hidden = self.write(0, "example", "To be archived", "spell 7 as seven", "anna")
        body = outline(f"A book {SCRIPT}", ["One digit", "Carrying", "Not written"])
        self.book = self.write(0, "book", "A book", body, "anna")
        again = Edit(
            self.name, self.note.revision.revision_id, "lesson", "sums", "public", TITLE, SECOND, "ben",
            "solver@2", 1, citations=[("attempt", "a0"), ("problem", "p1-0")],
        )  # fmt: skip
        self.revised = self.library.write(again)
        self.revised.add_to(self.rows[1])
        self.review = self.write(1, "review", "about it", f"It helped {SCRIPT}", "carl", citations=about)
        self._chapter(1)
        said = {"about": self.revised.revision.revision_id, "decided": "dismissed", "by": "confirmed"}
        self.dispute = self.write(
            2, "dispute", "about it", f"It is wrong {IMAGE}", "carl", citations=about, evidence=said
        )
        self.citing = self.write(2, "strategy", "After the lesson", "Do as it says", "ben", citations=about)
        self._chapter(2)
        order = Archive(self.hidden.revision.note_id, "anna", None, 2, {"why": "old"})
        self.rows[2].revisions.append(self.library.archive(order))

    def _chapter(self, at: int) -> None:
        self.write(
            at, "chapter", f"Chapter {at}", f"text {at} {IMAGE}", "ben",
            citations=[("note", self.book.revision.note_id)], evidence={"chapter": at},
        )  # fmt: skip

    def _attempts(self) -> None:
        """Attempt a0 read the note and took two turns."""
        for rows in self.rows:
            rows.attempts = [
                replace(
                    a, solver="ben", policy_version="solver@1", turns=1, prompt=f"prompt {SCRIPT}",
                    completion=f"answer {IMAGE}", answer="7", failure=None, failure_source=None,
                )
                for a in rows.attempts
            ]  # fmt: skip
        first: Attempt = replace(self.rows[0].attempts[0], turns=2)
        self.rows[0].attempts[0] = first
        self.rows[0].actions.append(
            replace(
                example(Action, 0, 0), attempt_id="a0", round=0, turn=0, prompt=f"turn {SCRIPT}",
                completion=f"look {IMAGE}", lookup=True,
            )
        )  # fmt: skip
        for at, note, revision in (
            (0, self.name, self.note.revision.revision_id),
            (1, self.name, self.revised.revision.revision_id),
        ):
            self.rows[at].reads.append(
                replace(
                    example(Read, at, 0), attempt_id=f"a{10 * at}", round=at, reader="ben", note_id=note,
                    revision_id=revision, arm="library", rank=0, explored=False,
                )
            )  # fmt: skip

    def _measures(self) -> None:
        for at, rows in enumerate(self.rows):
            for name, value, low, high in (
                ("valid_share", 0.75, 0.4, 0.9),
                ("new_share", 0.5, 0.2, 0.8),
                ("held_out/solver", 0.25 + 0.25 * at, 0.1, 0.9),
                ("ability/solver", -1.0 + at, -2.0 + at, float(at)),
                ("difficulty", 0.5 * at, -1.0, 2.0),
                ("effect/library-none", 0.125, 0.05, 0.2),
                (f"worth/note/{self.name}", 0.1 * (1 + at), 0.0, 0.5),
            ):
                domain = "" if name.startswith("worth") else "sums"
                rows.measures.append(
                    replace(
                        example(Measure, at, 0),
                        name=name,
                        domain=domain,
                        value=value,
                        low=low,
                        high=high,
                        n=40,
                    )
                )
