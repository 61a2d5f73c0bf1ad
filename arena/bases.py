"""The base models of a run: what has to be there before it starts, and the tokens of its policies."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from agents import models
from agents.vocabulary import SparkVocabulary, Vocabulary, vocabulary_of
from arena.config import RunConfig


def cache_folder() -> Path:
    """Where models are kept that were made or converted: ``LUDUS_CACHE``, or ``ludus`` in the user's cache."""
    if own := os.environ.get("LUDUS_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "ludus"


@cache
def _resolved(base: str, folder: Path) -> Path:
    return models.resolve(base, folder)


def vocabulary_for(config: RunConfig, policy: str) -> Vocabulary:
    """The tokens of a policy whose weights the run holds. Raises ModelError or VocabularyError."""
    base = config.policies[policy].base
    if base == "spark":
        return SparkVocabulary()
    chat = config.engine.form == "natural"
    return vocabulary_of(_resolved(base, cache_folder()), chat=chat, system=config.engine.system)


def prepare(config: RunConfig) -> None:
    """Have every base model on this machine, and see that the run can work with it.

    Raises ModelError (no such model, a vocabulary or context that does not fit, too little memory) or
    VocabularyError (no chat template).
    """
    engine = config.engine
    needed: dict[str, float] = {}
    for name, policy in config.policies.items():
        if policy.base == "spark" or policy.served is not None:
            continue
        folder = _resolved(policy.base, cache_folder())
        models.check_vocabulary(folder)
        vocabulary_for(config, name)
        shape = models.shape(folder)
        if engine.context > shape.context:
            raise models.ModelError(
                f"expected engine.context of at most {shape.context}, the context of {policy.base}, got "
                f"{engine.context}; write engine.context: {shape.context}"
            )
        trained = "no" if not policy.trained else "full" if policy.lora is None else "lora"
        memory = models.needed_gib(
            shape,
            engines=0 if policy.base in needed else config.cluster.engines,
            trained=trained,  # type: ignore[arg-type]
            lora_rank=policy.lora.rank if policy.lora else 0,
            kv_gib=engine.vllm.kv_cache_gib if engine.kind == "vllm" else 0.5,
            engine_bytes=2 if engine.dtype == "bfloat16" else 4,
        )
        needed[policy.base] = needed.get(policy.base, 0.0) + memory
    if needed:
        models.check_memory(" and ".join(needed), sum(needed.values()), models.available_gib())
