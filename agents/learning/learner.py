"""The learner: a stored batch in, a new policy version out, or the reason why there is none."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents import checkpoints
from agents.config import LearnerConfig, LoraSettings
from agents.learning.objectives import Objective, TokenBatch, objective
from agents.learning.packing import Tokens, micro_batches, pack
from agents.learning.scoring import Scored, autocast, score_packed, score_padded
from agents.learning.trainee import Trainee, new_optimizer
from agents.vocabulary import SparkVocabulary, Vocabulary
from culture.records import BatchRow, Update
from culture.seeds import derive, generator

__all__ = ["Learned", "Learner", "StepOutcome", "new_optimizer", "train_rows"]

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


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """Figures of one optimizer step; ``tokens`` counts real tokens, prompt and completion, of every row."""

    loss: float
    kl: float | None
    entropy: float
    grad_norm: float
    clip_fraction: float | None
    sampling_gap: float | None
    tokens: int


class Learner:
    """Trains policies from batches with AdamW.

    Everything that a version depends on is in its parent's folder (weights, optimizer state, step count),
    in its policy's version 0 and in the batch, so training a batch again after a crash gives the same
    version. Models and optimizers stay in memory between calls, keyed by the version that they are at.
    """

    def __init__(self, config: LearnerConfig, *, seed: int) -> None:
        self.config = config
        self.seed = seed
        self._held: dict[str, Trainee] = {}

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
        vocabulary: Vocabulary | None = None,
        lora: LoraSettings | None = None,
        first: Path | None = None,
    ) -> Learned:
        """Train ``rows`` from version ``parent`` and save version ``version`` in ``path``.

        ``lr`` is the learning rate that the optimizer's warm-up steps rise to, ``vocabulary`` the policy's
        (None: spark's), ``lora`` its adapters' settings (None: all weights are trained), ``first`` the folder
        of its version 0.

        A loss, gradient or weight that is not finite, or a loss that has run away, refuses the version:
        nothing is saved and the parent stays as it was.
        """
        torch.set_num_threads(self.config.threads)
        vocabulary = vocabulary or SparkVocabulary()
        trainee = self._held.pop(policy, None)  # until it has succeeded, it is at neither version
        if trainee is None or trainee.version != parent:
            trainee = Trainee.load(
                parent, parent_path, first or parent_path, lora, self.config,
                seed=derive(self.seed, "lora", policy),
            )
        batch = _Batch(rows, vocabulary, self.config)
        teacher = _Teacher(trainee, batch, self.config)
        updates: list[Update] = []
        tokens = 0
        for epoch in range(self.config.epochs):
            for micro in batch.steps(generator(self.seed, "shuffle", version, epoch)):
                started = time.perf_counter()
                trainee.step += 1
                rate = lr * min(1.0, trainee.step / max(1, self.config.warmup_steps))
                outcome = teacher.step(micro, rate)
                tokens += outcome.tokens
                updates.append(
                    Update(
                        batch_id=rows[0].batch_id,
                        round=rows[0].round,
                        policy=policy,
                        policy_version=version,
                        step=trainee.step,
                        loss=outcome.loss,
                        kl=outcome.kl,
                        entropy=outcome.entropy,
                        grad_norm=outcome.grad_norm,
                        clip_fraction=outcome.clip_fraction,
                        sampling_gap=outcome.sampling_gap,
                        learning_rate=rate,
                        rows=sum(len(part.rows) for part in micro),
                        tokens=outcome.tokens,
                        seconds=time.perf_counter() - started,
                    )
                )
                if reason := _runaway(updates, self.config.divergence):
                    return Learned(version, False, reason, "", updates, tokens)
        if not all(bool(p.isfinite().all()) for p in trainee.model.parameters()):
            reason = f"weights not finite after step {trainee.step}"
            return Learned(version, False, reason, "", updates, tokens)
        digest = trainee.save(path, like=parent_path if lora is None else None)
        trainee.version = version
        self._held[policy] = trainee
        return Learned(version, True, None, digest, updates, tokens)


def _runaway(updates: Sequence[Update], limit: float) -> str | None:
    """Why training has to stop: a figure that is not finite, or a loss that rose by more than ``limit``."""
    last = updates[-1]
    if not math.isfinite(last.loss) or not math.isfinite(last.grad_norm):
        return f"loss {last.loss} and gradient norm {last.grad_norm} at step {last.step}"
    quarter = len(updates) // 4
    if quarter >= 2:
        before = sum(u.loss for u in updates[:quarter]) / quarter
        now = sum(u.loss for u in updates[-quarter:]) / quarter
        if now - before > limit:
            return f"diverged: the mean loss rose from {before:.3g} to {now:.3g} by step {last.step}"
    return None


@dataclass(frozen=True, slots=True)
class _Part:
    """One forward and backward pass: rows of one objective."""

    rows: list[Tokens]
    trees: list[list[Tokens]]
    """The same rows by the prompt that they share; empty where they are padded."""


class _Batch:
    """The rows of a batch as tokens, cut into optimizer steps of one or more passes each."""

    def __init__(self, rows: Sequence[BatchRow], vocabulary: Vocabulary, config: LearnerConfig) -> None:
        self.rows = rows
        self.config = config
        self.pad = vocabulary.pad
        self.packed = not isinstance(vocabulary, SparkVocabulary)
        prompts = {text: tuple(vocabulary.prompt(text)) for text in {r.prompt for r in rows}}
        self.tokens = [
            Tokens(i, prompts[r.prompt], tuple(r.token_ids)) for i, r in enumerate(rows)
        ]

    def steps(self, rng: np.random.Generator) -> Iterable[list[_Part]]:
        """The passes of each optimizer step, shuffled."""
        if not self.packed:
            passes = [_Part(rows, []) for rows in self._by_length()]
            size = 1 if self.config.step_rows is None else max(1, self.config.step_rows)
            order = [passes[i] for i in rng.permutation(len(passes))]
            yield from ([p] for p in order) if self.config.step_rows is None else _gathered(order, size)
            return
        for rows in self._shuffled(rng):
            passes = [
                _Part([row for tree in trees for row in tree], trees)
                for trees in micro_batches(rows, self.config.micro_batch_tokens)
            ]
            if self.config.step_rows is None:
                yield from ([passes[i]] for i in rng.permutation(len(passes)))
            else:
                yield passes

    def _by_length(self) -> list[list[Tokens]]:
        """Rows of like length and one objective together, each within the token budget."""
        order = sorted(
            self.tokens, key=lambda t: (self.rows[t.row].objective, _length(t), self.rows[t.row].row)
        )
        batches: list[list[Tokens]] = []
        for row in order:
            last = batches[-1] if batches else None
            if (
                last is None
                or self.rows[last[0].row].objective != self.rows[row.row].objective
                or (len(last) + 1) * _length(row) > self.config.micro_batch_tokens
            ):
                batches.append([row])
            else:
                last.append(row)
        return batches

    def _shuffled(self, rng: np.random.Generator) -> list[list[Tokens]]:
        """Rows of one objective, those of a group side by side, in lots of ``step_rows`` or all at once."""
        groups: dict[tuple[str, tuple[int, ...]], list[Tokens]] = {}
        for token in self.tokens:
            groups.setdefault((self.rows[token.row].objective, token.prompt), []).append(token)
        by_objective: dict[str, list[Tokens]] = {}
        keys = sorted(groups)
        for i in rng.permutation(len(keys)):
            by_objective.setdefault(keys[i][0], []).extend(groups[keys[i]])
        lots: list[list[Tokens]] = []
        for name in sorted(by_objective):
            rows = by_objective[name]
            size = self.config.step_rows or len(rows)
            lots += [rows[at : at + size] for at in range(0, len(rows), size)]
        return [lots[i] for i in rng.permutation(len(lots))]


def _gathered(passes: Sequence[_Part], size: int) -> Iterable[list[_Part]]:
    step: list[_Part] = []
    for part in passes:
        step.append(part)
        if sum(len(p.rows) for p in step) >= size:
            yield step
            step = []
    if step:
        yield step


class _Teacher:
    """Takes optimizer steps on the parts of one batch."""

    def __init__(
        self, trainee: Trainee, batch: _Batch, config: LearnerConfig, *, probe: bool = True
    ) -> None:
        self.trainee, self.batch, self.config = trainee, batch, config
        self.device = trainee.device
        self.parent = trainee.copied() if probe and not batch.packed else None
        self._fresh = True
        """Whether the weights are still the parent's."""
        self._old: dict[int, Tensor] = {}
        """The learner's own log-probabilities at the start of the batch, by row."""
        if config.importance_cap is not None:
            self._remember()

    def step(self, parts: Sequence[_Part], rate: float) -> StepOutcome:
        """One optimizer step on rows of one objective, gathered over passes."""
        trainee = self.trainee
        goal = objective(self.batch.rows[parts[0].rows[0].row].objective)
        size = self._size(goal, parts)
        trainee.optimizer.zero_grad(set_to_none=True)
        loss, entropy, clipped, gap, kl = 0.0, 0.0, 0.0, 0.0, None
        counted = sampled = clips = 0
        for part in parts:
            scored = self._score(trainee.model, part)
            tokens = self._token_batch(scored, part)
            made = goal.loss(tokens, self.config)
            share = made.total / size
            share.backward()
            loss += float(share.detach())
            with torch.no_grad():
                entropy += float(scored.entropy)
                n = int(scored.mask.sum())
                counted += n
                if made.clipped is not None:
                    clipped, clips = clipped + float(made.clipped), clips + n
                if self.parent is not None:
                    kl = self._divergence(scored, part)
                if goal.needs_logprobs and (self._fresh or self._old):
                    own = scored.logprobs if not self._old else tokens.old_logprobs
                    gaps = (own - self._sampled(scored))[scored.mask]
                    gap, sampled = gap + float(gaps.abs().sum()), sampled + n
        norm = trainee.apply(rate, self.config.max_grad_norm)
        self._fresh = False
        return StepOutcome(
            loss,
            kl,
            entropy / max(1, counted),
            norm,
            clipped / clips if clips else None,
            gap / sampled if sampled else None,
            sum(_length(row) for part in parts for row in part.rows),
        )

    def _size(self, goal: Objective, parts: Sequence[_Part]) -> Tensor:
        """What the sums of a step are divided by."""
        sizes = [goal.size(self._bare(part), self.config) for part in parts]
        total = sizes[0] if len(sizes) == 1 else torch.stack(sizes).sum()
        return self.trainee.summed(total).clamp_min(1e-8)

    def _score(self, model: Any, part: _Part) -> Scored:
        if not part.trees:
            return score_padded(model, part.rows, self.batch.pad)
        packed = pack(part.trees).to(self.device)
        with autocast(self.device, self.config.dtype):
            return score_packed(model, packed)

    def _token_batch(self, scored: Scored, part: _Part) -> TokenBatch:
        rows = [self.batch.rows[i] for i in scored.rows]
        sampled = self._sampled(scored) if rows[0].logprobs else torch.zeros_like(scored.logprobs).detach()
        old = sampled
        if self._old:
            old = self._laid(scored, [self._old[i] for i in scored.rows])
        return TokenBatch(
            logprobs=scored.logprobs,
            old_logprobs=old,
            mask=scored.mask,
            weights=torch.tensor([r.weight for r in rows], dtype=torch.float32, device=self.device),
            advantages=torch.tensor([r.advantage for r in rows], dtype=torch.float32, device=self.device),
            sampled_logprobs=sampled if self._old else None,
            reference_logprobs=self._reference(part),
        )

    def _bare(self, part: _Part) -> TokenBatch:
        """Mask and weights of a part, which is all that its size takes."""
        if part.trees:
            packed = pack(part.trees)
            at, mask = packed.rows, packed.mask()
        else:
            from agents.learning.scoring import padded

            at, mask = [r.row for r in part.rows], padded(part.rows, self.batch.pad)[1]
        weights = torch.tensor([self.batch.rows[i].weight for i in at], dtype=torch.float32)
        none = torch.zeros(mask.shape)
        return TokenBatch(none, none, mask.to(self.device), weights.to(self.device), weights)

    def _sampled(self, scored: Scored) -> Tensor:
        return self._laid(scored, [torch.tensor(self.batch.rows[i].logprobs) for i in scored.rows])

    def _laid(self, scored: Scored, values: Sequence[Tensor]) -> Tensor:
        """Each row's own numbers where its completion tokens are, (R, T)."""
        laid = torch.zeros(scored.mask.shape, device=self.device)
        flat = [v.to(self.device, torch.float32) for v in values]
        laid[scored.mask] = torch.cat(flat)
        return laid

    def _reference(self, part: _Part) -> Tensor | None:
        """Log-probabilities under the policy's version 0, where the KL divergence is taken to that."""
        if self.config.kl_to != "first" or not self.config.kl_coefficient:
            return None
        with torch.no_grad(), self.trainee.as_first() as model:
            return self._score(model, part).logprobs

    def _remember(self) -> None:
        """Score every sampled row with the parent's weights, before any of them changes."""
        with torch.no_grad():
            for parts in self.batch.steps(generator(0, "remember")):
                for part in parts:
                    if not self.batch.rows[part.rows[0].row].logprobs:
                        continue
                    scored = self._score(self.trainee.model, part)
                    for i, row in enumerate(scored.rows):
                        self._old[row] = scored.logprobs[i][scored.mask[i]].clone()

    def _divergence(self, scored: Scored, part: _Part) -> float:
        """KL(new ‖ parent), mean over the completion tokens of the first rows, nats."""
        few = part.rows[:_PROBE_ROWS]
        parent = score_padded(self.parent, few, self.batch.pad).scores
        own = scored.scores[: len(parent)]
        return float((own.exp() * (own - parent)).sum(dim=-1).mean())


def _length(row: Tokens) -> int:
    return len(row.prompt) + len(row.completion)


def train_rows(
    trainee: Trainee, batch: Sequence[BatchRow], config: LearnerConfig, rate: float
) -> StepOutcome:
    """One step on spark's rows of one objective, without a parent version; what the warm-up uses."""
    rows = _Batch(batch, SparkVocabulary(), config)
    teacher = _Teacher(trainee, rows, config, probe=False)
    return teacher.step([_Part(rows.tokens, [])], rate)
