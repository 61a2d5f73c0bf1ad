"""The phases *request* to *propose*: what the curriculum asked for becomes problems, or reasons why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agents.engines.base import Completion
from arena.clubs import Posed
from arena.pools import Failed
from arena.proposals import Judged
from arena.state import Known
from culture.records import Agent, Attempt, Problem, Source
from culture.seeds import generator, short_id
from curricula import Fresh, Mutate, Replay, Request, tally

if TYPE_CHECKING:
    from arena.round import Play


@dataclass(frozen=True, slots=True)
class _Draft:
    """A proposal before it is judged."""

    request: Fresh | Mutate
    proposer: Agent
    prompt: str
    origin: str
    completion: Completion


def propose(play: Play, requests: Sequence[Request], posed: Sequence[Posed] = ()) -> list[Known]:
    """Problems to attempt: new ones that were admitted, then replays. Every proposal becomes a row.

    ``posed``: what book clubs propose beside what was requested.
    """
    wanted = [r for r in requests if not isinstance(r, Replay)]
    drafts = _drafts(play, wanted)
    drafts += [_Draft(Fresh(p.domain, None), p.member, p.prompt, "club", p.completion) for p in posed]
    judged: dict[int, Judged | Failed] = {}
    for domain in play.config.domains:
        at = [i for i, d in enumerate(drafts) if d.request.domain == domain]
        texts = [drafts[i].completion.text for i in at]
        judged.update(zip(at, play.cluster.judge(domain, texts), strict=True))
    taken = set(play.state.seen)
    admitted: list[Known] = []
    new: list[Problem] = []
    for index, draft in enumerate(drafts):
        found = judged[index]
        problem = _problem(play, index, draft, found, taken)
        play.rows.problems.append(problem)
        if problem.answer_key is not None and isinstance(found, Judged) and found.identity is not None:
            play.identities[problem.problem_id] = found.identity
            taken.add((problem.domain, found.identity))
        if problem.status == "admitted":
            new.append(problem)
            known = Known.of(problem, play.state.domains[problem.domain], play.config)
            play.state.known[known.problem_id] = known
            admitted.append(known)
    replays = [play.state.known[r.problem_id] for r in requests if isinstance(r, Replay)]
    return admitted + replays


def _drafts(play: Play, wanted: Sequence[Fresh | Mutate]) -> list[_Draft]:
    """Proposals sampled from proposers in turn, and mutations by the domain's operator."""
    config, form = play.config, play.config.engine.form
    proposers = play.state.population.with_role("proposer")
    drafts: list[_Draft | None] = [None] * len(wanted)
    sampled: list[int] = []
    prompts: list[str] = []
    patterns: list[str | None] = []
    who: list[Agent] = []
    for i, request in enumerate(wanted):
        domain = play.state.domains[request.domain]
        agent = proposers[(i + play.round) % len(proposers)]
        who.append(agent)
        parent = play.state.known[request.parent_id].spec if isinstance(request, Mutate) else None
        target = request.target if isinstance(request, Fresh) else None
        rng = generator(config.seed, "ask", play.round, i)
        prompts.append(domain.ask(form, target, parent, rng))
        size = play.state.known[request.parent_id].difficulty if isinstance(request, Mutate) else target
        patterns.append(domain.pattern(form, size) if play.held(agent.policy) else None)
        rng = generator(config.seed, "operator", play.round, i)
        if parent is not None and rng.random() < config.rollout.operator_share:
            text = domain.write(domain.mutate(parent, rng), form)
            ids = play.state.token_ids(agent.policy, text)
            made = Completion(text, ids, [], 0, "", "stop")
            drafts[i] = _Draft(request, agent, prompts[i], "mutation", made)
        else:
            sampled.append(i)
    done = play.completions(
        [who[i] for i in sampled],
        [play.generation(prompts[i], "propose", i, pattern=patterns[i]) for i in sampled],
        play.sampling(config.engine.proposal_tokens),
    )
    for i, completion in zip(sampled, done, strict=True):
        drafts[i] = _Draft(wanted[i], who[i], prompts[i], "policy", completion)
    return [d for d in drafts if d is not None]


