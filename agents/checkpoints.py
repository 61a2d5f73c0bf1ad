"""A policy version on disk: a folder in Hugging Face or peft format, the optimizer's state with it.

A version is a whole model, or an adapter to version 0 of its policy. A folder is written under another name
and renamed when it is whole, so a version that exists is complete.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from agents import spark

WEIGHTS = "model.safetensors"
ADAPTER = "adapter_model.safetensors"
ADAPTER_CONFIG = "adapter_config.json"
OPTIMIZER = "optimizer.pt"
_PREFIX, _DOWN, _UP = "base_model.model.", ".lora_A.weight", ".lora_B.weight"
"""How peft names an adapter's two matrices."""
_BLOCK = 1 << 22


class CheckpointError(RuntimeError):
    """A version's files are missing or not what was committed."""


def is_adapter(folder: Path) -> bool:
    """Whether the version is an adapter to version 0 of its policy."""
    return (folder / ADAPTER).exists()


def save(
    folder: Path,
    model: Any,
    optimizer: torch.optim.Optimizer | dict[str, Any] | None,
    step: int,
    *,
    like: Path | None = None,
    weights: dict[str, Tensor] | None = None,
) -> str:
    """Write a version; returns the SHA-256 of its weights. Replaces a folder left by a crash.

    ``model`` is a transformers model, saved whole with the tokenizer of the version in ``like`` (None:
    spark's), or a peft model, of which the adapter alone is saved. ``weights`` are its weights by name
    where it holds a part of each only, and ``optimizer`` can be its state dict. Raises CheckpointError
    where the files cannot be written; then no version is there.
    """

    def write(partial: Path) -> None:
        model.save_pretrained(partial, state_dict=weights)
        if not is_adapter(partial):
            if like is None:
                spark.tokenizer().save_pretrained(partial)
            else:
                _copy_tokenizer(like, partial)
        if optimizer is not None:
            state = optimizer if isinstance(optimizer, dict) else optimizer.state_dict()
            torch.save({"optimizer": state, "step": step}, partial / OPTIMIZER)

    return _published(folder, write)


def adopt(folder: Path, base: Path) -> str:
    """Make a version of the model in ``base`` as it is; returns the SHA-256 of its weights.

    Weights are linked where the file system can, everything else is copied. Raises CheckpointError.
    """

    def write(partial: Path) -> None:
        partial.mkdir(parents=True)
        for file in sorted(base.iterdir()):
            if file.suffix == ".gguf" or file.name == OPTIMIZER or not file.is_file():
                continue
            if file.suffix == ".safetensors":
                try:
                    os.link(file.resolve(), partial / file.name)
                    continue
                except OSError:  # another file system
                    pass
            shutil.copy2(file, partial / file.name)

    return _published(folder, write)


