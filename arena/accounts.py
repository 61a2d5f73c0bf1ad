"""What an attempt has to tell: its problem worked out, or what its actions found; and on which shelf."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arena.domains.base import Account, Domain, Solution
from culture.edits import PUBLIC, Kind
from culture.records import Attempt, Problem

if TYPE_CHECKING:
    from arena.round import Play


def account_of(play: Play, attempt: Attempt, kind: Kind) -> Account | None:
    """The account of an attempt as a note of ``kind`` (``example`` or ``lesson``).

    None where there is nothing to tell, as of a replayed problem of one step, whose note was written when
    it was new.
    """
    known = play.state.known[attempt.problem_id]
    domain = play.state.domains[known.domain]
    if domain.one_step:
        row = next((p for p in play.rows.problems if p.problem_id == attempt.problem_id), None)
        return _worked(domain, row, kind, attempt)
    return domain.recount(known.spec, _actions(play, attempt), kind, attempt.form)


def shelf_of(play: Play, author: str) -> str:
    """Where an agent writes its notes."""
    match play.config.rollout.shelf:
        case "public":
            return PUBLIC
        case "organisation":
            return f"org:{play.state.population.agent(author).organisation}"
        case "own":
            return f"agent:{author}"


def _worked(domain: Domain, row: Problem | None, kind: Kind, attempt: Attempt) -> Account | None:
    if row is None or row.spec is None or row.answer_key is None:
        return None
    solution = Solution(row.answer_key, tuple(row.worked), int(row.features["steps"]))  # type: ignore[call-overload]
    make = domain.example if kind == "example" else domain.lesson
    return Account(domain.about(row.spec, attempt.form), make(row.spec, solution, attempt.form))


def _actions(play: Play, attempt: Attempt) -> list[str]:
    """What an attempt wrote turn by turn, and its opponent, lookups left out."""
    mine = [a for a in play.rows.actions if a.attempt_id == attempt.attempt_id]
    said = {a.turn: a.completion for a in mine if not a.lookup}
    # its own last turn is the one that no action has
    last = next((n for n in range(attempt.turns) if n not in {a.turn for a in mine}), None)
    if last is not None:
        said[last] = attempt.completion
    return [said[n] for n in sorted(said)]
