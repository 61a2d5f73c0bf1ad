"""The engine for real models: vLLM inside this process, on CUDA or on the CPU.

New weights come without a restart. A policy version that is an adapter is either served as one, several at
once (CUDA), or merged and written over the weights in memory (CPU, where vLLM's adapter kernels take four
times as long). Which version answers is settled before each call, so none is answered by a stale one.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from agents import checkpoints
from agents.config import EngineConfig
from agents.engines.base import Completion, EngineError, Request, Sampling
from agents.spark import UnreadableText
from agents.vocabulary import Vocabulary

_ADAPTERS = 8
"""Adapters that one engine holds ready at once."""
_TOGETHER = 8192
"""Most tokens of one forward pass."""


class VllmEngine:
    """One vLLM model that serves the versions of policies which share a base.

    ``base`` is the folder of the base model, ``rank`` the largest rank of the policies' adapters (0: none).
    Where adapters are served as such, every version is one, or the base.
    A call starts with an empty prefix cache: what it gives depends on its requests alone, and keys and
    values of other weights are never reused.

    An engine that failed is made anew and its requests are done again, of which ``notice`` is told; raises
    EngineError where it fails once more.
    """

    def __init__(
        self,
        base: Path,
        vocabulary: Vocabulary,
        config: EngineConfig,
        *,
        rank: int = 0,
        notice: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.base = base
        self.vocabulary = vocabulary
        self.config = config
        self.rank = rank
        self.adapters = rank > 0 and serves_adapters(config)
        self.notice = notice
        self._paths: dict[str, Path] = {}
        self._numbers: dict[str, int] = {}
        self.llm: Any = None
        self._at: Path | None = None
        """What is merged into the weights in memory; None for the base itself."""

    def load(self, policy_version: str, path: Path) -> None:
        self._paths[policy_version] = path
        self._numbers.setdefault(policy_version, len(self._numbers) + 1)

    def forget(self, keep: set[str]) -> None:
        """Drop every version not in ``keep``."""
        self._paths = {v: p for v, p in self._paths.items() if v in keep}

    def generate(
        self, policy_version: str, requests: Sequence[Request], sampling: Sampling
    ) -> list[Completion]:
        if policy_version not in self._paths:
            raise KeyError(f"expected a loaded policy version, got {policy_version!r}; call load() first")
        done: list[Completion | None] = [None] * len(requests)
        at: list[int] = []
        prompts: list[list[int]] = []
        for i, request in enumerate(requests):
            try:
                ids = self.vocabulary.prompt(request.prompt)
                room = self.config.context - sampling.max_tokens
                if not 0 < len(ids) <= room:
                    raise UnreadableText(f"expected 1 to {room} prompt tokens, got {len(ids)}")
            except UnreadableText as error:
                done[i] = Completion("", [], [], 0, policy_version, "error", str(error))
                continue
            at.append(i)
            prompts.append(ids)
        # what begins alike is computed once, so it goes side by side
        order = sorted(range(len(at)), key=lambda k: prompts[k])
        if order:
            asked = [self._params(requests[at[k]], sampling) for k in order]
            outputs = self._answered(policy_version, [prompts[k] for k in order], asked)
            for k, output in zip(order, outputs, strict=True):
                done[at[k]] = self._completion(output, len(prompts[k]), policy_version)
        return [c for c in done if c is not None]

    def close(self) -> None:
        """Let go of the model and its memory."""
        if self.llm is not None:
            # At once: what has failed still holds the model, and once that is collected, it would take down
            # the process groups of the next engine.
            self.llm.llm_engine.engine_core._finalizer()
        self.llm = None
        gc.collect()

    def _answered(self, policy_version: str, prompts: list[list[int]], params: list[Any]) -> list[Any]:
        for last in (False, True):
            try:
                self._serve(policy_version)
                torch.set_num_threads(self.config.threads)  # a learner in this process has its own
                if not self.llm.reset_prefix_cache():
                    raise RuntimeError("expected an engine at rest, got one whose prefix cache is in use")
                return list(
                    self.llm.generate(
                        [{"prompt_token_ids": ids} for ids in prompts],
                        params,
                        use_tqdm=False,
                        lora_request=self._adapter(policy_version),
                    )
                )
            except Exception as error:  # a dead engine may say so in any way
                self.close()
                if last:
                    raise EngineError(
                        f"expected {len(prompts)} completions of {policy_version}, got "
                        f"{type(error).__name__}: {error}; it was tried twice, with a new engine"
                    ) from error
                self.notice(
                    f"vllm is made anew for {len(prompts)} prompts of {policy_version}, since it failed: "
                    f"{type(error).__name__}: {error}"
                )
        raise AssertionError

    def _serve(self, policy_version: str) -> None:
        """Make the engine where there is none, and have it answer as ``policy_version``."""
        if self.llm is None:
            self.llm = self._made()
            self._at = None
        wanted = None if self.adapters else self._paths[policy_version]
        if not checkpoints.is_adapter(self._paths[policy_version]) and wanted == self.base:
            wanted = None
        if wanted == self._at:
            return
        self._at = Path("under way")  # a failure on the way leaves neither
        weights = checkpoints.merged(wanted or self.base, self.base, _dtype(self.config))
        if self.config.vllm.tensor_parallel == 1:
            self.llm.collective_rpc("reload_weights", kwargs={"weights_iterator": iter(weights.items())})
        else:
            with checkpoints.on_disk(weights, self.base) as folder:
                self.llm.collective_rpc("reload_weights", kwargs={"weights_path": str(folder)})
        self._at = wanted

    def _made(self) -> Any:
        settings = self.config.vllm
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
        # pinned threads would fight with the learner's over the same cores
        os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
        from vllm import LLM

        longest = self.config.context
        set_threads = torch.set_num_threads
        set_threads(self.config.threads)  # Ray's actors start with one
        llm = LLM(
            model=str(self.base),
            dtype=self.config.dtype,
            tensor_parallel_size=settings.tensor_parallel,
            max_model_len=longest,
            max_num_seqs=settings.sequences,
            # A prompt cut in two would have its random generator put back, which the CPU's cannot be.
            enable_chunked_prefill=False,
            max_num_batched_tokens=max(_TOGETHER, longest),
            kv_cache_memory_bytes=int(settings.kv_cache_gib * 2**30),
            block_size=settings.block_size,
            enable_prefix_caching=True,
            enable_lora=self.adapters,
            max_loras=_ADAPTERS if self.adapters else 1,
            max_lora_rank=max(8, self.rank) if self.adapters else 16,
            enforce_eager=not torch.cuda.is_available(),
            seed=0,
        )
        torch.set_num_threads = set_threads  # on the CPU vLLM has made it do nothing
        # Patterns compiled beside the decoding would have requests begin when they are ready, and rows that
        # are decoded with others are rounded otherwise: vLLM itself waits where it has to be repeatable.
        core = llm.llm_engine.engine_core.engine_core
        core.structured_output_manager._use_async_grammar_compilation = False
        return llm

    def _params(self, request: Request, sampling: Sampling) -> Any:
        from vllm import SamplingParams
        from vllm.sampling_params import StructuredOutputsParams

        held = None if request.pattern is None else StructuredOutputsParams(regex=request.pattern)
        return SamplingParams(
            temperature=sampling.temperature,
            seed=None if sampling.temperature == 0 else request.seed % 2**63,
            max_tokens=sampling.max_tokens,
            stop=[sampling.stop] if sampling.stop else None,
            stop_token_ids=[self.vocabulary.end],
            logprobs=0,
            structured_outputs=held,
        )

    def _adapter(self, policy_version: str) -> Any:
        path = self._paths[policy_version]
        if not self.adapters or not checkpoints.is_adapter(path):
            return None
        from vllm.lora.request import LoRARequest

        return LoRARequest(policy_version, self._numbers[policy_version], str(path))

    def _completion(self, output: Any, prompt_tokens: int, policy_version: str) -> Completion:
        made = output.outputs[0]
        ids = [int(i) for i in made.token_ids]
        logprobs = [float(scores[i].logprob) for i, scores in zip(ids, made.logprobs or [], strict=True)]
        return Completion(
            made.text,
            ids,
            logprobs,
            prompt_tokens,
            policy_version,
            "stop" if made.finish_reason == "stop" else "length",
            cached_tokens=int(output.num_cached_tokens or 0),
        )


def serves_adapters(config: EngineConfig) -> bool:
    """Whether adapters are served as such, or merged into the weights."""
    match config.vllm.weights:
        case "adapters":
            return True
        case "merged":
            return False
        case "auto":
            return torch.cuda.is_available()


def _dtype(config: EngineConfig) -> torch.dtype:
    return torch.bfloat16 if config.dtype == "bfloat16" else torch.float32
