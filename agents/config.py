"""Configuration of who acts: policies, the engines that serve them and the learner that trains them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agents.engines.openai_config import ServerConfig
from agents.precision import Precision
from culture.records import Form

SPARK_CONTEXT = 256
"""Longest prompt and completion of ``spark`` together, in tokens, which are characters."""

_TEMPLATE_TOKENS = 64
"""Room that is left for a chat template and a system message of ordinary length, in tokens."""

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


class LoraSettings(BaseModel):
    """Low-rank adapters (Hu et al. 2021, arXiv 2106.09685) on every linear layer but the last."""

    model_config = _STRICT

    rank: int = Field(default=16, ge=1, le=512)
    """Rank of the adapters, in dimensions."""
    alpha: float = Field(default=32.0, gt=0)
    """Their output is scaled by ``alpha / rank``; no unit."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of an adapter's input that is dropped while it is trained; no unit."""


class PolicyConfig(BaseModel):
    """One policy: named weights, which several agents may share."""

    model_config = _STRICT

    base: str = "spark"
    """Where its first version comes from: ``spark``, made and warmed up by the run; the path of a folder in
    Hugging Face format or of a GGUF file; ``pip:PACKAGE``, weights inside an installed package; the id of a
    model on the Hugging Face hub; or ``openai:MODEL``, served elsewhere, see ``server``. No unit."""
    layers: int = Field(default=4, ge=1, le=32)
    """Transformer layers of ``spark``, in layers."""
    width: int = Field(default=128, ge=16, le=1024)
    """Hidden width of ``spark``, in units."""
    heads: int = Field(default=4, ge=1, le=32)
    """Attention heads of ``spark``, in heads; they divide ``width`` into even parts."""
    rope_theta: float = Field(default=100.0, gt=1)
    """Base of the rotary wavelengths of ``spark`` (Su et al. 2021, arXiv 2104.09864). A large one leaves
    dimensions in which far and near look alike, so looking things up is learned sooner. No unit."""
    trained: bool = True
    """Whether the learner trains it; a frozen policy stays at version 0. No unit."""
    lr: float | None = Field(default=None, gt=0, le=1)
    """Peak learning rate of this policy; null takes ``learner.lr``. No unit."""
    lora: LoraSettings | None = None
    """Train low-rank adapters and leave the base as it is; null trains all weights. No unit."""
    server: ServerConfig | None = None
    """The server of an ``openai:`` policy. No unit."""

    @property
    def served(self) -> str | None:
        """The model's name on its server; None where the run holds the weights itself."""
        kind, _, name = self.base.partition(":")
        return name if kind == "openai" else None

    @model_validator(mode="after")
    def _served(self) -> PolicyConfig:
        if self.served is None:
            if self.server is not None:
                raise ValueError(
                    f"expected a server only with a base openai:MODEL, got base: {self.base}; take it out"
                )
            return self
        if self.server is None:
            raise ValueError(
                f"expected the server of {self.base}, got none; write server: {{url: http://HOST:PORT/v1}}"
            )
        if self.trained:
            raise ValueError(
                f"expected a policy that is served elsewhere to be frozen, got trained: true for "
                f"{self.base}; write trained: false"
            )
        return self

    @model_validator(mode="after")
    def _heads(self) -> PolicyConfig:
        if self.width % (2 * self.heads):
            raise ValueError(
                f"expected a width that is a multiple of 2 × heads, got width {self.width} and "
                f"{self.heads} heads; write width: "
                f"{2 * self.heads * max(1, self.width // (2 * self.heads))}"
            )
        return self


class VllmConfig(BaseModel):
    """Settings of the engine ``vllm``."""

    model_config = _STRICT

    weights: Literal["auto", "merged", "adapters"] = "auto"
    """How an adapter is served: as one, several at once, or merged into the weights; ``auto`` merges on the
    CPU, where serving adapters is slow. No unit."""
    tensor_parallel: int = Field(default=1, ge=1, le=64)
    """Devices that one engine's layers are cut over, in devices."""
    sequences: int = Field(default=64, ge=1, le=4096)
    """Most completions under way at once, in sequences."""
    kv_cache_gib: float = Field(default=1.0, gt=0)
    """Memory for keys and values, in GiB."""
    block_size: int = Field(default=32, ge=32, le=256, multiple_of=32)
    """Prefixes are shared in blocks of this many tokens, in tokens."""


