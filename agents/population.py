"""Who there is, and who is next to whom: agents in groups, placed on a graph.

The graph decides what is shared. An agent reads what it and its neighbours wrote, and what those wrote
whose places they took; a solver attempts the problems of the proposers next to it, its own included where
it is both. ``agents/topology.py`` has the graphs, ``agents/succession.py`` what changes with the rounds.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from agents.changes import ChangesConfig, GenerationsConfig, Name
from agents.succession import Scene, first_scene, next_scene, organisations
from agents.topology import CompleteConfig, TopologyConfig, TopologyError, misfits
from culture.reading import Reader
from culture.records import Agent, Role

_STRICT = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

Placement = Literal["interleaved", "grouped", "shuffled"]
PLACEMENTS: tuple[Placement, ...] = get_args(Placement)

Hostile = Literal["spam", "wrong", "inject", "copy", "ring", "poison"]
"""How an agent does harm, for studies of it (``arena/hostile.py``)."""


class PopulationError(ValueError):
    """A population that could not play a round; one line a problem, each says what to change."""


ACTING: frozenset[Role] = frozenset({"proposer", "solver"})
"""Roles that write completions, and so need weights."""


class GroupConfig(BaseModel):
    """Agents that are alike but for their names."""

    model_config = _STRICT

    name: Name
    """Prefix of the agents' ids: ``pupil`` gives ``pupil-0``, ``pupil-1``, ... (lowercase letters)."""
    count: int = Field(default=1, ge=1, le=10_000)
    """How many agents, in agents."""
    roles: list[Role] = Field(min_length=1)
    """What each of them does: proposer, solver, editor, judge, teacher; only the first two act."""
    policy: str = Field(default="spark", min_length=1)
    """Name of the policy whose weights they use, one of those under ``policies``."""
    organisation: str = Field(default="school", pattern=r"^[a-z][a-z0-9_{}-]*$", max_length=40)
    """Name of their organisation; ``{n}`` in it becomes the organisation's number, from zero."""
    organisations: int = Field(default=1, ge=1)
    """How many organisations the agents are dealt to in turn, in organisations."""
    persona: str = Field(default="", max_length=400)
    """Who they are, for the ``agents`` table: spark's prompts have no room. In characters, at most 400."""
    hostile: Hostile | None = None
    """How they harm the library, for studies of that: ``spam``, filler that many searches find; ``wrong``,
    worked examples whose answers are wrong; ``inject``, instructions to readers; ``copy``, others' notes
    under their own names; ``ring``, notes that praise and cite each other; ``poison``, right notes at
    first, then wrong ones and small wrong edits of others' notes. Scripts write them, beside whatever the
    roles do: with ``roles: [editor]`` they need no policy. null is nobody. No unit."""
    hostile_notes: int = Field(default=4, ge=1, le=10_000)
    """Notes that each of them writes in a round, in notes."""
    hostile_after: int = Field(default=3, ge=0)
    """For how long ``poison`` writes right notes first, in rounds."""

    @property
    def acts(self) -> bool:
        """Whether its agents need weights: all but those that are hostile and have no role that acts."""
        return self.hostile is None or bool(ACTING & set(self.roles))

    @model_validator(mode="after")
    def _consistent(self) -> GroupConfig:
        problems = []
        twice = sorted({role for role in self.roles if self.roles.count(role) > 1})
        if twice:
            problems.append(f"expected each role once, got {', '.join(twice)} again; take one out")
        if set("{}") & set(self.organisation.replace("{n}", "")):
            problems.append(
                f"expected {{n}} as the only part in braces in organisation, got {self.organisation!r}"
            )
        if self.organisations > 1 and "{n}" not in self.organisation:
            problems.append(
                f"expected {{n}} in the organisation's name, since there are {self.organisations}, "
                f"got {self.organisation!r}; write '{self.organisation}-{{n}}'"
            )
        if self.organisations > self.count:
            problems.append(
                f"expected at most as many organisations as agents, got {self.organisations} for "
                f"{self.count}; write organisations: {self.count}, or raise count"
            )
        if problems:
            raise ValueError("\n".join(problems))
        return self


