"""The work of a round as plain classes: engines, verifiers, the librarian, the learner.

Each can be used in-process; ``arena.cluster`` turns them into Ray actors. What they do depends on their
arguments and on what is committed, so work that was lost with an actor can be given to its successor.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import get_args

import torch
import transformers
from transformers import LlamaForCausalLM

from agents import checkpoints, models
from agents.engines.base import Completion, Engine, Request, Sampling
from agents.engines.spark import SparkEngine
from agents.engines.vllm import serves_adapters
from agents.learning.batches import read_parquet
from agents.learning.learner import Learned, Learner
from agents.learning.parallel import learn_in_parallel
from agents.population import Population
from arena.bases import VERSIONS_KEPT, cache_folder, vocabulary_for
from arena.config import RunConfig
from arena.domains import Domain, make_domain
from arena.envs import Episode, SolveEnv
from arena.proposals import Judged, judge
from arena.run_files import CHECKPOINTS
from arena.sandbox import Sandbox
from arena.seeding import kept
from arena.warm_up import warm_up
from culture import connect
from culture.edits import LibraryRefused, Written
from culture.effect import culture_effect
from culture.embedding import MiniLM
from culture.library import Library
from culture.loading import load_library
from culture.publishing import Ask, Publication
from culture.reading import Hit, Query, Reader
from culture.records import Arm, Citation, Json, Measure, Note, Revision, RoundRows, Verdict
from culture.standing import Worth
from culture.worth import By, worths


class EngineWorker:
    """Engines for the run's policies, made when they are first needed; they load what they are asked for.

    Policies with a base in common share an engine.
    """

    def __init__(self, folder: Path, config: RunConfig) -> None:
        self.folder = folder
        self.config = config
        self.notices: list[str] = []
        """What happened since it was last asked; the run stores it."""
        self._engines: dict[str, Engine] = {}
        self._recent: dict[str, list[str]] = {}

    def generate(
        self, policy_version: str, requests: Sequence[Request], sampling: Sampling
    ) -> list[Completion]:
        """Completions by one policy version; an engine that cannot answer gives failures that say why."""
        policy = policy_version.partition("@")[0]
        place = self._place(policy)
        if place not in self._engines:
            self._engines[place] = self._made(policy)
        engine = self._engines[place]
        engine.load(policy_version, self.folder / CHECKPOINTS / policy_version)
        recent = self._recent.setdefault(place, [])
        if policy_version in recent:
            recent.remove(policy_version)
        recent.append(policy_version)
        del recent[:-VERSIONS_KEPT]
        engine.forget(set(recent))
        try:
            return engine.generate(policy_version, requests, sampling)
        except RuntimeError as error:  # an EngineError, or torch's, such as memory that ran out
            return [Completion("", [], [], 0, policy_version, "error", str(error))] * len(requests)

    def _place(self, policy: str) -> str:
        """The name of the engine that serves ``policy``."""
        config, engine = self.config.policies[policy], self.config.engine
        if config.served:
            return policy
        if engine.kind == "spark":
            return "spark"
        # adapters of others would be laid over weights that are trained themselves
        whole = config.trained and config.lora is None and serves_adapters(engine)
        return policy if config.base == "spark" or whole else config.base

    def _made(self, policy: str) -> Engine:
        config, engine = self.config.policies[policy], self.config.engine
        if config.served is not None and config.server is not None:
            from agents.engines.openai_api import OpenAIEngine

            return OpenAIEngine(config.served, config.server)
        if engine.kind == "spark":
            return SparkEngine(batch_size=engine.batch_size, threads=engine.threads)
        vocabulary = vocabulary_for(self.config, policy, self.folder)
        base = self.folder / CHECKPOINTS / f"{policy}@0"
        if engine.kind == "torch":
            from agents.engines.torch import TorchEngine

            return TorchEngine(base, vocabulary, engine)
        from agents.engines.vllm import VllmEngine

        place = self._place(policy)
        served = [p for name, p in self.config.policies.items() if self._place(name) == place]
        ranks = [p.lora.rank for p in served if p.lora]
        return VllmEngine(base, vocabulary, engine, rank=max(ranks, default=0), notice=self.notices.append)


@dataclass(frozen=True, slots=True)
class Stepped:
    """An episode after an action: the next observation, or how it ended."""

    observation: str
    done: bool
    answer: str | None
    verdict: Verdict | None
    reward: float
    failure: str | None


class Verifier:
    """Judges proposals and answers. Model-written programs run in its sandbox and nowhere else."""

    def __init__(self, config: RunConfig) -> None:
        self.sandbox = Sandbox(config.sandbox)
        self._domains: dict[str, Domain] = {name: make_domain(name) for name in config.domains}

    def judge(self, domain: str, texts: Sequence[str]) -> list[Judged]:
        """See ``arena.proposals.judge``."""
        return judge(self._domains[domain], texts, self.sandbox)

    def step(
        self, episodes: Sequence[Episode], actions: Sequence[str], shown: Sequence[Sequence[str]]
    ) -> list[Stepped]:
        """Each episode after its action; ``shown[i]`` is what a lookup of it would show."""
        stepped = []
        for episode, action, notes in zip(episodes, actions, shown, strict=True):
            domain = self._domains[episode.domain]
            env = SolveEnv.from_episode(episode, domain, _Shown(notes), notes_per_lookup=len(notes))
            observation, reward, terminated, truncated, info = env.step(action)
            verdict: Verdict | None = info["verdict"]
            if truncated and verdict is None:
                verdict = "malformed"
            stepped.append(
                Stepped(
                    observation, terminated or truncated, info["answer"], verdict, reward, info["failure"]
                )
            )
        return stepped


class _Shown:
    """A library whose every search has found what was looked up already."""

    def __init__(self, notes: Sequence[str]) -> None:
        self._notes = list(notes)

    def search(self, query: str, k: int) -> list[str]:
        return self._notes[:k]


@dataclass(frozen=True, slots=True)
class Reading:
    """What an attempt would like to read; ``ids`` name its random stream."""

    query: str
    reader: Reader
    arm: Arm
    domain: str
    budget_chars: int
    problem_id: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shelved:
    """What the library made of a round."""

    notes: list[Note]
    revisions: list[Revision]
    citations: list[Citation]
    refused: list[tuple[int, str, str]]
    """Index of the edit, reason and detail."""
    version: int
    state: Json
    size: int
    """Notes in sight."""


class Librarian:
    """Holds the library, as of the last committed round."""

    def __init__(self, folder: Path, config: RunConfig) -> None:
        self.folder = folder
        self.config = config
        self._embedder = None if config.library.search == "bm25" else MiniLM(cache_folder())
        self._seeds = kept(folder)
        self._alphabets = {name: make_domain(name).alphabet for name in config.domains}
        self.library = self._empty()
        self.round = -1
        self._population = Population(config.population, config.seed)
        self._begun = RoundRows()
        """Rows of what the library began with, until they are handed over to be committed."""
        self._begin(-1)

    def read(self, committed: int, k: int, readings: Sequence[Reading]) -> list[list[Hit]]:
        """What each attempt is shown, as of round ``committed``: notes, or placebos of equal length.

        A note about the very problem that is being attempted is never shown.
        """
        self._catch_up(committed)
        found = self.library.search_many(
            Query(r.query, r.reader, k, r.budget_chars, r.domain, exclude_cited=(r.problem_id,), ids=r.ids)
            for r in readings
        )
        return [
            self.library.placebo(
                hits,
                query=r.query,
                reader=r.reader,
                domain=r.domain,
                alphabet=self._alphabets[r.domain].replace("\n", ""),
                ids=r.ids,
            )
            if r.arm == "placebo"
            else hits
            for r, hits in zip(readings, found, strict=True)
        ]

    def close_round(
        self, committed: int, round: int, edits: Sequence[Ask], reads: Mapping[str, int]
    ) -> Shelved:
        """Do what authors ask for in a round, count its reads and keep shelves within their budgets.

        Who is a member of which organisation is what the population of the round says. Where worth counts,
        it is estimated anew from the rounds that are committed.
        """
        self._catch_up(committed)
        rows, self._begun = self._begun, RoundRows()
        refused = []
        there = self._population_of(round)
        for index, edit in enumerate(edits):
            try:
                self._done(edit, there.organisations_of(edit.author)).add_to(rows)
            except LibraryRefused as error:
                refused.append((index, error.reason, error.detail))
        self.library.observe_reads(reads)
        if self.config.library.worth_strength and committed >= 0:
            self.library.observe_worth(self._worth())
        rows.revisions.extend(self.library.enforce_budgets(round))
        self.round = round
        return Shelved(
            rows.notes,
            rows.revisions,
            rows.citations,
            refused,
            self.library.version,
            self.library.state_dict(),
            len(self.library),
        )

    def _done(self, ask: Ask, organisations: frozenset[str]) -> Written:
        if isinstance(ask, Publication):
            return self.library.publish(ask.note_id, ask.author, ask.round, ask.shelf, organisations)
        return self.library.write(ask, organisations)

    def _population_of(self, round: int) -> Population:
        """The population as it is in a round."""
        if self._population.round > round:
            self._population = Population(self.config.population, self.config.seed)
        while self._population.round < round:
            self._population = self._population.next()
        return self._population

    def effects(self, committed: int) -> list[Measure]:
        """Measures of the next round: the library's effect and worth over all rounds up to ``committed``.

        A worth is there for every shelf, kind, author and note of which an interval can be given.
        """
        now = committed + 1
        with connect(self.folder) as connection:
            found = [
                Measure(
                    now, f"effect/{e.treatment}-{e.control}", domain, e.difference, e.low, e.high,
                    e.treated + e.controls,
                )
                for domain in self.config.domains
                for e in culture_effect(connection, domain=domain, rounds=range(now))
            ]  # fmt: skip
            for by in get_args(By):
                found += [
                    Measure(
                        now, f"worth/{by}/{w.key}", "", w.difference, w.low, w.high,
                        w.treated + w.controls,
                    )
                    for w in worths(connection, by)
                    if w.low is not None
                ]  # fmt: skip
        return found

    def _worth(self) -> dict[str, Worth]:
        with connect(self.folder) as connection:
            return {
                w.key: (100 * w.difference, 100 * w.standard_error)
                for w in worths(connection, "note")
                if w.standard_error is not None
            }

    def _empty(self) -> Library:
        return Library(self.config.library, seed=self.config.seed, embedder=self._embedder)

    def _catch_up(self, committed: int) -> None:
        """Be at round ``committed``: a restarted librarian, or one ahead of the log, reads it anew."""
        if self.round == committed:
            return
        if committed < 0:
            self._begin(committed)
            return
        with connect(self.folder) as log:
            found = log.execute("SELECT state FROM rounds WHERE round = ?", [committed]).fetchone()
            if found is None:
                raise LookupError(f"expected round {committed} in the log of {self.folder}, got none")
            self.library = load_library(log, self.config.library, self.config.seed, self._embedder)
        if not self.library.version:
            self._begin(committed)
            return
        self._begun = RoundRows()
        self.library.load_state_dict(json.loads(found[0])["library"])
        self.round = committed

    def _begin(self, committed: int) -> None:
        """A library with nothing but what the run begins with, to be committed with the next round.

        It was there in round 0 and is dated so, even where that round's writing failed.
        """
        self.library, self.round = self._empty(), committed
        self._begun = RoundRows()
        for index, seed in enumerate(self._seeds):
            self.library.write(seed.edit(index), seed.organisations).add_to(self._begun)


@dataclass(frozen=True, slots=True)
class LearnOrder:
    """Train version ``version`` of ``policy`` from ``parent`` on the Parquet file ``batch``."""

    policy: str
    parent: str
    version: str
    batch: str
    """Path in the run's folder."""
    round: int
    """Of ``rounds``: what the learning rate falls with."""


