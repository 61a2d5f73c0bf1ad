"""Policy gradients against another implementation: the loss, gradients and advantages of trl's GRPOTrainer.

Its trainer scores a batch of completions that are given to it, and computes its loss, by its own code; ours is
computed from the log-probabilities of the same weights, a row at a time and without padding. Both in float64.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from agents import spark
from agents.config import LearnerConfig
from agents.learning.objectives import Rewards, TokenBatch, objective

pytestmark = [
    pytest.mark.llm,
    # by trl, and by what it imports
    pytest.mark.filterwarnings("ignore:You are using 'rollout_func':UserWarning"),
    pytest.mark.filterwarnings("ignore:TRL currently supports vLLM versions:UserWarning"),
    pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning"),
]

BUDGET, CAP, GROUP = 9, 1.5, 4
PROMPTS = ["r:abc=", "12+34=", "x="]
COMPLETIONS = ["cba\n", "cab\n", "c\n", "bbbbbbbbb", "46\n", "4\n", "46 or 47\n", "0", "x\n", "xx\n", "y\n", "\n"]
# the last group teaches nothing, but its tokens count
REWARDS = [1.0, 0.0, 0.25, 0.0, 1.0, 0.0, 1.0, -0.5, 1.0, 1.0, 1.0, 1.0]
OURS = {"grpo": ("grpo", "group"), "dr_grpo": ("dr_grpo", "none"), "clip_higher": ("dapo", "group")}
"""For each objective trl's ``loss_type`` and ``scale_rewards``."""


@dataclass
class Scored:
    """A batch as trl prepared it, the model that was trained a little since, and trl's loss of it."""

    name: str
    config: LearnerConfig
    batch: TokenBatch
    prepared: dict[str, Tensor]
    model: LlamaForCausalLM
    loss: Tensor
    gradients: list[Tensor]


