"""The configuration of a run: the sections of every folder, and what must agree between them.

``arena.settings.load(source, overrides, RunConfig)`` reads one; :func:`arena.settings.dump` writes it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from agents.actions import VERBS, Verb
from agents.config import CLIPPED, EngineConfig, LearnerConfig, PolicyConfig, WarmUpConfig
from agents.population import Population, PopulationConfig, PopulationError
from arena.curriculum_faults import curriculum_faults
from arena.domains import Domain, make_domain
from arena.faults import listed, nearest
from arena.sandbox import SandboxConfig
from culture.config import LakeConfig, LibraryConfig
from culture.records import Arm
from curricula.config import CurriculumConfig

MOST_ANCHORS = 64
"""Anchors of a cell that any run may use; no warm-up teaches one of them."""
_STRICT = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class RolloutConfig(BaseModel):
    """How many problems and attempts a round has, and what attempts may read."""

    model_config = _STRICT

    problems: int = Field(default=400, ge=1, le=100_000)
    """Requests of the curriculum in a round, replays included, in problems."""
    attempts: int = Field(default=4, ge=1, le=256)
    """Attempts at each problem, in attempts; estimates of learnability need 2 or more."""
    operator_share: float = Field(default=0.25, ge=0, le=1)
    """Share of requested mutations that the domain's own operator makes instead of a proposer."""
    arms: dict[Arm, float] = Field(default={"library": 0.3, "none": 0.5, "placebo": 0.2})
    """Probability of each arm, drawn anew for every attempt; they sum to 1. ``library`` reads what is found
    for its problem, ``none`` nothing, ``placebo`` texts of equal length that are not about it, ``shuffled``
    what is found for another problem of the round. Shares, no unit."""
    notes: int = Field(default=2, ge=0, le=64)
    """Most notes shown at the start of an attempt in an arm that reads, in notes."""
    dose: Literal["all", "uniform"] = "all"
    """How many of those an attempt may be shown: ``all``, or a number from one to ``notes`` that is drawn
    anew for every attempt, so that the response to the dose is an experiment too. No unit."""
    lookups: int = Field(default=0, ge=0, le=16)
    """Searches that a solver in the library arm may make itself before it answers, in searches."""
    notes_written: int = Field(default=16, ge=0, le=10_000)
    """Most notes that are written in a round, about the hardest problems that were solved, in notes."""
    shelf: Literal["public", "organisation", "own"] = "public"
    """Where notes are written: in ``public``, on the shelf of their author's ``organisation``, which its
    members alone see, or on its ``own``. No unit."""
    hard_below: float = Field(default=0.75, ge=0, le=1)
    """A solved problem is worth a note where at most this share of its attempts was right."""

    @model_validator(mode="after")
    def _arms_sum(self) -> RolloutConfig:
        total = sum(self.arms.values())
        if abs(total - 1) > 1e-9 or min(self.arms.values(), default=0) < 0:
            raise ValueError(
                f"arms: expected shares of 0 or more that sum to 1, got {self.arms}, which sum to {total:g}"
            )
        return self


class WritingConfig(BaseModel):
    """What agents decide to write, beside worked examples and lessons of problems that were hard."""

    model_config = _STRICT

    decisions: int = Field(default=0, ge=0, le=10_000)
    """Agents that sit down in a round and decide what to write, cite, revise, dispute or leave, drawn anew
    every round among editors and those that attempted something. In agents."""
    by: Literal["model", "scripted"] = "model"
    """Who decides: ``model``, the agent's own policy, in the form ``natural``; ``scripted``, rules in its
    place, for policies that write no sentences, such as spark. No unit."""
    verbs: list[Verb] = Field(default=list(VERBS))
    """What they may do; ``merge`` and ``archive`` are for agents with the role editor, ``publish`` for who
    has a note of its own shelf or its organisation's before it (``rollout.shelf``). Without ``leave`` they
    leave only where there is nothing else to do. No unit."""
    desk: int = Field(default=3, ge=0, le=32)
    """Notes that lie before an agent, in notes."""
    desk_chars: int = Field(default=1500, ge=0, le=1_000_000)
    """Length of those notes together at most, in characters."""
    text_chars: int = Field(default=240, ge=16, le=60_000)
    """Longest text of a decision, in characters."""
    tokens: int = Field(default=96, ge=8, le=65_536)
    """Longest completion of a decision, in tokens."""
    temperature: float = Field(default=0.7, ge=0)
    """Temperature of decisions and of what is said in book clubs; those of small models are gibberish at 1.
    No unit."""


