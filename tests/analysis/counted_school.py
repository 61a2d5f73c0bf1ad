"""A small school whose log has something in every table, with numbers that can be counted by hand.

Four rounds in one domain. Ann and Ben solve and write, Eve writes what is wrong and is gone by round 3, Tom
sets two good problems a round: one fresh, one made from the last round's second.
"""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

from culture.records import (
    Agent,
    Arm,
    Attempt,
    Batch,
    BatchRow,
    Citation,
    Decision,
    Evaluation,
    Event,
    Json,
    Measure,
    Note,
    Policy,
    Problem,
    Read,
    Revision,
    Revisit,
    Round,
    RoundRows,
    Run,
    Update,
    Verdict,
)
from tests.analysis.log import PHASES, write_log
from tests.culture.rows import example

ROUNDS = 4
TRIES: tuple[tuple[Arm, str], ...] = (
    ("library", "ann"), ("library", "ben"), ("none", "ann"), ("none", "ben"), ("placebo", "ann"),
)  # fmt: skip
EASY = (True, True, False, True, False)
"""Which tries at a round's first problem are right; of the second only the first is, from round 1 on."""


def school(folder: Path, seed: int = 0) -> Path:
    """Write the log, in one commit; with another seed than 0 the readers of round 3 are wrong."""
    whole = RoundRows()
    for at in range(ROUNDS):
        rows = rows_of(at, seed)
        for table in fields(RoundRows):
            getattr(whole, table.name).extend(getattr(rows, table.name))
    return write_log(folder, [whole])


def rows_of(at: int, seed: int) -> RoundRows:
    rows = RoundRows(problems=problems(at), attempts=attempts(at, seed), agents=agents(at))
    rows.reads = reads(at, rows.attempts)
    library(at, rows)
    learning(at, rows)
    evaluated(at, rows)
    measured(at, rows)
    rows.decisions = [
        decision(at, 0, "write", "n0" if at == 0 else None, "written", None),
        decision(at, 1, "leave", None, "left", None),
        decision(at, 2, None, None, "malformed", "no action"),
        decision(at, 3, "revise", None, "refused", "duplicate"),
    ]
    rows.events = [
        replace(example(Event, at, 0), source="infrastructure", kind="engine_lost", detail="gone")
    ]
    seconds = {f"{phase}_seconds": 0.0 for phase in PHASES} | {"attempt_seconds": 6.0, "learn_seconds": 3.0}
    right = sum(a.correct for a in rows.attempts)
    rows.rounds = [
        replace(
            example(Round, at, 1), requested=4, proposed=4, valid=3, duplicate=1, admitted=2,
            attempts=len(rows.attempts), correct=right, mean_difficulty=4.0 + 2 * at, library_version=at,
            generated_tokens=1000, trained_tokens=500, seconds=10.0, **seconds,
        )
    ]  # fmt: skip
    if at == 0:
        config: Json = {"curriculum": {"strategy": "learnability"}}
        rows.runs = [replace(example(Run, 0, 0), name="school", seed=seed, config=config)]
    return rows


def agents(at: int) -> list[Agent]:
    def agent(name: str, role: str, organisation: str, neighbours: list[str]) -> Agent:
        return Agent(
            name, at, [role], organisation, "", "solver", neighbours, 0, None if at == 0 else at,
            "wrong" if name == "eve" else None,
        )  # fmt: skip

    eve = agent("eve", "solver", "blue", ["ann"] if at == 0 else [])
    if at == 0:
        return [
            agent("ann", "solver", "red", ["ben"]),
            agent("ben", "solver", "blue", ["ann"]),
            agent("tom", "proposer", "red", ["ann", "ben"]),
            eve,
        ]
    return [eve] if at == 3 else []


