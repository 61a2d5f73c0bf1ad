"""Greedy answers of a policy version to problems, without notes: what anchors and revisits are answered
with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agents.config import EngineConfig
from agents.engines.base import Completion, Request, Sampling
from arena.cluster import Cluster
from arena.domains import Domain
from arena.envs import Episode
from arena.pools import Failed


@dataclass(frozen=True, slots=True)
class Question:
    """A problem to be answered."""

    question_id: str
    spec: str
    answer_key: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of it."""

    completion: str
    """Of several turns the last; untrusted."""
    correct: bool | None
    """None where the infrastructure lost it."""
    answer: str | None = None
    """In canonical form; of a game of two how it ended."""
    turns: int = 1


def answers(
    cluster: Cluster,
    version: str,
    domain: Domain,
    questions: Sequence[Question],
    engine: EngineConfig,
    count: Callable[[Completion], None] | None = None,
) -> list[Answered]:
    """One answer to each question, in order; ``count`` is told of every completion. In a game of two
    against a policy the version plays both."""
    episodes = [Episode(domain.name, q.spec, q.answer_key, engine.form) for q in questions]
    prompts = [domain.turn(q.spec, q.answer_key, (), engine.form).observation for q in questions]
    found = [Answered("", None)] * len(questions)
    sampling = Sampling(engine.answer_tokens, 0.0, engine.stop)
    open_ = list(range(len(questions)))
    while open_:
        done = cluster.generate(version, [Request(prompts[i], 0) for i in open_], sampling)
        results = cluster.step([episodes[i] for i in open_], [c.text for c in done], [[]] * len(open_))
        still = []
        for i, completion, result in zip(open_, done, results, strict=True):
            if count is not None:
                count(completion)
            if isinstance(result, Failed) or completion.finish == "error":
                found[i] = Answered(completion.text, None)
            elif result.done:
                turns = len(episodes[i].actions) + 1
                found[i] = Answered(completion.text, result.verdict == "correct", result.answer, turns)
            else:
                episodes[i], prompts[i] = episodes[i].after(completion.text), result.observation
                still.append(i)
        open_ = still
    return found