def moved(model: LlamaForCausalLM, seed: int) -> None:
    """Change all weights a little, as training would."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.05 * torch.randn(p.shape, generator=rng, dtype=p.dtype))


def logprobs(model: LlamaForCausalLM) -> Tensor:
    """(R, T) of the completions, each row scored by itself; 7 at padding, which must not matter."""
    found = []
    for i, completion in enumerate(COMPLETIONS):
        prompt, ids = spark.encode(PROMPTS[i // GROUP]), spark.encode(completion)
        scores = torch.log_softmax(model(torch.tensor([prompt + ids])).logits[0], -1)
        row = scores[len(prompt) - 1 : -1].gather(1, torch.tensor(ids)[:, None]).squeeze(1)
        found.append(torch.cat([row, row.new_full((BUDGET - len(ids),), 7.0)]))
    return torch.stack(found)


def trainer(folder: Path, name: str, *, beta: float) -> Any:
    """A GRPOTrainer on the model in ``folder``, to which the completions above are given."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM
    from trl import GRPOConfig, GRPOTrainer

    def rollouts(prompts: Sequence[str], trainer: Any) -> dict[str, list[Any]]:
        assert list(prompts) == [PROMPTS[i // GROUP] for i in range(len(COMPLETIONS))]
        ids = [spark.encode(c) for c in COMPLETIONS]
        return {
            "prompt_ids": [spark.encode(p) for p in prompts],
            "completion_ids": ids,
            "logprobs": [row[: len(i)].tolist() for row, i in zip(trainer.sampled, ids, strict=True)],
        }

    def rewards(completions: Sequence[str], **_: Any) -> list[float]:
        return REWARDS

    loss_type, scale_rewards = OURS[name]
    args = GRPOConfig(
        output_dir=str(folder / "trl"),
        report_to="none",
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        per_device_train_batch_size=len(COMPLETIONS),
        gradient_accumulation_steps=1,
        steps_per_generation=1,
        num_iterations=2,  # with one it takes the weights to be those that sampled
        num_generations=GROUP,
        max_completion_length=BUDGET,
        temperature=1.0,
        beta=beta,
        loss_type=loss_type,
        scale_rewards=scale_rewards,
        epsilon=0.2,
        epsilon_high=0.28 if name == "clip_higher" else None,
        vllm_importance_sampling_mode="token_truncate",
        vllm_importance_sampling_clip_max=CAP,
    )
    made = GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(folder),
        reward_funcs=rewards,
        args=args,
        train_dataset=Dataset.from_list([{"prompt": p} for p in PROMPTS]),
        processing_class=spark.tokenizer(),
        rollout_func=rollouts,
    )
    made.current_gradient_accumulation_steps = 1  # which its training loop sets
    made.model.double().train()
    if made.ref_model is not None:
        made.ref_model.double()
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version 0 of a policy: the reference."""
    found = tmp_path_factory.mktemp("first")
    spark.save(spark.new_model(0, layers=2, width=32, heads=2), found)
    return found


@pytest.fixture
def scored(folder: Path) -> Callable[[str, float, bool], Scored]:
    """By objective, β, and whether the engine's numbers differ from the learner's and this is allowed for."""

    def made(name: str, beta: float, corrected: bool) -> Scored:
        theirs = trainer(folder, name, beta=beta)
        model = theirs.model
        with torch.no_grad():
            reference = logprobs(model)
            moved(model, 1)
            old = logprobs(model)
        rng = torch.Generator().manual_seed(2)
        sampled = old + 0.5 * torch.randn(old.shape, generator=rng, dtype=old.dtype)
        # as if vLLM had sampled, which only a GPU or a server would do
        theirs.use_vllm, theirs._last_loaded_step, theirs.sampled = corrected, 0, sampled
        inputs = theirs._generate_and_score_completions(
            [{"prompt": PROMPTS[i // GROUP]} for i in range(len(COMPLETIONS))]
        )
        moved(model, 3)
        lengths = torch.tensor([len(c) for c in COMPLETIONS])
        inputs["advantages"] = inputs["advantages"].double()
        loss = theirs.compute_loss(model, inputs)
        batch = TokenBatch(
            logprobs(model),
            old,
            torch.arange(BUDGET)[None] < lengths[:, None],
            torch.ones(len(COMPLETIONS), dtype=torch.float64),
            inputs["advantages"],
            sampled if corrected else None,
            reference if beta else None,
        )
        config = LearnerConfig(
            kl_coefficient=beta,
            kl_to="first",
            importance_cap=CAP if corrected else None,
            completion_budget=BUDGET,
        )
        gradients = list(torch.autograd.grad(loss, list(model.parameters())))
        return Scored(name, config, batch, inputs, model, loss, gradients)

    return made


@pytest.mark.parametrize("corrected", [False, True], ids=["plain", "truncated"])
@pytest.mark.parametrize("beta", [0.0, 0.04])
@pytest.mark.parametrize("name", OURS)
def test_loss_gradients_and_advantages_are_trls(
    scored: Callable[[str, float, bool], Scored], name: str, beta: float, corrected: bool
) -> None:
    found = scored(name, beta, corrected)
    goal, batch, config = objective(name), found.batch, found.config

    # not a batch on which what is compared would make no difference
    ratio = (batch.logprobs - batch.old_logprobs)[batch.mask].exp()
    assert (ratio < 0.8).any() and (ratio > 1.28).any() and ((ratio > 1.2) & (ratio < 1.28)).any()
    made = goal.loss(batch, config)
    assert made.clipped is not None
    assert 0 < int(made.clipped) < int(batch.mask.sum())
    if corrected:
        weights = found.prepared["importance_sampling_ratio"][batch.mask]
        assert (weights == CAP).any() and (weights < 1).any()

    ours = made.total / goal.size(batch, config).clamp_min(1e-8)
    torch.testing.assert_close(ours, found.loss, rtol=1e-9, atol=1e-12)
    gradients = torch.autograd.grad(ours, list(found.model.parameters()))
    for mine, theirs in zip(gradients, found.gradients, strict=True):
        assert theirs.any()
        torch.testing.assert_close(mine, theirs, rtol=1e-7, atol=1e-12)

    groups = [PROMPTS[i // GROUP] for i in range(len(COMPLETIONS))]
    rewards = Rewards(np.array(REWARDS), groups, ["t"] * len(groups), {}, config.rae_decay)
    # trl's are float32
    np.testing.assert_allclose(goal.advantages(rewards), found.prepared["advantages"], rtol=1e-6, atol=1e-7)


def test_float32_agrees_to_its_precision(scored: Callable[[str, float, bool], Scored]) -> None:
    found = scored("grpo", 0.04, True)
    expected = float(found.loss)
    single = copy.deepcopy(found.model).float()
    tensors = {
        name: value.float()
        for name in ("old_logprobs", "weights", "advantages", "sampled_logprobs", "reference_logprobs")
        if (value := getattr(found.batch, name)) is not None
    }
    batch = replace(found.batch, logprobs=logprobs(single), **tensors)
    goal = objective("grpo")
    ours = goal.loss(batch, found.config).total / goal.size(batch, found.config)
    assert ours.dtype == torch.float32
    assert ours.item() == pytest.approx(expected, rel=1e-4, abs=1e-5)
