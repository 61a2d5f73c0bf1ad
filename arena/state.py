"""What one round hands to the next, and how it is read back from the log."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np

from agents.learning.batches import Sample
from agents.population import Population
from agents.vocabulary import Vocabulary
from arena.bases import vocabulary_for
from arena.config import EvaluationConfig, RunConfig
from arena.domains import Domain
from arena.domains.base import Anchor, Solution
from arena.held_out import HeldOut
from arena.seeding import kept, size
from culture.lake import Lake
from culture.records import Attempt, Evaluation, Json, Policy, Problem
from curricula import Strategy, make_strategy, teaches
from curricula.ability import Evaluated


@dataclass(slots=True)
class Known:
    """An admitted problem, as far as later rounds need it."""

    problem_id: str
    domain: str
    spec: str
    answer_key: str
    key: str
    """The completion that an answer key teaches; empty for a problem of several steps, see
    ``key_samples``."""
    difficulty: float
    proposer: str

    @classmethod
    def of(cls, problem: Problem, domain: Domain, config: RunConfig) -> Known:
        """From the row of an admitted problem."""
        assert problem.spec is not None and problem.answer_key is not None
        assert problem.difficulty is not None
        key = ""
        if domain.one_step:
            steps = int(cast("float", problem.features.get("steps", 0)))
            solution = Solution(problem.answer_key, tuple(problem.worked), steps)
            key = domain.key(problem.spec, solution, config.engine.form)
        return cls(
            problem.problem_id,
            problem.domain,
            problem.spec,
            problem.answer_key,
            key,
            problem.difficulty,
            problem.proposer,
        )


@dataclass(slots=True)
class State:
    """The school between two rounds."""

    config: RunConfig
    folder: Path
    """The run's."""
    population: Population
    """As it is in the round to be played."""
    domains: dict[str, Domain]
    evaluated: dict[str, Domain]
    """Those whose anchors are answered: these, and those of ``evaluation.transfer``."""
    anchors: dict[str, list[Anchor]]
    strategy: Strategy
    held_out: set[tuple[str, str]] = field(default_factory=set)
    """Domain and identity of every anchor, the far cells' too: none of them becomes a problem."""
    held_out_texts: HeldOut = field(default_factory=lambda: HeldOut({}, 0))
    """The same problems as they could be written down; no free text may hold one."""
    round: int = -1
    """The last committed round; -1 before the first."""
    policies: dict[str, Policy] = field(default_factory=dict)
    """The version that each policy is at."""
    versions: dict[str, list[int]] = field(default_factory=dict)
    """Numbers of every accepted version of each policy, in order."""
    ratings: dict[str, list[float]] = field(default_factory=dict)
    """Mean, deviation and matches of each player of each game, see ``arena.rating``."""
    next_version: dict[str, int] = field(default_factory=dict)
    """The number of each policy's next version; refused versions have used theirs up."""
    known: dict[str, Known] = field(default_factory=dict)
    """Every admitted problem, by id."""
    seen: set[tuple[str, str]] = field(default_factory=set)
    """Domain and identity of every valid proposal so far: novelty has memory."""
    baselines: dict[str, float] = field(default_factory=dict)
    """Moving averages of rewards by policy, domain and role, where the objective keeps one."""
    answers: dict[str, list[Evaluated]] = field(default_factory=dict)
    """Every answer to an anchor so far, by domain, in order."""
    rehearsal: deque[list[Sample]] = field(default_factory=deque)
    """Solver samples of earlier rounds, a list a round, the oldest first."""
    library: Json = field(default_factory=lambda: {"reads": {}})
    library_version: int = 0
    library_size: int = 0
    commit_seconds: float | None = None
    """How long the last commit took, seconds; a measure of the machine, not part of the state."""

    @classmethod
    def fresh(cls, config: RunConfig, folder: Path) -> State:
        """Before the first round of the run in ``folder``, with the notes that its library begins with."""
        version, in_sight = size(kept(folder))
        domains = {name: config.domain(name) for name in config.domains}
        evaluated = domains | {name: config.domain(name) for name in config.evaluation.transfer}
        return cls(
            config=config,
            folder=folder,
            population=Population(config.population, config.seed),
            domains=domains,
            evaluated=evaluated,
            anchors={name: _core(d, config.evaluation) for name, d in evaluated.items()},
            strategy=make_strategy(config.curriculum, config.domains),
            held_out={
                (name, d.identity(a.spec))
                for name, d in domains.items()
                for a in d.anchors(config.evaluation.per_cell)
            },
            # without decisions there is no free text to look at
            held_out_texts=HeldOut(
                evaluated if config.writing.decisions else {}, config.evaluation.per_cell
            ),
            rehearsal=deque(maxlen=config.learner.solver.rehearsal_rounds),
            library_version=version,
            library_size=in_sight,
        )

    @classmethod
    def load(cls, config: RunConfig, lake: Lake, folder: Path) -> State:
        """As of the last committed round of ``lake``."""
        state = cls.fresh(config, folder)
        last = lake.last_round()
        if last is None:
            return state
        state.round = last
        state.population = Population(config.population, config.seed, last + 1)
        (row,) = lake.table("SELECT state, library_version FROM rounds WHERE round = ?", [last]).to_pylist()
        saved = _parsed(row["state"])
        state.strategy.load_state_dict(cast("Json", saved["strategy"]))
        state.library = cast("Json", saved["library"])
        state.library_size = int(cast("int", saved["library_size"]))
        state.baselines = cast("dict[str, float]", saved["baselines"])
        state.ratings = cast("dict[str, list[float]]", saved["ratings"])
        state.library_version = int(row["library_version"])
        for policy in lake.records(Policy):
            state.next_version[policy.policy] = policy.version + 1
            if policy.accepted:
                state.take_up(policy)
        identities = _identities(lake)
        for problem in lake.records(Problem, "answer_key IS NOT NULL"):
            assert problem.spec is not None
            identity = identities.get(problem.problem_id)
            if identity is None:
                identity = state.domains[problem.domain].identity(problem.spec)
            state.seen.add((problem.domain, identity))
            if problem.status == "admitted":
                known = Known.of(problem, state.domains[problem.domain], config)
                state.known[known.problem_id] = known
        state.take_in(lake.records(Evaluation))
        first = max(0, last + 1 - config.learner.solver.rehearsal_rounds)
        for r in range(first, last + 1):
            state.rehearsal.append(state.key_samples(state.taught(lake.records(Attempt, "round = ?", [r]))))
        return state

    def take_up(self, policy: Policy) -> None:
        """Go on with an accepted version."""
        self.policies[policy.policy] = policy
        self.versions.setdefault(policy.policy, []).append(policy.version)

    def take_in(self, evaluations: Iterable[Evaluation]) -> None:
        """Remember answers to anchors."""
        for row in evaluations:
            self.answers.setdefault(row.domain, []).append(Evaluated.of(row))

    def vocabulary(self, policy: str) -> Vocabulary | None:
        """A policy's tokens; None where its weights are elsewhere."""
        if self.config.policies[policy].served is not None:
            return None
        return vocabulary_for(self.config, policy, self.folder)

    def token_ids(self, policy: str, text: str) -> list[int]:
        """A whole completion as a policy's tokens; none where its weights are elsewhere."""
        vocabulary = self.vocabulary(policy)
        return [] if vocabulary is None else vocabulary.completion(text)

    def key_tokens(self, key: str) -> int:
        """Tokens of ``key`` without its end: the most among the solvers' policies."""
        policies = {agent.policy for agent in self.population.with_role("solver")}
        return max(len(self.token_ids(name, key)) - 1 or len(key) for name in sorted(policies))

    def control_tokens(self) -> tuple[str, ...]:
        """Tokens with a meaning of their own to any model of the run."""
        found = {
            t for name in self.config.policies if (v := self.vocabulary(name)) for t in v.control_tokens
        }
        return tuple(sorted(found))

    def save(self) -> Json:
        """What ``load`` cannot read from the other tables."""
        return {
            "strategy": self.strategy.state_dict(),
            "library": self.library,
            "library_size": self.library_size,
            "baselines": self.baselines,
            "ratings": self.ratings,
        }

    def taught(self, attempts: Sequence[Attempt]) -> list[Attempt]:
        """The attempts that solvers may be trained on: all, where the strategy does not withhold some."""
        return [a for a in attempts if teaches(self.strategy, a)]

    def key_samples(self, attempts: list[Attempt]) -> list[Sample]:
        """For each problem and policy of ``attempts`` the first attempt's prompt with the verified key.

        A problem of several steps has the key that a prompt tells, and gives none where no prompt of its
        attempts told one. Nor, with ``skip_solved``, do those that the policy solved at every attempt:
        their key would teach it what it knows.
        """
        samples: dict[tuple[str, str], Sample] = {}
        failed = {
            (a.problem_id, a.policy_version.partition("@")[0])
            for a in attempts
            if not a.correct and a.verdict != "error"
        }
        every = not self.config.learner.solver.skip_solved
        for attempt in attempts:
            name = attempt.policy_version.partition("@")[0]
            known = self.known[attempt.problem_id]
            if not every and (known.problem_id, name) not in failed:
                continue
            if (known.problem_id, name) in samples or attempt.verdict == "error":
                continue
            key = known.key
            if not key:
                domain = self.domains[known.domain]
                key = domain.readable_key(known.spec, attempt.prompt, attempt.form) or ""
            if not key:
                continue
            samples[known.problem_id, name] = Sample(
                role="solver",
                domain=known.domain,
                source_kind="attempt",
                source_id=attempt.attempt_id,
                group_id=known.problem_id,
                prompt=attempt.prompt,
                completion=key,
                token_ids=self.token_ids(name, key),
                logprobs=[],
                reward=1.0,
                policy=name,
                weight=self.config.learner.solver.weight,
            )
        return list(samples.values())


