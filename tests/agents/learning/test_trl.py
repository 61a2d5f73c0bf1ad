"""Policy gradients against another implementation: the loss, gradients and advantages of trl's GRPOTrainer.

A batch of completions is given to a real trainer, which prepares it (log-probabilities before the update
and under the reference, importance weights, advantages) and computes its loss by its own code. Ours is
computed from the same weights, a row at a time and without padding. In float32 all of theirs is their own;
their log-probabilities are float32 whatever the weights are, so in float64 those alone are replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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
COMPLETIONS = [
    *["cba\n", "cab\n", "c\n", "bbbbbbbbb"],
    *["46\n", "4\n", "46 or 47\n", "0"],
    *["x\n", "xx\n", "y\n", "\n"],
]
# the last group teaches nothing, but its tokens count
REWARDS = [1.0, 0.0, 0.25, 0.0, 1.0, 0.0, 1.0, -0.5, 1.0, 1.0, 1.0, 1.0]
ROWS = len(COMPLETIONS)
ASKED = [PROMPTS[i // GROUP] for i in range(ROWS)]
SETTINGS = {"grpo": ("grpo", "group"), "dr_grpo": ("dr_grpo", "none"), "clip_higher": ("dapo", "group")}
"""For each objective trl's ``loss_type`` and ``scale_rewards``."""


def moved(model: LlamaForCausalLM, seed: int) -> None:
    """Change all weights a little, as training would."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.05 * torch.randn(p.shape, generator=rng, dtype=p.dtype))


def logprobs(model: LlamaForCausalLM) -> Tensor:
    """(R, T) of the completions, each row scored by itself; 7 at padding, which must not matter."""
    found = []
    for asked, completion in zip(ASKED, COMPLETIONS, strict=True):
        prompt, ids = spark.encode(asked), spark.encode(completion)
        scores = torch.log_softmax(model(torch.tensor([prompt + ids])).logits[0], -1)
        row = scores[len(prompt) - 1 : -1].gather(1, torch.tensor(ids)[:, None]).squeeze(1)
        found.append(torch.cat([row, row.new_full((BUDGET - len(ids),), 7.0)]))
    return torch.stack(found)


def new_trainer(folder: Path, name: str, beta: float) -> Any:
    """A GRPOTrainer on the model in ``folder``, to which the completions above are given."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM
    from trl import GRPOConfig, GRPOTrainer

    def rollouts(prompts: Sequence[str], trainer: Any) -> dict[str, list[Any]]:
        assert list(prompts) == ASKED
        ids = [spark.encode(c) for c in COMPLETIONS]
        return {
            "prompt_ids": [spark.encode(p) for p in prompts],
            "completion_ids": ids,
            "logprobs": [row[: len(i)].tolist() for row, i in zip(trainer.sampled, ids, strict=True)],
        }

    def rewards(completions: Sequence[str], **_: Any) -> list[float]:
        return REWARDS

    loss_type, scale_rewards = SETTINGS[name]
    args = GRPOConfig(
        output_dir=str(folder / "trl"),
        report_to="none",
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        per_device_train_batch_size=ROWS,
        gradient_accumulation_steps=1,
        steps_per_generation=1,
        num_iterations=2,  # with one it takes the weights to be those that sampled
        num_generations=GROUP,
        max_completion_length=BUDGET,
        temperature=1.0,
        beta=beta,
        use_bias_correction_kl=False,  # k3 as the GRPO paper has it
        loss_type=loss_type,
        scale_rewards=scale_rewards,
        epsilon=0.2,
        epsilon_high=0.28 if name == "clip_higher" else None,
        vllm_importance_sampling_mode="token_truncate",
        vllm_importance_sampling_clip_max=CAP,
    )
    trainer = GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(folder),
        reward_funcs=rewards,
        args=args,
        train_dataset=Dataset.from_list([{"prompt": p} for p in PROMPTS]),
        processing_class=spark.tokenizer(),
        rollout_func=rollouts,
    )
    trainer.current_gradient_accumulation_steps = 1  # which its training loop sets
    trainer._last_loaded_step = 0  # of vLLM, whose completions these are in the tests that say so
    trainer.model.train()
    return trainer


@dataclass
class Compared:
    """A batch as ours, as trl prepared it, and trl's loss and gradients for it."""

    batch: TokenBatch
    config: LearnerConfig
    model: LlamaForCausalLM
    prepared: dict[str, Tensor]
    loss: Tensor
    gradients: list[Tensor]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tensors this small are slower on several, and far slower where the machine is busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def trainers(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, float], Any]:
    """Trainers by objective and β, made once."""
    folder = tmp_path_factory.mktemp("first")
    spark.save(spark.new_model(0, layers=2, width=32, heads=2), folder)
    made: dict[tuple[str, float], Any] = {}

    def of(name: str, beta: float) -> Any:
        if (name, beta) not in made:
            made[name, beta] = new_trainer(folder, name, beta)
        return made[name, beta]

    return of