class PopulationConfig(BaseModel):
    """Everyone, and the graph that they are on."""

    model_config = _STRICT

    groups: list[GroupConfig] = Field(
        default=[GroupConfig(name="pupil", count=8, roles=["proposer", "solver"])], min_length=1
    )
    """The groups; together they need a proposer and a solver."""
    topology: TopologyConfig = CompleteConfig()
    """The graph: complete, ring, connected_caveman, small_world or networkx, with its parameters."""
    placement: Placement = "interleaved"
    """How groups lie along the graph's nodes: mixed evenly, one after the other, or drawn at random."""
    changes: ChangesConfig = ChangesConfig()
    """What changes while the run goes on: who is next to whom, of which organisation, and how many."""
    generations: GenerationsConfig | None = None
    """How agents retire and newcomers take their places; null keeps everyone to the end."""

    @model_validator(mode="after")
    def _consistent(self) -> PopulationConfig:
        problems = []
        names = [group.name for group in self.groups]
        for name in sorted({name for name in names if names.count(name) > 1}):
            problems.append(f"expected each group name once, got {name!r} again; rename one")
        for role in ("proposer", "solver"):
            if not any(role in group.roles for group in self.groups):
                problems.append(
                    f"expected a {role} in the population, got none; add {role} to the roles of a group"
                )
        problems += misfits(self.topology, self.size)
        problems += _unchanging(self) + _not_generations(self)
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def size(self) -> int:
        """Number of agents."""
        return sum(group.count for group in self.groups)

    def policy_names(self) -> set[str]:
        """Names of the policies of agents that propose or solve."""
        return {group.policy for group in self.groups if ACTING & set(group.roles)}

    def roles_of(self, policy: str) -> list[Role]:
        """What agents with ``policy`` do, proposing and solving that is, in order of name."""
        played = {role for group in self.groups if group.policy == policy for role in group.roles}
        return sorted(ACTING & played)


