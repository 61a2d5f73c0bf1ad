"""Versions on disk: whole or not at all, and damage that is found."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from agents import checkpoints, spark
from agents.checkpoints import CheckpointError
from agents.config import LearnerConfig, LoraSettings
from agents.learning.trainee import Trainee
from tests.agents import tiny


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, str]:
    model = spark.new_model(0, layers=1, width=16, heads=2)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.tensor([[1, 2, 3]])).logits.sum().backward()
    optimizer.step()
    return tmp_path / "p@1", checkpoints.save(tmp_path / "p@1", model, optimizer, 7)


def test_a_version_comes_back(saved: tuple[Path, str]) -> None:
    folder, digest = saved
    checkpoints.verify(folder, digest, first=False)
    model = checkpoints.load_model(folder)
    optimizer = torch.optim.AdamW(model.parameters())
    assert checkpoints.load_optimizer(folder, optimizer) == 7
    assert len(optimizer.state) == len(list(model.parameters()))
    assert [p.name for p in folder.parent.iterdir()] == ["p@1"]


def test_saving_replaces_what_a_crash_left(saved: tuple[Path, str]) -> None:
    folder, digest = saved
    partial = folder.with_name("p@1.partial")
    partial.mkdir()
    (partial / "junk").write_text("x")
    (folder / "junk").write_text("x")
    assert checkpoints.save(folder, checkpoints.load_model(folder), None, 0) == digest
    assert not (folder / "junk").exists()
    assert not partial.exists()
    assert not (folder / checkpoints.OPTIMIZER).exists()


@pytest.mark.parametrize("name", [checkpoints.WEIGHTS, checkpoints.OPTIMIZER])
@pytest.mark.parametrize("damage", ["truncated", "flipped", "missing"])
def test_damage_is_found(saved: tuple[Path, str], name: str, damage: str) -> None:
    folder, digest = saved
    path = folder / name
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    else:
        at = len(content) // 2  # inside the data of some tensor
        path.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
    with pytest.raises(CheckpointError, match="restore"):
        checkpoints.verify(folder, digest, first=False)


def test_a_first_version_needs_no_optimizer(saved: tuple[Path, str]) -> None:
    folder, digest = saved
    checkpoints.forget_optimizer(folder)
    checkpoints.forget_optimizer(folder)
    checkpoints.verify(folder, digest, first=True)
    with pytest.raises(CheckpointError, match=r"optimizer\.pt"):
        checkpoints.verify(folder, digest, first=False)


def test_what_cannot_be_written_is_a_clear_error(saved: tuple[Path, str], tmp_path: Path) -> None:
    folder, _ = saved
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match="make room on the disk"):
        checkpoints.save(tmp_path / "file" / "p@2", checkpoints.load_model(folder), None, 0)


@pytest.mark.filterwarnings("ignore:fan_in_fan_out is set to False:UserWarning")
@pytest.mark.parametrize(("family", "layers"), [("llama", 14), ("gpt2", 8)])
def test_weights_are_merged_as_peft_merges_them(tmp_path: Path, family: tiny.Family, layers: int) -> None:
    base = tiny.save(tmp_path / "p@0", family=family)
    trainee = Trainee.load("p@0", base, base, LoraSettings(rank=4, alpha=12.0), LearnerConfig(), seed=1)
    generator = torch.Generator().manual_seed(0)
    for name, weight in trainee.model.named_parameters():
        if "lora_B" in name:
            weight.data = torch.randn(weight.shape, generator=generator)
    trainee.save(tmp_path / "p@1", like=None)
    found = checkpoints.merged(tmp_path / "p@1", base, torch.float32)
    whole = checkpoints.load_model(tmp_path / "p@1", base).state_dict()
    assert set(found) == set(whole) - {"lm_head.weight"}  # tied
    changed = 0
    for name, weight in checkpoints.merged(base, base, torch.float32).items():
        torch.testing.assert_close(found[name], whole[name], atol=1e-5, rtol=1e-5)
        changed += not torch.equal(found[name], weight)
    assert changed == layers  # in two blocks