class ClubConfig(BaseModel):
    """Book clubs: a group reads a chapter, talks about it and writes problems from it."""

    model_config = _STRICT

    every: int = Field(default=0, ge=0)
    """A club meets for each domain every so many rounds, where a chapter was written; 0 is never. In
    rounds."""
    members: int = Field(default=3, ge=1, le=64)
    """Agents in a club at most: a solver and its neighbours. In agents."""
    problems: int = Field(default=6, ge=1, le=10_000)
    """Problems that a club writes beside those that the curriculum asks for, in problems."""
    tokens: int = Field(default=80, ge=8, le=65_536)
    """Longest remark, in tokens."""


class EvaluationConfig(BaseModel):
    """How policies are placed on the frozen anchors."""

    model_config = _STRICT

    every: int = Field(default=5, ge=1)
    """The anchors are answered every so many rounds, and before the first and after the last, in rounds."""
    per_cell: int = Field(default=12, ge=1, le=MOST_ANCHORS)
    """Anchors in each cell of the grid, in anchors."""
    cells: int | None = Field(default=None, ge=1)
    """Only the easiest so many cells of each domain are evaluated; null takes all that are within reach of
    a small model. In cells."""
    transfer: list[str] = Field(default=[])
    """Domains beside those of the run whose anchors are answered too, although no problem of theirs is ever
    set: what was learned elsewhere shows there. No unit."""
    revisits: int = Field(default=0, ge=0, le=100_000)
    """Problems of each domain that are answered again by every solver policy when anchors are, greedily and
    without notes, drawn evenly from all rounds that were evaluated: what was forgotten shows there. In
    problems."""


class ReadingConfig(BaseModel):
    """What the domain ``reading`` asks about."""

    model_config = _STRICT

    folder: str | None = None
    """A folder of Markdown files to ask questions about, such as books that a library was exported to; null
    takes the texts that come with Ludus. Anchors are always about those. No unit."""

    @field_validator("folder")
    @classmethod
    def _absolute(cls, value: str | None) -> str | None:
        # workers and a resumed run may have another working folder
        return None if value is None else str(Path(value).expanduser().absolute())


class SleepConfig(BaseModel):
    """Distilling what was read into the weights."""

    model_config = _STRICT

    every: int = Field(default=0, ge=0)
    """A policy sleeps after every so many rounds; 0 is never. In rounds."""
    rows: int = Field(default=256, ge=1)
    """Most attempts that it distils, the latest first, in rows."""


class ClusterConfig(BaseModel):
    """What the run's work is spread over."""

    model_config = _STRICT

    local: bool = False
    """Run everything in this process, without Ray. No unit."""
    address: str | None = None
    """A Ray cluster to join, e.g. ``auto``; null starts one on this machine. No unit."""
    engines: int = Field(default=2, ge=1, le=4096)
    """Engine actors, in actors. Any number gives the same log."""
    learners: int = Field(default=2, ge=1, le=4096)
    """Learner actors; as many policies are trained at once. In actors."""
    verifiers: int = Field(default=1, ge=1, le=4096)
    """Verifier actors, each with sandbox workers of its own, in actors."""
    retries: int = Field(default=3, ge=0, le=100)
    """How often work is given to a restarted actor before it counts as failed, in tries."""


