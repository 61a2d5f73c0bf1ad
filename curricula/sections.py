"""The settings of each shipped strategy: a section of the configuration each, where it has any."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Inner = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A section: unknown keys are refused, and so is what is not finite."""

    model_config = ConfigDict(
        extra="forbid", use_attribute_docstrings=True, frozen=True, allow_inf_nan=False
    )


class SamplerConfig(Section):
    """How problems seen before are drawn: Prioritized Level Replay (Jiang et al. 2021)."""

    temperature: Positive = 1.0
    """β, no unit: a problem of rank r weighs r^(-1/β). Small is greedy (PLR used 0.1), large is even."""
    staleness: Share = 0.1
    """ρ, a share of probability: how much goes by rounds since the last attempt instead of by rank."""
    top_k: Count | None = None
    """Problems: only so many of the best ranks get weight by rank; null means all."""


class SharesConfig(Section):
    """What kinds of requests are made."""

    fresh_share: Share = 0.4
    """Share of requests for a new problem. The three shares sum to 1."""
    mutate_share: Share = 0.4
    """Share of requests for a variation of a problem seen before. The three shares sum to 1."""
    replay_share: Share = 0.2
    """Share of requests for a problem seen before. The three shares sum to 1."""

    @model_validator(mode="after")
    def _shares(self) -> Self:
        total = self.fresh_share + self.mutate_share + self.replay_share
        if abs(total - 1) > 1e-9:
            raise ValueError(
                f"expected fresh_share + mutate_share + replay_share = 1, got {total:g}; "
                "write all three, e.g. 0.4, 0.4 and 0.2"
            )
        return self


class AskingConfig(SharesConfig):
    """How problems are asked for, about a frontier that follows the solvers."""

    targeted: bool = True
    """Whether fresh problems are asked for at a difficulty, about the frontier; false leaves it to the
    proposer, as AZR, R-Zero, SPICE and PLR do."""
    start_target: Positive = 4.0
    """Difficulty, in the domain's unit, asked for until the first problem is admitted."""
    start_targets: dict[str, Positive] = Field(default_factory=dict)
    """Difficulty, in the domain's unit, by domain name: replaces ``start_target`` for that domain."""
    minimum_target: Positive = 1.0
    """Difficulty, in the domain's unit: the frontier is never placed below it, and problems below it count
    as at it. Fresh targets spread about a multiple of the frontier, so some may lie below."""
    spread: Annotated[float, Field(ge=0)] = 0.35
    """Natural-log units: standard deviation of fresh targets about ``stretch`` times the frontier."""
    target_success: Inner = 0.5
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
    buffer_size: Count = 1000
    """Problems kept in each domain for mutation and replay; those of the lowest priority leave first."""
    sampler: SamplerConfig = SamplerConfig()
    """How parents and replays are drawn."""

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


class LearnabilityConfig(AskingConfig):
    """Sampling for learnability (Rutherford et al. 2024) around a frontier that follows the solvers."""

    prior_strength: Positive = 4.0
    """Attempts: how many the success rate at a problem's difficulty counts for, beside its own."""
    pay_scale: Positive = 4.0
    """Payment for one unit of shrunk learnability; at 4 a problem that is solved half the time earns 1."""


class LadderConfig(Section):
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
    window: Count = 64
    """Attempts at the current level that are needed to judge it; the latest rounds that hold so many."""
    tolerance: Positive = 0.25
    """Ratio less one: at a level of difficulty t is what lies from t/(1+tolerance) to t(1+tolerance)."""
    replay_share: Share = 0.1
    """Share of requests for a problem seen before; the rest are fresh at the current level."""
    buffer_size: Count = 1000
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


class AzrConfig(Section):
    """The proposer's reward of Absolute Zero."""

    variant: Literal["paper", "code"] = "paper"
    """``paper``: 1-p, and 0 where nothing was solved. ``code``: the released code's 1-p, and -0.5 where all
    or nothing was solved."""


class TriangleConfig(Section):
    """A reward that is highest at one half."""

    form: Literal["linear", "quadratic"] = "linear"
    """``linear``: 1 - 2|p - 1/2|. ``quadratic``: 4p(1-p)."""


class RZeroConfig(Section):
    """Uncertainty less repetition."""

    similarity: Literal["edit", "bleu"] = "edit"
    """How alike two problems are: 1 less the normalised edit distance, or BLEU-4; both over characters."""
    cut: Inner = 0.5
    """Distance, 1 less similarity, at which clusters are no longer joined (average linkage; R-Zero 0.5)."""
    memory: Annotated[int, Field(ge=0)] = 1000
    """Problems of earlier rounds that repetition counts as well, in each domain; 0 looks at the batch
    alone, as R-Zero does."""
    low: Share = 0.3
    """Share solved below which a problem is not kept for replay before others."""
    high: Share = 0.8
    """Share solved above which a problem is not kept for replay before others."""

    @model_validator(mode="after")
    def _band(self) -> Self:
        _ordered(self.low, self.high)
        return self


class PairedConfig(Section):
    """Regret between two policies that attempt the same problems."""

    antagonist: str | None = None
    """Name of the solvers' policy whose best attempt counts. Needed by ``paired``."""
    protagonist: str | None = None
    """Name of the solvers' policy whose mean counts. Needed by ``paired``."""


class PopulationRegretConfig(Section):
    """Regret of a population of solvers."""

    by: Literal["solver", "policy"] = "solver"
    """Whose means are compared: single solvers', or those of all that use one policy."""


