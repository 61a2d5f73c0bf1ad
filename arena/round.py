"""One round: request, propose, attempt, judge, write, learn, sleep, evaluate.

A round changes nothing but files that nobody has been told of, until its rows are committed: then
``State`` moves on. A round that is cut short is played again from the same state and gives the same rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from agents.engines.base import Completion, Sampling
from agents.engines.base import Request as Generation
from arena import (
    attempting,
    clubs,
    evaluating,
    generations,
    learning,
    measuring,
    proposing,
    rating,
    writing,
)
from arena.cluster import Cluster
from arena.state import State
from culture.quoting import quote
from culture.records import Agent, Event, Policy, Round, RoundRows, Source
from culture.seeds import derive, generator
from curricula import Request

__all__ = ["Play", "Progress"]


@dataclass(slots=True)
class Progress:
    """What a watcher is told while a round runs."""

    round: int
    phase: str
    rows: RoundRows
    state: State
    generated_tokens: int
    phase_seconds: dict[str, float]


@dataclass(slots=True)
class Spent:
    """Tokens of a policy's completions in a round."""

    read: int = 0
    cached: int = 0
    """Of ``read``, those that an engine did not compute again."""
    written: int = 0

    def add(self, completion: Completion) -> None:
        self.read += completion.prompt_tokens
        self.cached += completion.cached_tokens
        self.written += completion.completion_tokens or len(completion.token_ids)


PHASES = ("request", "propose", "attempt", "judge", "write", "learn", "sleep", "evaluate")