def compared(trainer: Any, beta: float, corrected: bool, dtype: torch.dtype) -> Compared:
    """Prepare the batch, train the model a little, and take trl's loss.

    ``corrected``: the engine's log-probabilities were not the learner's, and this is allowed for.
    """
    model = trainer.model.to(dtype)
    model.load_state_dict(spark.new_model(0, layers=2, width=32, heads=2).state_dict())
    if trainer.ref_model is not None:
        trainer.ref_model.to(dtype)
    with torch.no_grad():
        reference = logprobs(model)
        moved(model, 1)
        old = logprobs(model)
    rng = torch.Generator().manual_seed(2)
    sampled = (old + 0.5 * torch.randn(old.shape, generator=rng)).float()  # as trl takes them
    trainer.use_vllm, trainer.sampled = corrected, sampled
    with pytest.MonkeyPatch.context() as patch:
        if dtype == torch.float64:
            patch.setattr(
                trainer,
                "_get_per_token_logps_and_entropies",
                lambda scored, *_, **__: (logprobs(scored), torch.zeros(ROWS, BUDGET), None),
            )
        prepared = trainer._generate_and_score_completions([{"prompt": p} for p in ASKED])
        moved(model, 3)
        prepared["advantages"] = prepared["advantages"].to(dtype)
        loss = trainer.compute_loss(model, prepared)
    lengths = torch.tensor([len(c) for c in COMPLETIONS])
    batch = TokenBatch(
        logprobs(model),
        old,
        torch.arange(BUDGET)[None] < lengths[:, None],
        torch.ones(ROWS, dtype=dtype),
        prepared["advantages"],
        sampled.to(dtype) if corrected else None,
        reference if beta else None,
    )
    config = LearnerConfig(
        kl_coefficient=beta, importance_cap=CAP if corrected else None, completion_budget=BUDGET
    )
    gradients = list(torch.autograd.grad(loss, list(model.parameters())))
    return Compared(batch, config, model, prepared, loss, gradients)


@pytest.mark.parametrize(
    ("dtype", "precision"), [(torch.float32, 1e-5), (torch.float64, 1e-10)], ids=["float32", "float64"]
)
@pytest.mark.parametrize("corrected", [False, True], ids=["plain", "truncated"])
@pytest.mark.parametrize("beta", [0.0, 0.04])
@pytest.mark.parametrize("name", SETTINGS)
def test_the_loss_and_its_gradients_are_trls(
    trainers: Callable[[str, float], Any],
    name: str,
    beta: float,
    corrected: bool,
    dtype: torch.dtype,
    precision: float,
) -> None:
    found = compared(trainers(name, beta), beta, corrected, dtype)
    goal, batch = objective(name), found.batch
    made = goal.loss(batch, found.config)

    # not a batch on which what is compared would make no difference
    ratio = (batch.logprobs - batch.old_logprobs)[batch.mask].exp()
    assert (ratio < 0.8).any() and ((ratio > 1.2) & (ratio < 1.28)).any() and (ratio > 1.28).any()
    assert made.clipped is not None
    assert 0 < int(made.clipped) < int(batch.mask.sum())
    if corrected:
        weights = found.prepared["importance_sampling_ratio"][batch.mask]
        assert (weights == CAP).any() and (weights < 1).any()

    ours = made.total / goal.size(batch, found.config).clamp_min(1e-8)
    assert ours.dtype == dtype
    torch.testing.assert_close(ours, found.loss.to(dtype), rtol=precision, atol=precision / 10)
    gradients = torch.autograd.grad(ours, list(found.model.parameters()))
    for mine, theirs in zip(gradients, found.gradients, strict=True):
        assert theirs.abs().max() > 1e-4
        torch.testing.assert_close(mine, theirs, rtol=precision, atol=precision / 10)


@pytest.mark.parametrize("name", SETTINGS)
def test_the_advantages_are_trls(trainers: Callable[[str, float], Any], name: str) -> None:
    theirs = compared(trainers(name, 0.0), 0.0, False, torch.float32).prepared["advantages"]
    ours = objective(name).advantages(Rewards(np.array(REWARDS), ASKED, ["t"] * ROWS, {}, 0.95))
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7)
    assert (ours[:8] != 0).all()
    assert ours[8:].tolist() == [0.0] * 4
