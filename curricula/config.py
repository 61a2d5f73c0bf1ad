"""What can be set about the curriculum: a strategy's name and the settings of each shipped one.

A shipped strategy reads the section of its own name. A strategy registered elsewhere reads
``settings`` and checks it itself.
"""

from __future__ import annotations

import difflib
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from curricula.base import registered

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]

SHIPPED = ("ladder", "learnability", "uniform")
"""Strategies that have a section of their own, or need none, and so leave ``settings`` empty."""


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", use_attribute_docstrings=True, frozen=True, allow_inf_nan=False
    )


class SamplerConfig(_Section):
    """How problems seen before are drawn: Prioritized Level Replay (Jiang et al. 2021)."""

    temperature: Positive = 1.0
    """β, no unit: a problem of rank r weighs r^(-1/β). Small is greedy (PLR used 0.1), large is even."""
    staleness: Share = 0.1
    """ρ, a share of probability: how much goes by rounds since the last attempt instead of by rank."""
    top_k: Annotated[int, Field(ge=1)] | None = None
    """Problems: only so many of the best ranks get weight by rank; null means all."""


class LearnabilityConfig(_Section):
    """Sampling for learnability (Rutherford et al. 2024) around a frontier that follows the solvers."""

    fresh_share: Share = 0.4
    """Share of requests for a new problem beyond or at the frontier. The three shares sum to 1."""
    mutate_share: Share = 0.4
    """Share of requests for a variation of a learnable problem. The three shares sum to 1."""
    replay_share: Share = 0.2
    """Share of requests for a learnable problem seen before. The three shares sum to 1."""
    start_target: Positive = 4.0
    """Difficulty, in the domain's unit, asked for until the first problem is admitted."""
    start_targets: dict[str, Positive] = Field(default_factory=dict)
    """Difficulty, in the domain's unit, by domain name: replaces ``start_target`` for that domain."""
    minimum_target: Positive = 1.0
    """Difficulty, in the domain's unit: the frontier is never placed below it, and problems below it count
    as at it. Fresh targets spread about a multiple of the frontier, so some may lie below."""
    spread: Annotated[float, Field(ge=0)] = 0.35
    """Natural-log units: standard deviation of fresh targets about ``stretch`` times the frontier."""
    target_success: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Probability of success that defines the frontier."""
    stretch: Positive = 1.0
    """Ratio of difficulties: fresh targets spread about so many times the frontier. Above 1 where solvers
    are taught by answer keys, and so learn from what they cannot do yet. No unit."""
    overreach: Annotated[float, Field(gt=1)] = 2.0
    """Ratio of difficulties: fresh targets spread about at most so many times the (geometric) mean of what
    was attempted of late."""
    reach: Annotated[float, Field(gt=1)] = 1.5
    """Ratio of difficulties: how far beyond anything tried the frontier may be placed."""
    bin_width: Positive = 0.1
    """Natural-log units of difficulty: attempts within one bin share a success rate."""
    half_life: Positive = 4.0
    """Rounds after which an attempt counts half: how fast estimates forget older policy versions."""
    prior_strength: Positive = 4.0
    """Attempts: how many the success rate at a problem's difficulty counts for, beside its own."""
    buffer_size: Annotated[int, Field(ge=1)] = 1000
    """Problems kept in each domain for mutation and replay; the least learnable leave first."""
    pay_scale: Positive = 4.0
    """Payment for one unit of shrunk learnability; at 4 a problem that is solved half the time earns 1."""
    sampler: SamplerConfig = SamplerConfig()
    """How parents and replays are drawn."""

    @model_validator(mode="after")
    def _shares(self) -> Self:
        total = self.fresh_share + self.mutate_share + self.replay_share
        if abs(total - 1) > 1e-9:
            raise ValueError(
                f"expected fresh_share + mutate_share + replay_share = 1, got {total:g}; "
                "write all three, e.g. 0.4, 0.4 and 0.2"
            )
        return self

    @model_validator(mode="after")
    def _starts(self) -> Self:
        for name, start in [("start_target", self.start_target), *self.start_targets.items()]:
            if start < self.minimum_target:
                raise ValueError(
                    f"expected a start of at least minimum_target = {self.minimum_target:g}, got "
                    f"{name} = {start:g}; raise it or lower minimum_target"
                )
        return self

    def start(self, domain: str) -> float:
        """The first target of ``domain``, in its unit."""
        return self.start_targets.get(domain, self.start_target)


class LadderConfig(_Section):
    """Scripted levels, climbed by success: the teacher that a self-set curriculum is compared with."""

    levels: list[Positive] = Field(default_factory=list)
    """Target difficulties in the domain's unit, rising. Empty means ``start`` × ``factor`` ^ level."""
    start: Positive = 2.0
    """Difficulty of the lowest level, in the domain's unit, where ``levels`` is empty."""
    factor: Annotated[float, Field(gt=1)] = 1.25
    """Ratio of one level's difficulty to the one below, where ``levels`` is empty; there is no top."""
    up: Share = 0.7
    """Success rate at or above which the ladder goes up a level."""
    down: Share = 0.2
    """Success rate below which the ladder goes down a level."""
    window: Annotated[int, Field(ge=1)] = 64
    """Attempts at the current level that are needed to judge it; the latest rounds that hold so many."""
    tolerance: Positive = 0.25
    """Ratio less one: at a level of difficulty t is what lies from t/(1+tolerance) to t(1+tolerance)."""
    replay_share: Share = 0.1
    """Share of requests for a problem seen before; the rest are fresh at the current level."""
    buffer_size: Annotated[int, Field(ge=1)] = 1000
    """Problems kept in each domain for replay; those off the level leave first, then the oldest."""
    sampler: SamplerConfig = SamplerConfig(staleness=0.5)
    """How replays are drawn."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if any(b <= a for a, b in zip(self.levels, self.levels[1:], strict=False)):
            raise ValueError(
                f"expected levels that rise, got {self.levels}; write {sorted(set(self.levels))}"
            )
        if self.down >= self.up:
            raise ValueError(
                f"expected down < up, got down = {self.down:g} and up = {self.up:g}; "
                "a ladder with down >= up moves every time"
            )
        return self


class CurriculumConfig(_Section):
    """Which strategy decides what to learn next, and what it is told."""

    strategy: str = "learnability"
    """Name of a registered strategy: ladder, learnability, uniform, or one that a plug-in registers."""
    learnability: LearnabilityConfig = LearnabilityConfig()
    """Settings of the strategy ``learnability``."""
    ladder: LadderConfig = LadderConfig()
    """Settings of the strategy ``ladder``."""
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    """Settings of a strategy that is not shipped; its class checks them."""
    invalid_payment: float = -1.0
    """Payment to a proposer for a proposal that is no problem (AZR pays -1)."""

    @model_validator(mode="after")
    def _known(self) -> Self:
        names = registered()
        if self.strategy not in names:
            near = difflib.get_close_matches(self.strategy, names, n=1)
            hint = (
                f"write {near[0]!r}"
                if near
                else "write one of them, or name the module that registers it under plugins"
            )
            raise ValueError(f"expected a strategy among {', '.join(names)}, got {self.strategy!r}; {hint}")
        if self.settings and self.strategy in SHIPPED:
            where = f"under {self.strategy!r}" if self.strategy != "uniform" else "nowhere: it has none"
            raise ValueError(
                f"expected no settings for the shipped strategy {self.strategy!r}, got "
                f"{', '.join(sorted(self.settings))}; write its settings {where}"
            )
        return self