def problems(at: int) -> list[Problem]:
    def problem(number: int, difficulty: float | None, reason: str | None) -> Problem:
        parent = f"p{at - 1}-1" if number == 1 and at else None
        return replace(
            example(Problem, at, number),
            problem_id=f"p{at}-{number}", domain="sums", request="mutate" if parent else "fresh",
            origin="mutation" if parent else "policy", parent_id=parent, proposer="tom",
            policy_version=None if parent else "proposer@0", spec=f"{at}+{number}",
            answer_key=None if difficulty is None else "1", difficulty=difficulty,
            status="admitted" if reason is None else "rejected", reason=reason,
            failure_source="proposer" if difficulty is None else None,
            payment=0.5 if reason is None else None,
        )  # fmt: skip

    return [
        problem(0, 3.0 + 2 * at, None),
        problem(1, 5.0 + 2 * at, None),
        problem(2, 4.0, "duplicate"),
        problem(3, None, "invalid:syntax"),
    ]


def attempt(
    at: int, name: str, problem: str, arm: Arm, solver: str, verdict: Verdict, *, replay: bool = False
) -> Attempt:
    sources = {"error": "infrastructure", "malformed": "solver"}
    return replace(
        example(Attempt, at, len(name)),
        attempt_id=name, problem_id=problem, domain="sums", arm=arm, solver=solver, verdict=verdict,
        policy_version=f"solver@{at}", dose=0 if arm == "none" else 2, correct=verdict == "correct",
        failure_source=sources.get(verdict), failure=verdict if verdict in sources else None, replay=replay,
    )  # fmt: skip


def attempts(at: int, seed: int) -> list[Attempt]:
    found = []
    for number in (0, 1):
        for k, (arm, solver) in enumerate(TRIES):
            right = EASY[k] if number == 0 else k == 0 and at > 0
            if seed and at == 3 and arm == "library":
                right = False
            verdict: Verdict = "correct" if right else "malformed" if arm == "placebo" else "wrong"
            found.append(attempt(at, f"t{at}-{number}{k}", f"p{at}-{number}", arm, solver, verdict))
    if at == 1:
        found.append(attempt(at, "t1-lost", "p1-0", "none", "ann", "error"))
    if at == 3:  # nobody had solved it in round 0
        found.append(attempt(at, "t3-again", "p0-1", "none", "ben", "correct", replay=True))
    return found


def reads(at: int, tried: list[Attempt]) -> list[Read]:
    """From round 1 on the library's readers are shown n0, Ben n1 after it; placebos are n1."""
    found = []
    for a in tried:
        shown = ["v1"] if a.arm == "placebo" else ["v2" if at == 3 else "v0"] if a.arm == "library" else []
        if a.arm == "library" and a.solver == "ben":
            shown.append("v1")
        for rank, revision in enumerate(shown if at else []):
            note = "n1" if revision == "v1" else "n0"
            found.append(Read(a.attempt_id, at, a.solver, note, revision, a.arm, rank, 5, False))
    return found


TEXTS: tuple[tuple[int, str, str, str, str, list[str], Json], ...] = (
    (0, "v0", "n0", "ann", "head", [], {"recheck": "confirmed"}),
    (0, "v1", "n1", "ben", "head", [], {}),
    (1, "v3", "n2", "eve", "head", [], {"recheck": "refuted"}),
    (1, "v5", "nb", "ann", "head", [], {}),
    (2, "v2", "n0", "ben", "head", ["v0"], {"recheck": "confirmed"}),
    (2, "v4", "n2", "library", "quarantined", ["v3"], {"reason": "refuted"}),
    (2, "v6", "c1", "ben", "head", [], {"chapter": 1}),
    (3, "v7", "c2", "ann", "head", [], {"chapter": 2}),
    (3, "v8", "n1", "ben", "archived", ["v1"], {"why": "n0 says it"}),
    (3, "v9", "n0", "ann", "branch", ["v0"], {}),
)
"""Round, revision, note, author, outcome, parents and evidence, in the order of library versions."""
KINDS = {"n0": "lesson", "n1": "example", "n2": "lesson", "nb": "book", "c1": "chapter", "c2": "chapter"}
CITED = {"v2": [("note", "n1"), ("problem", "p0-1")], "v6": [("note", "nb")], "v7": [("note", "nb")]}


def library(at: int, rows: RoundRows) -> None:
    for version, (round, name, note, author, outcome, parents, evidence) in enumerate(TEXTS, 1):
        if round != at:
            continue
        if outcome == "head" and not parents:
            rows.notes.append(Note(note, at, KINDS[note], "sums", "public", f"about {note}", author))
        body = f"text {name}" if outcome in ("head", "branch") else ""
        rows.revisions.append(
            Revision(name, note, at, author, f"solver@{at}", parents, outcome, body, 5, evidence, version)
        )
        for kind, target in CITED.get(name, []):
            rows.citations.append(replace(Citation(name, at, "note", target), target_kind=kind))


