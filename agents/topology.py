"""The graphs that a population can be put on, and which numbers of agents fit on each.

Graphs come from networkx: the connected caveman graph is Watts, *Small Worlds* (1999), the small world
Watts and Strogatz (1998). ``networkx`` names one of its generators that take a number of nodes.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

import networkx as nx
from pydantic import BaseModel, ConfigDict, Field, model_validator

from culture.seeds import derive, generator

_STRICT = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

TRIES = 1000
"""Draws of a random graph before giving up on a connected one."""

Generator = Literal[
    "barabasi_albert_graph",
    "circular_ladder_graph",
    "dual_barabasi_albert_graph",
    "erdos_renyi_graph",
    "extended_barabasi_albert_graph",
    "gnm_random_graph",
    "newman_watts_strogatz_graph",
    "path_graph",
    "powerlaw_cluster_graph",
    "random_geometric_graph",
    "random_labeled_tree",
    "random_regular_graph",
    "star_graph",
    "wheel_graph",
]

_PARAMETERS: dict[Generator, tuple[str, ...]] = {
    "barabasi_albert_graph": ("m",),
    "circular_ladder_graph": (),
    "dual_barabasi_albert_graph": ("m1", "m2", "p"),
    "erdos_renyi_graph": ("p",),
    "extended_barabasi_albert_graph": ("m", "p", "q"),
    "gnm_random_graph": ("m",),
    "newman_watts_strogatz_graph": ("k", "p"),
    "path_graph": (),
    "powerlaw_cluster_graph": ("m", "p"),
    "random_geometric_graph": ("radius",),
    "random_labeled_tree": (),
    "random_regular_graph": ("d",),
    "star_graph": (),
    "wheel_graph": (),
}
"""What each takes beside the number of nodes and a seed."""
_SHARES, _WHOLE = frozenset({"p", "q"}), frozenset({"d", "k", "m", "m1", "m2"})
"""Parameters that are probabilities, and those that are counts."""
_FIXED: dict[Generator, tuple[int, int]] = {
    "circular_ladder_graph": (2, 0),
    "path_graph": (1, 0),
    "star_graph": (1, 1),
    "wheel_graph": (1, 0),
}
"""Generators that draw nothing; from n they make so many nodes for each of n, and so many more."""


class TopologyError(ValueError):
    """A graph that could not be made; the message says what to write instead."""


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


class NetworkxConfig(BaseModel):
    """A graph of networkx by the name of its generator; random ones are redrawn until connected."""

    model_config = _STRICT

    kind: Literal["networkx"]
    """Which graph."""
    generator: Generator
    """Name of the generator in networkx, which is given the number of agents and a seed. No unit."""
    parameters: dict[str, Annotated[int | float, Field(allow_inf_nan=False)]] = Field(default={})
    """What else it takes, by its own names, such as ``{m: 2}`` for ``barabasi_albert_graph``. Units are the
    generator's."""

    @model_validator(mode="after")
    def _named(self) -> NetworkxConfig:
        wanted = _PARAMETERS[self.generator]
        if set(self.parameters) != set(wanted):
            listed = ", ".join(f"{name}: ..." for name in wanted)
            raise ValueError(
                f"expected the parameters {{{', '.join(wanted)}}} of {self.generator}, got "
                f"{{{', '.join(self.parameters)}}}; write parameters: {{{listed}}}"
            )
        for name, value in self.parameters.items():
            if name in _SHARES and not 0 <= value <= 1:
                raise ValueError(f"expected a probability for {name}, got {value}; write one from 0 to 1")
            if name in _WHOLE and not (value == int(value) > 0):
                raise ValueError(f"expected a whole number above 0 for {name}, got {value}; write one")
        return self


TopologyConfig = Annotated[
    CompleteConfig | RingConfig | CavemanConfig | SmallWorldConfig | NetworkxConfig,
    Field(discriminator="kind"),
]


def misfits(topology: TopologyConfig, size: int) -> list[str]:
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


def graph_of(topology: TopologyConfig, size: int, seed: int) -> nx.Graph[int]:
    """The graph on nodes 0 to ``size - 1``, connected and without loops. Raises TopologyError."""
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
                    size, degree, rewire, tries=TRIES, seed=generator(seed, "topology")
                )
            except nx.NetworkXError as error:
                raise TopologyError(
                    f"expected a connected small world of {size} agents with degree {degree} and rewire "
                    f"{rewire}, got none in {TRIES} draws; write a larger degree or a smaller rewire"
                ) from error
        case NetworkxConfig():
            graph = _made(topology, size, seed)
    return graph


def _made(config: NetworkxConfig, size: int, seed: int) -> nx.Graph[int]:
    make, given = getattr(nx, config.generator), config.parameters
    said = f"{config.generator} with {{{', '.join(f'{k}: {v}' for k, v in given.items())}}}"
    fixed = _FIXED.get(config.generator)
    each, more = fixed or (1, 0)
    if (size - more) % each or size <= more:
        raise TopologyError(
            f"expected a number of agents that {config.generator} can have, a multiple of {each}"
            f"{f' and {more} more' if more else ''}, got {size}; change the number of agents"
        )
    for number in range(1 if fixed else TRIES):
        drawn = {} if fixed else {"seed": derive(seed, "topology", number) % 2**32}
        try:
            found = make(n=(size - more) // each, **given, **drawn)
        except (nx.NetworkXException, ValueError, TypeError) as error:
            raise TopologyError(
                f"expected parameters with which networkx makes {said} of {size} agents, got: {error}; "
                "write others"
            ) from error
        graph: nx.Graph[int] = nx.Graph((a, b) for a, b in found.edges if a != b)
        if size == 1 or (len(graph) == size and nx.is_connected(graph)):
            graph.add_nodes_from(range(size))
            return graph
    raise TopologyError(
        f"expected a connected graph of {size} agents from {said}, got none in {TRIES} draws; write "
        "parameters that give more edges"
    )


def generators() -> tuple[str, ...]:
    """Names that ``networkx`` takes."""
    return get_args(Generator)