class LearnerWorker:
    """Trains policies and makes their first versions."""

    def __init__(self, folder: Path, config: RunConfig) -> None:
        self.folder = folder
        self.config = config
        self.learner = Learner(config.learner, seed=config.seed)

    def learn(self, order: LearnOrder) -> Learned:
        """Train a version on a stored batch."""
        c = self.config
        passed = min(1.0, order.round / max(1, c.rounds - 1))
        policy = c.policies[order.policy]
        lr = policy.lr or c.learner.lr
        learn = self.learner.learn
        if c.learner.workers > 1:
            learn = partial(learn_in_parallel, c.learner, seed=c.seed, retries=c.cluster.retries)
        return learn(
            policy=order.policy,
            parent=order.parent,
            parent_path=self.folder / CHECKPOINTS / order.parent,
            version=order.version,
            path=self.folder / CHECKPOINTS / order.version,
            rows=read_parquet(self.folder / order.batch),
            lr=lr * (1 - (1 - c.learner.final_lr) * passed),
            vocabulary=vocabulary_for(c, order.policy, self.folder),
            lora=policy.lora,
            first=self.folder / CHECKPOINTS / f"{order.policy}@0",
        )

    def first_version(self, policy: str, version: str) -> str:
        """Make version 0 of ``policy``; returns the SHA-256 of its weights, none where they are elsewhere.

        A warmed-up ``spark`` is kept in a cache by all that it depends on, and copied from there.
        """
        config = self.config.policies[policy]
        target = self.folder / CHECKPOINTS / version
        if config.served is not None:
            return ""
        if config.base != "spark":
            return checkpoints.adopt(target, models.resolve(config.base, cache_folder()))
        cached = cache_folder() / f"spark-{_fingerprint(self.config, policy)}"
        if not (cached / checkpoints.WEIGHTS).exists():
            torch.set_num_threads(self.config.learner.threads)
            with Sandbox(self.config.sandbox) as sandbox:
                model = warm_up(
                    config,
                    self.config.warm_up,
                    self.config.learner,
                    roles=self.config.population.roles_of(policy),
                    domains=self.config.domains,
                    form=self.config.engine.form,
                    sandbox=sandbox,
                    seed=self.config.seed,
                )
            _publish(model, cached)
        if target.exists():
            shutil.rmtree(target)
        shutil.copytree(cached, target)
        return checkpoints.sha256(target)