class RunConfig(BaseModel):
    """Everything that a run is started with."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    seed: int = Field(default=0, ge=0, lt=2**63)
    """Every random stream of the run derives from it; no unit."""
    rounds: int = Field(default=80, ge=1, le=1_000_000)
    """How long the run is, in rounds."""
    plugins: list[str] = Field(default=[])
    """Python modules that register domains and strategies of your own, imported in every process before a
    name is looked up. No unit."""
    domains: list[str] = Field(default=["transforms"], min_length=1)
    """Names of the domains that problems come from, e.g. transforms, arithmetic, gym:ID."""
    rollout: RolloutConfig = RolloutConfig()
    """Problems, attempts and reading in a round."""
    writing: WritingConfig = WritingConfig()
    """What agents decide to write."""
    club: ClubConfig = ClubConfig()
    """Book clubs."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """Held-out anchors."""
    sleep: SleepConfig = SleepConfig()
    """Distillation of notes into weights."""
    reading: ReadingConfig = ReadingConfig()
    """The text that questions of the domain ``reading`` are about."""
    sandbox: SandboxConfig = SandboxConfig()
    """Limits of model-written programs."""
    cluster: ClusterConfig = ClusterConfig()
    """Ray, or this process alone."""
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

    def domain(self, name: str) -> Domain:
        """The domain called ``name`` as this run has it. Raises ValueError."""
        return make_domain(name, folder=self.reading.folder)

    def evaluated(self, round: int) -> bool:
        """Whether the anchors are answered in a round: in the first, the last, and every so many."""
        return round in (0, self.rounds - 1) or (round + 1) % self.evaluation.every == 0

    @model_validator(mode="before")
    @classmethod
    def _plugged_in(cls, data: object) -> object:
        names = data.get("plugins") if isinstance(data, Mapping) else None
        for name in names if isinstance(names, list) else ():
            try:
                importlib.import_module(str(name))
            except Exception as error:  # a module may fail in any way
                raise ValueError(
                    f"plugins: expected a module that can be imported, got {name!r}, which gave "
                    f"{type(error).__name__}: {error}; put its folder on PYTHONPATH, or mend it"
                ) from error
        return data

    @model_validator(mode="after")
    def _sections_agree(self) -> RunConfig:
        # One line a problem, each naming its place: the loader makes a fault of every line.
        problems = []
        for index, group in enumerate(self.population.groups):
            if group.acts and group.policy not in self.policies:
                near = nearest(group.policy, self.policies)
                advice = f"write {near!r} instead, or add it" if near else "add it"
                problems.append(
                    f"population.groups.{index}.policy: expected a policy under policies "
                    f"({listed(self.policies)}), got {group.policy!r}; {advice}"
                )
        if self.engine.form == "natural" and self.engine.kind != "spark":
            problems += [
                f"policies.{name}.base: expected a model with a chat template for engine.form: natural, "
                "got spark; write engine.form: terse"
                for name, policy in self.policies.items()
                if policy.base == "spark"
            ]
        idle = sorted(set(self.policies) - self.population.policy_names())
        if idle:
            problems.append(
                "policies: expected every policy to have an agent that proposes or solves, got none for "
                f"{listed(idle)}; take it out, or name it in a group of the population that does"
            )
        if self.cluster.local and self.learner.workers > 1:
            problems.append(
                f"cluster.local: expected false with learner.workers: {self.learner.workers}, which are "
                "processes of Ray, got true; write cluster.local: false, or learner.workers: 1"
            )
        goals = {self.learner.solver.objective, self.learner.proposer.objective}
        if (ratios := sorted(goals & CLIPPED)) and self.engine.temperature != 1.0:
            problems.append(
                f"engine.temperature: expected 1 with the objective {ratios[0]}, whose ratios compare the "
                f"policy with the distribution that was sampled from, got {self.engine.temperature:g}"
            )
        ratio = self.learner.proposer.objective in CLIPPED
        if ratio and self.engine.kind != "spark" and self.engine.patterns:
            problems.append(
                f"engine.patterns: expected false with learner.proposer.objective: "
                f"{self.learner.proposer.objective}, since proposals held to a pattern are not drawn from "
                "the policy that is trained, got true; write engine.patterns: false"
            )
        for name in [*self.domains, *self.evaluation.transfer]:
            posed = name in self.domains
            try:
                domain = self.domain(name)
            except ValueError as error:
                problems.append(f"{'domains' if posed else 'evaluation.transfer'}: {error}")
                continue
            if self.engine.form not in domain.forms:
                problems.append(
                    f"engine.form: expected {listed(domain.forms)}, in which problems of {name} can be "
                    f"written, got {self.engine.form}; write engine.form: {domain.forms[0]}, or take "
                    f"{name} out of domains"
                )
                continue
            strange = sorted(c for c in domain.alphabet if c != "\n" and not " " <= c <= "~")
            if strange and self.engine.form == "terse":
                problems.append(
                    f"domains: expected {name} to be of printable ASCII with engine.form: terse, got "
                    f"{', '.join(map(repr, strange[:5]))}; write others, or engine.form: natural"
                )
            # a character of ASCII text is a token at most
            brief = len(domain.brief(self.engine.form, 100.0, None))
            if posed and brief + self.engine.proposal_tokens > self.engine.context:
                advice = (
                    "write form: terse"
                    if self.engine.kind == "spark"
                    else f"write engine.context: {brief + self.engine.proposal_tokens + 64} or more"
                )
                problems.append(
                    f"engine.form: expected briefs that leave {self.engine.proposal_tokens} of "
                    f"{self.engine.context} tokens (engine.context) to the proposal, got {brief} "
                    f"characters in the {self.engine.form} form of {name}; {advice}"
                )
            cells = domain.core_cells[: self.evaluation.cells]
            anchors = [] if domain.one_step else [a for a in domain.anchors(1) if a.cell in cells]
            longest = max((domain.longest(a.spec, self.engine.form) for a in anchors), default=0)
            if longest + self.engine.answer_tokens > self.engine.context:
                room = self.engine.context - longest
                advice = f"engine.answer_tokens: {room}" if room > 0 else f"engine.context: {2 * longest}"
                problems.append(
                    f"engine.answer_tokens: expected room in engine.context ({self.engine.context}) beside "
                    f"observations of {name}, whose anchors have up to {longest} characters, got "
                    f"{self.engine.answer_tokens}; write {advice}, or evaluation.cells for fewer of them"
                )
        problems += _writing_faults(self)
        if self.reading.folder is not None and "reading" not in [*self.domains, *self.evaluation.transfer]:
            problems.append(
                "reading.folder: expected the domain reading, which asks about it, got "
                f"{listed(self.domains)}; add reading under domains, or take the folder out"
            )
        if len(set(self.domains)) < len(self.domains):
            problems.append(f"domains: expected each once, got {', '.join(self.domains)}")
        elsewhere = self.evaluation.transfer
        if len({*self.domains, *elsewhere}) < len(set(self.domains)) + len(elsewhere):
            problems.append(
                "evaluation.transfer: expected domains that are not under domains "
                f"({', '.join(self.domains)}), each once, got {', '.join(elsewhere)}; take out the others"
            )
        if not any(line.startswith("domains:") for line in problems):
            problems += curriculum_faults(self)
        try:
            Population(self.population, self.seed)
        except PopulationError as error:
            problems += [f"population: {line}" for line in str(error).splitlines()]
        if problems:
            raise ValueError("\n".join(problems))
        return self


def _writing_faults(config: RunConfig) -> list[str]:
    """What keeps agents from deciding as they are to; a line a fault."""
    writing, problems, longest = config.writing, list[str](), config.library.max_note_chars
    if config.club.every and not writing.decisions:
        problems.append(
            "club.every: expected agents that write the books that clubs read, got writing.decisions: 0; "
            "write writing.decisions: 4, or club.every: 0"
        )
    if not writing.decisions:
        return problems
    if writing.by == "model" and config.engine.form == "terse":
        problems.append(
            "writing.by: expected scripted with engine.form: terse, whose policies write no sentences, got "
            "model; write writing.by: scripted, or engine.form: natural"
        )
    if writing.text_chars > longest:
        problems.append(
            f"writing.text_chars: expected at most library.max_note_chars, {longest}, got "
            f"{writing.text_chars}; write writing.text_chars: {longest}"
        )
    if writing.by == "model" and writing.tokens >= config.engine.context:
        problems.append(
            f"writing.tokens: expected room for a prompt in engine.context, {config.engine.context}, got "
            f"{writing.tokens}; write writing.tokens: {max(8, config.engine.context // 4)}"
        )
    return problems
