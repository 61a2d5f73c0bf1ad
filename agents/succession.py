"""From one round's population to the next: who is there, at which place of the graph, and who came before.

Everything is a function of the configuration, the seed and the scene before; draws are streams named after
the round. A place of the graph never goes away and stays with its group, so whatever an agent needs next to
it, its successor has too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np

from agents.topology import CompleteConfig, graph_of
from culture.records import Role
from culture.seeds import generator

if TYPE_CHECKING:
    from agents.population import GroupConfig, PopulationConfig

_OTHER: dict[Role, Role] = {"proposer": "solver", "solver": "proposer"}
"""Whom an agent needs next to it, unless it is both."""


@dataclass(frozen=True, slots=True)
class Member:
    """Someone who is or was there."""

    agent_id: str
    group: str
    organisation: str
    node: int
    """Its place on the graph."""
    born: int
    """The round in which it came."""
    retired: int | None = None
    """The round in which it was there no more."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Everyone who ever came, in the order in which they did, and the graph's edges, as of a round."""

    round: int
    members: tuple[Member, ...]
    edges: frozenset[tuple[int, int]]

    def present(self) -> list[Member]:
        """Those who are there."""
        return [m for m in self.members if m.retired is None]


def first_scene(config: PopulationConfig, seed: int) -> Scene:
    """Round 0. Raises ``agents.topology.TopologyError``."""
    graph = graph_of(config.topology, config.size, seed)
    nodes = {agent: node for node, agent in enumerate(_placed(config, seed))}
    names = [(group, number) for group in config.groups for number in range(group.count)]
    members = [_member(group, number, nodes[i], 0) for i, (group, number) in enumerate(names)]
    return Scene(0, tuple(members), _edges(graph))


def next_scene(config: PopulationConfig, seed: int, scene: Scene) -> Scene:
    """The round after ``scene``: some retire, others join, move to another organisation or are rewired."""
    made = replace(scene, round=scene.round + 1)
    changes, generations = config.changes, config.generations
    if generations is not None and made.round % generations.every == 0:
        made = _retired(config, seed, made)
    if changes.growth is not None and made.round % changes.growth.every == 0:
        made = _grown(config, seed, made)
    if changes.migrate is not None and made.round % changes.migrate.every == 0:
        made = _migrated(config, seed, made)
    if changes.rewire is not None and made.round % changes.rewire.every == 0:
        made = _rewired(config, seed, made)
    return made


def organisations(config: PopulationConfig) -> list[str]:
    """All that there are, sorted."""
    return sorted({_organisation(g, n) for g in config.groups for n in range(g.organisations)})


# -- changes ---------------------------------------------------------------------------------------------
def _retired(config: PopulationConfig, seed: int, scene: Scene) -> Scene:
    generations = config.generations
    assert generations is not None
    members = list(scene.members)
    for group in config.groups:
        if generations.groups and group.name not in generations.groups:
            continue
        mine = [i for i, m in enumerate(members) if m.group == group.name and m.retired is None]
        draw = generator(seed, "retire", scene.round, group.name).permutation(len(mine))
        oldest = sorted((members[i].born, int(d), i) for i, d in zip(mine, draw, strict=True))
        for i in sorted(i for _, _, i in oldest[: _some(generations.share, len(mine))]):
            old = members[i]
            number = sum(m.group == group.name for m in members)
            new = _member(group, number, old.node, scene.round)
            members[i] = replace(old, retired=scene.round)
            members.append(replace(new, organisation=old.organisation))
    return replace(scene, members=tuple(members))


def _grown(config: PopulationConfig, seed: int, scene: Scene) -> Scene:
    growth = config.changes.growth
    assert growth is not None
    group = next(g for g in config.groups if g.name == growth.group)
    there = sum(m.group == group.name for m in scene.present())
    members, edges = list(scene.members), set(scene.edges)
    rng = generator(seed, "growth", scene.round)
    roles = {m.node: roles_at(config, m) for m in scene.present()}
    for _ in range(min(growth.agents, growth.most - there)):
        node = len(roles)
        number = sum(m.group == group.name for m in members)
        members.append(_member(group, number, node, scene.round))
        roles[node] = frozenset(group.roles)
        needed = needs(roles[node])
        able = [n for n in range(node) if needed is None or needed in roles[n]]
        near = {able[int(rng.integers(len(able)))]}
        others = [n for n in range(node) if n not in near]
        count = len(others) if isinstance(config.topology, CompleteConfig) else growth.links - 1
        near |= {others[int(i)] for i in rng.permutation(len(others))[:count]}
        edges |= {(n, node) for n in near}
    return replace(scene, members=tuple(members), edges=frozenset(edges))


