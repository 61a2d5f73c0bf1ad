"""The configuration of a run: the sections of every folder, and what must agree between them.

``arena.settings.load(source, overrides, RunConfig)`` reads one; :func:`arena.settings.dump` writes it.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agents.config import EngineConfig, LearnerConfig, PolicyConfig, WarmUpConfig
from agents.population import Population, PopulationConfig, PopulationError
from arena.faults import listed, nearest
from culture.config import LakeConfig, LibraryConfig
from curricula.config import CurriculumConfig


class RunConfig(BaseModel):
    """Everything that a run is started with."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    seed: int = Field(default=0, ge=0, lt=2**63)
    """Every random stream of the run derives from it; no unit."""
    population: PopulationConfig = PopulationConfig()
    """Who there is, and who is next to whom."""
    policies: dict[str, PolicyConfig] = Field(default={"spark": PolicyConfig()}, min_length=1)
    """The trainable weights, by the name that groups of the population refer to."""
    warm_up: WarmUpConfig = WarmUpConfig()
    """What ``spark`` learns before the first round."""
    engine: EngineConfig = EngineConfig()
    """How completions are made."""
    learner: LearnerConfig = LearnerConfig()
    """How stored batches become policy versions."""
    curriculum: CurriculumConfig = CurriculumConfig()
    """What to learn next."""
    library: LibraryConfig = LibraryConfig()
    """What the library takes, keeps in sight and shows."""
    lake: LakeConfig = LakeConfig()
    """Where the log is kept."""

    @model_validator(mode="after")
    def _sections_agree(self) -> RunConfig:
        # One line a problem, each naming its place: the loader makes a fault of every line.
        problems = []
        for index, group in enumerate(self.population.groups):
            if group.policy not in self.policies:
                near = nearest(group.policy, self.policies)
                advice = f"write {near!r} instead, or add it" if near else "add it"
                problems.append(
                    f"population.groups.{index}.policy: expected a policy under policies "
                    f"({listed(self.policies)}), got {group.policy!r}; {advice}"
                )
        idle = sorted(set(self.policies) - self.population.policy_names())
        if idle:
            problems.append(
                f"policies: expected every policy to have an agent, got none for {listed(idle)}; take it "
                "out, or name it in a group of the population"
            )
        try:
            Population(self.population, self.seed)
        except PopulationError as error:
            problems += [f"population: {line}" for line in str(error).splitlines()]
        if problems:
            raise ValueError("\n".join(problems))
        return self