def _publish(model: LlamaForCausalLM, cached: Path) -> None:
    """Save a model in the cache, where another run may be saving the same one."""
    mine = cached.with_name(f"{cached.name}-{os.getpid()}")
    checkpoints.save(mine, model, None, 0)
    try:
        mine.replace(cached)
    except OSError:  # the other was first
        shutil.rmtree(mine)
        if not (cached / checkpoints.WEIGHTS).exists():
            raise


def _fingerprint(config: RunConfig, policy: str) -> str:
    """A name for all that a warmed-up model depends on, the code that makes it included."""
    from agents import learning as trained
    from agents import spark as made
    from arena import domains as worlds
    from arena import warm_up as taught

    own = [sys.modules[type(make_domain(name)).__module__] for name in config.domains]
    files = {Path(str(module.__file__)) for module in (made, taught, *own)}
    for package in (trained, worlds):
        files |= set(Path(str(package.__file__)).parent.glob("*.py"))
    sources = [path.read_text() for path in sorted(files)]
    shape = config.policies[policy].model_dump(exclude={"trained", "lr"})
    learner = config.learner.model_dump(
        include={"betas", "weight_decay", "max_grad_norm", "micro_batch_tokens", "threads", "lr"}
    )
    taught_for = [config.population.roles_of(policy), config.domains, config.engine.form]
    parts = [shape, config.warm_up.model_dump(), learner, taught_for, config.seed]
    text = json.dumps(
        [parts, sources, torch.__version__, transformers.__version__], sort_keys=True, default=str
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]
