"""The phase *write*: agents write down what they learned from problems that were hard and were solved.

Problems of several steps are written about whether they were solved or not: what an episode's own actions
found out is worth knowing to whoever goes on from there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from arena.cluster import WorkFailed
from arena.domains.base import Account, Domain, Solution
from culture.edits import PUBLIC, Edit, Kind
from culture.placebo import FILLER
from culture.records import Attempt, Json, Problem
from culture.seeds import generator

if TYPE_CHECKING:
    from arena.round import Play


@dataclass(frozen=True, slots=True)
class Outcome:
    """The library after the round, as the state needs it."""

    version: int
    state: Json
    size: int


More = Callable[["Play", Sequence[Attempt], Sequence[Edit]], list[Edit]]
"""What else is written, given the attempts and what is written already."""


def write(play: Play, attempts: Sequence[Attempt], more: More) -> Outcome | None:
    """Write the round's notes; None where the librarian could not be had, and nothing was written."""
    edits = _edits(play, attempts)
    edits += more(play, attempts, edits)
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
    """A note by one solver about each of the hardest problems: those that were solved come first."""
    config, known, domains = play.config.rollout, play.state.known, play.state.domains
    tried: Counter[str] = Counter(a.problem_id for a in attempts if a.verdict != "error")
    right: Counter[str] = Counter(a.problem_id for a in attempts if a.correct)
    best: dict[str, Attempt] = {}
    for a in attempts:
        worth = a.correct or (not domains[a.domain].one_step and a.verdict == "wrong")
        if worth and (a.problem_id not in best or a.reward > best[a.problem_id].reward):
            best[a.problem_id] = a
    hard = [p for p in best if right[p] / tried[p] <= config.hard_below]
    hard.sort(key=lambda p: (not right[p], right[p] / tried[p], -known[p].difficulty, p))
    edits: list[Edit] = []
    shown: set[str] = set()
    for problem_id in hard:
        if len(edits) >= config.notes_written:
            break
        attempt = best[problem_id]
        example = generator(play.config.seed, "kind", problem_id).random() < 0.5
        kind: Kind = "example" if example else "lesson"
        account = told(play, attempt, kind)
        if account is None or account.body in shown:
            continue
        if len(account.body) > play.config.library.max_note_chars:
            continue
        shown.add(account.body)
        edits.append(
            Edit(
                note_id=None,
                base_revision_id=None,
                kind=kind,
                domain=attempt.domain,
                shelf=shelf_of(play, attempt.solver),
                title=account.title[: play.config.library.max_title_chars],
                body=account.body,
                author=attempt.solver,
                policy_version=attempt.policy_version,
                round=play.round,
                index=len(edits),
                citations=(("problem", problem_id), ("attempt", attempt.attempt_id)),
                evidence={"solved": right[problem_id], "tried": tried[problem_id]},
            )
        )
    return edits


def shelf_of(play: Play, author: str) -> str:
    """Where an agent writes its notes."""
    match play.config.rollout.shelf:
        case "public":
            return PUBLIC
        case "organisation":
            return f"org:{play.state.population.agent(author).organisation}"
        case "own":
            return f"agent:{author}"


def told(play: Play, attempt: Attempt, kind: Kind) -> Account | None:
    """What a note of ``kind`` says of an attempt; None where there is nothing to tell."""
    known = play.state.known[attempt.problem_id]
    domain = play.state.domains[known.domain]
    if not domain.one_step:
        return domain.recount(known.spec, _actions(play, attempt), kind, attempt.form)
    row = next((p for p in play.rows.problems if p.problem_id == known.problem_id), None)
    return _worked(domain, row, kind, attempt)


def _worked(domain: Domain, row: Problem | None, kind: Kind, attempt: Attempt) -> Account | None:
    """A problem of one step worked out; None for a replay, whose note was written when it was new."""
    if row is None or row.spec is None or row.answer_key is None:
        return None
    solution = Solution(row.answer_key, tuple(row.worked), int(row.features["steps"]))  # type: ignore[call-overload]
    make = domain.example if kind == "example" else domain.lesson
    return Account(domain.about(row.spec, attempt.form), make(row.spec, solution, attempt.form))


def _actions(play: Play, attempt: Attempt) -> list[str]:
    """What an attempt wrote turn by turn, lookups left out."""
    earlier = [a for a in play.rows.actions if a.attempt_id == attempt.attempt_id and not a.lookup]
    return [*(a.completion for a in earlier), attempt.completion]
