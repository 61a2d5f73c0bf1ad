"""The work of a round that needs models, as plain classes: engines and the learner.

Each can be used in-process, as those of ``arena.verifier`` and ``arena.librarian``; ``arena.cluster`` turns
them into Ray actors. What they do depends on their
arguments and on what is committed, so work that was lost with an actor can be given to its successor.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

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
from arena.bases import VERSIONS_KEPT, vocabulary_for
from arena.config import RunConfig
from arena.run_files import CHECKPOINTS, cache_folder
from arena.sandbox import Sandbox
from arena.warm_up import warm_up


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
class LearnOrder:
    """Train version ``version`` of ``policy`` from ``parent`` on the Parquet file ``batch``."""

    policy: str
    parent: str
    version: str
    batch: str
    """Path in the run's folder."""
    passed: float
    """How much of the time of its weights is over, from 0 to 1: what the learning rate falls with."""


class LearnerWorker:
    """Trains policies and makes their first versions."""

    def __init__(self, folder: Path, config: RunConfig) -> None:
        self.folder = folder
        self.config = config
        self.learner = Learner(config.learner, seed=config.seed)

    def learn(self, order: LearnOrder) -> Learned:
        """Train a version on a stored batch."""
        c = self.config
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
            lr=lr * (1 - (1 - c.learner.final_lr) * order.passed),
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
                    domains=[self.config.domain(name) for name in self.config.domains],
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

    domains = [config.domain(name) for name in config.domains]
    own = [sys.modules[type(domain).__module__] for domain in domains]
    files = {Path(str(module.__file__)) for module in (made, taught, *own)}
    for package in (trained, worlds):
        files |= set(Path(str(package.__file__)).parent.glob("*.py"))
    sources = [path.read_text() for path in sorted(files)]
    sources += [text for domain in domains for text in domain.material()]
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
