"""Who there is, and who is next to whom: agents in groups, placed on a graph.

The graph decides what is shared. An agent reads what it and its neighbours wrote, and a solver attempts
the problems of the proposers next to it, its own included where it is both. Graphs come from networkx:
the connected caveman graph is Watts, *Small Worlds* (1999), the small world Watts and Strogatz (1998).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal, get_args

import networkx as nx
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from culture.records import Agent, Role
from culture.seeds import generator

_STRICT = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

Placement = Literal["interleaved", "grouped", "shuffled"]
PLACEMENTS: tuple[Placement, ...] = get_args(Placement)

Hostile = Literal["spam", "wrong", "inject", "copy", "ring", "poison"]
"""How an agent does harm, for studies of it (``arena/hostile.py``)."""

_TRIES = 1000
"""Draws of a small world before giving up on a connected one."""

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=40)]


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


class CompleteConfig(BaseModel):
    """Everyone is next to everyone."""

    model_config = _STRICT

    kind: Literal["complete"] = "complete"
    """Which graph."""


class RingConfig(BaseModel):
    """A circle: everyone has two neighbours."""

    model_config = _STRICT

    kind: Literal["ring"]
    """Which graph."""


class CavemanConfig(BaseModel):
    """Cliques in a circle: one edge of each clique is rewired to the clique before it."""

    model_config = _STRICT

    kind: Literal["connected_caveman"]
    """Which graph."""
    clique_size: int = Field(ge=3)
    """Agents in a clique, in agents; it divides the number of agents, twice or more."""


class SmallWorldConfig(BaseModel):
    """A ring lattice, some of whose edges are rewired at random; redrawn until it is connected."""

    model_config = _STRICT

    kind: Literal["small_world"]
    """Which graph."""
    degree: int = Field(default=4, ge=2, multiple_of=2)
    """Neighbours of each agent before rewiring, in agents; even, fewer than there are agents."""
    rewire: float = Field(default=0.1, ge=0.0, le=1.0)
    """Probability that an edge is rewired, from 0 (a lattice) to 1 (a random graph)."""


TopologyConfig = Annotated[
    CompleteConfig | RingConfig | CavemanConfig | SmallWorldConfig, Field(discriminator="kind")
]


class PopulationConfig(BaseModel):
    """Everyone, and the graph that they are on."""

    model_config = _STRICT

    groups: list[GroupConfig] = Field(
        default=[GroupConfig(name="pupil", count=8, roles=["proposer", "solver"])], min_length=1
    )
    """The groups; together they need a proposer and a solver."""
    topology: TopologyConfig = CompleteConfig()
    """The graph: complete, ring, connected_caveman or small_world, with its parameters."""
    placement: Placement = "interleaved"
    """How groups lie along the graph's nodes: mixed evenly, one after the other, or drawn at random."""

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
        problems += _misfits(self.topology, self.size)
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
    """The agents of one run. A pure function of the configuration and the run's seed.

    Raises :class:`PopulationError` where a solver would get no problems or a proposer no solvers.
    """

    def __init__(self, config: PopulationConfig, seed: int) -> None:
        self.config = config
        self.agents: tuple[Agent, ...] = _wired(config, seed)
        """Every agent as of round 0, in the order of the configuration."""
        self._by_id = {agent.agent_id: agent for agent in self.agents}
        self._near = {agent.agent_id: frozenset(agent.neighbours) for agent in self.agents}
        solvers = [agent.agent_id for agent in self.with_role("solver")]
        self._audience = {
            agent.agent_id: [name for name in solvers if self.may_read(agent.agent_id, name)]
            for agent in self.agents
            if ACTING & set(agent.roles)
        }
        complaints = _complaints(config, seed, self.agents)
        if complaints:
            raise PopulationError("\n".join(complaints))

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

    def records(self, round: int) -> list[Agent]:
        """Rows of the ``agents`` table for ``round``."""
        return [replace(agent, round=round) for agent in self.agents]

    def with_role(self, role: Role) -> list[Agent]:
        """The agents that have ``role``, in order."""
        return [agent for agent in self.agents if role in agent.roles]

    def neighbours(self, agent_id: str) -> list[str]:
        """Ids of the agents next to ``agent_id``, in order; never itself."""
        return list(self.agent(agent_id).neighbours)

    def may_read(self, reader: str, author: str) -> bool:
        """Whether ``reader`` sees what ``author`` wrote: its own, and its neighbours'."""
        return reader == author or author in self._near[self.agent(reader).agent_id]

    def audience(self, proposer: str) -> list[str]:
        """Ids of the solvers that get the problems of ``proposer``, in order; itself if it solves."""
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


