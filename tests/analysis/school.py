"""A log with families of problems, arms, readers and a library, with known numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from culture.records import Agent, Arm, Attempt, Citation, Event, Note, Read, Revision, RoundRows, Run
from tests.analysis.log import attempt, round_rows, write_log
from tests.culture.rows import example

HOSTILE = "<script>alert('owned')</script><img src=http://evil.example/x.png onerror=alert(1)>\x1b[31m"
"""What a model might write."""
CONFIG: dict[str, Any] = {"seed": 5, "rounds": 6, "rollout": {"attempts": 2, "arms": {"none": 1.0}}}
ARMS: tuple[tuple[Arm, int], ...] = (("library", 3), ("none", 1), ("placebo", 2))
"""Arms, and how many of four attempts of each are right in every round."""


def note(number: int, at: int, kind: str, author: str, title: str) -> Note:
    made = replace(example(Note, at, number), note_id=f"n{number}", kind=kind, author=author, title=title)
    return replace(made, shelf="public", domain="sums")


def revision(name: str, of: str, at: int, author: str, version: int, **more: Any) -> Revision:
    made = replace(example(Revision, at, 0), revision_id=name, note_id=of, author=author)
    return replace(
        made, **{"parents": [], "outcome": "head", "library_version": version, "tokens": 10, **more}
    )


def arms(at: int) -> list[Attempt]:
    """Four attempts in each arm, each at a problem of its own in every arm alike."""
    return [
        attempt(1000 * at + 10 * number + k, f"p{at}-{k % 2}", arm, k < right, at=at)
        for number, (arm, right) in enumerate(ARMS)
        for k in range(4)
    ]


def school(folder: Path, rounds: int = 4, seed: int = 5, **config: Any) -> Path:
    """Write the log; in every round the first problem is made of the first of the round before."""
    every = []
    for at in range(rounds):
        rows: RoundRows = round_rows(at)
        parent = f"p{at - 1}-0" if at else None
        rows.problems = [
            replace(p, parent_id=parent if p.problem_id.endswith("-0") else None) for p in rows.problems
        ]
        rows.problems[1] = replace(rows.problems[1], spec=HOSTILE if at == 0 else "b")
        # of two valid proposals of a policy: as many kinds as there are of them, or one
        rows.problems = [replace(p, features={"kind": n if at else 0}) for n, p in enumerate(rows.problems)]
        rows.attempts = arms(at)
        rows.agents = [replace(example(Agent, 0, 0), agent_id="reader-0", retired=None)] if at == 0 else []
        rows.reads = [
            replace(
                example(Read, at, k), attempt_id=f"a{1000 * at + k}", reader=f"reader-{k % 2}",
                note_id="n0", revision_id="r0", arm="library", rank=0, tokens=5,
            )
            for k in range(3)
        ]  # fmt: skip
        if at == 0:
            rows.runs = [
                replace(
                    example(Run, 0, 0), name="school", seed=seed, config={**CONFIG, "seed": seed, **config}
                )
            ]
            rows.notes = [
                note(0, 0, "lesson", "author-0", HOSTILE),
                note(1, 0, "lesson", "author-1", "plain $x_1$ λ 漢"),
                note(2, 0, "dispute", "author-1", "I doubt it"),
            ]
            rows.revisions = [
                revision("r0", "n0", 0, "author-0", 1, body=HOSTILE),
                revision("r1", "n1", 0, "author-1", 2, body="one"),
                revision("r2", "n2", 0, "author-1", 3, body="no"),
                revision("r3", "n1", 0, "author-0", 4, body="two", outcome="branch", parents=["r1"]),
            ]
            rows.citations = [
                Citation("r2", 0, "note", "n0"),
                Citation("r1", 0, "note", "n0"),
                Citation("r1", 0, "problem", "p0-0"),
            ]
            rows.events = [replace(example(Event, 0, 0), source="verifier", kind="lost", detail=HOSTILE)]
        else:
            rows.revisions = []
        every.append(rows)
    return write_log(folder, every)
