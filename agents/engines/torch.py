"""The engine for any causal language model of transformers, on the CPU or on CUDA, without vLLM.

Decoding is transformers' own. A processor of scores takes the place of its sampler, since a request has a
random stream of its own and log-probabilities are wanted of what was drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)

from agents import checkpoints
from agents.config import EngineConfig
from agents.engines.base import Completion, Request, Sampling
from agents.engines.patterns import Matchers
from agents.engines.spark import uniforms
from agents.spark import UnreadableText
from agents.vocabulary import Vocabulary


class TorchEngine:
    """Batched sampling with transformers' ``generate``.

    ``base`` is the folder of the base model, to which adapters belong. Rows of like length are decoded
    together, ``batch_size`` at most; those that have finished stay until the longest has.
    """

    def __init__(self, base: Path, vocabulary: Vocabulary, config: EngineConfig) -> None:
        self.base = base
        self.vocabulary = vocabulary
        self.config = config
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._models: dict[str, Any] = {}

    def load(self, policy_version: str, path: Path) -> None:
        if policy_version not in self._models:
            dtype = torch.bfloat16 if self.config.dtype == "bfloat16" else torch.float32
            model = checkpoints.load_model(path, self.base, dtype).to(self.device).eval()
            # the model's defaults, such as a penalty, would sample from another distribution than its own
            model.generation_config = GenerationConfig()
            self._models[policy_version] = model

    def forget(self, keep: set[str]) -> None:
        """Drop every version not in ``keep``."""
        self._models = {v: m for v, m in self._models.items() if v in keep}

    def generate(
        self, policy_version: str, requests: Sequence[Request], sampling: Sampling
    ) -> list[Completion]:
        if policy_version not in self._models:
            raise KeyError(f"expected a loaded policy version, got {policy_version!r}; call load() first")
        torch.set_num_threads(self.config.threads)
        done: list[Completion | None] = [None] * len(requests)
        encoded: list[tuple[int, list[int]]] = []
        room = self.config.context - sampling.max_tokens
        for i, request in enumerate(requests):
            try:
                ids = self.vocabulary.prompt(request.prompt)
                if not 0 < len(ids) <= room:
                    raise UnreadableText(f"expected 1 to {room} prompt tokens, got {len(ids)}")
                encoded.append((i, ids))
            except UnreadableText as error:
                done[i] = Completion("", [], [], 0, policy_version, "error", str(error))
        encoded.sort(key=lambda pair: (len(pair[1]), pair[0]))
        for start in range(0, len(encoded), self.config.batch_size):
            chunk = encoded[start : start + self.config.batch_size]
            seeds = np.array([requests[i].seed % 2**64 for i, _ in chunk], dtype=np.uint64)
            with torch.inference_mode():
                held = self._held(policy_version, [requests[i].pattern for i, _ in chunk])
                rows = self._decoded(policy_version, [ids for _, ids in chunk], seeds, sampling, held)
            for (i, ids), (tokens, logprobs) in zip(chunk, rows, strict=True):
                done[i] = self._completion(policy_version, len(ids), tokens, logprobs, sampling)
        return [c for c in done if c is not None]

    def _decoded(
        self,
        policy_version: str,
        prompts: list[list[int]],
        seeds: np.ndarray,
        sampling: Sampling,
        held: Matchers | None,
    ) -> list[tuple[list[int], list[float]]]:
        """Token ids of B rows with their log-probabilities, to the longest row's end."""
        longest, pad = max(map(len, prompts)), self.vocabulary.pad
        ids = torch.tensor([[pad] * (longest - len(p)) + p for p in prompts], device=self.device)
        seen = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts], device=self.device)
        drawn = _Draw(seeds, sampling.temperature, longest, held)
        stop = [_Stopped(self.vocabulary, sampling.stop, longest)] if sampling.stop else []
        out = self._models[policy_version].generate(
            input_ids=ids,
            attention_mask=seen,
            max_new_tokens=sampling.max_tokens,
            do_sample=False,
            eos_token_id=self.vocabulary.end,
            pad_token_id=pad,
            logits_processor=LogitsProcessorList([drawn]),
            stopping_criteria=StoppingCriteriaList(stop),
        )
        logprobs = torch.stack(drawn.logprobs, dim=1).tolist()
        return list(zip(out[:, longest:].tolist(), logprobs, strict=True))

    def _held(self, policy_version: str, patterns: list[str | None]) -> Matchers | None:
        if not any(patterns):
            return None
        return Matchers(self.vocabulary, int(self._models[policy_version].config.vocab_size), patterns)

    def _completion(
        self,
        policy_version: str,
        prompt_tokens: int,
        tokens: list[int],
        logprobs: list[float],
        sampling: Sampling,
    ) -> Completion:
        end, ended = len(tokens), False
        for n, token in enumerate(tokens, start=1):
            if token == self.vocabulary.end or (
                sampling.stop and sampling.stop in self.vocabulary.text(tokens[:n])
            ):
                end, ended = n, True
                break
        kept = tokens[:end]
        text = self.vocabulary.text(kept)
        if sampling.stop:
            text = text.partition(sampling.stop)[0]
        return Completion(
            text, kept, logprobs[:end], prompt_tokens, policy_version, "stop" if ended else "length"
        )


class _Draw(LogitsProcessor):
    """Draws each row's next token from its own stream and leaves it as the only one with a score."""

    def __init__(
        self, seeds: np.ndarray, temperature: float, prompt_length: int, held: Matchers | None
    ) -> None:
        self.seeds, self.temperature, self.prompt_length = seeds, temperature, prompt_length
        self.held = held
        self.logprobs: list[Tensor] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        step = input_ids.shape[1] - self.prompt_length
        logits = scores.float()  # (B, V)
        allowed = logits if self.held is None else self.held.allowed(logits, input_ids, step)
        if self.temperature == 0:
            chosen = allowed.argmax(dim=-1)
        else:
            # double precision: the rounding of a long sum would otherwise move the last tokens' thresholds
            share = torch.softmax(allowed.double() / self.temperature, dim=-1).cumsum(dim=-1)
            threshold = uniforms(self.seeds, step).to(scores.device).double()[:, None] * share[:, -1:]
            chosen = (share <= threshold).sum(dim=-1).clamp_(max=scores.shape[-1] - 1)
        self.logprobs.append(torch.log_softmax(allowed, dim=-1).gather(1, chosen[:, None]).squeeze(1))
        return torch.full_like(scores, -torch.inf).scatter_(1, chosen[:, None], 0.0)


class _Stopped(StoppingCriteria):
    """Ends a row once its text holds the stop string."""

    def __init__(self, vocabulary: Vocabulary, stop: str, prompt_length: int) -> None:
        self.vocabulary, self.stop, self.prompt_length = vocabulary, stop, prompt_length

    def __call__(self, input_ids: Tensor, scores: Tensor, **kwargs: Any) -> Tensor:
        texts = [self.vocabulary.text(ids) for ids in input_ids[:, self.prompt_length :].tolist()]
        return torch.tensor([self.stop in text for text in texts], device=input_ids.device)
