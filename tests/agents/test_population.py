"""The population: groups, graphs, who reads whom and who gets whose problems."""

from __future__ import annotations

from collections import Counter
from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agents.population import Population, PopulationConfig, PopulationError
from culture.records import Agent
from culture.seeds import generator

BOTH = ["proposer", "solver"]


def config(topology: dict[str, Any], *groups: dict[str, Any], **rest: Any) -> PopulationConfig:
    return PopulationConfig.model_validate({"topology": topology, "groups": list(groups), **rest})


def everyone(count: int, kind: str, **parameters: Any) -> Population:
    return Population(config({"kind": kind, **parameters}, {"name": "a", "count": count, "roles": BOTH}), 3)


def graph(population: Population) -> nx.Graph[str]:
    made: nx.Graph[str] = nx.Graph()
    made.add_nodes_from(agent.agent_id for agent in population.agents)
    made.add_edges_from(
        (agent.agent_id, other) for agent in population.agents for other in agent.neighbours
    )
    return made


def refusal(topology: dict[str, Any], *groups: dict[str, Any], **rest: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        config(topology, *groups, **rest)
    return str(caught.value)


topologies = st.one_of(
    st.builds(lambda n: (n, {"kind": "complete"}), st.integers(1, 12)),
    st.builds(lambda n: (n, {"kind": "ring"}), st.integers(3, 12)),
    st.builds(
        lambda cliques, size: (cliques * size, {"kind": "connected_caveman", "clique_size": size}),
        st.integers(2, 4),
        st.integers(3, 5),
    ),
    st.builds(
        lambda n, half, p: (n, {"kind": "small_world", "degree": 2 * half, "rewire": p}),
        st.integers(7, 14),
        st.integers(1, 3),
        st.floats(0, 1),
    ),
)


# -- graphs ----------------------------------------------------------------------------------------


@given(topologies, st.integers(0, 2**31), st.sampled_from(["interleaved", "grouped", "shuffled"]))
def test_every_topology_is_connected_symmetric_and_without_loops(
    topology: tuple[int, dict[str, Any]], seed: int, placement: str
) -> None:
    count, parameters = topology
    made = config(parameters, {"name": "a", "count": count, "roles": BOTH}, placement=placement)
    population = Population(made, seed)
    for agent in population.agents:
        assert agent.agent_id not in agent.neighbours
        for other in agent.neighbours:
            assert agent.agent_id in population.neighbours(other)
    assert len(population) == count
    assert nx.is_connected(graph(population))
    assert population.agents == Population(made, seed).agents


def test_complete() -> None:
    population = everyone(5, "complete")
    assert all(len(agent.neighbours) == 4 for agent in population.agents)
    assert population.neighbours("a-2") == ["a-0", "a-1", "a-3", "a-4"]


def test_ring_is_one_circle() -> None:
    population = everyone(6, "ring")
    assert nx.is_isomorphic(graph(population), nx.cycle_graph(6))


def test_caveman_is_cliques_joined_in_a_circle() -> None:
    population = everyone(12, "connected_caveman", clique_size=4)
    # Each clique of 4 keeps 5 of its 6 edges; the sixth leads to the clique before it.
    assert graph(population).number_of_edges() == 3 * 6
    crossing = [
        (agent.agent_id, other)
        for agent in population.agents
        for other in agent.neighbours
        if int(agent.agent_id[2:]) // 4 < int(other[2:]) // 4
    ]
    assert len(crossing) == 3


def test_small_world_keeps_its_edges_and_follows_the_seed() -> None:
    lattice = everyone(12, "small_world", degree=4, rewire=0.0)
    expected: nx.Graph[str] = nx.Graph(
        (f"n{i}", f"n{(i + step) % 12}") for i in range(12) for step in (1, 2)
    )
    assert nx.is_isomorphic(graph(lattice), expected)
    made = config(
        {"kind": "small_world", "degree": 4, "rewire": 0.5}, {"name": "a", "count": 12, "roles": BOTH}
    )
    draws = {tuple(tuple(agent.neighbours) for agent in Population(made, seed).agents) for seed in range(5)}
    assert len(draws) == 5
    assert all(graph(Population(made, seed)).number_of_edges() == 24 for seed in range(5))


# -- agents ----------------------------------------------------------------------------------------


def test_agents_are_what_the_groups_say() -> None:
    population = Population(
        config(
            {"kind": "complete"},
            {
                "name": "master",
                "count": 1,
                "roles": ["proposer", "editor"],
                "policy": "smol",
                "persona": "old",
            },
            {
                "name": "pupil",
                "count": 4,
                "roles": ["solver"],
                "organisation": "house-{n}",
                "organisations": 2,
            },
        ),
        0,
    )
    assert population.agent("master-0") == Agent(
        agent_id="master-0",
        round=0,
        roles=["proposer", "editor"],
        organisation="school",
        persona="old",
        policy="smol",
        neighbours=["pupil-0", "pupil-1", "pupil-2", "pupil-3"],
        hostile=None,
        born=0,
        retired=None,
    )
    houses = [agent.organisation for agent in population.with_role("solver")]
    assert houses == ["house-0", "house-1", "house-0", "house-1"]
    assert population.policy_names() == {"smol", "spark"}
    assert [agent.agent_id for agent in population.with_role("editor")] == ["master-0"]
    assert population.with_role("judge") == []
    records = population.records()
    assert [record.round for record in records] == [0] * 5
    assert [record.agent_id for record in records] == [agent.agent_id for agent in population.agents]


def test_interleaving_mixes_groups_in_proportion() -> None:
    groups = [
        {"name": "s", "count": 9, "roles": ["solver"]},
        {"name": "p", "count": 3, "roles": ["proposer"]},
    ]
    population = Population(config({"kind": "connected_caveman", "clique_size": 4}, *groups), 0)
    assert [population.audience(f"p-{i}") for i in range(3)] == [
        ["s-0", "s-1", "s-2"],
        ["s-3", "s-4", "s-5"],
        ["s-6", "s-7", "s-8"],
    ]


def test_reading_follows_the_graph() -> None:
    population = everyone(6, "ring")
    reader = population.agents[0]
    readable = {a.agent_id for a in population.agents if population.may_read(reader.agent_id, a.agent_id)}
    assert readable == {reader.agent_id, *reader.neighbours}
    assert not population.may_read(reader.agent_id, "nobody-0")
    with pytest.raises(KeyError, match="expected an agent of this population"):
        population.may_read("nobody-0", reader.agent_id)


# -- problems to solvers ---------------------------------------------------------------------------


def test_an_agent_with_both_roles_gets_its_own_problems() -> None:
    population = everyone(6, "ring")
    proposer = population.agents[0]
    assert sorted(population.audience(proposer.agent_id)) == sorted(
        [proposer.agent_id, *proposer.neighbours]
    )
    assert everyone(1, "complete").audience("a-0") == ["a-0"]


def test_an_audience_is_of_solvers_and_belongs_to_who_writes_problems() -> None:
    groups = [
        {"name": "p", "count": 3, "roles": ["proposer"]},
        {"name": "s", "count": 3, "roles": ["solver"]},
    ]
    population = Population(config({"kind": "ring"}, *groups), 0)
    assert [population.audience(f"p-{i}") for i in range(3)] == [
        ["s-0", "s-2"],
        ["s-0", "s-1"],
        ["s-1", "s-2"],
    ]
    # a solver may write problems in a book club; it has itself to solve them
    assert population.audience("s-0") == ["s-0"]
    with_editor = Population(config({"kind": "complete"}, *groups, {"name": "e", "roles": ["editor"]}), 0)
    with pytest.raises(ValueError, match="expected an agent that proposes or solves, got 'e-0'"):
        with_editor.audience("e-0")
    with pytest.raises(KeyError, match="'x-1'"):
        population.audience("x-1")


@given(topologies, st.integers(1, 9), st.integers(1, 40), st.integers(0, 99))
def test_assignment_is_balanced_and_follows_the_graph(
    topology: tuple[int, dict[str, Any]], k: int, problems: int, seed: int
) -> None:
    count, parameters = topology
    population = Population(config(parameters, {"name": "a", "count": count, "roles": BOTH}), 1)
    names = [agent.agent_id for agent in population.agents]
    proposers = [names[i % count] for i in range(problems)]
    dealt = population.assign(proposers, k, generator(seed, "assign"))
    assert dealt == population.assign(proposers, k, generator(seed, "assign"))
    for proposer, solvers in zip(proposers, dealt, strict=True):
        audience = population.audience(proposer)
        assert len(solvers) == k
        assert set(solvers) <= set(audience)
        each = [solvers.count(name) for name in audience]
        assert max(each) - min(each) <= 1
    if parameters["kind"] == "complete":
        loads = Counter(name for solvers in dealt for name in solvers)
        assert max(loads[name] for name in names) - min(loads[name] for name in names) <= 1


def test_every_solver_comes_first_equally_often() -> None:
    population = everyone(4, "complete")
    dealt = population.assign(["a-0"] * 4000, 2, generator(0, "assign"))
    first = Counter(solvers[0] for solvers in dealt)
    # 1000 each in expectation; 150 is more than five standard deviations of a binomial(4000, 1/4).
    assert all(abs(first[f"a-{i}"] - 1000) < 150 for i in range(4))


def test_no_attempts_are_refused() -> None:
    with pytest.raises(ValueError, match="expected one attempt or more at a problem, got 0"):
        everyone(2, "complete").assign(["a-0"], 0, generator(0, "assign"))


# -- refusals --------------------------------------------------------------------------------------


def test_solvers_and_proposers_out_of_reach_are_refused_with_a_remedy_that_works() -> None:
    groups = [
        {"name": "p", "count": 4, "roles": ["proposer"]},
        {"name": "s", "count": 4, "roles": ["solver"]},
    ]
    with pytest.raises(PopulationError) as caught:
        Population(config({"kind": "ring"}, *groups, placement="grouped"), 0)
    remedy = "write placement: interleaved, topology: {kind: complete}, or give them both roles"
    assert str(caught.value).splitlines() == [
        f"expected a solver next to every proposer of the ring graph, got none beside p-1, p-2; {remedy}",
        f"expected a proposer next to every solver of the ring graph, got none beside s-1, s-2; {remedy}",
    ]
    Population(config({"kind": "ring"}, *groups, placement="interleaved"), 0)
    Population(config({"kind": "complete"}, *groups, placement="grouped"), 0)


def test_a_remedy_that_does_not_work_is_not_offered() -> None:
    groups = [
        {"name": "p", "count": 1, "roles": ["proposer"]},
        {"name": "s", "count": 9, "roles": ["solver"]},
    ]
    with pytest.raises(PopulationError) as caught:
        Population(config({"kind": "ring"}, *groups), 0)
    assert "placement" not in str(caught.value)
    assert "and 2 more; write topology: {kind: complete}" in str(caught.value)


@pytest.mark.parametrize(
    ("topology", "count", "expected"),
    [
        ({"kind": "ring"}, 2, "expected three agents or more on a ring, got 2"),
        ({"kind": "connected_caveman", "clique_size": 5}, 12, "got 5; write clique_size: 4"),
        ({"kind": "connected_caveman", "clique_size": 3}, 7, "to a multiple of 3, at least 6"),
        ({"kind": "connected_caveman", "clique_size": 6}, 6, "got 6; write clique_size: 3"),
        (
            {"kind": "small_world", "degree": 8},
            8,
            r"expected a degree below the number of agents \(8\), got 8",
        ),
        ({"kind": "small_world", "degree": 3}, 8, "multiple of 2"),
    ],
)
def test_a_topology_that_does_not_fit_says_what_would(
    topology: dict[str, Any], count: int, expected: str
) -> None:
    with pytest.raises(ValidationError, match=expected):
        config(topology, {"name": "a", "count": count, "roles": BOTH})


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ({"roles": ["solver", "solver"]}, "expected each role once, got solver again"),
        ({"organisation": "house", "organisations": 2}, "write 'house-{n}'"),
        ({"organisation": "house-{k}"}, "expected {n} as the only part in braces"),
        ({"organisation": "h{n}", "organisations": 3}, "got 3 for 2; write organisations: 2"),
        ({"roles": []}, "at least 1 item"),
        ({"roles": ["solver"]}, "expected a proposer in the population, got none; add proposer"),
        ({"roles": ["proposer"]}, "expected a solver in the population, got none; add solver"),
        ({"sze": 1}, "Extra inputs are not permitted"),
    ],
)
def test_a_group_that_makes_no_sense_is_refused(group: dict[str, Any], expected: str) -> None:
    assert expected in refusal({"kind": "complete"}, {"name": "a", "count": 2, "roles": BOTH, **group})


def test_group_names_are_distinct() -> None:
    twice = {"name": "a", "roles": BOTH}
    assert "expected each group name once, got 'a' again" in refusal({"kind": "complete"}, twice, twice)


def test_a_small_world_that_never_connects_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.topology.TRIES", 1)
    made = config(
        {"kind": "small_world", "degree": 2, "rewire": 1.0}, {"name": "a", "count": 400, "roles": BOTH}
    )
    with pytest.raises(
        PopulationError, match="got none in 1 draws; write a larger degree or a smaller rewire"
    ):
        Population(made, 0)
