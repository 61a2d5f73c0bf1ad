"""On an NVIDIA GPU: the torch engine and the learner give what they give on the CPU, up to rounding."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from agents import checkpoints, spark
from agents.config import EngineConfig, LearnerConfig, LoraSettings
from agents.engines.base import Request, Sampling
from agents.engines.check import check_engine
from agents.engines.torch import TorchEngine
from agents.learning.learner import Learned, Learner
from agents.vocabulary import SparkVocabulary, Vocabulary, vocabulary_of
from culture.records import BatchRow
from tests.agents import tiny

pytestmark = pytest.mark.cuda

ENGINE = EngineConfig(kind="torch", threads=1, batch_size=8)
LEARNER = LearnerConfig(lr=1e-3, warmup_steps=4, micro_batch_tokens=64, threads=1, weight_decay=0.0)
PROMPTS = ["hello", "RS12=", "a\nb", "12+34="]


@contextmanager
def on_cpu() -> Iterator[None]:
    """As on a machine without a GPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        yield


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("tiny") / "p@0")


def engine(base: Path, vocabulary: Vocabulary) -> TorchEngine:
    made = TorchEngine(base, vocabulary, ENGINE)
    made.load("p@0", base)
    return made


def test_the_engine_meets_the_contract(base: Path) -> None:
    here = engine(base, vocabulary_of(base, chat=True))
    assert next(here._models["p@0"].parameters()).is_cuda
    check_engine(here, "p@0", prompts=["hello", "RS12=", "a\nb"], unreadable=["x" * 600], stop="z")


def test_the_engine_says_what_it_says_on_the_cpu(base: Path) -> None:
    vocabulary = vocabulary_of(base, chat=True)
    for temperature in (0.0, 1.0):
        sampling = Sampling(24, temperature, "")
        asked = [Request(p, i) for i, p in enumerate(PROMPTS)]
        here = engine(base, vocabulary).generate("p@0", asked, sampling)
        with on_cpu():
            there = engine(base, vocabulary).generate("p@0", asked, sampling)
        for a, b in zip(here, there, strict=True):
            assert a.token_ids == b.token_ids
            torch.testing.assert_close(
                torch.tensor(a.logprobs), torch.tensor(b.logprobs), atol=1e-4, rtol=1e-4
            )


def rows(vocabulary: Vocabulary, objective: str) -> list[BatchRow]:
    made = []
    for i in range(24):
        prompt, completion = PROMPTS[i // 6], "answer "[: 1 + i % 6]
        ids = vocabulary.completion(completion)
        made.append(
            BatchRow(
                batch_id="b",
                round=0,
                row=i,
                role="solver",
                objective=objective,
                source_kind="attempt",
                source_id=f"t{i}",
                group_id=f"g{i // 6}",
                prompt=prompt,
                completion=completion,
                token_ids=ids,
                logprobs=[-4.0 - 0.01 * k for k in range(len(ids))] if objective == "grpo" else [],
                weight=1.0,
                advantage=1.0 if i % 2 else -0.5,
            )
        )
    return made


def taught(
    folder: Path, base: Path, vocabulary: Vocabulary, objective: str, lora: LoraSettings | None
) -> tuple[list[Learned], dict[str, torch.Tensor]]:
    """Three versions, and the weights of the last on the CPU."""
    learner, path = Learner(LEARNER, seed=0), base
    found = []
    for number in (1, 2, 3):
        to = folder / f"p@{number}"
        found.append(
            learner.learn(
                policy="p",
                parent=f"p@{number - 1}",
                parent_path=path,
                version=f"p@{number}",
                path=to,
                rows=rows(vocabulary, objective),
                lr=LEARNER.lr,
                vocabulary=vocabulary,
                lora=lora,
                first=base,
            )
        )
        path = to
    model = checkpoints.load_model(path, base)
    return found, {name: w.float() for name, w in model.state_dict().items()}


@pytest.mark.parametrize("objective", ["answer_key", "grpo"])
@pytest.mark.parametrize("lora", [None, LoraSettings(rank=4)], ids=["whole", "adapters"])
def test_the_learner_learns_what_it_learns_on_the_cpu(
    base: Path, tmp_path: Path, objective: str, lora: LoraSettings | None
) -> None:
    vocabulary = vocabulary_of(base, chat=True)
    found, weights = taught(tmp_path / "cuda", base, vocabulary, objective, lora)
    with on_cpu():
        expected, others = taught(tmp_path / "cpu", base, vocabulary, objective, lora)
    assert all(learned.accepted for learned in found + expected)
    for a, b in zip(found, expected, strict=True):
        assert [u.loss for u in a.updates] == pytest.approx([u.loss for u in b.updates], rel=1e-3)
    moved = sum(float((weights[n] - w).square().sum()) for n, w in checkpoints_of(base).items()) ** 0.5
    apart = sum(float((weights[n] - w).square().sum()) for n, w in others.items()) ** 0.5
    assert apart < 0.05 * moved


def checkpoints_of(base: Path) -> dict[str, torch.Tensor]:
    return {name: w.float() for name, w in checkpoints.load_model(base).state_dict().items()}


def test_what_was_held_and_what_is_loaded_are_taught_alike(tmp_path: Path) -> None:
    """As after a kill: the same version from memory and from its files, bit by bit."""
    root = tmp_path / "p@0"
    checkpoints.save(root, spark.new_model(0, layers=2, width=32, heads=2), None, 0)
    vocabulary = SparkVocabulary()
    batch = [
        row for row in rows(vocabulary, "answer_key") if all(c in spark.VOCABULARY for c in row.prompt)
    ]
    digests = []
    for way in ("held", "loaded", "again"):
        learner, parent = Learner(LEARNER, seed=0), root
        for number in (1, 2):
            if way == "loaded":
                learner = Learner(LEARNER, seed=0)
            to = tmp_path / way / f"p@{number}"
            learned = learner.learn(
                policy="p",
                parent=f"p@{number - 1}",
                parent_path=parent,
                version=f"p@{number}",
                path=to,
                rows=batch,
                lr=LEARNER.lr,
            )
            assert learned.accepted
            parent = to
        digests.append(learned.sha256)
    assert len(set(digests)) == 1
