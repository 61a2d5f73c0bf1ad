"""Configuration of who acts: policies, the engines that serve them and the learner that trains them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from culture.records import Form

SPARK_CONTEXT = 256
"""Longest prompt and completion of ``spark`` together, in tokens, which are characters."""

_STRICT = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class WarmUpConfig(BaseModel):
    """How ``spark`` is prepared before the first round: trivial problems, and reading notes."""

    model_config = _STRICT

    tokens: int = Field(default=600_000, ge=0)
    """Training tokens of the warm-up, in tokens."""
    learning_rate: float = Field(default=1.5e-3, gt=0)
    """Peak learning rate of AdamW; no unit."""
    solve_target: float = Field(default=6.0, gt=0)
    """Largest difficulty that the warm-up teaches to solve, in the domain's unit."""
    read_target: float = Field(default=12.0, gt=0)
    """Largest difficulty of the problems that notes are read about, in the domain's unit."""
    propose_target: float = Field(default=16.0, gt=0)
    """Largest difficulty that the warm-up shows as proposals, in the domain's unit."""
    read_share: float = Field(default=0.3, ge=0, le=1)
    """Share of the rows that teach to solve whose prompt carries notes that answer it. No unit."""
    propose_share: float = Field(default=0.5, ge=0, le=1)
    """Share of proposals in the rows of a policy that proposes and solves; a policy that does one of them
    is taught that alone. No unit."""


class PolicyConfig(BaseModel):
    """One policy: named trainable weights, which several agents may share."""

    model_config = _STRICT

    base: str = "spark"
    """Where its first version comes from: ``spark``, made and warmed up by the run, or the path of a
    folder with such a model in Hugging Face format. No unit."""
    layers: int = Field(default=4, ge=1, le=32)
    """Transformer layers of ``spark``, in layers."""
    width: int = Field(default=128, ge=16, le=1024)
    """Hidden width of ``spark``, in units."""
    heads: int = Field(default=4, ge=1, le=32)
    """Attention heads of ``spark``, in heads; they divide ``width`` into even parts."""
    trained: bool = True
    """Whether the learner trains it; a frozen policy stays at version 0. No unit."""
    lr: float | None = Field(default=None, gt=0, le=1)
    """Peak learning rate of this policy; null takes ``learner.lr``. No unit."""

    @model_validator(mode="after")
    def _heads(self) -> PolicyConfig:
        if self.width % (2 * self.heads):
            raise ValueError(
                f"expected a width that is a multiple of 2 × heads, got width {self.width} and "
                f"{self.heads} heads; write width: "
                f"{2 * self.heads * max(1, self.width // (2 * self.heads))}"
            )
        return self


class EngineConfig(BaseModel):
    """How completions are made."""

    model_config = _STRICT

    kind: Literal["spark"] = "spark"
    """Which engine: ``spark``, for Llama models of a few million parameters on the CPU. No unit."""
    form: Form = "terse"
    """How problems are worded: ``terse`` for spark, ``natural`` for instruction models. No unit."""
    batch_size: int = Field(default=256, ge=1, le=4096)
    """Rows decoded together, in rows. Part of what fixes a run's numbers."""
    threads: int = Field(default=1, ge=1, le=64)
    """torch threads of one engine, in threads. Part of what fixes a run's numbers."""
    temperature: float = Field(default=1.0, ge=0, le=5)
    """Sampling temperature of proposers and solvers; 0 is greedy. No unit."""
    proposal_tokens: int = Field(default=48, ge=1, le=200)
    """Longest proposal, in tokens."""
    answer_tokens: int = Field(default=128, ge=1, le=250)
    """Longest answer with its working, in tokens; less in a round whose keys are all short."""
    prompt_chars: int = Field(default=120, ge=8, le=250)
    """Longest solver prompt, notes included, in characters; notes that do not fit are not read."""

    @model_validator(mode="after")
    def _fits(self) -> EngineConfig:
        if self.prompt_chars + self.answer_tokens > SPARK_CONTEXT:
            raise ValueError(
                f"expected prompt_chars + answer_tokens of at most {SPARK_CONTEXT} (spark's context), got "
                f"{self.prompt_chars} + {self.answer_tokens}"
            )
        return self


