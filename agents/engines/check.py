"""The contract of an engine, as a check that anyone can run on theirs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from agents.engines.base import Completion, Engine, Request, Sampling

__all__ = ["check_engine"]

_UNKNOWN = "nobody@404"


def check_engine(
    engine: Engine,
    policy_version: str,
    *,
    prompts: Sequence[str],
    unreadable: Sequence[str] = (),
    max_tokens: int = 16,
    stop: str = "\n",
    tolerance: float = 1e-4,
) -> None:
    """Hold ``engine``, which has loaded ``policy_version``, to what :class:`Engine` promises.

    ``prompts`` are at least three different ones that it can take, ``unreadable`` such as it cannot: those
    become completions that say what failed, and the others come all the same. Sampled twice, in another
    order and one by one, requests keep their completions; log-probabilities are compared within
    ``tolerance`` nats, since sums may round differently in batches of another shape, and with them, once
    in a great many tokens, so may a sample that falls between two tokens.

    Raises AssertionError with what was expected and what came.
    """
    if len(set(prompts)) < 3:
        raise ValueError(f"expected three different prompts or more, got {len(set(prompts))}")
    requests = [Request(p, 7 + 13 * i) for i, p in enumerate(prompts)]
    sampled, greedy = Sampling(max_tokens, 1.0, stop), Sampling(max_tokens, 0.0, stop)
    _unloaded(engine, requests, sampled)
    assert engine.generate(policy_version, [], sampled) == [], "expected no completions of no requests"
    for sampling in (sampled, greedy):
        first = engine.generate(policy_version, requests, sampling)
        assert len(first) == len(requests), f"expected {len(requests)} completions, got {len(first)}"
        for completion in first:
            _well_formed(completion, policy_version, sampling)
        again = engine.generate(policy_version, requests, sampling)
        assert again == first, "expected the same completions of the same call, got others"
        back = engine.generate(policy_version, requests[::-1], sampling)[::-1]
        alone = [engine.generate(policy_version, [r], sampling)[0] for r in requests]
        _alike(first, back, tolerance, "in another order")
        _alike(first, alone, tolerance, "one by one")
    _seeds(engine, policy_version, prompts[0], sampled, greedy)
    mixed = [*requests, *(Request(p, 1) for p in unreadable)]
    done = engine.generate(policy_version, mixed, sampled)
    _alike(
        engine.generate(policy_version, requests, sampled),
        done[: len(requests)],
        tolerance,
        "with bad ones",
    )
    for prompt, completion in zip(unreadable, done[len(requests) :], strict=True):
        assert completion.finish == "error", f"expected an error for {prompt[:40]!r}, got {completion}"
        assert completion.failure, f"expected a failure that says why for {prompt[:40]!r}, got none"
        assert not completion.token_ids and not completion.logprobs and not completion.text


def _unloaded(engine: Engine, requests: Sequence[Request], sampling: Sampling) -> None:
    try:
        engine.generate(_UNKNOWN, requests, sampling)
    except KeyError:
        return
    raise AssertionError(f"expected a KeyError for {_UNKNOWN!r}, which is not loaded, got completions")


def _well_formed(c: Completion, policy_version: str, sampling: Sampling) -> None:
    assert c.policy_version == policy_version, f"expected {policy_version}, got {c.policy_version}"
    assert c.finish in ("stop", "length"), f"expected stop or length, got {c.finish}: {c.failure}"
    assert len(c.token_ids) == len(c.logprobs), f"expected a log-probability a token, got {c}"
    assert 0 < len(c.token_ids) <= sampling.max_tokens, (
        f"expected 1 to {sampling.max_tokens} tokens, got {c}"
    )
    assert all(math.isfinite(x) and x <= 1e-6 for x in c.logprobs), f"expected log-probabilities, got {c}"
    assert sampling.stop not in c.text, f"expected text without the stop {sampling.stop!r}, got {c.text!r}"
    if c.finish == "length":
        assert len(c.token_ids) == sampling.max_tokens, f"expected {sampling.max_tokens} tokens, got {c}"
    assert c.prompt_tokens > 0, f"expected the prompt's length, got {c.prompt_tokens}"


def _alike(a: Sequence[Completion], b: Sequence[Completion], tolerance: float, how: str) -> None:
    for x, y in zip(a, b, strict=True):
        same = (x.text, x.token_ids, x.finish) == (y.text, y.token_ids, y.finish)
        assert same, f"expected the same completion {how}, got {x.text!r} and {y.text!r}"
        worst = max((abs(p - q) for p, q in zip(x.logprobs, y.logprobs, strict=True)), default=0.0)
        assert worst <= tolerance, (
            f"expected log-probabilities within {tolerance} {how}, got {worst:g} apart"
        )


def _seeds(engine: Engine, version: str, prompt: str, sampled: Sampling, greedy: Sampling) -> None:
    many = [Request(prompt, seed) for seed in range(16)]
    texts = {c.text for c in engine.generate(version, many, sampled)}
    assert len(texts) > 1, f"expected seeds to matter, got {texts} for all 16"
    texts = {c.text for c in engine.generate(version, many, greedy)}
    assert len(texts) == 1, f"expected one greedy completion whatever the seed, got {sorted(texts)}"