def learning(at: int, rows: RoundRows) -> None:
    """A batch a round of what was right, of a problem, and in round 3 of a note; a version of each."""
    sources = [("solver", "attempt", a.attempt_id) for a in rows.attempts if a.correct]
    sources.append(("proposer", "problem", f"p{at}-0"))
    if at == 3:
        sources.append(("solver", "note", "v2"))
    name = f"b{at}"
    rows.batch_rows = [
        replace(
            example(BatchRow, at, 3), batch_id=name, row=number, role=role, objective="answer_key",
            source_kind=kind, source_id=source, advantage=1.0,
        )
        for number, (role, kind, source) in enumerate(sources)
    ]  # fmt: skip
    rows.batches = [
        Batch(name, at, "solver", f"solver@{at}", ["answer_key"], len(sources), 100, "batches/x")
    ]
    rows.updates = [
        replace(
            example(Update, at, step), batch_id=name, policy="solver", policy_version=f"solver@{at + 1}",
            step=2 * at + step, loss=2.0 - 0.1 * step - 0.2 * at, seconds=1.5,
        )
        for step in (1, 2)
    ]  # fmt: skip
    rows.policies = [version("solver", at + 1, at, name)]
    if at == 0:
        rows.policies += [version("solver", 0, 0, None), version("proposer", 0, 0, None)]
    if at == 1:
        refused = version("proposer", 1, 1, None)
        rows.policies.append(replace(refused, accepted=False, reason="loss not finite"))


def version(policy: str, number: int, at: int, batch: str | None) -> Policy:
    name = f"{policy}@{number}"
    parent = f"{policy}@{number - 1}" if number else None
    return Policy(name, policy, number, at, "spark", parent, batch, f"checkpoints/{name}", "ab", True, None)


def evaluated(at: int, rows: RoundRows) -> None:
    """Of ten anchors version 0 solves the first, version 1 the first two, version 4 all but those."""
    solved = {0: {0: {0}, 1: {0, 1}}, 3: {4: set(range(2, 10))}}
    for number, right in solved.get(at, {}).items():
        for anchor in range(10):
            row = replace(
                example(Evaluation, at, anchor), policy_version=f"solver@{number}", domain="sums",
                anchor_id=f"a{anchor}", cell=f"{1 + anchor // 5}x1", correct=anchor in right,
            )  # fmt: skip
            rows.evaluations.append(row)
    if at == 3:
        rows.revisits = [
            Revisit(3, "solver@4", "sums", f"p{posed}-{number}", posed, "", number == 0)
            for posed in (0, 1)
            for number in (0, 1)
        ]


def measured(at: int, rows: RoundRows) -> None:
    def put(name: str, value: float, domain: str = "sums") -> None:
        rows.measures.append(Measure(at, name, domain, value, value - 0.5, value + 0.5, 20))

    put("zone/solver", 0.5)
    put("gap/solver", 1.0 + at)
    put("frontier", 4.0 + at)
    if at in (0, 3):
        put("ability/solver", -1.0 + at)
        put("difficulty", float(at))
        put("frontier_difficulty/solver", 3.0 + at)
        put("held_out/solver", 0.2 if at == 0 else 0.8)
    if at == 3:
        put("worth/note/n0", 0.25, "")
        put("worth/note/n1", -0.1, "")
        put("worth/author/ann", 0.2, "")
        put("worth/shelf/agent:ann", 0.3, "")
        put("reputation/ann", 0.75, "")
        put("reputation/eve", 0.25, "")


def decision(
    at: int, number: int, action: str | None, note: str | None, outcome: str, reason: str | None
) -> Decision:
    plain = example(Decision, at, number)
    return replace(
        plain, decision_id=f"d{at}-{number}", agent_id=["ann", "ben"][number % 2], domain="sums",
        read=["v0", "v1"], action=action, note_id=note, outcome=outcome, reason=reason,
    )  # fmt: skip