class Population:
    """A run's agents in one round, a pure function of the configuration, the run's seed and the round.

    Raises :class:`PopulationError` where a solver would get no problems or a proposer no solvers.
    """

    def __init__(self, config: PopulationConfig, seed: int, round: int = 0) -> None:
        self.config, self.seed, self.round = config, seed, round
        try:
            scene = first_scene(config, seed)
        except TopologyError as error:
            raise PopulationError(str(error)) from error
        complaints = _complaints(config, seed, _agents(config, scene))
        if complaints:
            raise PopulationError("\n".join(complaints))
        before = None
        while scene.round < round:
            before, scene = scene, next_scene(config, seed, scene)
        self._take(scene, before)

    def _take(self, scene: Scene, before: Scene | None) -> None:
        """Be the population of ``scene``; ``before`` is that of the round before."""
        self._scene = scene
        self.agents: tuple[Agent, ...] = _agents(self.config, scene)
        """Every agent that is there, in the order of the configuration, each with the round it came in."""
        self._changed = _differing(self.config, self.agents, scene, before)
        self._by_id = {agent.agent_id: agent for agent in self.agents}
        self._node = {m.agent_id: m.node for m in scene.members}
        self._holder = {m.node: m.agent_id for m in scene.present()}
        ever: defaultdict[int, set[str]] = defaultdict(set)
        for member in scene.members:
            ever[member.node].add(member.agent_id)
        self._near = {
            agent.agent_id: frozenset(
                name
                for near in (agent.agent_id, *agent.neighbours)
                for name in ever[self._node[near]]
                if name != agent.agent_id
            )
            for agent in self.agents
        }
        """Whose notes each may read beside its own: who holds or held its place, and those next to it."""
        solvers = [agent.agent_id for agent in self.with_role("solver")]
        self._audience = {
            agent.agent_id: [name for name in solvers if self.may_read(agent.agent_id, name)]
            for agent in self.agents
            if ACTING & set(agent.roles)
        }

    def next(self) -> Population:
        """The population of the next round."""
        scene = next_scene(self.config, self.seed, self._scene)
        made = copy.copy(self)
        made.round = scene.round
        if (scene.members, scene.edges) == (self._scene.members, self._scene.edges):
            made._scene, made._changed = scene, []
        else:
            made._take(scene, self._scene)
        return made

    def __len__(self) -> int:
        return len(self.agents)

    def agent(self, agent_id: str) -> Agent:
        """The agent of that id. Raises KeyError that says which there are."""
        try:
            return self._by_id[agent_id]
        except KeyError:
            raise KeyError(
                f"expected an agent of this population ({', '.join(self._by_id)}), got {agent_id!r}"
            ) from None

    def records(self) -> list[Agent]:
        """Rows of the ``agents`` table for this round: in round 0 all, then who came, changed or went."""
        return list(self._changed)

    def with_role(self, role: Role) -> list[Agent]:
        """The agents that have ``role``, in order."""
        return [agent for agent in self.agents if role in agent.roles]

    def neighbours(self, agent_id: str) -> list[str]:
        """Ids of the agents next to ``agent_id``, in order; never itself."""
        return list(self.agent(agent_id).neighbours)

    def reader(self, agent_id: str) -> Reader:
        """How an agent reads the library: next to whom, and since when if it inherits no notes."""
        agent, generations = self.agent(agent_id), self.config.generations
        alone = generations is not None and generations.library == "none"
        near = tuple(sorted(self._near[agent_id]))
        return Reader(agent_id, agent.organisation, near, agent.born if alone else 0)

    def organisations_of(self, agent_id: str) -> frozenset[str]:
        """Those that an agent is a member of; none where it is not there."""
        found = self._by_id.get(agent_id)
        return frozenset() if found is None else frozenset({found.organisation})

    def may_read(self, reader: str, author: str) -> bool:
        """Whether ``reader`` sees what ``author`` wrote: its own, its neighbours', their forerunners'."""
        return reader == author or author in self._near[self.agent(reader).agent_id]

    def audience(self, proposer: str) -> list[str]:
        """Ids of the solvers that get the problems of ``proposer``, in order; itself if it solves.

        The problems of one who has retired go to those of its successor.
        """
        if proposer in self._node:
            proposer = self._holder[self._node[proposer]]
        if proposer not in self._audience:
            self.agent(proposer)
            raise ValueError(f"expected an agent that proposes or solves, got {proposer!r}, which does not")
        return list(self._audience[proposer])

    def assign(self, proposers: Sequence[str], k: int, rng: np.random.Generator) -> list[list[str]]:
        """The solvers of ``k`` attempts at each of a round's problems, ``proposers[i]`` its author.

        Each attempt goes to the audience's member with the fewest so far in the round, ties drawn at
        random: where audiences are equal, no two solvers differ by more than one attempt. At one
        problem nobody gets two attempts more than another.
        """
        if k < 1:
            raise ValueError(f"expected one attempt or more at a problem, got {k}")
        place = {agent.agent_id: i for i, agent in enumerate(self.agents)}
        audiences = {name: np.array([place[s] for s in self.audience(name)]) for name in set(proposers)}
        load = np.zeros(len(self.agents))
        dealt: list[list[str]] = []
        for proposer in proposers:
            solvers = audiences[proposer]
            whole, rest = divmod(k, len(solvers))
            least = np.lexsort((rng.random(len(solvers)), load[solvers]))[:rest]
            chosen = np.concatenate([np.tile(solvers, whole), solvers[least]])
            np.add.at(load, chosen, 1)
            dealt.append([self.agents[i].agent_id for i in rng.permutation(chosen)])
        return dealt

    @property
    def hostile(self) -> frozenset[str]:
        """Ids of the agents that are hostile."""
        return frozenset(agent.agent_id for agent in self.agents if agent.hostile is not None)

    def policy_names(self) -> set[str]:
        """Names of the policies that the agents use."""
        return self.config.policy_names()

    # -- generations -------------------------------------------------------------------------------
    def restarting(self) -> list[str]:
        """Policies that start anew in this round, from their version 0, since all who use them are new."""
        return [
            name for name in sorted(self.policy_names()) if self.round and self.since(name) == self.round
        ]

    def since(self, policy: str) -> int:
        """The round in which those who use ``policy`` started with the weights of its version 0."""
        every = self._renewed(policy)
        return 0 if every is None else self.round - self.round % every

    def passed(self, policy: str, rounds: int) -> float:
        """How much of the time that the weights of ``policy`` have is over, from 0 to 1.

        It goes from the round in which they started to the last before they start anew, or to the last of
        a run of ``rounds``.
        """
        first, every = self.since(policy), self._renewed(policy)
        last = (rounds if every is None else min(rounds, first + every)) - 1
        return min(1.0, (self.round - first) / max(1, last - first))

    def _renewed(self, policy: str) -> int | None:
        """Every how many rounds the weights of ``policy`` start anew; None where they never do."""
        generations = self.config.generations
        if generations is None or generations.weights == "inherited":
            return None
        users = {group.name for group in self.config.groups if group.policy == policy}
        return None if generations.groups and not users & set(generations.groups) else generations.every

    def successors(self) -> dict[str, str]:
        """Those for whom this round is the last, and who takes the place of each."""
        after = next_scene(self.config, self.seed, self._scene).members
        there = {m.node: m.agent_id for m in after if m.retired is None}
        gone = {m.agent_id for m in after if m.retired is not None} & set(self._by_id)
        return {name: there[self._node[name]] for name in self._by_id if name in gone}


def _complaints(config: PopulationConfig, seed: int, agents: Sequence[Agent]) -> list[str]:
    """What keeps these agents from playing, each with a remedy that was tried; empty where nothing."""
    alone, idle = _unreached(agents)
    if not alone and not idle:
        return []
    kind = config.topology.kind
    remedy = "write topology: {kind: complete}, or give them both roles"
    for placement in PLACEMENTS:
        placed = first_scene(config.model_copy(update={"placement": placement}), seed)
        if not any(_unreached(_agents(config, placed))):
            remedy = f"write placement: {placement}, topology: {{kind: complete}}, or give them both roles"
            break
    return [
        f"expected a {wanted} next to every {role} of the {kind} graph, got none beside {_some(names)}; "
        f"{remedy}"
        for role, wanted, names in (("proposer", "solver", alone), ("solver", "proposer", idle))
        if names
    ]