def _problem(
    play: Play,
    index: int,
    draft: _Draft,
    judged: Judged | Failed,
    taken: set[tuple[str, str]],
) -> Problem:
    """The row of a proposal: admitted, or rejected with the reason and whose failure it was."""
    request, completion = draft.request, draft.completion
    domain = play.state.domains[request.domain]
    reason, failure = _rejection(play, draft, judged, taken)
    found = judged if isinstance(judged, Judged) else Judged(None, None, None, {}, None, None)
    solution = found.solution
    valid = solution is not None and completion.finish == "stop"
    return Problem(
        problem_id=short_id("p", play.config.seed, play.round, index),
        round=play.round,
        domain=domain.name,
        request="fresh" if isinstance(request, Fresh) else "mutate",
        origin=draft.origin,
        target_difficulty=request.target if isinstance(request, Fresh) else None,
        parent_id=request.parent_id if isinstance(request, Mutate) else None,
        proposer=draft.proposer.agent_id,
        policy_version=completion.policy_version or None,
        prompt=draft.prompt,
        text=completion.text,
        token_ids=completion.token_ids,
        logprobs=completion.logprobs,
        spec=found.spec,
        answer_key=solution.answer if valid and solution is not None else None,
        worked=list(solution.worked) if valid and solution is not None else [],
        features=dict(found.features),
        difficulty=found.difficulty,
        status="admitted" if reason is None else "rejected",
        reason=reason,
        failure_source=failure,
        payment=None,
    )


def _rejection(
    play: Play,
    draft: _Draft,
    judged: Judged | Failed,
    taken: set[tuple[str, str]],
) -> tuple[str | None, Source | None]:
    completion = draft.completion
    if completion.finish == "error":
        return f"error:{completion.failure}", "infrastructure"
    if isinstance(judged, Failed):
        play.event("infrastructure", "judge_failed", draft.proposer.agent_id, judged.detail)
        return "error:verifier", "infrastructure"
    if completion.finish == "length":
        return "invalid:unfinished", "proposer"
    if judged.solution is None or judged.spec is None or judged.identity is None:
        why = judged.rejected.reason if judged.rejected is not None else "unknown"
        # which worlds a domain keeps for its anchors no proposer can know
        return ("anchor", None) if why == "held_out" else (f"invalid:{why}", "proposer")
    place = (draft.request.domain, judged.identity)
    if place in play.state.held_out:
        return "anchor", None
    if place in taken:
        return "duplicate", None
    domain = play.state.domains[draft.request.domain]
    limits = play.config.engine
    if domain.one_step:
        key = domain.key(judged.spec, judged.solution, limits.form)
    else:
        posed = domain.pose(judged.spec, limits.form)
        key = domain.readable_key(judged.spec, posed, limits.form) or ""
    long = domain.longest(judged.spec, limits.form) > limits.prompt_chars
    if long or (key and play.state.key_tokens(key) >= limits.answer_tokens):
        return "over_context", None
    return None, None


def pay(play: Play, attempts: Sequence[Attempt]) -> None:
    """Pay proposers, now that their problems were attempted, and tell the strategy what happened."""
    strategy, config = play.state.strategy, play.config.curriculum
    admitted = [p for p in play.rows.problems if p.status == "admitted"]
    strategy.observe(admitted, attempts)
    payments: Sequence[float] = strategy.pay(tally(admitted, attempts)).tolist() if admitted else []
    by_id = {p.problem_id: float(x) for p, x in zip(admitted, payments, strict=True)}

    def payment(problem: Problem) -> float | None:
        if problem.status == "admitted":
            value = by_id[problem.problem_id]
            return value if value == value else None  # NaN: too few attempts to tell
        if problem.failure_source == "infrastructure":
            return None
        if problem.reason == "duplicate":
            return config.duplicate_payment
        return config.invalid_payment if problem.failure_source == "proposer" else 0.0

    play.rows.problems = [replace(p, payment=payment(p)) for p in play.rows.problems]
