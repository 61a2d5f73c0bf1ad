"""The spark engine against Hugging Face's own implementation of the same model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from transformers import LlamaForCausalLM

from agents import spark
from agents.engines import spark as engine_module
from agents.engines.base import Completion, Request, Sampling
from agents.engines.check import check_engine
from agents.engines.spark import SparkEngine, uniforms

PROMPTS = ["r:abc=", "s:dca=", "1+2=", "a", "the quick brown fox jumps over=", "zzz\nr:q="]
VERSION = "spark@0"


def sharpened(seed: int) -> LlamaForCausalLM:
    """A random model with peaked distributions, so that greedy choices are no ties."""
    model = spark.new_model(seed, layers=2, width=32, heads=2).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.mul_(6.0)
            else:
                parameter.add_(0.1 * torch.arange(len(parameter)) / len(parameter))
    return model


@pytest.fixture(scope="module")
def model() -> LlamaForCausalLM:
    return sharpened(1)


def engine_of(model: LlamaForCausalLM, batch_size: int = 256) -> SparkEngine:
    engine = SparkEngine(batch_size=batch_size, threads=1)
    engine.load_model(VERSION, model)
    return engine


def reference(model: LlamaForCausalLM, prompt: str, ids: list[int], temperature: float) -> np.ndarray:
    """Log-probabilities of ``ids`` after ``prompt`` by a forward pass without cache or padding."""
    start = spark.encode(prompt)
    with torch.inference_mode():
        logits = model(torch.tensor([start + ids]), use_cache=False).logits[0, len(start) - 1 : -1]
    scores = torch.log_softmax(logits / temperature, dim=-1)
    return scores[torch.arange(len(ids)), torch.tensor(ids)].numpy()


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_log_probabilities_are_the_models(model: LlamaForCausalLM, temperature: float) -> None:
    requests = [Request(p, seed) for seed in range(4) for p in PROMPTS]
    done = engine_of(model).generate(VERSION, requests, Sampling(24, temperature))
    for request, completion in zip(requests, done, strict=True):
        expected = reference(model, request.prompt, completion.token_ids, temperature)
        np.testing.assert_allclose(completion.logprobs, expected, atol=1e-4, rtol=1e-4)


def test_greedy_is_transformers_greedy(model: LlamaForCausalLM) -> None:
    done = engine_of(model).generate(VERSION, [Request(p, 0) for p in PROMPTS], Sampling(24, 0.0))
    for prompt, completion in zip(PROMPTS, done, strict=True):
        ids = torch.tensor([spark.encode(prompt)])
        out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=24, do_sample=False)
        assert completion.token_ids == out[0, ids.shape[1] :].tolist()


def test_the_whole_context_can_be_used(model: LlamaForCausalLM) -> None:
    prompt = "ab" * 100
    (completion,) = engine_of(model).generate(VERSION, [Request(prompt, 3)], Sampling(56))
    expected = reference(model, prompt, completion.token_ids, 1.0)
    np.testing.assert_allclose(completion.logprobs, expected, atol=1e-4, rtol=1e-4)


def test_it_conforms(model: LlamaForCausalLM) -> None:
    unreadable = ["é", "", "x" * 250]
    for batch_size in (256, 2):
        check_engine(engine_of(model, batch_size), VERSION, prompts=PROMPTS, unreadable=unreadable)


class Forgetful(SparkEngine):
    """An engine whose results depend on what is beside them."""

    def generate(
        self, policy_version: str, requests: list[Request], sampling: Sampling
    ) -> list[Completion]:
        shifted = [Request(r.prompt, r.seed + i) for i, r in enumerate(requests)]
        return super().generate(policy_version, shifted, sampling)


class Wordy(SparkEngine):
    """An engine that leaves a log-probability out."""

    def generate(
        self, policy_version: str, requests: list[Request], sampling: Sampling
    ) -> list[Completion]:
        done = super().generate(policy_version, requests, sampling)
        return [
            Completion(c.text, c.token_ids, c.logprobs[1:], 1, c.policy_version, c.finish) for c in done
        ]


@pytest.mark.parametrize(
    ("kind", "message"), [(Forgetful, "in another order"), (Wordy, "log-probability a token")]
)
def test_the_check_finds_what_is_wrong(
    model: LlamaForCausalLM, kind: type[SparkEngine], message: str
) -> None:
    engine = kind(batch_size=8, threads=1)
    engine.load_model(VERSION, model)
    with pytest.raises(AssertionError, match=message):
        check_engine(engine, VERSION, prompts=PROMPTS)


def test_the_check_wants_different_prompts(model: LlamaForCausalLM) -> None:
    with pytest.raises(ValueError, match="three different prompts"):
        check_engine(engine_of(model), VERSION, prompts=["a", "a", "b"])


def test_samples_follow_the_models_distribution(model: LlamaForCausalLM) -> None:
    n, prompt, temperature = 4000, "r:abc=", 3.0
    requests = [Request(prompt, seed * 2**40 + 1) for seed in range(n)]
    done = engine_of(model, 512).generate(VERSION, requests, Sampling(1, temperature))
    counts = np.bincount([c.token_ids[0] for c in done], minlength=len(spark.VOCABULARY))
    with torch.inference_mode():
        logits = model(torch.tensor([spark.encode(prompt)])).logits[0, -1]
    expected = n * torch.softmax(logits.double() / temperature, dim=-1).numpy()
    common = expected >= 5
    assert common.sum() >= 3
    observed, wanted = list(counts[common]), list(expected[common])
    if not common.all():
        observed.append(counts[~common].sum())
        wanted.append(expected[~common].sum())
    assert chisquare(observed, wanted).pvalue > 1e-3


def test_uniforms_are_uniform_and_streams_are_apart() -> None:
    seeds = np.arange(20_000, dtype=np.uint64)
    draws = [uniforms(seeds, step).numpy() for step in (0, 1)]
    for u in draws:
        assert u.min() >= 0.0
        assert u.max() < 1.0
        counts = np.histogram(u, bins=50, range=(0, 1))[0]
        assert chisquare(counts).pvalue > 1e-3
    assert abs(np.corrcoef(draws[0], draws[1])[0, 1]) < 0.03
    assert abs(np.corrcoef(draws[0][:-1], draws[0][1:])[0, 1]) < 0.03
    # a row's numbers do not depend on its place
    assert uniforms(seeds[::-1].copy(), 3).flip(0).equal(uniforms(seeds, 3))


def test_finished_rows_leave_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    model = sharpened(2)
    model.lm_head.weight.data.mul_(0.02)  # nearly flat: the end comes now and then
    sizes: list[int] = []
    step = engine_module._step

    def watched(w: object, token: torch.Tensor, *rest: object) -> torch.Tensor:
        sizes.append(len(token))
        return step(w, token, *rest)  # type: ignore[arg-type]

    requests = [Request(p, seed) for seed in range(20) for p in PROMPTS]
    whole = engine_of(model)
    monkeypatch.setattr(engine_module, "_step", watched)
    compacted = whole.generate(VERSION, requests, Sampling(64))
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0]
    monkeypatch.setattr(engine_module, "_KEEP", 0.0)
    sizes.clear()
    left = whole.generate(VERSION, requests, Sampling(64))
    assert set(sizes) == {len(requests)}
    assert {c.finish for c in left} == {"stop", "length"}
    assert [c.text for c in compacted] == [c.text for c in left]
    for a, b in zip(compacted, left, strict=True):
        np.testing.assert_allclose(a.logprobs, b.logprobs, atol=1e-4)
    for request, a in zip(requests[::10], compacted[::10], strict=True):
        expected = reference(model, request.prompt, a.token_ids, 1.0)
        np.testing.assert_allclose(a.logprobs, expected, atol=1e-4)


def test_a_completion_ends_with_the_end_token() -> None:
    model = sharpened(3)
    model.lm_head.weight.data.mul_(0.02)  # nearly flat: the end comes now and then
    done = engine_of(model).generate(VERSION, [Request("a", s) for s in range(200)], Sampling(64))
    assert {c.finish for c in done} == {"stop", "length"}
    for c in done:
        stopped = c.finish == "stop"
        assert c.token_ids.count(spark.EOS_ID) == int(stopped)
        assert (c.token_ids[-1] == spark.EOS_ID) is stopped
        assert c.text == spark.decode(c.token_ids[: -1 if stopped else None])


def test_prompts_that_do_not_fit_say_why(model: LlamaForCausalLM) -> None:
    requests = [Request("x" * 200, 0), Request("x" * 201, 0), Request("", 0), Request("ü", 0)]
    done = engine_of(model).generate(VERSION, requests, Sampling(56))
    assert [c.finish == "error" for c in done] == [False, True, True, True]
    assert done[1].failure == "expected 1 to 200 prompt characters, got 201"
    assert done[3].failure == "expected printable ASCII, got 'ü'"


def test_versions_are_loaded_and_forgotten(model: LlamaForCausalLM, tmp_path: Path) -> None:
    spark.save(model, tmp_path)
    engine = SparkEngine(threads=1)
    request, sampling = [Request("a", 1)], Sampling(8)
    with pytest.raises(KeyError, match="expected a loaded policy version, got 'spark@0'"):
        engine.generate(VERSION, request, sampling)
    engine.load(VERSION, tmp_path)
    engine.load("spark@1", tmp_path)
    (a,) = engine.generate(VERSION, request, sampling)
    assert a.token_ids == engine_of(model).generate(VERSION, request, sampling)[0].token_ids
    engine.forget({"spark@1"})
    with pytest.raises(KeyError):
        engine.generate(VERSION, request, sampling)
    assert engine.generate("spark@1", request, sampling)[0].token_ids == a.token_ids


def test_another_stop_is_refused(model: LlamaForCausalLM) -> None:
    with pytest.raises(ValueError, match="expected the stop string"):
        engine_of(model).generate(VERSION, [Request("a", 0)], Sampling(4, stop=";"))