def _published(folder: Path, write: Callable[[Path], None]) -> str:
    partial = folder.with_name(folder.name + ".partial")
    if partial.exists():
        shutil.rmtree(partial)
    try:
        write(partial)
        for file in partial.iterdir():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
        digest = sha256(partial)
        if folder.exists():
            shutil.rmtree(folder)
        partial.replace(folder)
    # torch and safetensors have errors of their own for a file that cannot be written
    except (OSError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(
            f"expected to write a version to {folder}, got: {error}; make room on the disk, then go on "
            "with the run from its last committed round"
        ) from error
    return digest


def _copy_tokenizer(source: Path, target: Path) -> None:
    for file in source.iterdir():
        mine = file.name.startswith(("tokenizer", "special_tokens", "vocab", "merges", "added_tokens"))
        if (mine or file.suffix == ".jinja") and not (target / file.name).exists():
            shutil.copy2(file, target / file.name)


def _weights(folder: Path) -> list[Path]:
    return [folder / ADAPTER] if is_adapter(folder) else sorted(folder.glob("*.safetensors"))


def sha256(folder: Path) -> str:
    """SHA-256 of a version's weights: of its files in order of name, where there are several."""
    digest = hashlib.sha256()
    for file in _weights(folder):
        with file.open("rb") as handle:
            while block := handle.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()


def verify(folder: Path, digest: str, *, first: bool) -> None:
    """Raises CheckpointError unless the version's weights are those that were committed.

    The optimizer state of a version that is not a policy's ``first`` has to be there and whole too:
    without it the next version would be another one.
    """
    if not _weights(folder):
        raise CheckpointError(
            f"expected the weights of a committed version in {folder}, got no {WEIGHTS}; restore the "
            "folder from a copy of the run"
        )
    found = sha256(folder)
    if found != digest:
        raise CheckpointError(
            f"expected weights with SHA-256 {digest[:12]}… in {folder}, got {found[:12]}…; the file was "
            "changed or damaged after it was committed: restore it from a copy of the run"
        )
    if first:
        return
    try:
        with zipfile.ZipFile(folder / OPTIMIZER) as archive:  # what torch.save writes
            damaged = archive.testzip()
    except (OSError, zipfile.BadZipFile) as error:
        damaged = str(error)
    if damaged is not None:
        raise CheckpointError(
            f"expected the optimizer state of a committed version in {folder / OPTIMIZER}, got: {damaged}; "
            "restore it from a copy of the run"
        )


def load_model(folder: Path, base: Path | None = None, dtype: torch.dtype = torch.float32) -> Any:
    """A version's model, whole: an adapter is merged into ``base``, the folder of its policy's version 0.

    Merging is done in float32 and rounded to ``dtype`` once.
    """
    from transformers import AutoModelForCausalLM

    if not is_adapter(folder):
        return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
    from peft import PeftModel

    whole = AutoModelForCausalLM.from_pretrained(_base_of(folder, base), dtype=torch.float32)
    return PeftModel.from_pretrained(whole, folder).merge_and_unload().to(dtype)


def merged(folder: Path, base: Path, dtype: torch.dtype) -> dict[str, Tensor]:
    """A version's weights by name, an adapter merged into ``base``; tied weights once.

    One weight at a time is in float32, so that no second model is held in memory.
    """
    source = _base_of(folder, base) if is_adapter(folder) else folder
    state: dict[str, Tensor] = {}
    for file in _weights(source):
        state |= {name: weight.to(dtype) for name, weight in load_file(file).items()}
    if not is_adapter(folder):
        return state
    settings = json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    scale = float(settings["lora_alpha"]) / int(settings["r"])
    adapter = load_file(folder / ADAPTER)
    for name, down in adapter.items():
        if not name.endswith(_DOWN):
            continue
        stem = name.removesuffix(_DOWN)
        change = scale * (adapter[f"{stem}{_UP}"].float() @ down.float())
        weight = f"{stem.removeprefix(_PREFIX)}.weight"
        if settings["fan_in_fan_out"]:  # layers that keep their weights transposed, as GPT-2's do
            change = change.T
        state[weight] = (state[weight].float() + change).to(dtype)
    return state


@contextmanager
def on_disk(weights: dict[str, Tensor], base: Path) -> Iterator[Path]:
    """A folder with ``weights`` and the configuration of ``base``, for as long as it is needed."""
    with tempfile.TemporaryDirectory(prefix="ludus-") as name:
        folder = Path(name)
        save_file({k: v.contiguous() for k, v in weights.items()}, folder / WEIGHTS)
        shutil.copy2(base / "config.json", folder)
        _copy_tokenizer(base, folder)
        yield folder


def _base_of(folder: Path, base: Path | None) -> Path:
    if base is None or not base.exists():
        raise CheckpointError(
            f"expected the base of the adapter in {folder}, which is version 0 of its policy, got "
            f"{'none' if base is None else base}; restore it from a copy of the run"
        )
    return base


def load_optimizer(
    folder: Path,
    optimizer: torch.optim.Optimizer,
    fitted: Callable[[dict[str, Any]], dict[str, Any]] = lambda state: state,
) -> int:
    """Load the optimizer state beside a version's weights, if any; returns the steps taken so far.

    ``fitted`` makes of the stored state what this optimizer holds of it.
    """
    path = folder / OPTIMIZER
    if not path.exists():
        return 0
    # wherever it was saved: the optimizer moves it to its weights
    state = torch.load(path, weights_only=True, map_location="cpu")
    optimizer.load_state_dict(fitted(state["optimizer"]))
    return int(state["step"])


def forget_optimizer(folder: Path) -> None:
    """Drop a version's optimizer state, which only its successor needs."""
    (folder / OPTIMIZER).unlink(missing_ok=True)
