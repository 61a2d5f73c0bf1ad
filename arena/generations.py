"""Between generations: policies that start anew with those who use them, and lessons for who comes next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from agents import checkpoints
from arena.accounts import account_of, shelf_of
from arena.run_files import CHECKPOINTS, run_path
from culture.edits import Edit
from culture.records import Attempt, Policy

if TYPE_CHECKING:
    from arena.round import Play


def begin(play: Play) -> None:
    """Give policies whose users are all new in this round the weights of their version 0, as a new version.

    Nothing else is left of what was trained: no optimizer state, no moving averages, and rehearsal goes
    back no further (``arena/learning.py``).
    """
    for name in play.state.population.restarting():
        current = play.policies[name]
        if current.batch_id is None:
            continue  # it has learned nothing yet
        number, first = play.next_version[name], f"{name}@0"
        version = f"{name}@{number}"
        folder = play.state.folder
        digest = checkpoints.adopt(
            run_path(folder, f"{CHECKPOINTS}/{version}"), run_path(folder, f"{CHECKPOINTS}/{first}")
        )
        row = Policy(
            policy_version=version,
            policy=name,
            version=number,
            round=play.round,
            base=current.base,
            parent=first,
            batch_id=None,
            path=f"{CHECKPOINTS}/{version}",
            sha256=digest,
            accepted=True,
            reason=None,
        )
        play.rows.policies.append(row)
        play.policies[name] = row
        play.next_version[name] = number + 1
        play.baselines = {k: v for k, v in play.baselines.items() if not k.startswith(f"{name}/")}


def lessons(play: Play, attempts: Sequence[Attempt], written: Sequence[Edit]) -> list[Edit]:
    """Lessons by those for whom this is the last round, each about problems that it solved itself.

    The hardest come first; problems that ``written`` is about are left out, and so are those of an earlier
    teacher. Each says in its evidence for whom it is: who takes the place of its author.
    """
    generations = play.config.population.generations
    if generations is None or not generations.teachers:
        return []
    successors, known = play.state.population.successors(), play.state.known
    taken = {to for edit in written for kind, to in edit.citations if kind == "problem"}
    tried = Counter(a.problem_id for a in attempts if a.verdict != "error")
    right = Counter(a.problem_id for a in attempts if a.correct)
    found: list[Edit] = []
    for teacher, successor in successors.items():
        solved = {a.problem_id: a for a in attempts if a.solver == teacher and a.correct}
        count = 0
        for problem_id in sorted(solved, key=lambda p: (-known[p].difficulty, p)):
            if count == generations.lessons:
                break
            attempt = solved[problem_id]
            account = None if problem_id in taken else account_of(play, attempt, "lesson")
            if account is None or len(account.body) > play.config.library.max_note_chars:
                continue
            taken.add(problem_id)
            count += 1
            found.append(
                Edit(
                    note_id=None,
                    base_revision_id=None,
                    kind="lesson",
                    domain=attempt.domain,
                    shelf=shelf_of(play, teacher),
                    title=account.title[: play.config.library.max_title_chars],
                    body=account.body,
                    author=teacher,
                    policy_version=attempt.policy_version,
                    round=play.round,
                    index=len(written) + len(found),
                    citations=(("problem", problem_id), ("attempt", attempt.attempt_id)),
                    evidence={"solved": right[problem_id], "tried": tried[problem_id], "for": successor},
                )
            )
    return found
