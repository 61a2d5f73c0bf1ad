"""The torch engine: the contract, on spark and on a model with a chat template."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from agents import checkpoints, spark
from agents.config import EngineConfig, LearnerConfig, LoraSettings
from agents.engines.base import Request, Sampling
from agents.engines.check import check_engine
from agents.engines.torch import TorchEngine
from agents.learning.packing import Tokens, pack
from agents.learning.scoring import score_packed
from agents.learning.trainee import Trainee
from agents.vocabulary import SparkVocabulary, vocabulary_of
from tests.agents import tiny

CONFIG = EngineConfig(kind="torch", threads=1, batch_size=8)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("tiny") / "p@0")


@pytest.fixture(scope="module")
def engine(base: Path) -> TorchEngine:
    made = TorchEngine(base, vocabulary_of(base, chat=True), CONFIG)
    made.load("p@0", base)
    return made


def test_spark_meets_the_contract(tmp_path: Path) -> None:
    checkpoints.save(tmp_path / "p@0", spark.new_model(0, layers=2, width=32, heads=2), None, 0)
    engine = TorchEngine(tmp_path / "p@0", SparkVocabulary(), CONFIG)
    engine.load("p@0", tmp_path / "p@0")
    check_engine(
        engine,
        "p@0",
        prompts=["?>", "RS12=", "abc", "S4321=12\nRS12="],
        unreadable=["naïve", "", "x" * 300],
    )


def test_a_chat_model_meets_the_contract(engine: TorchEngine) -> None:
    check_engine(engine, "p@0", prompts=["hello", "RS12=", "a\nb"], unreadable=["x" * 600], stop="z")


def test_only_the_end_token_ends_without_a_stop(engine: TorchEngine) -> None:
    done = engine.generate("p@0", [Request("hello", i) for i in range(8)], Sampling(40, 1.0, ""))
    for completion in done:
        assert (completion.finish == "stop") == (completion.token_ids[-1] == engine.vocabulary.end)
        assert engine.vocabulary.end not in completion.token_ids[:-1]


def test_log_probabilities_are_the_model_s(engine: TorchEngine) -> None:
    model = checkpoints.load_model(engine.base)
    for temperature in (0.0, 1.0):
        (done,) = engine.generate("p@0", [Request("hello", 3)], Sampling(12, temperature, ""))
        row = Tokens(0, tuple(engine.vocabulary.prompt("hello")), tuple(done.token_ids))
        with torch.no_grad():
            own = score_packed(model, pack([[row]])).logprobs[0]
        torch.testing.assert_close(torch.tensor(done.logprobs), own, atol=1e-4, rtol=1e-4)


def test_samples_are_drawn_from_the_distribution(engine: TorchEngine) -> None:
    """First tokens of 4,000 seeds against the model's shares: each within five standard errors."""
    n = 4000
    wide = TorchEngine(engine.base, engine.vocabulary, CONFIG.model_copy(update={"batch_size": n}))
    wide.load("p@0", engine.base)
    asked = [Request("hello", 1_000_003 * seed) for seed in range(n)]
    done = wide.generate("p@0", asked, Sampling(1, 1.0, ""))
    counts: dict[int, int] = {}
    share: dict[int, float] = {}
    for completion in done:
        token = completion.token_ids[0]
        counts[token] = counts.get(token, 0) + 1
        share[token] = float(torch.tensor(completion.logprobs[0]).exp())
    for token, p in share.items():
        assert abs(counts[token] / n - p) < 5 * (p * (1 - p) / n) ** 0.5 + 1 / n


def test_an_adapter_is_merged_into_its_base(base: Path, tmp_path: Path) -> None:
    trainee = Trainee.load("p@0", base, base, LoraSettings(rank=4), LearnerConfig(), seed=1)
    for name, weight in trainee.model.named_parameters():
        if "lora_B" in name:
            weight.data = torch.full_like(weight, 0.05)
    trainee.save(tmp_path / "p@1", like=None)
    engine = TorchEngine(base, vocabulary_of(base, chat=True), CONFIG)
    engine.load("p@0", base)
    engine.load("p@1", tmp_path / "p@1")
    (done,) = engine.generate("p@1", [Request("hello", 3)], Sampling(12, 1.0, ""))
    (plain,) = engine.generate("p@0", [Request("hello", 3)], Sampling(12, 1.0, ""))
    assert done.logprobs != plain.logprobs and done.policy_version == "p@1"
    row = Tokens(0, tuple(engine.vocabulary.prompt("hello")), tuple(done.token_ids))
    with torch.no_grad():
        own = score_packed(trainee.model, pack([[row]])).logprobs[0]
    torch.testing.assert_close(torch.tensor(done.logprobs), own, atol=1e-4, rtol=1e-4)


@pytest.mark.llm
def test_a_pattern_is_kept_to(engine: TorchEngine) -> None:
    asked = [Request("hello", i, "[0-9]{2}-[ab]{1,3}" if i % 2 else None) for i in range(8)]
    done = engine.generate("p@0", asked, Sampling(12, 1.0, ""))
    import re

    for completion in done[1::2]:
        assert completion.finish == "stop" and re.fullmatch("[0-9]{2}-[ab]{1,3}", completion.text)
    free = engine.generate("p@0", [Request(r.prompt, r.seed) for r in asked], Sampling(12, 1.0, ""))
    assert [c.text for c in free[::2]] == [c.text for c in done[::2]]
