"""The phase *write*: agents write down what they learned from problems that were hard and were solved.

Problems of several steps are written about whether they were solved or not: what an episode's own actions
found out is worth knowing to whoever goes on from there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from arena import hostile, trusting
from arena.accounts import account_of, shelf_of
from arena.clubs import minutes
from arena.deciding import decide_all
from arena.generations import lessons
from arena.pools import WorkFailed
from culture.edits import Edit, Kind
from culture.placebo import FILLER
from culture.publishing import Entry
from culture.records import Attempt, Decision, Json
from culture.seeds import generator

if TYPE_CHECKING:
    from arena.round import Play


@dataclass(frozen=True, slots=True)
class Outcome:
    """The library after the round, as the state needs it."""

    version: int
    state: Json
    size: int
    quarantined: int


def write(play: Play, attempts: Sequence[Attempt]) -> Outcome | None:
    """Write the round's notes; None where the librarian could not be had, and nothing was written."""
    worked = _edits(play, attempts)
    edits: list[Entry] = [*worked, *lessons(play, attempts, worked)]
    edits += minutes(play, play.clubs, len(edits))
    decided = decide_all(play, attempts, len(edits))
    places = []
    for decision in decided:
        places.append(range(len(edits), len(edits) + len(decision.entries)))
        edits += decision.entries
    edits = trusting.rechecked(play, [*edits, *hostile.edits(play)])
    reads = Counter(r.note_id for r in play.rows.reads if r.note_id != FILLER)
    try:
        shelved = play.cluster.close_round(play.state.round, play.round, edits, reads)
    except WorkFailed as error:
        play.event("infrastructure", "write_failed", "librarian", str(error))
        lost = [replace(d.row, outcome="lost", reason=str(error)) for d in decided]
        play.rows.decisions += lost
        return None
    play.rows.notes += shelved.notes
    play.rows.revisions += shelved.revisions
    play.rows.citations += shelved.citations
    refused = {index: reason for index, reason, _ in shelved.refused}
    trusting.tell(play, edits, shelved)
    for decision, place in zip(decided, places, strict=True):
        play.rows.decisions.append(_settled(decision.row, place, refused))
    return Outcome(shelved.version, shelved.state, shelved.size, shelved.quarantined)


def _settled(row: Decision, place: range, refused: Mapping[int, str]) -> Decision:
    """A decision's row, now that it is known what the library refused."""
    if place and place[0] in refused:
        return replace(row, outcome="refused", reason=refused[place[0]])
    return row


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
        account = account_of(play, attempt, kind)
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
