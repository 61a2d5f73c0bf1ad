"""A model in training: its weights or adapters, its optimizer, the version and the step that it is at."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from agents import checkpoints
from agents.config import LearnerConfig, LoraSettings
from agents.learning.group import ALONE, Group
from agents.learning.scoring import packs


def new_optimizer(model: Any, config: LearnerConfig) -> torch.optim.AdamW:
    """AdamW over what is trained, with the configured settings; its state is float32."""
    trained = [p for p in model.parameters() if p.requires_grad]
    return torch.optim.AdamW(
        trained, lr=config.lr, betas=config.betas, weight_decay=config.weight_decay, fused=True
    )


@dataclass(slots=True)
class Trainee:
    """``model`` is a transformers model, or a peft model whose base is frozen."""

    version: str
    model: Any
    optimizer: torch.optim.Optimizer
    step: int
    first: Path | None = None
    """Folder of the policy's version 0."""
    frozen: Any = None
    """Version 0 itself, where all weights are trained and it has been asked for."""
    group: Group = ALONE
    """The processes that train it."""
    packed: bool = False
    """Whether its rows are packed."""

    @classmethod
    def load(
        cls,
        version: str,
        path: Path,
        first: Path,
        lora: LoraSettings | None,
        config: LearnerConfig,
        *,
        seed: int,
        group: Group = ALONE,
        packed: bool = False,
    ) -> Trainee:
        """The version in ``path``; ``seed`` initialises adapters that it does not have yet.

        ``packed`` prepares it for packed rows, if it can score them: on the CPU plain matrix products are
        several times as fast as the fused attention with a mask, backward and in bfloat16 above all.

        All weights are float32 where they are trained; a frozen base is kept in ``config.dtype``.
        """
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if lora is None:
            model = checkpoints.load_model(path)
        else:
            model = _with_adapters(path, first, lora, config, seed)
        if config.checkpointing:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
            model.enable_input_require_grads()
        model.eval()
        if packed and device.type == "cpu":
            model.set_attn_implementation("eager")
        packed = packed and packs(model, config.dtype)
        group.placed(model, device)
        _without_own_dropout(model)
        model.train(config.checkpointing or (lora is not None and lora.dropout > 0))
        optimizer = new_optimizer(model, config)
        trained = [p for p in model.parameters() if p.requires_grad]
        step = checkpoints.load_optimizer(path, optimizer, lambda state: group.cut(state, trained))
        return cls(version, model, optimizer, step, first, group=group, packed=packed)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        found: torch.device = next(iter(self.model.parameters())).device
        return found

    def apply(self, rate: float, max_grad_norm: float) -> float:
        """Take the optimizer's step at learning rate ``rate``; the gradient's norm before clipping.

        A gradient that is not finite changes nothing.
        """
        trained = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.group.reduce(trained)
        norm = self.group.number(torch.nn.utils.clip_grad_norm_(trained, max_grad_norm))
        if norm == norm and norm != float("inf"):
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            self.optimizer.step()
        return norm

    def finite(self) -> bool:
        """Whether every weight is a finite number."""
        mine = all(bool(self.group.local(p).isfinite().all()) for p in self.model.parameters())
        return self.group.totals([float(not mine)]) == [0.0]

    def copied(self) -> Any:
        """The model as it is now, apart from what training will make of it."""
        return copy.deepcopy(self.model).requires_grad_(False)

    @contextmanager
    def as_first(self) -> Iterator[Any]:
        """The policy's version 0: the base without its adapters, or a frozen copy."""
        if hasattr(self.model, "disable_adapter"):
            with self.model.disable_adapter():
                yield self.model
            return
        if self.frozen is None:
            assert self.first is not None
            frozen = checkpoints.load_model(self.first).requires_grad_(False)
            self.frozen = self.group.placed(frozen, self.device)
        yield self.frozen

    @contextmanager
    def without_dropout(self) -> Iterator[None]:
        """As the engine samples, for as long as it takes."""
        training = self.model.training
        self.model.eval()
        try:
            yield
        finally:
            self.model.train(training)

    def save(self, path: Path, *, like: Path | None) -> str:
        """Write the version in ``path``; see :func:`agents.checkpoints.save`.

        The first process of a group writes; the others help it to gather what it writes, and get "".
        """
        weights, state = None, self.optimizer.state_dict()
        if self.group.sharded:
            held = self.model.state_dict(keep_vars=True)
            if hasattr(self.model, "peft_config"):  # the base stays what it was
                held = {name: weight for name, weight in held.items() if weight.requires_grad}
            weights, state = dict(self.group.whole(held)), dict(self.group.whole(state))
        if self.group.rank:
            return ""
        return checkpoints.save(path, self.model, state, self.step, like=like, weights=weights)


def _without_own_dropout(model: Any) -> None:
    """Dropout of the model's own would make ratios of what was sampled without it wrong."""
    for name, module in model.named_modules():
        if "lora_" in name:
            continue
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        for field, value in vars(module).items():
            if "drop" in field and isinstance(value, float):
                setattr(module, field, 0.0)


def _with_adapters(path: Path, first: Path, lora: LoraSettings, config: LearnerConfig, seed: int) -> Any:
    from peft import LoraConfig, PeftModel, get_peft_model

    dtype = torch.bfloat16 if config.dtype == "bfloat16" else torch.float32
    base = checkpoints.load_model(first, dtype=dtype)
    if checkpoints.is_adapter(path):
        return PeftModel.from_pretrained(base, path, is_trainable=True)
    settings = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,  # type: ignore[arg-type]
        lora_dropout=lora.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**63)
        return get_peft_model(base, settings)
