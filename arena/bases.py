"""The base models of a run: what has to be there before it starts, and the tokens of its policies."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from agents import models
from agents.engines.openai_config import ServerError, check_server
from agents.engines.vllm import serves_adapters
from agents.spark import VOCABULARY
from agents.vocabulary import SparkVocabulary, Vocabulary, VocabularyError, vocabulary_of
from arena.config import RunConfig
from arena.run_files import CHECKPOINTS, cache_folder
from arena.run_names import Wrong
from culture.embedding import EmbeddingError, model_folder

VERSIONS_KEPT = 4
"""Policy versions that an engine holds, the latest used; ``torch`` has each of them whole in memory."""


@cache
def _resolved(base: str, folder: Path) -> Path:
    return models.resolve(base, folder)


def vocabulary_for(config: RunConfig, policy: str, folder: Path | None = None) -> Vocabulary:
    """The tokens of a policy whose weights the run holds.

    ``folder`` is the run's: the tokens are those of the policy's version 0 once that is there, and before
    the base's. Raises ModelError or VocabularyError.
    """
    base = config.policies[policy].base
    if base == "spark":
        return SparkVocabulary()
    place = _first_version(policy, folder) or _resolved(base, cache_folder())
    return vocabulary_of(place, chat=config.engine.form == "natural", system=config.engine.system)


def _first_version(policy: str, folder: Path | None) -> Path | None:
    """The folder of the policy's version 0 in a run's folder; None where there is none yet."""
    if folder is None:
        return None
    first = folder / CHECKPOINTS / f"{policy}@0"
    return first if first.exists() else None


class BaseFault(Wrong):
    """A run cannot start with its base models; the message has a line for each of them."""


def prepare(config: RunConfig, folder: Path | None = None) -> None:
    """Have every base model on this machine, and see that the run can work with it.

    A policy whose version 0 is in ``folder``, the run's, needs its base no more. Memory is compared where
    the run's processes are on this machine; how much a cluster at ``cluster.address`` has is not asked.

    Raises BaseFault: no such model, no chat template, a vocabulary or a context that does not fit, a server
    without its key, a package that is missing (that of ``library.search`` too), or too little memory.
    """
    faults = []
    places: dict[str, Path] = {}
    for name, policy in config.policies.items():
        try:
            if policy.server is not None:
                check_server(policy.server)
            elif policy.base != "spark":
                places[name] = _checked(config, name, folder)
        except (ServerError, models.ModelError, VocabularyError) as error:
            faults.append(f"policies.{name}: {error}")
    for module, key in _modules(config):
        if find_spec(module) is None:
            faults.append(
                f"{key}: expected the package {module} to be installed, got none; in a clone of Ludus "
                "write `pip install -c constraints.txt -e '.[cpu]'`, then `pip uninstall -y torchvision "
                "torchaudio torchcodec`, which break beside a torch for the CPU; with GPUs write "
                "`pip install -e '.[cuda]'`"
            )
    if config.library.search != "bm25":
        try:
            model_folder()
        except EmbeddingError as error:
            faults.append(f"library.search: {error}")
    if faults:
        raise BaseFault("\n".join(faults))
    elsewhere = config.cluster.address is not None and not config.cluster.local
    if places and not elsewhere:
        bases = sorted({config.policies[name].base for name in places})
        try:
            models.check_memory(" and ".join(bases), _needed_gib(config, places), models.available_gib())
        except models.ModelError as error:
            raise BaseFault(str(error)) from error


def _checked(config: RunConfig, name: str, run: Path | None) -> Path:
    """The folder of a policy's model, in the run's folder or its base's own, which fits the run."""
    policy, engine = config.policies[name], config.engine
    place = _first_version(name, run)
    if place is None:
        models.check(policy.base)
        if engine.kind == "spark" and not Path(policy.base).is_dir():
            raise models.ModelError(_not_spark(policy.base))
        place = _resolved(policy.base, cache_folder())
    models.check_vocabulary(place)
    spark = isinstance(vocabulary_for(config, name, run), SparkVocabulary)
    if engine.kind == "spark" and not spark:
        raise models.ModelError(_not_spark(policy.base))
    context = models.shape(place).context
    if engine.context > context:
        raise models.ModelError(
            f"expected engine.context of at most {context}, the context of {policy.base}, got "
            f"{engine.context}; write engine.context: {context}"
        )
    return place


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


def needed_gib(config: RunConfig) -> float:
    """Memory of engines and learners of the policies that are not spark's, in GiB. Raises ModelError."""
    places = {
        name: _checked(config, name, None)
        for name, policy in config.policies.items()
        if policy.server is None and policy.base != "spark"
    }
    return _needed_gib(config, places)


def _needed_gib(config: RunConfig, places: dict[str, Path]) -> float:
    """Memory of all engines and learners of the policies whose models are in ``places``, in GiB."""
    engine, learner, total = config.engine, config.learner, 0.0
    versions: dict[str, int] = {}
    for name in places:
        most = VERSIONS_KEPT if config.policies[name].trained and engine.kind == "torch" else 1
        versions[_engine(config, name)] = versions.get(_engine(config, name), 0) + most
    for name, place in places.items():
        policy = config.policies[name]
        # the policies of one engine have it counted with the first of them
        held = versions.pop(_engine(config, name), 0)
        total += models.needed_gib(
            models.shape(place),
            engines=0 if not held else 1 if config.cluster.local else config.cluster.engines,
            trained="no" if not policy.trained else "full" if policy.lora is None else "lora",
            lora_rank=policy.lora.rank if policy.lora else 0,
            kv_gib=engine.vllm.kv_cache_gib if engine.kind == "vllm" else 0.5,
            engine_bytes=2 if engine.dtype == "bfloat16" else 4,
            versions=min(held, VERSIONS_KEPT) if engine.kind == "torch" else 1,
            base_bytes=2 if learner.dtype == "bfloat16" else 4,
            workers=learner.workers,
            shard=learner.shard,
            holds_first=learner.kl_to == "first" and learner.kl_coefficient > 0,
        )
    return total


def _engine(config: RunConfig, name: str) -> str:
    """What the policies of one engine have in common: their base, unless their weights are served alone."""
    policy = config.policies[name]
    if config.engine.kind == "spark":
        return "spark"
    whole = policy.trained and policy.lora is None and serves_adapters(config.engine)
    return name if whole else policy.base