class EngineConfig(BaseModel):
    """How completions are made."""

    model_config = _STRICT

    kind: Literal["spark", "torch", "vllm"] = "spark"
    """Which engine: ``spark``, for Llama models of a few million parameters on the CPU; ``vllm``, for real
    models; ``torch``, for any causal model of transformers, without vLLM. No unit."""
    form: Form = "terse"
    """How problems are worded: ``terse``, plain text for spark and models without a chat template, or
    ``natural``, a chat with an instruction model. No unit."""
    system: str | None = Field(default=None, max_length=4000)
    """System message of the chat; null takes what the model's template says by itself. In characters."""
    context: int = Field(default=SPARK_CONTEXT, ge=64, le=1_000_000)
    """Longest prompt and completion together, in tokens; spark's is fixed."""
    dtype: Precision = "float32"
    """Precision of the weights that ``torch`` and ``vllm`` sample with; ``auto`` is bfloat16 where
    the machine that a run starts on multiplies in it, and float32 elsewhere. No unit."""
    batch_size: int = Field(default=256, ge=1, le=4096)
    """Rows given to an engine together, in rows. Part of what fixes a run's numbers."""
    threads: int = Field(default=1, ge=1, le=64)
    """torch threads of one engine, in threads. Part of what fixes a run's numbers."""
    temperature: float = Field(default=1.0, ge=0, le=5)
    """Sampling temperature of proposers and solvers; 0 is greedy. No unit."""
    proposal_tokens: int = Field(default=48, ge=1, le=100_000)
    """Longest proposal, in tokens."""
    answer_tokens: int = Field(default=128, ge=1, le=100_000)
    """Longest answer with its working, in tokens; less in a round whose keys are all short."""
    prompt_chars: int = Field(default=120, ge=8, le=1_000_000)
    """Longest solver prompt, notes included, in characters; notes that do not fit are not read."""
    patterns: bool = True
    """Hold proposals to the domain's pattern, so that those of a small model parse; spark's are free. No
    unit."""
    vllm: VllmConfig = VllmConfig()
    """Settings of the engine ``vllm``."""

    @property
    def stop(self) -> str:
        """What ends a completion: a terse one is a line, a chat ends with the model's own token."""
        return "\n" if self.form == "terse" or self.kind == "spark" else ""

    @model_validator(mode="after")
    def _fits(self) -> EngineConfig:
        if self.kind == "spark" and self.context != SPARK_CONTEXT:
            raise ValueError(
                f"expected engine.context to be spark's {SPARK_CONTEXT}, got {self.context}; leave it out, "
                "or write engine.kind: vllm"
            )
        # A token is a character or more of ASCII text, so characters bound a prompt's tokens.
        template = _TEMPLATE_TOKENS if self.form == "natural" and self.kind != "spark" else 0
        if self.prompt_chars + self.answer_tokens + template > self.context:
            raise ValueError(
                f"expected prompt_chars + answer_tokens of at most {self.context - template} "
                f"(engine.context{', less what a chat template takes' if template else ''}), got "
                f"{self.prompt_chars} + {self.answer_tokens}"
            )
        return self


Objective = Literal[
    "answer_key", "clip_higher", "dr_grpo", "grpo", "rae", "reinforce_pp", "rejection", "trr_pp"
]

CLIPPED = frozenset({"clip_higher", "dr_grpo", "grpo", "rae", "reinforce_pp", "trr_pp"})
"""Objectives that compare the policy with the one that sampled, and clip the ratio."""


