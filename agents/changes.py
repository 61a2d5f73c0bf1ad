"""Configuration of how a population changes over the rounds: rewiring, migration, growth, generations."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

_STRICT = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=40)]


class RewireConfig(BaseModel):
    """Edges of the graph that find another end now and then; the graph stays connected."""

    model_config = _STRICT

    every: int = Field(ge=1)
    """At the beginning of every so many rounds, the first never. In rounds."""
    share: float = Field(default=0.1, gt=0, le=1)
    """Share of the edges that are rewired, at least one. One that would cut the graph, or an agent off from
    those that it needs, stays. No unit."""


class MigrateConfig(BaseModel):
    """Agents that change their organisation now and then; they keep their place on the graph."""

    model_config = _STRICT

    every: int = Field(ge=1)
    """At the beginning of every so many rounds, the first never. In rounds."""
    share: float = Field(default=0.1, gt=0, le=1)
    """Share of all agents that move to another organisation, at least one. No unit."""


class GrowthConfig(BaseModel):
    """Agents that join now and then, each at a new place of the graph."""

    model_config = _STRICT

    every: int = Field(ge=1)
    """At the beginning of every so many rounds, the first never. In rounds."""
    group: Name
    """The group that they join."""
    agents: int = Field(default=1, ge=1, le=1000)
    """How many join each time, in agents."""
    most: int = Field(default=10_000, ge=1, le=10_000)
    """The group grows to so many agents, in agents."""
    links: int = Field(default=2, ge=1, le=10_000)
    """Neighbours that each gets, drawn at random, one of them with the role that it needs beside it; on a
    complete graph everyone. In agents."""


class ChangesConfig(BaseModel):
    """What changes about the population while a run goes on."""

    model_config = _STRICT

    rewire: RewireConfig | None = None
    """Who is next to whom; null never changes it."""
    migrate: MigrateConfig | None = None
    """Who is of which organisation; null never changes it."""
    growth: GrowthConfig | None = None
    """How many there are; null never changes it."""


class GenerationsConfig(BaseModel):
    """Agents retire, and newcomers with names of their own take their places on the graph."""

    model_config = _STRICT

    every: int = Field(ge=1)
    """At the beginning of every so many rounds, the first never. In rounds."""
    groups: list[Name] = Field(default=[])
    """The groups whose agents retire; empty is all of them."""
    share: float = Field(default=1.0, gt=0, le=1)
    """Share of such a group that retires each time, those who came first, at least one agent. No unit."""
    weights: Literal["fresh", "inherited"] = "inherited"
    """What newcomers start with: ``inherited``, the weights that their group's policy is at; ``fresh``,
    those of its version 0, with nothing left of what was trained or is rehearsed. No unit."""
    library: Literal["inherited", "none"] = "inherited"
    """What newcomers find: ``inherited``, all that those before them could read and what they wrote in
    public or for the organisation; ``none``, only notes begun since they came. No unit."""
    teachers: bool = False
    """Whether those about to retire write lessons for their successors in their last round, about what they
    solved and nobody wrote of. No unit."""
    lessons: int = Field(default=4, ge=1, le=1000)
    """Most lessons that one of them writes then, in notes."""
