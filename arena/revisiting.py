"""Problems of rounds that were evaluated, answered again later: what learning kept, and what it lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from arena.answering import Question, answers
from culture import connect
from culture.records import Revisit
from culture.seeds import derive

if TYPE_CHECKING:
    from arena.round import Play


def drawn(play: Play) -> dict[str, list[tuple[int, str]]]:
    """Round and id of the problems to be answered again, by domain.

    Every evaluated round up to this one has the same number of places; what cannot be shared evenly goes to
    the latest. A round's problems are asked in one order, that of a hash, so that whoever answers fewer of
    them answers some that were asked before.
    """
    most = play.config.evaluation.revisits
    if not most:
        return {}
    rounds = [r for r in range(play.round + 1) if play.config.evaluated(r)]
    admitted = _admitted(play)
    found: dict[str, list[tuple[int, str]]] = {}
    for domain in play.config.domains:
        each, left = divmod(most, len(rounds))
        found[domain] = []
        for at, r in enumerate(rounds):
            places = each + (at >= len(rounds) - left)
            names = sorted(
                admitted.get((domain, r), ()), key=lambda name: derive(play.config.seed, "revisit", name)
            )
            found[domain] += [(r, name) for name in names[:places]]
    return found


def revisit(play: Play, version: str, domain: str, problems: Sequence[tuple[int, str]]) -> None:
    """Let a policy version answer them; the answers are rows of ``revisits`` and train nobody."""
    known = [play.state.known[name] for _, name in problems]
    asked = [Question(k.problem_id, k.spec, k.answer_key) for k in known]
    given = answers(
        play.cluster, version, play.state.domains[domain], asked, play.config.engine, play.count
    )
    for (posed, name), answer in zip(problems, given, strict=True):
        if answer.correct is None:
            play.event("infrastructure", "revisit_lost", name, version)
            continue
        play.rows.revisits.append(
            Revisit(play.round, version, domain, name, posed, answer.completion, answer.correct)
        )


def _admitted(play: Play) -> Mapping[tuple[str, int], list[str]]:
    """Ids of admitted problems by domain and round, those of this round among them."""
    found: dict[tuple[str, int], list[str]] = {}
    if play.round:
        with connect(play.state.folder) as log:
            rows = log.execute(
                "SELECT domain, round, problem_id FROM problems WHERE status = 'admitted'"
            ).fetchall()
        for domain, round, name in rows:
            found.setdefault((domain, round), []).append(name)
    for p in play.rows.problems:
        if p.status == "admitted":
            found.setdefault((p.domain, p.round), []).append(p.problem_id)
    return found
