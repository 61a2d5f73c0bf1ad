"""What can be set about the curriculum: the strategies' names, and a section for each that has settings.

A shipped strategy reads the section of its own name, and most of them ``asking``. A strategy registered
elsewhere reads ``settings`` and checks it itself.
"""

from __future__ import annotations

import difflib
from typing import Self

from pydantic import Field, JsonValue, model_validator

from curricula.base import registered, strategy_class
from curricula.sections import (
    AccelConfig,
    AlpGmmConfig,
    AskingConfig,
    AzrConfig,
    BanditConfig,
    IrtTargetedConfig,
    LadderConfig,
    LearnabilityConfig,
    LearningProgressConfig,
    MapElitesConfig,
    PairedConfig,
    PlrConfig,
    PoetConfig,
    PopulationRegretConfig,
    RZeroConfig,
    SamplerConfig,
    Section,
    SharesConfig,
    TriangleConfig,
)

__all__ = [
    "AccelConfig",
    "AlpGmmConfig",
    "AskingConfig",
    "AzrConfig",
    "BanditConfig",
    "CurriculumConfig",
    "IrtTargetedConfig",
    "LadderConfig",
    "LearnabilityConfig",
    "LearningProgressConfig",
    "MapElitesConfig",
    "PairedConfig",
    "PlrConfig",
    "PoetConfig",
    "PopulationRegretConfig",
    "RZeroConfig",
    "SamplerConfig",
    "SharesConfig",
    "TriangleConfig",
]

SHIPPED = frozenset(
    {
        "accel", "alp_gmm", "azr", "bandit", "hint_regret", "irt_targeted", "ladder", "learnability",
        "learning_progress", "map_elites", "max_mc", "paired", "plr", "poet", "population_regret", "r_zero",
        "robust_plr", "spice", "triangle", "uniform",
    }
)  # fmt: skip
"""Strategies that have a section of their own, or need none, and so leave ``settings`` empty."""


class CurriculumConfig(Section):
    """Which strategies decide what to learn next, and what they are told."""

    strategy: str = "learnability"
    """Name of a registered strategy: the README lists those shipped, and plug-ins register more."""
    by_domain: dict[str, str] = Field(default_factory=dict)
    """Names of strategies by domain: such a domain has one of its own, and ``strategy`` is for the rest."""
    asking: AskingConfig = AskingConfig()
    """How problems are asked for: by all shipped strategies but learnability, ladder and uniform."""
    learnability: LearnabilityConfig = LearnabilityConfig()
    """Settings of the strategy ``learnability``, how it asks for problems among them."""
    ladder: LadderConfig = LadderConfig()
    """Settings of the strategy ``ladder``."""
    azr: AzrConfig = AzrConfig()
    """Settings of the strategy ``azr``."""
    r_zero: RZeroConfig = RZeroConfig()
    """Settings of the strategy ``r_zero``."""
    triangle: TriangleConfig = TriangleConfig()
    """Settings of the strategy ``triangle``."""
    paired: PairedConfig = PairedConfig()
    """Settings of the strategy ``paired``."""
    population_regret: PopulationRegretConfig = PopulationRegretConfig()
    """Settings of the strategy ``population_regret``."""
    plr: PlrConfig = PlrConfig()
    """Settings of the strategy ``plr``."""
    robust_plr: PlrConfig = PlrConfig()
    """Settings of the strategy ``robust_plr``."""
    max_mc: PlrConfig = PlrConfig()
    """Settings of the strategy ``max_mc``."""
    accel: AccelConfig = AccelConfig()
    """Settings of the strategy ``accel``."""
    alp_gmm: AlpGmmConfig = AlpGmmConfig()
    """Settings of the strategy ``alp_gmm``."""
    learning_progress: LearningProgressConfig = LearningProgressConfig()
    """Settings of the strategy ``learning_progress``."""
    poet: PoetConfig = PoetConfig()
    """Settings of the strategy ``poet``."""
    map_elites: MapElitesConfig = MapElitesConfig()
    """Settings of the strategy ``map_elites``."""
    irt_targeted: IrtTargetedConfig = IrtTargetedConfig()
    """Settings of the strategy ``irt_targeted``."""
    bandit: BanditConfig = BanditConfig()
    """Settings of the strategy ``bandit``."""
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    """Settings of a strategy that is not shipped; its class checks them."""
    invalid_payment: float = -1.0
    """Payment to a proposer for a proposal that is no problem (AZR pays -1). Above 0, what is no problem is
    imitated too where proposers are taught by ``answer_key``. No unit."""
    duplicate_payment: float = 0.0
    """Payment for a proposal that is a problem which is known already; it is not attempted again. Above 0
    it is imitated too, as above. No unit."""

    def used(self) -> dict[str, str]:
        """Names of the strategies of this configuration, each with the key that names it."""
        named = {self.strategy: "strategy"}
        named |= {name: f"by_domain.{domain}" for domain, name in self.by_domain.items()}
        if "bandit" in named:
            named = {**dict.fromkeys(self.bandit.strategies, "bandit.strategies"), **named}
        return named

    @model_validator(mode="after")
    def _known(self) -> Self:
        for name, key in self.used().items():
            _must_be_registered(name, key)
        return self

    @model_validator(mode="after")
    def _settings(self) -> Self:
        used = self.used()
        if self.settings and SHIPPED.issuperset(used):
            own = [name for name in sorted(used) if name in type(self).model_fields]
            where = f"under {own[0]!r}" if own else "under 'asking'"
            where = "nowhere: it has none" if set(used) == {"uniform"} else where
            raise ValueError(
                f"expected no settings for the shipped strategy {self.strategy!r}, got "
                f"{', '.join(sorted(self.settings))}; write its settings {where}"
            )
        return self

    @model_validator(mode="after")
    def _paired(self) -> Self:
        two = (self.paired.antagonist, self.paired.protagonist)
        if "paired" in self.used() and (None in two or two[0] == two[1]):
            raise ValueError(
                "expected two policies of solvers for the strategy 'paired', got "
                f"antagonist = {two[0]} and protagonist = {two[1]}; write both under 'paired'"
            )
        return self

    @model_validator(mode="after")
    def _bandit(self) -> Self:
        if "bandit" not in self.used():
            return self
        names = self.bandit.strategies
        if len(set(names)) < len(names) or "bandit" in names:
            raise ValueError(
                f"expected other strategies than 'bandit' in bandit.strategies, each once, got "
                f"{', '.join(names)}"
            )
        withholding = [n for n in names if hasattr(strategy_class(n), "teaches")]
        if withholding:
            raise ValueError(
                "expected strategies that let all attempts train in bandit.strategies, since what trains "
                f"must not depend on the round, got {', '.join(withholding)}; take it out"
            )
        return self


def _must_be_registered(name: str, key: str) -> None:
    names = registered()
    if name in names:
        return
    near = difflib.get_close_matches(name, names, n=1)
    hint = (
        f"write {near[0]!r}"
        if near
        else "write one of them, or name the module that registers it under plugins"
    )
    place = "" if key == "strategy" else f" for {key}"
    raise ValueError(f"expected a strategy among {', '.join(names)}{place}, got {name!r}; {hint}")
