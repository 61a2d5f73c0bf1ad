"""The learner: a stored batch in, a new policy version out, or the reason why there is none."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from agents.config import LearnerConfig, LoraSettings
from agents.learning.group import ALONE, Group
from agents.learning.objectives import Objective, TokenBatch, objective
from agents.learning.packing import pack
from agents.learning.passes import PROBE_ROWS, Batch, Part, length, shared_out
from agents.learning.scoring import Scored, autocast, score_packed, score_padded
from agents.learning.trainee import Trainee, new_optimizer
from agents.vocabulary import SparkVocabulary, Vocabulary
from culture.records import BatchRow, Update
from culture.seeds import derive, generator

__all__ = ["Learned", "Learner", "StepOutcome", "new_optimizer", "train_rows"]


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
    moved: float | None
    """Mean |log π/π_old| of a policy gradient's completion tokens before the step, nats."""
    tokens: int


class Learner:
    """Trains policies from batches with AdamW.

    Everything that a version depends on is in its parent's folder (weights, optimizer state, step count),
    in its policy's version 0 and in the batch, so training a batch again after a crash gives the same
    version. Models and optimizers stay in memory between calls, keyed by the version that they are at.

    The learners of a ``group``, one a process, are given the same calls and make one version together: the
    one that a single learner makes, up to the order in which floats are summed.
    """

    def __init__(self, config: LearnerConfig, *, seed: int, group: Group = ALONE) -> None:
        self.config = config
        self.seed = seed
        self.group = group
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
        (None: spark's), ``lora`` its adapters' settings (None: all weights are trained), ``first`` the
        folder of its version 0.

        A loss, gradient or weight that is not finite, or a loss that has run away, refuses the version:
        nothing is saved and the parent stays as it was.
        """
        torch.set_num_threads(self.config.threads)
        vocabulary = vocabulary or SparkVocabulary()
        trainee = self._held.pop(policy, None)  # until it has succeeded, it is at neither version
        if trainee is None or trainee.version != parent:
            trainee = Trainee.load(
                parent,
                parent_path,
                first or parent_path,
                lora,
                self.config,
                seed=derive(self.seed, "lora", policy),
                group=self.group,
                packed=not isinstance(vocabulary, SparkVocabulary),
            )
        batch = Batch(rows, vocabulary, self.config, packed=trainee.packed)
        with torch.random.fork_rng(devices=[trainee.device] if trainee.device.type == "cuda" else []):
            # what adapters drop, the only draw there is, depends on the version alone
            torch.manual_seed(derive(self.seed, "dropout", version, self.group.rank) % 2**63)
            return self._taught(trainee, batch, policy, version, path, lr, None if lora else parent_path)

    def _taught(
        self,
        trainee: Trainee,
        batch: Batch,
        policy: str,
        version: str,
        path: Path,
        lr: float,
        like: Path | None,
    ) -> Learned:
        teacher = _Teacher(trainee, batch, self.config, probe=isinstance(batch.vocabulary, SparkVocabulary))
        rows = batch.rows
        watch = _Watch(self.config.divergence)
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
                if reason := watch.seen(batch.objective(micro), updates[-1], outcome.moved):
                    return Learned(version, False, reason, "", updates, tokens)
        if not trainee.finite():
            reason = f"weights not finite after step {trainee.step}"
            return Learned(version, False, reason, "", updates, tokens)
        digest = trainee.save(path, like=like)
        trainee.version = version
        self._held[policy] = trainee
        return Learned(version, True, None, digest, updates, tokens)


class _Watch:
    """Tells when training has to stop: a figure that is not finite, or one that ran away.

    The losses of an objective's steps are compared with those before them of the same objective; of a
    policy gradient, whose loss says little, also how far its steps have moved what was sampled.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._seen: dict[str, list[float]] = {}

    def seen(self, objective: str, last: Update, moved: float | None) -> str | None:
        """Why to stop after this step, if so."""
        if not math.isfinite(last.loss) or not math.isfinite(last.grad_norm):
            return f"loss {last.loss} and gradient norm {last.grad_norm} at step {last.step}"
        for what, unit, value in (
            ("loss", "", last.loss),
            ("distance from the policy that sampled", " nats a token", moved),
        ):
            if value is None:
                continue
            values = self._seen.setdefault(f"{objective}'s mean {what}", [])
            values.append(value)
            quarter = max(1, len(values) // 4)
            before, now = (sum(some) / quarter for some in (values[:quarter], values[-quarter:]))
            if now - before > self.limit:
                return (
                    f"diverged: {objective}'s mean {what} rose from {before:.3g} to {now:.3g}{unit} by "
                    f"step {last.step}"
                )
        return None


class _Teacher:
    """Takes optimizer steps on the parts of one batch."""

    def __init__(
        self, trainee: Trainee, batch: Batch, config: LearnerConfig, *, probe: bool = True
    ) -> None:
        self.trainee, self.batch, self.config = trainee, batch, config
        self.device = trainee.device
        # a model that is cut up cannot be copied, nor be asked by one process alone
        probe = probe and not trainee.group.sharded
        self.parent = trainee.copied() if probe else None
        self._fresh = True
        """Whether the weights are still the parent's."""
        self._old: dict[int, Tensor] = {}
        """The learner's own log-probabilities at the start of the batch, by row."""
        if config.importance_cap is not None:
            self._remember()

    def step(self, parts: Sequence[Part], rate: float) -> StepOutcome:
        """One optimizer step on rows of one objective, gathered over passes."""
        trainee = self.trainee
        goal = objective(self.batch.objective(parts))
        mine = shared_out(parts, self.trainee.group)
        size = self._size(goal, [part for part, counts in mine if counts])
        trainee.optimizer.zero_grad(set_to_none=True)
        loss = entropy = clipped = gap = moved = kl = 0.0
        counted = sampled = clips = gradients = measured = 0.0
        for part, counts in mine:
            scored = self._score(trainee.model, part)
            tokens = self._token_batch(scored, part)
            made = goal.loss(tokens, self.config)
            share = made.total / size
            if not counts:
                (share * 0).backward()
                continue
            share.backward()
            loss += float(share.detach())
            with torch.no_grad():
                entropy += float(scored.entropy)
                n = int(scored.mask.sum())
                counted += n
                if made.clipped is not None:
                    clipped, clips = clipped + float(made.clipped), clips + n
                if self.parent is not None and part.rows[0] is parts[-1].rows[0]:
                    kl, measured = self._divergence(scored, part), 1.0
                if goal.needs_logprobs:
                    ahead = (scored.logprobs - tokens.old_logprobs)[scored.mask]
                    moved, gradients = moved + float(ahead.abs().sum()), gradients + n
                if goal.needs_logprobs and (self._fresh or self._old):
                    own = scored.logprobs if not self._old else tokens.old_logprobs
                    gaps = (own - self._sampled(scored))[scored.mask]
                    gap, sampled = gap + float(gaps.abs().sum()), sampled + n
        norm = trainee.apply(rate, self.config.max_grad_norm)
        self._fresh = False
        loss, entropy, clipped, gap, moved, kl = (
            sums := trainee.group.totals(
                [loss, entropy, clipped, gap, moved, kl, counted, sampled, clips, gradients, measured]
            )
        )[:6]
        counted, sampled, clips, gradients, measured = sums[6:]
        return StepOutcome(
            loss,
            kl if measured else None,
            entropy / max(1, counted),
            norm,
            clipped / clips if clips else None,
            gap / sampled if sampled else None,
            moved / gradients if gradients else None,
            sum(length(row) for part in parts for row in part.rows),
        )

    def _size(self, goal: Objective, parts: Sequence[Part]) -> Tensor:
        """What the sums of a step are divided by; ``parts`` are this process's."""
        sizes = [goal.size(self._bare(part), self.config) for part in parts]
        none = torch.zeros((), device=self.device)
        total = sizes[0] if len(sizes) == 1 else torch.stack(sizes or [none]).sum()
        return self.trainee.group.summed(total).clamp_min(1e-8)

    def _score(self, model: Any, part: Part) -> Scored:
        packed = pack(part.trees).to(self.device) if part.trees else None
        with autocast(self.device, self.config.dtype):
            if packed is None:
                return score_padded(model, part.rows, self.batch.pad)
            return score_packed(model, packed)

    def _token_batch(self, scored: Scored, part: Part) -> TokenBatch:
        rows = [self.batch.rows[i] for i in scored.rows]
        sampled = self._sampled(scored) if rows[0].logprobs else torch.zeros_like(scored.logprobs).detach()
        old = sampled
        if self._old and rows[0].logprobs:
            old = self._laid(scored, [self._old[i] for i in scored.rows])
        return TokenBatch(
            logprobs=scored.logprobs,
            old_logprobs=old,
            mask=scored.mask,
            weights=torch.tensor([r.weight for r in rows], dtype=torch.float32, device=self.device),
            advantages=torch.tensor([r.advantage for r in rows], dtype=torch.float32, device=self.device),
            sampled_logprobs=sampled if self._old else None,
            reference_logprobs=self._reference(part) if rows[0].logprobs else None,
        )

    def _bare(self, part: Part) -> TokenBatch:
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

    def _reference(self, part: Part) -> Tensor | None:
        """Log-probabilities under the policy's version 0, where the KL divergence is taken to that."""
        if self.config.kl_to != "first" or not self.config.kl_coefficient:
            return None
        with torch.no_grad(), self.trainee.as_first() as model:
            return self._score(model, part).logprobs

    def _remember(self) -> None:
        """Score every sampled row with the parent's weights, before any of them changes."""
        with torch.no_grad(), self.trainee.without_dropout():
            parts = [
                part
                for step in self.batch.steps(generator(0, "remember"))
                for part in step
                if self.batch.rows[part.rows[0].row].logprobs
            ]
            if not parts:
                return
            lengths = {row.row: len(row.completion) for part in parts for row in part.rows}
            found = torch.zeros(sum(lengths.values()), device=self.device)
            places = dict(zip(lengths, found.split(list(lengths.values())), strict=True))
            for part, counts in shared_out(parts, self.trainee.group):
                scored = self._score(self.trainee.model, part)
                for i, row in enumerate(scored.rows if counts else ()):
                    places[row].copy_(scored.logprobs[i][scored.mask[i]])
            every = self.trainee.group.summed(found).split(list(lengths.values()))
            self._old = dict(zip(lengths, every, strict=True))

    def _divergence(self, scored: Scored, part: Part) -> float:
        """KL(new ‖ parent), mean over the completion tokens of the first rows, nats."""
        few = part.rows[:PROBE_ROWS]
        parent = self._score(self.parent, Part(few, [])).scores
        own = scored.scores[: len(parent)]
        return float((own.exp() * (own - parent)).sum(dim=-1).mean())


def train_rows(
    trainee: Trainee, batch: Sequence[BatchRow], config: LearnerConfig, rate: float
) -> StepOutcome:
    """One step on spark's rows of one objective, without a parent version; what the warm-up uses."""
    rows = Batch(batch, SparkVocabulary(), config, packed=False)
    teacher = _Teacher(trainee, rows, config, probe=False)
    return teacher.step([Part(rows.tokens, [])], rate)
