"""Games of two: whom an attempt is played against, what matches it made, what the other's turns teach."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from agents.learning.batches import Sample
from arena.domains import Domain
from arena.state import Known, kept_versions
from culture.records import Action, Attempt, Match
from culture.seeds import generator

if TYPE_CHECKING:
    from arena.round import Play

SCORES = {"win": 1.0, "draw": 0.5, "loss": 0.0}
"""What a result is worth to whose it is, in units of reward."""


def opponent_of(play: Play, problem: Known, attempt_id: str) -> str | None:
    """The policy version that an attempt is played against, drawn by hash; None where no policy plays.

    It is one of a policy that solvers use: of today, or with ``earlier`` one of those before it whose
    weights are kept (``learner.keep_every``), or that of today where it is the first.
    """
    domain = play.state.domains[problem.domain]
    if not domain.two_players:
        return None
    policies = sorted({agent.policy for agent in play.state.population.with_role("solver")})
    rng = generator(play.config.seed, "opponent", attempt_id)
    name = policies[int(rng.integers(len(policies)))]
    now = play.policies[name]
    if domain.against(problem.spec) != "earlier":
        return now.policy_version
    kept = kept_versions(play.state.versions.get(name, ()), play.config.learner.keep_every)
    before = [n for n in kept if n != now.version] or [now.version]
    return f"{name}@{before[int(rng.integers(len(before)))]}"


def match_of(domain: Domain, spec: str, attempt: Attempt, opponent: str) -> Match:
    """The match that an attempt was."""
    result, forfeited_by = _result(attempt.answer, attempt.verdict)
    return Match(
        attempt.round,
        attempt.domain,
        domain.part(spec, opponent=False),
        attempt.attempt_id,
        None,
        attempt.policy_version,
        opponent,
        result,
        forfeited_by,
        attempt.turns,
    )


def match_at(
    domain: Domain, spec: str, anchor_id: str, round: int, version: str, answer: str | None, turns: int
) -> Match:
    """The match that an answer to an anchor was, against somebody scripted."""
    result, forfeited_by = _result(answer, "wrong")
    return Match(
        round, domain.name, domain.part(spec, opponent=False), None, anchor_id, version,
        domain.against(spec), result, forfeited_by, turns,
    )  # fmt: skip


def others_samples(
    play: Play, attempts: Sequence[Attempt], earlier: Mapping[str, Sequence[Action]]
) -> Iterator[Sample]:
    """The opponents' turns, where they are of today: then they are as good a sample of the policy as the
    solver's are. What a match was worth to the one it was not to the other."""
    matches = {m.attempt_id: m for m in play.rows.matches}
    goal = play.config.learner.solver
    for a in attempts:
        match = matches.get(a.attempt_id)
        if match is None:
            continue
        policy = match.opponent.partition("@")[0]
        reward = 1.0 - SCORES[match.result]
        if play.policies[policy].policy_version != match.opponent:
            continue
        if goal.objective == "rejection" and reward < 1.0:
            continue
        spec = play.state.known[a.problem_id].spec
        for said in earlier.get(a.attempt_id, ()):
            if said.opponent:
                yield Sample(
                    role="solver",
                    domain=a.domain,
                    source_kind="attempt",
                    source_id=a.attempt_id,
                    group_id=f"{a.problem_id}/{match.opponent}/opponent",
                    prompt=said.prompt,
                    completion=said.completion,
                    token_ids=said.token_ids,
                    logprobs=said.logprobs,
                    reward=reward,
                    policy=policy,
                    weight=goal.weight,
                    part=play.state.domains[a.domain].part(spec, opponent=True),
                )


def _result(answer: str | None, verdict: str) -> tuple[str, str | None]:
    if answer == "forfeit":
        return "win", "opponent"
    if answer is None:
        return "loss", "solver"
    return answer, None