def _core(domain: Domain, config: EvaluationConfig) -> list[Anchor]:
    """The anchors that policies are held to; the far cells serve later, stronger models."""
    cells = domain.core_cells[: config.cells]
    return [a for a in domain.anchors(config.per_cell) if a.cell in cells]


def kept_versions(accepted: Sequence[int], keep_every: int) -> list[int]:
    """Of a policy's accepted versions those whose weights are never deleted, or not yet: every so-manieth
    and the latest two."""
    latest = max(accepted, default=0)
    return [n for n in accepted if n % keep_every == 0 or n >= latest - 1]


def _identities(lake: Lake) -> dict[str, str]:
    """Identities that rounds noted, by problem: those that are not the spec, dear to find out again. Rounds
    of before Ludus knew of identities noted none."""
    rows = lake.table("SELECT json_extract(state, '$.identities') AS told FROM rounds").to_pylist()
    noted = [cast("dict[str, str]", _parsed(row["told"])) for row in rows if row["told"] is not None]
    return {problem_id: identity for told in noted for problem_id, identity in told.items()}


def _parsed(value: object) -> Json:
    import json

    return cast("Json", json.loads(value)) if isinstance(value, str) else cast("Json", value)


def arm_of(shares: dict[str, float], rng: np.random.Generator) -> str:
    """An arm drawn with the given probabilities."""
    names = sorted(shares)
    return names[int(rng.choice(len(names), p=[shares[n] for n in names]))]
