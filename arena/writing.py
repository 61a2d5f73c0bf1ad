"""The phase *write*: agents write down what they learned from problems that were hard and were solved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from arena.cluster import WorkFailed
from arena.domains.base import Solution
from culture.edits import PUBLIC, Edit
from culture.placebo import FILLER
from culture.records import Attempt, Json
from culture.seeds import generator

if TYPE_CHECKING:
    from arena.round import Play


@dataclass(frozen=True, slots=True)
class Outcome:
    """The library after the round, as the state needs it."""

    version: int
    state: Json
    size: int


def write(play: Play, attempts: Sequence[Attempt]) -> Outcome | None:
    """Write the round's notes; None where the librarian could not be had, and nothing was written."""
    edits = _edits(play, attempts)
    reads = Counter(r.note_id for r in play.rows.reads if r.note_id != FILLER)
    try:
        shelved = play.cluster.close_round(play.state.round, play.round, edits, reads)
    except WorkFailed as error:
        play.event("infrastructure", "write_failed", "librarian", str(error))
        return None
    play.rows.notes += shelved.notes
    play.rows.revisions += shelved.revisions
    play.rows.citations += shelved.citations
    for index, reason, detail in shelved.refused:
        play.event("library", f"refused:{reason}", edits[index].author, detail)
    return Outcome(shelved.version, shelved.state, shelved.size)


def _edits(play: Play, attempts: Sequence[Attempt]) -> list[Edit]:
    """A worked example or a lesson by one solver of each of the hardest problems that were solved."""
    config = play.config.rollout
    tried: Counter[str] = Counter(a.problem_id for a in attempts if a.verdict != "error")
    right: Counter[str] = Counter(a.problem_id for a in attempts if a.correct)
    first: dict[str, Attempt] = {}
    for a in attempts:
        if a.correct:
            first.setdefault(a.problem_id, a)
    hard = [p for p in first if right[p] / tried[p] <= config.hard_below]
    known = play.state.known
    hard.sort(key=lambda p: (right[p] / tried[p], -known[p].difficulty, p))
    edits: list[Edit] = []
    shown: set[str] = set()
    worked = {p.problem_id: p for p in play.rows.problems}
    for problem_id in hard:
        if len(edits) >= config.notes_written:
            break
        row = worked.get(problem_id)
        domain = play.state.domains[known[problem_id].domain]
        if row is None or not domain.one_step or row.spec is None or row.answer_key is None:
            continue  # a replay: its note was written when it was new
        solution = Solution(row.answer_key, tuple(row.worked), int(row.features["steps"]))  # type: ignore[call-overload]
        form = play.config.engine.form
        kind = "example" if generator(play.config.seed, "kind", problem_id).random() < 0.5 else "lesson"
        make = domain.example if kind == "example" else domain.lesson
        body = make(row.spec, solution, form)
        if body in shown or len(body) > play.config.library.max_note_chars:
            continue
        shown.add(body)
        attempt = first[problem_id]
        edits.append(
            Edit(
                note_id=None,
                base_revision_id=None,
                kind="example" if kind == "example" else "lesson",
                domain=row.domain,
                shelf=PUBLIC,
                title=domain.pose(row.spec, form)[: play.config.library.max_title_chars],
                body=body,
                author=attempt.solver,
                policy_version=attempt.policy_version,
                round=play.round,
                index=len(edits),
                citations=(("problem", problem_id), ("attempt", attempt.attempt_id)),
                evidence={"solved": right[problem_id], "tried": tried[problem_id]},
            )
        )
    return edits
