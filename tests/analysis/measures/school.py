"""A log with a small culture in it, every number of which can be counted by hand.

One domain; every agent is a solver; texts are as long as they have characters.
"""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

from culture.config import LakeConfig
from culture.lake import Lake
from culture.records import (
    Agent,
    Attempt,
    Citation,
    Decision,
    Evaluation,
    Note,
    Policy,
    Problem,
    Read,
    Revision,
    Round,
    RoundRows,
    Run,
)
from tests.culture.rows import example


class School:
    """Rows of rounds, and how to add to them. Versions of the library count up as texts are written."""

    def __init__(self, rounds: int, *, form: str = "terse", provenance: bool = False) -> None:
        self.rounds = [
            RoundRows(
                rounds=[replace(example(Round, at, 0), round=at, generated_tokens=10, trained_tokens=5)]
            )
            for at in range(rounds)
        ]
        config = {"engine": {"form": form}, "library": {"provenance": provenance}}
        self.rounds[0].runs = [replace(example(Run, 0, 0), name="school", seed=3, config=config)]
        self._version = 0
        self._notes: dict[str, Note] = {}
        self._heads: dict[str, str] = {}
        self._count = 0

    def _next(self) -> int:
        self._count += 1
        return self._count

    def note(
        self, at: int, name: str, author: str, body: str, *, kind: str = "lesson", recheck: str = ""
    ) -> str:
        """A note and its first text, called ``name:0``."""
        row = Note(name, at, kind, "sums", "public", name, author)
        self._notes[name] = row
        self.rounds[at].notes.append(row)
        return self.text(at, name, author, body, [], recheck=recheck)

    def text(
        self,
        at: int,
        name: str,
        author: str,
        body: str,
        parents: list[str],
        *,
        outcome: str = "head",
        recheck: str = "",
    ) -> str:
        """A text of a note; returns its id."""
        self._version += 1
        number = sum(r.note_id == name for rows in self.rounds for r in rows.revisions)
        revision = f"{name}:{number}"
        evidence = {"recheck": recheck} if recheck else {}
        row = Revision(
            revision,
            name,
            at,
            author,
            None,
            parents,
            outcome,
            body,
            len(body),
            dict(evidence),
            self._version,
        )
        self.rounds[at].revisions.append(row)
        return revision

    def cite(self, at: int, revision: str, target: str, kind: str = "note") -> None:
        self.rounds[at].citations.append(Citation(revision, at, kind, target))  # type: ignore[arg-type]

    def attempt(
        self,
        at: int,
        problem: str,
        arm: str,
        correct: bool,
        *,
        completion: str = "",
        shown: list[str] | None = None,
    ) -> str:
        """An attempt, shown texts by their ids; returns its id."""
        name = f"t{self._next()}"
        row = replace(
            example(Attempt, at, 1),
            attempt_id=name,
            problem_id=problem,
            domain="sums",
            arm=arm,
            correct=correct,
            policy_version="solver@0",
            verdict="correct" if correct else "wrong",
            replay=False,
            completion=completion,
        )
        self.rounds[at].attempts.append(row)
        for rank, revision in enumerate(shown or []):
            read = replace(
                example(Read, at, rank),
                attempt_id=name,
                reader=row.solver,
                note_id=revision.partition(":")[0],
                revision_id=revision,
                arm=arm,
                rank=rank,
            )
            self.rounds[at].reads.append(read)
        return name

    def problem(
        self, at: int, name: str, spec: str | None, reason: str | None, logprobs: list[float]
    ) -> None:
        row = replace(
            example(Problem, at, 1),
            problem_id=name,
            domain="sums",
            origin="policy",
            spec=spec,
            reason=reason,
            status="admitted" if reason is None else "rejected",
            failure_source=None,
            logprobs=logprobs,
            token_ids=[1] * len(logprobs),
        )
        self.rounds[at].problems.append(row)

    def decide(self, at: int, agent: str, wrote: str, desk: list[str], action: str = "write") -> None:
        row = replace(
            example(Decision, at, 1),
            decision_id=f"d{self._next()}",
            agent_id=agent,
            read=desk,
            action=action,
            note_id=wrote,
            outcome="written",
            reason=None,
        )
        self.rounds[at].decisions.append(row)

    def agent(
        self, at: int, name: str, born: int, retired: int | None = None, organisation: str = "all"
    ) -> None:
        row = replace(
            example(Agent, at, 1),
            agent_id=name,
            round=at,
            born=born,
            retired=retired,
            organisation=organisation,
        )
        self.rounds[at].agents.append(row)

    def evaluate(self, at: int, version: int, right: list[bool], policy: str = "solver") -> None:
        name = f"{policy}@{version}"
        self.rounds[at].policies.append(
            replace(
                example(Policy, at, 1), policy_version=name, policy=policy, version=version, accepted=True
            )
        )
        for number, correct in enumerate(right):
            row = replace(
                example(Evaluation, at, 1),
                policy_version=name,
                domain="sums",
                anchor_id=f"c{number}",
                cell="1x1",
                correct=correct,
            )
            self.rounds[at].evaluations.append(row)

    def write(self, folder: Path) -> Path:
        """All rounds in one commit, which is the fastest."""
        together = RoundRows()
        for rows in self.rounds:
            for field in fields(RoundRows):
                getattr(together, field.name).extend(getattr(rows, field.name))
        with Lake.create(folder, LakeConfig()) as lake:
            lake.commit(together, "test", "all rounds")
        return folder
