"""The learner: a stored batch in, a new policy version out, or the reason why there is none."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from agents import checkpoints, spark
from agents.config import LearnerConfig
from agents.learning.objectives import TokenBatch, objective
from culture.records import BatchRow, Update
from culture.seeds import generator

_PROBE_ROWS = 2
"""Rows of a micro-batch on which the divergence from the parent version is measured: eight cost a sixth of
the learner's time."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What came of a batch. ``accepted`` is False where the version was refused, for ``reason``."""

    policy_version: str
    accepted: bool
    reason: str | None
    sha256: str
    updates: list[Update]
    trained_tokens: int


class Learner:
    """Trains policies from batches with AdamW.

    Everything that a version depends on is in its parent's folder (weights, optimizer state, step count)
    and in the batch, so training a batch again after a crash gives the same version. Models and optimizers
    stay in memory between calls, keyed by the version that they are at.
    """

    def __init__(self, config: LearnerConfig, *, seed: int) -> None:
        self.config = config
        self.seed = seed
        self._held: dict[str, tuple[str, LlamaForCausalLM, torch.optim.AdamW, int]] = {}

    def learn(
        self,
        *,
        policy: str,
        parent: str,
        parent_path: Path,
        version: str,
        path: Path,
        rows: Sequence[BatchRow],
        lr: float,
    ) -> Learned:
        """Train ``rows`` from version ``parent`` and save version ``version`` in ``path``.

        ``lr`` is the learning rate that the optimizer's warm-up steps rise to.

        A loss, gradient or weight that is not finite refuses the version: nothing is saved and the parent
        stays as it was.
        """
        torch.set_num_threads(self.config.threads)
        model, optimizer, step = self._at(policy, parent, parent_path)
        del self._held[policy]  # until it has succeeded, what is in memory is neither version
        reference = LlamaForCausalLM(model.config)
        reference.load_state_dict(model.state_dict())
        updates: list[Update] = []
        tokens = 0
        for epoch in range(self.config.epochs):
            for batch in self._micro_batches(rows, generator(self.seed, "shuffle", version, epoch)):
                started = time.perf_counter()
                step += 1
                rate = lr * min(1.0, step / max(1, self.config.warmup_steps))
                for group in optimizer.param_groups:
                    group["lr"] = rate
                outcome = _step(model, reference, optimizer, batch, self.config)
                tokens += outcome.tokens
                updates.append(
                    Update(
                        batch_id=batch[0].batch_id,
                        round=batch[0].round,
                        policy=policy,
                        policy_version=version,
                        step=step,
                        loss=outcome.loss,
                        kl=outcome.kl,
                        entropy=outcome.entropy,
                        grad_norm=outcome.grad_norm,
                        clip_fraction=outcome.clip_fraction,
                        learning_rate=rate,
                        rows=len(batch),
                        tokens=outcome.tokens,
                        seconds=time.perf_counter() - started,
                    )
                )
                if not math.isfinite(outcome.loss) or not math.isfinite(outcome.grad_norm):
                    reason = f"loss {outcome.loss} and gradient norm {outcome.grad_norm} at step {step}"
                    return Learned(version, False, reason, "", updates, tokens)
        if not all(bool(p.isfinite().all()) for p in model.parameters()):
            return Learned(version, False, f"weights not finite after step {step}", "", updates, tokens)
        digest = checkpoints.save(path, model, optimizer, step)
        self._held[policy] = (version, model, optimizer, step)
        return Learned(version, True, None, digest, updates, tokens)

    def _at(self, policy: str, version: str, path: Path) -> tuple[LlamaForCausalLM, torch.optim.AdamW, int]:
        held = self._held.get(policy)
        if held is None or held[0] != version:
            model = checkpoints.load_model(path)
            optimizer = new_optimizer(model, self.config)
            step = checkpoints.load_optimizer(path, optimizer)
            self._held[policy] = (version, model, optimizer, step)
        _, model, optimizer, step = self._held[policy]
        return model, optimizer, step

    def _micro_batches(self, rows: Sequence[BatchRow], rng: np.random.Generator) -> list[list[BatchRow]]:
        """Rows of like length and one objective together, each batch within the token budget, shuffled."""
        order = sorted(rows, key=lambda r: (r.objective, _length(r), r.row))
        batches: list[list[BatchRow]] = []
        for row in order:
            last = batches[-1] if batches else None
            if (
                last is None
                or last[0].objective != row.objective
                or (len(last) + 1) * _length(row) > self.config.micro_batch_tokens
            ):
                batches.append([row])
            else:
                last.append(row)
        return [batches[i] for i in rng.permutation(len(batches))]


