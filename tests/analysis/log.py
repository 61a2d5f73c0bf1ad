"""A small log with known numbers, for the tests of what is read from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from culture.config import LakeConfig
from culture.lake import Lake
from culture.records import (
    Arm,
    Attempt,
    Evaluation,
    Measure,
    Problem,
    Read,
    Revision,
    Round,
    RoundRows,
    Run,
)
from tests.culture.rows import example

PHASES = ("request", "propose", "attempt", "judge", "write", "learn", "sleep", "evaluate")


def attempt(
    number: int, problem: str, arm: Arm, correct: bool, *, at: int = 0, domain: str = "sums"
) -> Attempt:
    return replace(
        example(Attempt, at, 0),
        attempt_id=f"a{number}",
        problem_id=problem,
        domain=domain,
        arm=arm,
        correct=correct,
        verdict="correct" if correct else "wrong",
        replay=False,
    )


def read(attempt_id: str, rank: int) -> Read:
    return replace(example(Read, 0, rank), attempt_id=attempt_id, arm="library", rank=rank)


def problem(at: int, number: int, difficulty: float | None, reason: str | None) -> Problem:
    return replace(
        example(Problem, at, number),
        problem_id=f"p{at}-{number}",
        domain="sums",
        origin="policy",
        difficulty=difficulty,
        answer_key=None if difficulty is None else "1",
        status="admitted" if reason is None else "rejected",
        reason=reason,
        failure_source="proposer" if difficulty is None else None,
    )


def evaluation(at: int, version: int, number: int, correct: bool) -> Evaluation:
    return replace(
        example(Evaluation, at, number),
        policy_version=f"solver@{version}",
        domain="sums",
        anchor_id=f"n{number}",
        cell=f"{1 + number // 5}x1",
        correct=correct,
    )


def round_rows(at: int) -> RoundRows:
    """Round ``at``: 4 proposals, one invalid and one a duplicate; the difficulty rises by 2 a round."""
    seconds = {f"{phase}_seconds": 0.0 for phase in PHASES} | {"attempt_seconds": 6.0, "learn_seconds": 2.0}
    row = replace(
        example(Round, at, 0),
        requested=4, proposed=4, valid=3, duplicate=1, admitted=2, attempts=2, correct=1,
        mean_difficulty=4.0 + 2 * at, state={"library_size": 7 + at}, previous_commit_seconds=0.5,
        peak_memory={"arena": 0.25 + at, "learnerworker 0": 0.5},
        generated_tokens=1000, trained_tokens=500, generating_seconds=5.0, seconds=10.0, **seconds,
    )  # fmt: skip
    rows = RoundRows(rounds=[row])
    rows.problems = [
        problem(at, 0, 3.0 + 2 * at, None),
        problem(at, 1, 5.0 + 2 * at, None),
        problem(at, 2, 4.0, "duplicate"),
        problem(at, 3, None, "invalid:syntax"),
    ]
    rows.attempts = [
        attempt(10 * at, f"p{at}-0", "library", True, at=at),
        attempt(10 * at + 1, f"p{at}-0", "none", at % 2 == 0, at=at),
    ]
    rows.measures = [replace(example(Measure, at, 0), name="frontier", domain="sums", value=4.0 + at)]
    right = 1 if at == 0 else 7
    versions = [0, 1] if at == 0 else [at + 1]
    rows.evaluations = [evaluation(at, v, n, n < right) for v in versions for n in range(10)]
    if at == 0:
        rows.runs = [replace(example(Run, 0, 0), name="school $x_1$", seed=5)]
        rows.revisions = [replace(example(Revision, 0, 0), outcome="head")]
    return rows


def write_log(folder: Path, rounds: list[RoundRows]) -> Path:
    with Lake.create(folder, LakeConfig()) as lake:
        for number, rows in enumerate(rounds):
            lake.commit(rows, "test", f"round {number}")
    return folder
