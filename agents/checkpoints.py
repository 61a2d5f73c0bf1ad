"""A policy version on disk: a folder in Hugging Face format, its optimizer state beside the weights.

A folder is written under another name and renamed when it is whole, so a version that exists is complete.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import LlamaForCausalLM

from agents import spark

WEIGHTS = "model.safetensors"
OPTIMIZER = "optimizer.pt"


class CheckpointError(RuntimeError):
    """A version's files are missing or not what was committed."""


def save(folder: Path, model: LlamaForCausalLM, optimizer: torch.optim.Optimizer | None, step: int) -> str:
    """Write a version; returns the SHA-256 of its weights file. Replaces a folder left by a crash.

    Raises CheckpointError where the files cannot be written; then no version is there.
    """
    partial = folder.with_name(folder.name + ".partial")
    if partial.exists():
        shutil.rmtree(partial)
    try:
        _write(partial, model, optimizer, step)
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


def _write(
    folder: Path, model: LlamaForCausalLM, optimizer: torch.optim.Optimizer | None, step: int
) -> None:
    spark.save(model, folder)
    if optimizer is not None:
        torch.save({"optimizer": optimizer.state_dict(), "step": step}, folder / OPTIMIZER)
    for file in folder.iterdir():
        with file.open("rb") as handle:
            os.fsync(handle.fileno())


def sha256(folder: Path) -> str:
    """SHA-256 of a version's weights file."""
    return hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()


def verify(folder: Path, digest: str, *, first: bool) -> None:
    """Raises CheckpointError unless the version's weights are those that were committed.

    The optimizer state of a version that is not a policy's ``first`` has to be there and whole too:
    without it the next version would be another one.
    """
    if not (folder / WEIGHTS).exists():
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


def load_model(folder: Path) -> LlamaForCausalLM:
    """A version's model, float32."""
    model: LlamaForCausalLM = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model


def load_optimizer(folder: Path, optimizer: torch.optim.Optimizer) -> int:
    """Load the optimizer state beside a version's weights, if any; returns the steps taken so far."""
    path = folder / OPTIMIZER
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


def forget_optimizer(folder: Path) -> None:
    """Drop a version's optimizer state, which only its successor needs."""
    (folder / OPTIMIZER).unlink(missing_ok=True)