def new_optimizer(model: LlamaForCausalLM, config: LearnerConfig) -> torch.optim.AdamW:
    """AdamW with the configured settings."""
    return torch.optim.AdamW(
        model.parameters(), lr=config.lr, betas=config.betas, weight_decay=config.weight_decay, fused=True
    )


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """Figures of one optimizer step; ``tokens`` counts real tokens, prompt and completion."""

    loss: float
    kl: float
    entropy: float
    grad_norm: float
    clip_fraction: float | None
    tokens: int


def _length(row: BatchRow) -> int:
    return len(row.prompt) + len(row.token_ids)


def _step(
    model: LlamaForCausalLM,
    reference: LlamaForCausalLM | None,
    optimizer: torch.optim.Optimizer,
    batch: Sequence[BatchRow],
    config: LearnerConfig,
) -> StepOutcome:
    """One optimizer step on a micro-batch whose rows share an objective.

    Entropy and KL(new ‖ parent) are means over completion tokens, in nats; KL over the first rows only.
    """
    ids, mask = _padded(batch)  # (R, L), (R, L - 1)
    logits = model(input_ids=ids, use_cache=False).logits[:, :-1]  # (R, L - 1, V)
    scores = torch.log_softmax(logits, dim=-1)
    logprobs = scores.gather(2, ids[:, 1:, None]).squeeze(2)
    old = torch.zeros_like(logprobs)
    for i, row in enumerate(batch):
        if row.logprobs:
            at = len(row.prompt) - 1
            old[i, at : at + len(row.logprobs)] = torch.tensor(row.logprobs)
    loss, clip_fraction = objective(batch[0].objective).loss(
        TokenBatch(
            logprobs=torch.where(mask, logprobs, 0.0),
            old_logprobs=old,
            mask=mask,
            weights=torch.tensor([r.weight for r in batch], dtype=torch.float32),
            advantages=torch.tensor([r.advantage for r in batch], dtype=torch.float32),
        ),
        config,
    )
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    norm = float(torch.nn.utils.clip_grad_norm_(model.parameters(), config.max_grad_norm))
    with torch.no_grad():
        at_tokens = scores.detach()[mask]  # (N, V)
        entropy = float(-(at_tokens.exp() * at_tokens).sum(dim=-1).mean())
        kl = 0.0
        if reference is not None:
            few = slice(0, _PROBE_ROWS)
            parent = torch.log_softmax(
                reference(input_ids=ids[few], use_cache=False).logits[:, :-1], dim=-1
            )[mask[few]]
            own = scores.detach()[few][mask[few]]
            kl = float((own.exp() * (own - parent)).sum(dim=-1).mean())
    if math.isfinite(norm):
        optimizer.step()
    return StepOutcome(
        float(loss.detach()), kl, entropy, norm, clip_fraction, sum(_length(r) for r in batch)
    )


def _padded(batch: Sequence[BatchRow]) -> tuple[Tensor, Tensor]:
    """Right-padded ids (R, L), and a mask (R, L - 1) of targets that are completion tokens."""
    width = max(_length(r) for r in batch)
    ids = np.full((len(batch), width), spark.PAD_ID, dtype=np.int64)
    mask = np.zeros((len(batch), width - 1), dtype=np.bool_)
    for i, row in enumerate(batch):
        prompt = spark.encode(row.prompt)
        end = len(prompt) + len(row.token_ids)
        ids[i, : len(prompt)] = prompt
        ids[i, len(prompt) : end] = row.token_ids
        mask[i, len(prompt) - 1 : end - 1] = True
    return torch.from_numpy(ids), torch.from_numpy(mask)


def train_rows(
    model: LlamaForCausalLM,
    optimizer: torch.optim.Optimizer,
    batch: Sequence[BatchRow],
    config: LearnerConfig,
) -> StepOutcome:
    """One step without a reference version; what the warm-up uses."""
    return _step(model, None, optimizer, batch, config)