class Play:
    """A round being played. ``rows`` fill up as it goes; ``state`` is changed by :meth:`settle` alone."""

    def __init__(
        self, state: State, cluster: Cluster, watch: Callable[[Progress], None] | None = None
    ) -> None:
        self.state = state
        self.cluster = cluster
        self.config = state.config
        self.round = state.round + 1
        self.rows = RoundRows()
        self.requests: list[Request] = []
        self.clubs: list[clubs.Meeting] = []
        self.policies: dict[str, Policy] = dict(state.policies)
        self.next_version = dict(state.next_version)
        self.baselines = dict(state.baselines)
        self.ratings = {name: list(rating) for name, rating in state.ratings.items()}
        self.generated_tokens = 0
        self.trained_tokens = 0
        self.spent: dict[str, Spent] = {}
        """What the completions of each policy cost."""
        self.identities: dict[str, str] = {}
        """What makes each valid proposal a problem of its own, by problem: ``Domain.identity``."""
        self.seconds = dict.fromkeys(PHASES, 0.0)
        self.shelved: writing.Outcome | None = None
        self.read_of: list[str] = []
        """Authors of what was shown in the library arm, a name a read."""
        self._watch = watch
        self._started = datetime.now(UTC)
        self._clock = time.perf_counter()

    def play(self) -> RoundRows:
        """All phases in order; returns the rows to commit."""
        generations.begin(self)
        with self.phase("request"):
            self.requests = self._request()
        with self.phase("propose"):
            self.clubs = clubs.meet(self)
            problems = proposing.propose(self, self.requests, [p for m in self.clubs for p in m.posed])
        attempts = attempting.attempt(self, problems)
        with self.phase("judge"):
            proposing.pay(self, attempts)
        with self.phase("write"):
            self.shelved = writing.write(self, attempts)
        taught = self.state.taught(attempts)
        with self.phase("learn"):
            learning.learn(self, taught)
        with self.phase("sleep"):
            learning.sleep(self, taught)
        with self.phase("evaluate"):
            evaluating.evaluate(self)
            evaluating.measure(self)
            measuring.measure(self)
            rating.measure(self)
        for note in self.cluster.noticed:
            self.event("infrastructure", "restart", "cluster", note)
        self.cluster.noticed.clear()
        self.rows.rounds.append(self._summary())
        self.cluster.busy = dict.fromkeys(self.cluster.busy, 0.0)
        return self.rows

    def settle(self) -> None:
        """Move the state on; called when the rows are committed."""
        state = self.state
        domains = {p.problem_id: p.domain for p in self.rows.problems}
        state.seen |= {(domains[problem_id], identity) for problem_id, identity in self.identities.items()}
        state.population = state.population.next()
        for policy in self.rows.policies:
            # those that it began with were taken up before the first round
            if policy.accepted and policy.version > 0:
                state.take_up(policy)
        state.next_version = self.next_version
        state.baselines = self.baselines
        state.ratings = self.ratings
        state.take_in(self.rows.evaluations)
        state.rehearsal.append(state.key_samples(state.taught(self.rows.attempts)))
        if self.shelved is not None:
            state.library = self.shelved.state
            state.library_version = self.shelved.version
            state.library_size = self.shelved.size
        state.round = self.round

    # -- what the phases share -----------------------------------------------------------------------
    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a phase and tell the watcher of it."""
        if self._watch is not None:
            self._watch(
                Progress(self.round, name, self.rows, self.state, self.generated_tokens, dict(self.seconds))
            )
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - started

    def stream(self, purpose: str, *ids: str | int) -> int:
        """The seed of a stream of this round."""
        return derive(self.config.seed, purpose, self.round, *ids)

    def version_of(self, agent: Agent) -> str:
        """The policy version that an agent uses in this round."""
        return self.policies[agent.policy].policy_version

    def sampling(
        self, max_tokens: int, *, greedy: bool = False, temperature: float | None = None
    ) -> Sampling:
        """How this run samples; ``temperature`` in the place of the engine's."""
        engine = self.config.engine
        warm = engine.temperature if temperature is None else temperature
        return Sampling(max_tokens, 0.0 if greedy else warm, engine.stop)

    def held(self, policy: str) -> bool:
        """Whether what a policy writes can be held to a pattern, and is to be."""
        server = self.config.policies[policy].server
        can = server.extensions if server is not None else self.config.engine.kind != "spark"
        return self.config.engine.patterns and can

    def count(self, completion: Completion) -> None:
        """Add a completion to what the round has cost."""
        self.generated_tokens += len(completion.token_ids)
        policy = completion.policy_version.partition("@")[0]
        self.spent.setdefault(policy, Spent()).add(completion)

    def generation(
        self, prompt: str, purpose: str, *ids: str | int, pattern: str | None = None
    ) -> Generation:
        """A prompt with its random stream."""
        return Generation(prompt, self.stream(purpose, *ids), pattern)

    def completions(
        self, agents: Sequence[Agent], requests: Sequence[Generation], sampling: Sampling
    ) -> list[Completion]:
        """What each agent's policy answers to the request at its place; a version at a time."""
        by_version: dict[str, list[int]] = {}
        for at, agent in enumerate(agents):
            by_version.setdefault(self.version_of(agent), []).append(at)
        done: dict[int, Completion] = {}
        for version in sorted(by_version):
            mine = by_version[version]
            found = self.cluster.generate(version, [requests[i] for i in mine], sampling)
            for i, completion in zip(mine, found, strict=True):
                self.count(completion)
                done[i] = completion
        return [done[i] for i in range(len(agents))]

    def quoted(self, text: str) -> list[str]:
        """A text of a model as it is shown to another: without control tokens, every line marked."""
        limit = self.config.library.max_note_chars
        shown = quote(text, control_tokens=self.state.control_tokens(), limit=limit)
        return [f"> {line}" for line in shown.split("\n")]

    def event(self, source: Source, kind: str, subject: str, detail: str) -> None:
        """Store something that happened."""
        self.rows.events.append(Event(self.round, datetime.now(UTC), source, kind, subject, detail))

    def _request(self) -> list[Request]:
        rng = generator(self.config.seed, "request", self.round)
        return self.state.strategy.request(self.config.rollout.problems, rng)

    def _summary(self) -> Round:
        rows, seconds = self.rows, self.seconds
        valid = [p for p in rows.problems if p.answer_key is not None]
        admitted = [p for p in rows.problems if p.status == "admitted"]
        difficulties = [p.difficulty for p in admitted if p.difficulty is not None]
        library = self.shelved
        state = {**self.state.save(), "baselines": self.baselines, "ratings": self.ratings}
        specs = {p.problem_id: p.spec for p in valid}
        if told := {i: identity for i, identity in self.identities.items() if identity != specs[i]}:
            state["identities"] = told
        if library is not None:
            state = {**state, "library": library.state, "library_size": library.size}
        return Round(
            round=self.round,
            started_at=self._started,
            requested=len(self.requests),
            proposed=len(rows.problems),
            valid=len(valid),
            duplicate=sum(p.reason == "duplicate" for p in rows.problems),
            admitted=len(admitted),
            attempts=len(rows.attempts),
            correct=sum(a.correct for a in rows.attempts),
            mean_difficulty=sum(difficulties) / len(difficulties) if difficulties else None,
            library_version=self.state.library_version if library is None else library.version,
            generated_tokens=self.generated_tokens,
            trained_tokens=self.trained_tokens,
            state=state,
            request_seconds=seconds["request"],
            propose_seconds=seconds["propose"],
            attempt_seconds=seconds["attempt"],
            judge_seconds=seconds["judge"],
            write_seconds=seconds["write"],
            learn_seconds=seconds["learn"],
            sleep_seconds=seconds["sleep"],
            evaluate_seconds=seconds["evaluate"],
            generating_seconds=self.cluster.busy["generating"],
            verifying_seconds=self.cluster.busy["verifying"],
            training_seconds=self.cluster.busy["training"],
            previous_commit_seconds=self.state.commit_seconds,
            peak_memory=dict(self.cluster.peak_memory()),
            seconds=time.perf_counter() - self._clock,
        )