class PlrConfig(Section):
    """Prioritized Level Replay."""

    replay_share: Share = 0.5
    """Share of requests for a problem seen before; the rest are new."""
    sampler: SamplerConfig = SamplerConfig(temperature=0.1, staleness=0.1)
    """How replays are drawn; β = ρ = 0.1 as on Procgen."""


class AccelConfig(SharesConfig):
    """Replays, and variations of what is replayed."""

    fresh_share: Share = 0.2
    """Share of requests for a new problem. The three shares sum to 1."""
    mutate_share: Share = 0.4
    """Share of requests for a variation of a problem that is replayed. The three shares sum to 1."""
    replay_share: Share = 0.4
    """Share of requests for a problem seen before. The three shares sum to 1."""
    sampler: SamplerConfig = SamplerConfig(temperature=0.1, staleness=0.1)
    """How replays are drawn."""


class AlpGmmConfig(Section):
    """Absolute learning progress, modelled by a mixture of Gaussians over difficulty."""

    random_share: Share = 0.2
    """Share of fresh targets drawn evenly over the (log) difficulties known so far, and a little beyond."""
    most_gaussians: Annotated[int, Field(ge=2)] = 5
    """Gaussians at most; the number from 2 on with the lowest AIC is used."""
    window: Annotated[int, Field(ge=10)] = 250
    """Latest problems, in each domain, that the mixture is fitted to, and that must be known before."""
    memory: Count = 1000
    """Problems of earlier rounds, in each domain, among which the nearest is looked for; at least
    ``window``."""

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if self.most_gaussians >= self.window:
            raise ValueError(
                f"expected most_gaussians below window = {self.window}, since every Gaussian is fitted to "
                f"problems of it, got {self.most_gaussians}; write {self.window // 2} or less"
            )
        return self


class LearningProgressConfig(Section):
    """A fast and a slow average of success, by difficulty."""

    rate: Annotated[float, Field(gt=0, le=1)] = 0.3
    """How far the fast average moves to a round's share, and the slow one to the fast, at each step."""
    theta: Inner = 0.1
    """θ of f(p) = p(1-θ)/(p + θ(1-2p)): below 0.5, progress on hard problems counts for more."""
    random_share: Share = 0.2
    """Share of fresh targets drawn evenly over the (log) difficulties known so far, and a little beyond."""


class PoetConfig(SharesConfig):
    """A population of problems that are neither too easy nor too hard, admitted by novelty."""

    fresh_share: Share = 0.2
    """Share of requests for a new problem. The three shares sum to 1."""
    mutate_share: Share = 0.6
    """Share of requests for a variation of one of the population. The three shares sum to 1."""
    replay_share: Share = 0.2
    """Share of requests for one of the population. The three shares sum to 1."""
    low: Share = 0.1
    """Share solved below which a problem is too hard to be admitted."""
    high: Share = 0.9
    """Share solved above which a problem is too easy to be admitted."""
    novelty: Literal["text", "solvers"] = "text"
    """What problems are compared by: edit distance of their specs, or how the solvers' policies rank on
    them, which needs two or more policies."""
    neighbours: Count = 5
    """Nearest problems that novelty is the mean distance to."""
    memory: Count = 1000
    """Problems of earlier rounds, in each domain, that a new one is compared with."""
    admitted: Count = 32
    """Problems admitted in one round at most, in each domain, the most novel first."""
    population: Count = 256
    """Problems in the population of a domain at most; the oldest leave first."""

    @model_validator(mode="after")
    def _band(self) -> Self:
        _ordered(self.low, self.high)
        return self


class MapElitesConfig(SharesConfig):
    """An archive of the most learnable problem of each kind."""

    fresh_share: Share = 0.2
    """Share of requests for a new problem. The three shares sum to 1."""
    mutate_share: Share = 0.6
    """Share of requests for a variation of an elite. The three shares sum to 1."""
    replay_share: Share = 0.2
    """Share of requests for an elite. The three shares sum to 1."""
    measures: dict[str, Positive] = Field(
        default_factory=lambda: {"operations": 16.0, "length": 64.0}, min_length=1
    )
    """Features of the domain that span the archive, each with the value at which its last cell begins to
    hold all that is above. Cells are even in log(1 + value)."""
    cells: Annotated[int, Field(ge=2)] = 12
    """Cells along each measure."""


class IrtTargetedConfig(Section):
    """Item response theory, with the logarithm of the difficulty as an item's prior place."""

    discrimination: Positive = 2.0
    """Prior mean of a, logits for one natural-log unit of difficulty."""
    discrimination_spread: Positive = 1.0
    """Prior standard deviation of a, in its unit."""
    ability_spread: Positive = 2.0
    """Natural-log units: prior standard deviation of the ability about what was attempted of late."""
    item_spread: Positive = 0.5
    """Natural-log units: standard deviation of problems about where their difficulty places them."""


class BanditConfig(Section):
    """A bandit that chooses a strategy each round: Exp3.S (Graves et al. 2017)."""

    strategies: list[str] = Field(
        default_factory=lambda: ["learnability", "learning_progress", "uniform"], min_length=2
    )
    """Names of the strategies that it chooses among."""
    rate: Positive = 0.1
    """η: how fast weights follow rewards, which lie between -1 and 1. Graves et al. had 0.001, for very
    many more steps than a run has rounds."""
    exploration: Annotated[float, Field(gt=0, le=1)] = 0.1
    """ε: share of probability that is even among the strategies (Graves et al. 0.05)."""
    history: Annotated[int, Field(ge=2)] = 100
    """Rounds whose progress the scale of rewards is taken from."""


def _ordered(low: float, high: float) -> None:
    if low >= high:
        raise ValueError(
            f"expected low < high, got low = {low:g} and high = {high:g}; nothing lies between"
        )
