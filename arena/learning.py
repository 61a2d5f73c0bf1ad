"""The phases *learn* and *sleep*: what happened becomes batches, and batches become policy versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents.config import RoleObjective
from agents.learning.batches import Sample, rows_from, write_parquet
from arena.opponents import others_samples
from arena.pools import Failed
from arena.run_files import BATCHES, run_path
from arena.workers import LearnOrder
from culture.records import Action, Attempt, Batch, BatchRow, Policy, Problem
from culture.seeds import generator, short_id

if TYPE_CHECKING:
    from arena.round import Play


def learn(play: Play, attempts: Sequence[Attempt]) -> None:
    """Train every policy that has something to learn from this round."""
    if (play.round + 1) % play.config.learner.every:
        return
    solver, proposer = _solver_samples(play, attempts), _proposer_samples(play)
    jobs = []
    for name, policy in play.config.policies.items():
        if policy.trained:
            mine = [[s for s in samples if s.policy == name] for samples in (solver, proposer)]
            jobs.append(_batched(play, name, "learn", mine[0], mine[1]))
    _train(play, jobs)


def sleep(play: Play, attempts: Sequence[Attempt]) -> None:
    """Distil what was read into the weights: right answers given with notes, taught without them.

    Sequence-level context distillation: the row's prompt is the problem alone, its completion what the
    policy itself wrote when it had the notes, and only verified answers count.
    """
    every = play.config.sleep.every
    if not every or (play.round + 1) % every:
        return
    read = {r.attempt_id for r in play.rows.reads if r.arm == "library"}
    samples = []
    for a in attempts:
        if a.attempt_id not in read or not a.correct or a.turns != 1:
            continue
        domain = play.state.domains[a.domain]
        bare = domain.pose(play.state.known[a.problem_id].spec, a.form)
        samples.append(
            Sample(
                role="solver",
                domain=a.domain,
                source_kind="attempt",
                source_id=a.attempt_id,
                group_id=a.problem_id,
                prompt=bare,
                completion=a.completion,
                token_ids=a.token_ids,
                logprobs=[],
                reward=1.0,
                policy=a.policy_version.partition("@")[0],
            )
        )
    jobs = []
    for name, policy in play.config.policies.items():
        mine = [s for s in samples if s.policy == name][-play.config.sleep.rows :]
        if policy.trained and mine:
            jobs.append(_batched(play, name, "sleep", mine, [], plain=True))
    _train(play, jobs)


def _solver_samples(play: Play, attempts: Sequence[Attempt]) -> list[Sample]:
    """Keys of what was attempted, with rehearsal; or what the attempts wrote, for the other objectives.

    Of an attempt of several turns every completion is a sample, lookups too, each under the prompt that it
    answered and with the reward of the whole. ``rejection`` imitates attempts that were right, not those
    that came part of the way. In a game of two the turns of an opponent of today are samples too.
    """
    goal = play.config.learner.solver
    if goal.objective == "answer_key":
        new = play.state.key_samples(list(attempts))
        return new + _rehearsed(play, new, goal)
    earlier: dict[str, list[Action]] = {}
    for action in play.rows.actions:
        earlier.setdefault(action.attempt_id, []).append(action)
    return [
        Sample(
            role="solver",
            domain=a.domain,
            source_kind="attempt",
            source_id=a.attempt_id,
            group_id=f"{a.problem_id}/{a.policy_version}",
            prompt=said.prompt,
            completion=said.completion,
            token_ids=said.token_ids,
            logprobs=said.logprobs,
            reward=a.reward,
            policy=a.policy_version.partition("@")[0],
            weight=goal.weight,
            part=_part(play, a),
        )
        for a in attempts
        if a.verdict != "error" and (a.correct or goal.objective != "rejection")
        for said in _own(earlier, a)
    ] + list(others_samples(play, attempts, earlier))


def _own(earlier: Mapping[str, Sequence[Action]], attempt: Attempt) -> list[Action | Attempt]:
    """What the solver wrote, turn by turn."""
    return [*(x for x in earlier.get(attempt.attempt_id, ()) if not x.opponent), attempt]


def _part(play: Play, attempt: Attempt) -> str:
    domain = play.state.domains[attempt.domain]
    return domain.part(play.state.known[attempt.problem_id].spec, opponent=False)


def _rehearsed(play: Play, new: Sequence[Sample], goal: RoleObjective) -> list[Sample]:
    """Samples of earlier rounds drawn without replacement, so many for each new one."""
    since = play.state.population.since
    first = play.round - len(play.state.rehearsal)
    old = [
        s
        for number, samples in enumerate(play.state.rehearsal, first)
        for s in samples
        if number >= since(s.policy)  # who starts anew has done nothing before
    ]
    count = min(len(old), round(goal.rehearsal * len(new)))
    rng = generator(play.config.seed, "rehearse", play.round)
    return [old[i] for i in sorted(rng.choice(len(old), count, replace=False))] if count else []


def _proposer_samples(play: Play) -> list[Sample]:
    """Proposals with what they were paid.

    With ``answer_key`` the paid ones are imitated in proportion to their pay, the operator's among them,
    and a fresh one is taught as the answer to a request for the difficulty that it turned out to have
    (hindsight: Andrychowicz et al. 2017, arXiv 1707.01495), so that asking for a difficulty keeps its
    meaning while pay favours others. With ``grpo`` sampled ones are compared within their kind of
    request, as there is one try at each.
    """
    goal = play.config.learner.proposer
    imitate = goal.objective == "answer_key"
    samples = []
    for p in play.rows.problems:
        if p.payment is None or (p.origin != "policy" and not imitate):
            continue
        if imitate and p.payment <= 0:
            continue
        if p.reason == "anchor":
            continue  # not even as a proposal of no worth: no anchor enters training
        if "proposer" not in play.state.population.agent(p.proposer).roles:
            continue  # a member of a book club whose policy is not taught to propose
        samples.append(
            Sample(
                role="proposer",
                domain=p.domain,
                source_kind="problem",
                source_id=p.problem_id,
                group_id=p.problem_id if imitate else f"{p.domain}/{p.request}/{p.policy_version}",
                prompt=_hindsight(play, p) if imitate else p.prompt,
                completion=p.text,
                token_ids=p.token_ids,
                logprobs=p.logprobs,
                reward=p.payment,
                policy=play.state.population.agent(p.proposer).policy,
                weight=goal.weight * (p.payment if imitate else 1.0),
            )
        )
    return samples


def _hindsight(play: Play, problem: Problem) -> str:
    """The prompt under which a problem would be just what was asked for; of no problem, as it was."""
    if problem.target_difficulty is None or problem.spec is None:
        return problem.prompt
    domain = play.state.domains[problem.domain]
    return domain.hindsight(play.config.engine.form, problem.difficulty, problem.spec)


@dataclass(frozen=True, slots=True)
class _Job:
    """A stored batch and the version that is to come of it."""

    parent: Policy
    version: str
    number: int
    batch_id: str
    path: str


def _batched(
    play: Play,
    name: str,
    purpose: str,
    solver: list[Sample],
    proposer: list[Sample],
    *,
    plain: bool = False,
) -> _Job | None:
    """Store a batch for policy ``name``; None where there is nothing to train on."""
    parent = play.policies[name]
    batch_id = short_id("b", play.config.seed, play.round, name, purpose)
    rows: list[BatchRow] = []
    used: list[str] = []
    for goal, samples in ((play.config.learner.solver, solver), (play.config.learner.proposer, proposer)):
        objective = "answer_key" if plain else goal.objective
        made = rows_from(
            samples,
            objective_name=objective,
            batch_id=batch_id,
            round=play.round,
            first_row=len(rows),
            config=play.config.learner,
            memory=play.baselines,
        )
        if made and objective not in used:
            used.append(objective)
        rows += made
    if not rows:
        return None
    number = play.next_version[name]
    path = f"{BATCHES}/{batch_id}.parquet"
    write_parquet(rows, run_path(play.cluster.folder, path))
    vocabulary = play.state.vocabulary(name)
    assert vocabulary is not None  # what is served elsewhere is not trained
    tokens = sum(len(vocabulary.prompt(r.prompt)) + len(r.token_ids) for r in rows)
    play.rows.batches.append(
        Batch(batch_id, play.round, name, parent.policy_version, used, len(rows), tokens, path)
    )
    play.rows.batch_rows += rows
    return _Job(parent, f"{name}@{number}", number, batch_id, path)


def _train(play: Play, jobs: Sequence[_Job | None]) -> None:
    """Train all policies that have a batch, at once; a version that is refused changes nothing."""
    wanted = [job for job in jobs if job is not None]
    passed = {
        j.parent.policy: play.state.population.passed(j.parent.policy, play.config.rounds) for j in wanted
    }
    orders = [
        LearnOrder(j.parent.policy, j.parent.policy_version, j.version, j.path, passed[j.parent.policy])
        for j in wanted
    ]
    for job, learned in zip(wanted, play.cluster.learn(orders), strict=True):
        if isinstance(learned, Failed):
            # the number stays free, as it would be if the log were read back
            play.event("infrastructure", "learn_failed", job.version, learned.detail)
            continue
        name = job.parent.policy
        play.next_version[name] = job.number + 1
        play.rows.updates += learned.updates
        play.trained_tokens += learned.trained_tokens
        row = Policy(
            policy_version=job.version,
            policy=name,
            version=job.number,
            round=play.round,
            base=job.parent.base,
            parent=job.parent.policy_version,
            batch_id=job.batch_id,
            path=f"checkpoints/{job.version}",
            sha256=learned.sha256,
            accepted=learned.accepted,
            reason=learned.reason,
        )
        play.rows.policies.append(row)
        if learned.accepted:
            play.policies[name] = row
        else:
            play.event("learner", "refused", job.version, learned.reason or "")