def _migrated(config: PopulationConfig, seed: int, scene: Scene) -> Scene:
    migrate = config.changes.migrate
    assert migrate is not None
    members, every = list(scene.members), organisations(config)
    there = [i for i, m in enumerate(members) if m.retired is None]
    rng = generator(seed, "migrate", scene.round)
    for at in rng.permutation(len(there))[: _some(migrate.share, len(there))]:
        i = there[int(at)]
        others = [name for name in every if name != members[i].organisation]
        members[i] = replace(members[i], organisation=others[int(rng.integers(len(others)))])
    return replace(scene, members=tuple(members))


def _rewired(config: PopulationConfig, seed: int, scene: Scene) -> Scene:
    rewire = config.changes.rewire
    assert rewire is not None
    graph: nx.Graph[int] = nx.Graph(sorted(scene.edges))
    roles = {m.node: roles_at(config, m) for m in scene.present()}
    edges = sorted(scene.edges)
    rng = generator(seed, "rewire", scene.round)
    for at in rng.permutation(len(edges))[: _some(rewire.share, len(edges))]:
        ends = edges[int(at)]
        kept, left = ends if rng.random() < 0.5 else ends[::-1]
        free = [n for n in range(len(roles)) if n != kept and not graph.has_edge(kept, n)]
        if not free:
            continue
        new = free[int(rng.integers(len(free)))]
        graph.remove_edge(kept, left)
        graph.add_edge(kept, new)
        if not (nx.is_connected(graph) and _reached(graph, roles, kept) and _reached(graph, roles, left)):
            graph.remove_edge(kept, new)
            graph.add_edge(kept, left)
    return replace(scene, edges=_edges(graph))


def needs(roles: frozenset[Role]) -> Role | None:
    """The role that one with ``roles`` needs next to it; None where it needs nobody."""
    acting = [role for role in _OTHER if role in roles]
    return _OTHER[acting[0]] if len(acting) == 1 else None


def _reached(graph: nx.Graph[int], roles: dict[int, frozenset[Role]], node: int) -> bool:
    needed = needs(roles[node])
    return needed is None or any(needed in roles[n] for n in graph[node])


# -- pieces ----------------------------------------------------------------------------------------------
def roles_at(config: PopulationConfig, member: Member) -> frozenset[Role]:
    """What a member does."""
    return frozenset(next(g.roles for g in config.groups if g.name == member.group))


def _member(group: GroupConfig, number: int, node: int, born: int) -> Member:
    return Member(f"{group.name}-{number}", group.name, _organisation(group, number), node, born)


def _organisation(group: GroupConfig, number: int) -> str:
    return group.organisation.replace("{n}", str(number % group.organisations))


def _some(share: float, count: int) -> int:
    return max(1, round(share * count))


def _edges(graph: nx.Graph[int]) -> frozenset[tuple[int, int]]:
    return frozenset((min(a, b), max(a, b)) for a, b in graph.edges)


def _placed(config: PopulationConfig, seed: int) -> Sequence[int]:
    """Which agent, by its position in the configuration, is on each node of the graph, in node order."""
    match config.placement:
        case "grouped":
            return range(config.size)
        case "shuffled":
            drawn: np.ndarray = generator(seed, "placement").permutation(config.size)
            return [int(i) for i in drawn]
        case "interleaved":
            # A group of n agents lies at the middles of n equal parts of the unit interval, so that
            # sorting by position mixes groups in proportion; equal positions keep the groups' order.
            middles = [(i + 0.5) / group.count for group in config.groups for i in range(group.count)]
            return sorted(range(config.size), key=middles.__getitem__)