Objective = Literal["answer_key", "clip_higher", "dr_grpo", "grpo", "reinforce_pp", "rejection", "trr_pp"]

CLIPPED = frozenset({"clip_higher", "dr_grpo", "grpo", "reinforce_pp", "trr_pp"})
"""Objectives that compare the policy with the one that sampled, and clip the ratio."""


class RoleObjective(BaseModel):
    """What one role is trained on."""

    model_config = _STRICT

    objective: Objective = "answer_key"
    """``answer_key`` (cross-entropy on what was verified), ``rejection`` (on the policy's own completions
    that were rewarded), or a policy gradient: ``grpo``, ``dr_grpo``, ``clip_higher``, ``reinforce_pp``,
    ``trr_pp``. No unit."""
    weight: float = Field(default=1.0, gt=0)
    """Weight of this role's loss where roles share a policy; no unit."""
    rehearsal: float = Field(default=0.0, ge=0, le=20)
    """Rows from earlier rounds added for each new row, with ``answer_key``; rows per row."""
    skip_solved: bool = False
    """Whether ``answer_key`` leaves out problems that were solved at every attempt. No unit."""
    rehearsal_rounds: int = Field(default=10, ge=1, le=1000)
    """How far back rehearsed rows are drawn from, in rounds."""


class LearnerConfig(BaseModel):
    """How stored batches become policy versions."""

    model_config = _STRICT

    every: int = Field(default=1, ge=1)
    """A batch is trained after every so many rounds, in rounds."""
    solver: RoleObjective = RoleObjective(rehearsal=2.0)
    """Objective of the solver role."""
    proposer: RoleObjective = RoleObjective()
    """Objective of the proposer role."""
    lr: float = Field(default=1e-3, gt=0, le=1)
    """Peak learning rate of AdamW; no unit."""
    final_lr: float = Field(default=1.0, gt=0, le=1)
    """Learning rate in the last round as a share of ``lr``; it falls linearly with the rounds. No unit."""
    warmup_steps: int = Field(default=20, ge=0)
    """Optimizer steps over which the learning rate rises from 0, in steps."""
    betas: tuple[float, float] = (0.9, 0.98)
    """AdamW's decay rates of the first and second moment; no unit."""
    weight_decay: float = Field(default=0.01, ge=0)
    """AdamW's decoupled weight decay; no unit."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Gradients are clipped to this global L2 norm; no unit."""
    micro_batch_tokens: int = Field(default=1024, ge=64)
    """Tokens (padding included) of one forward and backward pass and one optimizer step, in tokens."""
    epochs: int = Field(default=1, ge=1, le=100)
    """Passes over a batch, in passes."""
    clip: float = Field(default=0.2, gt=0, lt=1)
    """ε of the clipped ratio, on both sides where ``clip_high`` does not apply; no unit."""
    clip_high: float = Field(default=0.28, gt=0)
    """Upper ε of ``clip_higher``; no unit."""
    completion_budget: int = Field(default=128, ge=1)
    """What ``dr_grpo`` divides the summed gain of a completion by, in tokens."""
    kl_coefficient: float = Field(default=0.0, ge=0)
    """β of the penalty on the KL divergence from the version that sampled, of policy gradients. No unit."""
    threads: int = Field(default=2, ge=1, le=64)
    """torch threads of the learner, in threads. Part of what fixes a run's numbers."""
    keep_every: int = Field(default=10, ge=1)
    """Of older checkpoints every so many versions are kept; the latest two always are. In versions."""

    @model_validator(mode="after")
    def _solver_alone(self) -> LearnerConfig:
        for name in ("rehearsal", "skip_solved"):
            if value := getattr(self.proposer, name):
                raise ValueError(
                    f"expected proposer.{name} to be left out, since only the solver's keys are rehearsed "
                    f"or skipped, got {value}; write it under solver"
                )
        return self