def _complaints(config: PopulationConfig, seed: int, agents: Sequence[Agent]) -> list[str]:
    """What keeps these agents from playing, each with a remedy that was tried; empty where nothing."""
    alone, idle = _unreached(agents)
    if not alone and not idle:
        return []
    kind = config.topology.kind
    remedy = "write topology: {kind: complete}, or give them both roles"
    for placement in PLACEMENTS:
        if not any(_unreached(_wired(config.model_copy(update={"placement": placement}), seed))):
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


def _wired(config: PopulationConfig, seed: int) -> tuple[Agent, ...]:
    """The agents in the order of the configuration, with their neighbours on the graph."""
    agents = _enlisted(config)
    graph = _graph(config.topology, config.size, seed)
    on_node = _placed(config, seed)
    node_of = {agent: node for node, agent in enumerate(on_node)}
    near = [sorted(on_node[n] for n in graph[node_of[i]]) for i in range(len(agents))]
    return tuple(
        replace(agent, neighbours=[agents[i].agent_id for i in others])
        for agent, others in zip(agents, near, strict=True)
    )


def _enlisted(config: PopulationConfig) -> list[Agent]:
    """The agents in the order of the configuration, without neighbours yet."""
    return [
        Agent(
            agent_id=f"{group.name}-{number}",
            round=0,
            roles=list(group.roles),
            organisation=group.organisation.replace("{n}", str(number % group.organisations)),
            persona=group.persona,
            policy=group.policy if group.acts else "",
            neighbours=[],
            hostile=group.hostile,
        )
        for group in config.groups
        for number in range(group.count)
    ]


def _placed(config: PopulationConfig, seed: int) -> list[int]:
    """Which agent, by its position in the configuration, is on each node of the graph, in node order."""
    match config.placement:
        case "grouped":
            return list(range(config.size))
        case "shuffled":
            return [int(i) for i in generator(seed, "placement").permutation(config.size)]
        case "interleaved":
            # A group of n agents lies at the middles of n equal parts of the unit interval, so that
            # sorting by position mixes groups in proportion; equal positions keep the groups' order.
            middles = [(i + 0.5) / group.count for group in config.groups for i in range(group.count)]
            return sorted(range(config.size), key=middles.__getitem__)


def _misfits(topology: TopologyConfig, size: int) -> list[str]:
    """Why ``size`` agents do not fit on the graph; empty where they do."""
    match topology:
        case RingConfig() if size < 3:
            return [
                f"expected three agents or more on a ring, got {size}; write topology: {{kind: complete}}"
            ]
        case CavemanConfig(clique_size=clique) if size % clique or size < 2 * clique:
            sizes = [c for c in range(3, size // 2 + 1) if size % c == 0]
            advice = (
                f"write clique_size: {min(sizes, key=lambda c: abs(c - clique))}"
                if sizes
                else f"change the number of agents to a multiple of {clique}, at least {2 * clique}"
            )
            return [
                f"expected a clique_size that divides the {size} agents into two cliques or more, "
                f"got {clique}; {advice}"
            ]
        case SmallWorldConfig(degree=degree) if degree >= size:
            return [
                f"expected a degree below the number of agents ({size}), got {degree}; "
                "write a smaller degree, or topology: {kind: complete}"
            ]
    return []


def _graph(topology: TopologyConfig, size: int, seed: int) -> nx.Graph[int]:
    """The graph on nodes 0 to ``size - 1``, connected and without loops."""
    graph: nx.Graph[int]
    match topology:
        case CompleteConfig():
            graph = nx.complete_graph(size)
        case RingConfig():
            graph = nx.cycle_graph(size)
        case CavemanConfig(clique_size=clique):
            graph = nx.connected_caveman_graph(size // clique, clique)
        case SmallWorldConfig(degree=degree, rewire=rewire):
            try:
                graph = nx.connected_watts_strogatz_graph(
                    size, degree, rewire, tries=_TRIES, seed=generator(seed, "topology")
                )
            except nx.NetworkXError as error:
                raise PopulationError(
                    f"expected a connected small world of {size} agents with degree {degree} and rewire "
                    f"{rewire}, got none in {_TRIES} draws; write a larger degree or a smaller rewire"
                ) from error
    return graph
