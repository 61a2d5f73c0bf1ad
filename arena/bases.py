"""The base models of a run: what has to be there before it starts, and the tokens of its policies."""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from agents import models
from agents.engines.openai_config import ServerError, check_server
from agents.spark import VOCABULARY
from agents.vocabulary import SparkVocabulary, Vocabulary, VocabularyError, vocabulary_of
from arena.config import RunConfig
from arena.run_names import Wrong


def cache_folder() -> Path:
    """Where models that were made or converted are kept: ``LUDUS_CACHE``, or the user's cache."""
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


class BaseFault(Wrong):
    """A run cannot start with its base models; the message has a line for each of them."""


def prepare(config: RunConfig) -> None:
    """Have every base model on this machine, and see that the run can work with it.

    Raises BaseFault: no such model, no chat template, a vocabulary or a context that does not fit, a server
    without its key, a package that is missing, or too little memory.
    """
    faults = []
    for name, policy in config.policies.items():
        try:
            if policy.server is not None:
                check_server(policy.server)
            elif policy.base != "spark":
                _check(config, name)
        except (ServerError, models.ModelError, VocabularyError) as error:
            faults.append(f"policies.{name}: {error}")
    for module, key in _modules(config):
        if find_spec(module) is None:
            faults.append(
                f"{key}: expected the package {module} to be installed, got none; write "
                "`pip install 'ludus-arena[cpu]'`, or [cuda] on a machine with GPUs"
            )
    if faults:
        raise BaseFault("\n".join(faults))
    bases = sorted({p.base for p in config.policies.values() if p.base != "spark" and not p.served})
    if bases:
        try:
            models.check_memory(" and ".join(bases), _needed_gib(config), models.available_gib())
        except models.ModelError as error:
            raise BaseFault(str(error)) from error


def _check(config: RunConfig, name: str) -> None:
    policy, engine = config.policies[name], config.engine
    models.check(policy.base)
    if engine.kind == "spark" and not Path(policy.base).is_dir():
        raise models.ModelError(_not_spark(policy.base))
    folder = _resolved(policy.base, cache_folder())
    models.check_vocabulary(folder)
    spark = isinstance(vocabulary_for(config, name), SparkVocabulary)
    if engine.kind == "spark" and not spark:
        raise models.ModelError(_not_spark(policy.base))
    context = models.shape(folder).context
    if engine.context > context:
        raise models.ModelError(
            f"expected engine.context of at most {context}, the context of {policy.base}, got "
            f"{engine.context}; write engine.context: {context}"
        )


def _not_spark(base: str) -> str:
    return (
        f"expected a folder with a model of spark's {len(VOCABULARY)} characters for engine.kind: spark, "
        f"got {base}; write engine.kind: vllm, or torch"
    )


def _modules(config: RunConfig) -> list[tuple[str, str]]:
    """Optional packages that the configuration needs, each with the setting that needs it."""
    match config.engine.kind:
        case "vllm":
            return [("vllm", "engine.kind: vllm")]
        case "torch" if config.engine.patterns:
            return [("xgrammar", "engine.patterns: true")]
    return []


def _needed_gib(config: RunConfig) -> float:
    engine, total = config.engine, 0.0
    served: set[str] = set()
    for policy in config.policies.values():
        if policy.base == "spark" or policy.served:
            continue
        total += models.needed_gib(
            models.shape(_resolved(policy.base, cache_folder())),
            engines=0 if policy.base in served else config.cluster.engines,
            trained="no" if not policy.trained else "full" if policy.lora is None else "lora",
            lora_rank=policy.lora.rank if policy.lora else 0,
            kv_gib=engine.vllm.kv_cache_gib if engine.kind == "vllm" else 0.5,
            engine_bytes=2 if engine.dtype == "bfloat16" else 4,
        )
        served.add(policy.base)
    return total
