"""The phase *evaluate*: frozen anchors place the solvers' policies on one scale; measures of the round."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, get_args

from arena import revisiting
from arena.answering import Question, answers
from arena.opponents import match_at
from arena.pools import WorkFailed
from culture.records import Arm, Attempt, Evaluation, Measure
from culture.wilson import clustered_wilson, wilson
from curricula import frontier_of

if TYPE_CHECKING:
    from arena.round import Play


def evaluate(play: Play) -> None:
    """Greedy answers of every solver policy to all anchors, and to problems of earlier rounds, in due
    rounds."""
    if not play.config.evaluated(play.round):
        return
    solvers = play.state.population.with_role("solver")
    again = revisiting.drawn(play)
    for name in sorted({agent.policy for agent in solvers}):
        before, now = play.state.policies[name].policy_version, play.policies[name].policy_version
        # the first round also places the version that it started from: what was there before any learning
        for version in [before, now] if play.round == 0 and before != now else [now]:
            for domain in play.state.evaluated:
                _place(play, version, domain)
        for domain, problems in again.items():
            revisiting.revisit(play, now, domain, problems)


def _place(play: Play, version: str, domain_name: str) -> None:
    anchors = play.state.anchors[domain_name]
    asked = [Question(a.anchor_id, a.spec, a.answer_key) for a in anchors]
    domain = play.state.evaluated[domain_name]
    given = answers(play.cluster, version, domain, asked, play.config.engine, play.count)
    for anchor, answer in zip(anchors, given, strict=True):
        if answer.correct is None:
            play.event("infrastructure", "anchor_lost", anchor.anchor_id, version)
            continue
        if domain.two_players:
            match = match_at(
                domain, anchor.spec, anchor.anchor_id, play.round, version, answer.answer, answer.turns
            )
            play.rows.matches.append(match)
        play.rows.evaluations.append(
            Evaluation(
                round=play.round,
                policy_version=version,
                domain=domain_name,
                anchor_id=anchor.anchor_id,
                cell=anchor.cell,
                features=dict(anchor.features),
                completion=answer.completion,
                correct=answer.correct,
            )
        )


def measure(play: Play) -> None:
    """Numbers about the round, by domain: shares with 95% intervals by Wilson, of attempts by problem."""
    rows = play.rows
    for name, spent in sorted(play.spent.items()):
        _put(play, "", f"tokens_read/{name}", float(spent.read), 1)
        _put(play, "", f"tokens_written/{name}", float(spent.written), 1)
        if spent.read and play.config.engine.kind == "vllm":
            _put(play, "", f"prefix_hits/{name}", spent.cached / spent.read, spent.read)
    if play.round and play.config.evaluated(play.round):
        try:
            rows.measures += play.cluster.effects(play.state.round)
        except WorkFailed as error:
            play.event("infrastructure", "measure_failed", "librarian", str(error))
    hostile = play.state.population.hostile
    if hostile:
        _share(play, "", "hostile_read_share", [author in hostile for author in play.read_of])
    if play.shelved is not None:
        _put(play, "", "quarantined", float(play.shelved.quarantined), play.shelved.version)
    for domain in play.config.domains:
        proposals = [p for p in rows.problems if p.domain == domain and p.origin == "policy"]
        proposals = [p for p in proposals if p.failure_source != "infrastructure"]
        valid = [p for p in proposals if p.answer_key is not None]
        attempts = [a for a in rows.attempts if a.domain == domain and a.verdict != "error"]
        _share(play, domain, "valid_share", [p.answer_key is not None for p in proposals])
        _share(play, domain, "new_share", [p.reason != "duplicate" for p in valid])
        _solved(play, domain, "solve_rate", [a for a in attempts if not a.replay])
        for arm in get_args(Arm):
            _solved(play, domain, f"solve_rate_{arm}", [a for a in attempts if a.arm == arm])
        for version in sorted({e.policy_version for e in rows.evaluations if e.domain == domain}):
            policy = version.partition("@")[0]
            scored = [
                e.correct for e in rows.evaluations if e.domain == domain and e.policy_version == version
            ]
            current = version == play.policies[policy].policy_version
            _share(play, domain, f"held_out/{policy}" if current else f"held_out_before/{policy}", scored)
        sampled = [x for a in attempts for x in a.logprobs]
        if sampled:
            _put(play, domain, "surprisal", -sum(sampled) / len(sampled), len(sampled))
        frontier = frontier_of(play.state.strategy, domain)
        if frontier is not None:
            _put(play, domain, "frontier", frontier, 1)


def _put(play: Play, domain: str, name: str, value: float, n: int) -> None:
    play.rows.measures.append(Measure(play.round, name, domain, value, None, None, n))


def _share(play: Play, domain: str, name: str, outcomes: Sequence[bool]) -> None:
    n = len(outcomes)
    if not n:
        return
    p = sum(outcomes) / n
    low, high = wilson(sum(outcomes), n)
    play.rows.measures.append(Measure(play.round, name, domain, p, low, high, n))


def _solved(play: Play, domain: str, name: str, attempts: Sequence[Attempt]) -> None:
    """The share of attempts that were right; those at one problem hang together."""
    n, right = len(attempts), sum(a.correct for a in attempts)
    if not n:
        return
    tried, solved = Counter(a.problem_id for a in attempts), Counter[str]()
    for a in attempts:
        solved[a.problem_id] += a.correct
    p = right / n
    scatter = sum((solved[problem] - n_of * p) ** 2 for problem, n_of in tried.items())
    low, high = clustered_wilson(right, n, len(tried), scatter)
    play.rows.measures.append(Measure(play.round, name, domain, p, low, high, n))