def _unreached(agents: Sequence[Agent]) -> tuple[list[str], list[str]]:
    """Proposers with no solver in reach, and solvers with no proposer; one's self is in reach."""
    roles = {agent.agent_id: agent.roles for agent in agents}

    def lacking(role: Role, wanted: Role) -> list[str]:
        return [
            agent.agent_id
            for agent in agents
            if role in agent.roles
            and not any(wanted in roles[name] for name in (agent.agent_id, *agent.neighbours))
        ]

    return lacking("proposer", "solver"), lacking("solver", "proposer")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _agents(config: PopulationConfig, scene: Scene) -> tuple[Agent, ...]:
    """Everyone who is there, in the order of the configuration, with their neighbours on the graph."""
    order = {group.name: i for i, group in enumerate(config.groups)}
    # those of a group came in the order of their numbers
    there = sorted(scene.present(), key=lambda m: order[m.group])
    on_node = {m.node: i for i, m in enumerate(there)}
    near: defaultdict[int, list[int]] = defaultdict(list)
    for a, b in scene.edges:
        near[a].append(on_node[b])
        near[b].append(on_node[a])
    return tuple(
        Agent(
            agent_id=m.agent_id,
            round=m.born,
            roles=list(group.roles),
            organisation=m.organisation,
            persona=group.persona,
            policy=group.policy if group.acts else "",
            neighbours=[there[i].agent_id for i in sorted(near[m.node])],
            born=m.born,
            retired=None,
            hostile=group.hostile,
        )
        for m in there
        for group in [config.groups[order[m.group]]]
    )


def _differing(
    config: PopulationConfig, agents: Sequence[Agent], scene: Scene, before: Scene | None
) -> list[Agent]:
    """Rows of those who are not as they were in the scene before: in round 0 of all of them."""
    if before is None:
        return list(agents) if not scene.round else []
    was = {agent.agent_id: agent for agent in _agents(config, before)}
    rows = [replace(a, round=scene.round) for a in agents if a != was.get(a.agent_id)]
    gone = [was[m.agent_id] for m in scene.members if m.retired == scene.round]
    return [*rows, *(replace(a, round=scene.round, neighbours=[], retired=scene.round) for a in gone)]


def _unchanging(config: PopulationConfig) -> list[str]:
    """What is wrong with the changes, a line each."""
    problems, changes = [], config.changes
    names = {group.name: group for group in config.groups}
    if changes.rewire is not None and isinstance(config.topology, CompleteConfig):
        problems.append(
            "expected a topology with edges to rewire, got complete, which has all of them; take "
            "changes.rewire out, or write another topology"
        )
    if changes.migrate is not None and len(organisations(config)) < 2:
        problems.append(
            "expected two organisations or more to migrate between, got "
            f"{', '.join(organisations(config))}; take changes.migrate out, or write organisations: 2 and "
            "organisation: 'house-{n}' in a group"
        )
    growth = changes.growth
    if growth is not None and growth.group not in names:
        problems.append(
            f"expected a group ({', '.join(sorted(names))}) in changes.growth.group, got {growth.group!r}"
        )
    elif growth is not None and growth.most <= names[growth.group].count:
        problems.append(
            f"expected changes.growth.most above the {names[growth.group].count} agents that "
            f"{growth.group} begins with, got {growth.most}; write a larger one"
        )
    return problems


def _not_generations(config: PopulationConfig) -> list[str]:
    """What is wrong with the generations, a line each."""
    generations = config.generations
    if generations is None:
        return []
    names = {group.name for group in config.groups}
    retiring = set(generations.groups or names)
    problems = [
        f"expected groups ({', '.join(sorted(names))}) in generations.groups, got {name!r}"
        for name in sorted(retiring - names)
    ]
    if generations.weights == "fresh":
        if generations.share < 1:
            problems.append(
                "expected generations.share: 1 with weights: fresh, since the agents of a group share one "
                f"policy, got {generations.share:g}; write share: 1, weights: inherited, or give those who "
                "are to stay a group and a policy of their own"
            )
        for policy in sorted(config.policy_names()):
            users = {group.name for group in config.groups if group.policy == policy}
            if users & retiring and users - retiring:
                problems.append(
                    f"expected all groups with the policy {policy} to retire together with weights: fresh, "
                    f"got {', '.join(sorted(users & retiring))} but not "
                    f"{', '.join(sorted(users - retiring))}; add them to generations.groups, or give them "
                    "another policy"
                )
    if generations.teachers and generations.library == "none":
        problems.append(
            "expected generations.library: inherited with teachers: true, since newcomers would not see "
            "their lessons, got none; write library: inherited, or teachers: false"
        )
    return problems