class RoleObjective(BaseModel):
    """What one role is trained on."""

    model_config = _STRICT

    objective: Objective = "answer_key"
    """``answer_key`` (cross-entropy on what was verified), ``rejection`` (on the policy's own completions
    that were rewarded), or a policy gradient: ``grpo``, ``dr_grpo``, ``clip_higher``, ``reinforce_pp``,
    ``trr_pp``, ``rae``. No unit."""
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
    """A batch is trained after every so many rounds, in rounds. It has the samples of the last of them; of
    the others only answer keys come back, by rehearsal."""
    solver: RoleObjective = RoleObjective(rehearsal=2.0)
    """Objective of the solver role."""
    proposer: RoleObjective = RoleObjective()
    """Objective of the proposer role."""
    lr: float = Field(default=1e-3, gt=0, le=1)
    """Peak learning rate of AdamW; no unit."""
    final_lr: float = Field(default=1.0, gt=0, le=1)
    """Learning rate in the last round as a share of ``lr``; it falls linearly with the rounds. Of weights
    that start anew (``population.generations``) it starts anew too, and falls to this in their last round.
    No unit."""
    warmup_steps: int = Field(default=20, ge=0)
    """Optimizer steps over which the learning rate rises from 0, in steps."""
    betas: tuple[float, float] = (0.9, 0.98)
    """AdamW's decay rates of the first and second moment; no unit."""
    weight_decay: float = Field(default=0.01, ge=0)
    """AdamW's decoupled weight decay; no unit."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Gradients are clipped to this global L2 norm; no unit."""
    micro_batch_tokens: int = Field(default=1024, ge=64)
    """Tokens (padding included) of one forward and backward pass, in tokens."""
    epochs: int = Field(default=1, ge=1, le=100)
    """Passes over a batch, in passes."""
    clip: float = Field(default=0.2, gt=0, lt=1)
    """ε of the clipped ratio, on both sides where ``clip_high`` does not apply; no unit."""
    clip_high: float = Field(default=0.28, gt=0)
    """Upper ε of ``clip_higher``; no unit."""
    completion_budget: int = Field(default=128, ge=1)
    """What ``dr_grpo`` divides the summed gain of a completion by, in tokens."""
    kl_coefficient: float = Field(default=0.0, ge=0)
    """β of the penalty that policy gradients put on the KL divergence from ``kl_to``. No unit."""
    kl_to: Literal["parent", "first"] = "parent"
    """What ``kl_coefficient`` holds a policy to: ``parent``, the version that sampled, or ``first``, the
    policy's version 0, such as the model that it was made from. No unit."""
    importance_cap: float | None = Field(default=None, gt=0)
    """Cap of the truncated importance weights with which policy gradients allow for an engine whose
    log-probabilities are not quite the learner's: every token's gain is multiplied by π_learner/π_engine,
    at most this; 2 is usual. The learner then scores each batch once more before it trains. Null takes the
    engine's log-probabilities for the learner's. No unit."""
    rae_decay: float = Field(default=0.95, ge=0, lt=1)
    """α of ``rae``: the share of a task's moving average that a new reward leaves. No unit."""
    skip_zero_advantage: bool = True
    """Leave samples whose advantage is 0 out of a policy gradient's batch. Their only gradient is that of a
    KL penalty, but they take time, and they count in the mean that gains are taken over. No unit."""
    dtype: Precision = "float32"
    """Precision of the matrix products, and of a base that adapters are trained on; what is trained and the
    optimizer's state are float32. ``auto`` as in ``engine.dtype``. No unit."""
    step_rows: int | None = Field(default=None, ge=1)
    """Rows of one optimizer step, gathered over as many micro-batches as they take; null makes every
    micro-batch a step. In rows."""
    checkpointing: bool = False
    """Compute activations again in the backward pass rather than keep them. No unit."""
    divergence: float = Field(default=3.0, gt=0)
    """A version is refused where the mean loss of the last quarter of an objective's steps is higher than
    that of the first by more than this, in nats a token for cross-entropy; and where a policy gradient has
    moved the log-probabilities of sampled tokens by more than this in the mean, in nats."""
    workers: int = Field(default=1, ge=1, le=4096)
    """Processes that train one policy together, each on a GPU of its own where there are any; the rows of
    an optimizer step are shared out among them. In processes. Starting them takes some ten
    seconds a version. Part of what fixes a run's numbers, since floats are summed in another order."""
    shard: bool = False
    """Cut weights, gradients and optimizer state over the ``workers``, for a policy that does not fit one
    of them; else each has all of it. No unit."""
    threads: int = Field(default=2, ge=1, le=64)
    """torch threads of the learner, in threads. Part of what fixes a run's numbers."""
    keep_every: int = Field(default=10, ge=1)
    """Of older checkpoints every so many versions are kept; the latest two always are. In versions."""

    @model_validator(mode="after")
    def _shards(self) -> LearnerConfig:
        if self.shard and self.workers == 1:
            raise ValueError(
                "expected workers: 2 or more with shard: true, since weights are cut over the workers, got "
                "workers: 1; write workers: 2, or shard: false"
            )
        return self

    @model_validator(mode="after")
    def _weighed(self) -> LearnerConfig:
        weights = {self.solver.weight, self.proposer.weight}
        if self.solver.objective != self.proposer.objective and weights != {1}:
            raise ValueError(
                "expected no weights where the roles' objectives differ, since each objective has "
                f"optimizer steps of its own, got solver.weight: {self.solver.weight:g} and "
                f"proposer.weight: {self.proposer.weight:g}; leave "
                "them out, or give both roles one objective"
            )
        return self

    @model_validator(mode="after")
    def _solver_alone(self) -> LearnerConfig:
        for name in ("rehearsal", "skip_solved"):
            if value := getattr(self.proposer, name):
                raise ValueError(
                    f"expected proposer.{name} to be left out, since only the solver's keys are rehearsed "
                    f"or skipped, got {value}; write it under solver"
                )
        return self
