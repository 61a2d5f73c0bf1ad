"""Graphs by the name of networkx's generator."""

from __future__ import annotations

from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agents.population import Population, PopulationError
from agents.topology import _PARAMETERS, NetworkxConfig, generators, graph_of
from tests.agents.test_population import BOTH, config, graph

CASES: dict[str, tuple[int, dict[str, float]]] = {
    "barabasi_albert_graph": (9, {"m": 2}),
    "circular_ladder_graph": (8, {}),
    "dual_barabasi_albert_graph": (9, {"m1": 2, "m2": 1, "p": 0.5}),
    "erdos_renyi_graph": (9, {"p": 0.4}),
    "extended_barabasi_albert_graph": (9, {"m": 2, "p": 0.2, "q": 0.1}),
    "gnm_random_graph": (8, {"m": 14}),
    "newman_watts_strogatz_graph": (9, {"k": 2, "p": 0.3}),
    "path_graph": (5, {}),
    "powerlaw_cluster_graph": (9, {"m": 2, "p": 0.3}),
    "random_geometric_graph": (9, {"radius": 0.6}),
    "random_labeled_tree": (9, {}),
    "random_regular_graph": (8, {"d": 3}),
    "star_graph": (7, {}),
    "wheel_graph": (7, {}),
}


def named(generator: str, count: int, **parameters: float) -> Any:
    topology = {"kind": "networkx", "generator": generator, "parameters": parameters}
    return config(topology, {"name": "a", "count": count, "roles": BOTH})


def test_every_generator_has_a_case() -> None:
    assert set(CASES) == set(generators()) == set(_PARAMETERS)
    assert all(hasattr(nx, name) for name in generators())


@given(st.sampled_from(sorted(CASES)), st.integers(0, 2**31))
def test_every_generator_gives_a_connected_graph_without_loops(name: str, seed: int) -> None:
    count, parameters = CASES[name]
    made = named(name, count, **parameters)
    population = Population(made, seed)
    assert len(population) == count and nx.is_connected(graph(population))
    assert all(a.agent_id not in a.neighbours for a in population.agents)
    assert population.agents == Population(made, seed).agents


def test_a_random_graph_follows_the_seed() -> None:
    topology = NetworkxConfig(kind="networkx", generator="barabasi_albert_graph", parameters={"m": 2})
    assert len({tuple(sorted(graph_of(topology, 12, seed).edges)) for seed in range(5)}) == 5
    assert graph_of(topology, 12, 0).number_of_edges() == 20


def test_one_agent_is_a_graph() -> None:
    assert len(Population(named("path_graph", 1), 0)) == 1


@pytest.mark.parametrize(
    ("generator", "parameters", "expected"),
    [
        ("barabasi_albert_graph", {}, r"expected the parameters \{m\} of barabasi_albert_graph, got \{\}"),
        ("barabasi_albert_graph", {"m": 2, "n": 3}, r"got \{m, n\}; write parameters: \{m: ...\}"),
        ("moebius_kantor_graph", {}, "barabasi_albert_graph"),
        ("gnm_random_graph", {"m": 2.5}, "expected a whole number above 0 for m, got 2.5"),
        ("gnm_random_graph", {"m": 0}, "expected a whole number above 0 for m, got 0"),
        ("erdos_renyi_graph", {"p": 1.5}, "expected a probability for p, got 1.5; write one from 0 to 1"),
        ("random_geometric_graph", {"radius": float("nan")}, "finite number"),
        ("path_graph", {"create_using": 1}, r"expected the parameters \{\} of path_graph"),
    ],
)
def test_names_that_make_no_sense_are_refused(
    generator: str, parameters: dict[str, float], expected: str
) -> None:
    with pytest.raises(ValidationError, match=expected):
        named(generator, 8, **parameters)


@pytest.mark.parametrize(
    ("generator", "count", "parameters", "expected"),
    [
        ("barabasi_albert_graph", 3, {"m": 5}, "expected parameters with which networkx makes"),
        ("random_regular_graph", 7, {"d": 3}, "expected parameters with which networkx makes"),
        (
            "erdos_renyi_graph",
            9,
            {"p": 0.0},
            "expected a connected graph of 9 agents from erdos_renyi_graph",
        ),
        ("circular_ladder_graph", 7, {}, "a multiple of 2, got 7"),
        ("star_graph", 1, {}, "and 1 more, got 1"),
    ],
)
def test_numbers_that_make_no_graph_are_refused(
    generator: str, count: int, parameters: dict[str, float], expected: str
) -> None:
    with pytest.raises(PopulationError, match=expected):
        Population(named(generator, count, **parameters), 0)
