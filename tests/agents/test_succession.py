"""Populations that change: rewiring, migration, growth and generations."""

from __future__ import annotations

from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from agents.population import Population, PopulationConfig
from culture.records import Agent
from tests.agents.test_population import BOTH, config, graph

RING = {"kind": "ring"}
APART = [
    {"name": "p", "count": 3, "roles": ["proposer"], "policy": "p"},
    {"name": "s", "count": 5, "roles": ["solver"], "organisation": "house-{n}", "organisations": 2},
]

changes = st.fixed_dictionaries(
    {},
    optional={
        "rewire": st.fixed_dictionaries({"every": st.integers(1, 3), "share": st.floats(0.05, 1)}),
        "migrate": st.fixed_dictionaries({"every": st.integers(1, 3), "share": st.floats(0.05, 1)}),
        "growth": st.fixed_dictionaries(
            {
                "every": st.integers(1, 3), "group": st.sampled_from(["p", "s"]),
                "agents": st.integers(1, 2), "links": st.integers(1, 4), "most": st.integers(6, 9),
            }
        ),
    },
)  # fmt: skip
generations = st.none() | st.fixed_dictionaries(
    {"every": st.integers(1, 3), "share": st.floats(0.05, 1)},
    optional={"groups": st.sampled_from([["s"], ["p"], ["p", "s"]]), "library": st.just("none")},
)


def over(made: PopulationConfig, seed: int, rounds: int) -> list[Population]:
    """The population of every round, each made from the one before."""
    found = [Population(made, seed)]
    for _ in range(rounds - 1):
        found.append(found[-1].next())
    return found


def table(populations: list[Population]) -> dict[str, Agent]:
    """What the ``agents`` table says of everyone: the latest row of each."""
    rows = [row for population in populations for row in population.records()]
    assert len({(row.agent_id, row.round) for row in rows}) == len(rows)
    return {row.agent_id: row for row in rows}


@given(changes, generations, st.integers(0, 2**31))
@settings(max_examples=80)
def test_any_change_keeps_a_population_that_can_play(
    change: dict[str, Any], generation: dict[str, Any] | None, seed: int
) -> None:
    made = config(RING, *APART, placement="interleaved", changes=change, generations=generation)
    populations = over(made, seed, 8)
    for number, population in enumerate(populations):
        again = Population(made, seed, number)
        assert (again.agents, again.records()) == (population.agents, population.records())
        assert population.round == number and nx.is_connected(graph(population))
        for agent in population.agents:
            assert agent.agent_id not in agent.neighbours and agent.born <= number
            assert all(agent.agent_id in population.neighbours(other) for other in agent.neighbours)
            assert population.organisations_of(agent.agent_id) == {agent.organisation}
        for name in {row.agent_id for p in populations[: number + 1] for row in p.records()}:
            if name.startswith("p"):
                assert population.audience(name)
        served = {s for p in population.with_role("proposer") for s in population.audience(p.agent_id)}
        assert served == {a.agent_id for a in population.with_role("solver")}
        # the table says who is there and how: every row but the round is what the population says
        rows = table(populations[: number + 1])
        there = {name: row for name, row in rows.items() if row.retired is None}
        assert set(there) == {a.agent_id for a in population.agents}
        for agent in population.agents:
            row = there[agent.agent_id]
            assert (row.neighbours, row.organisation, row.roles, row.born) == (
                agent.neighbours, agent.organisation, agent.roles, agent.born,
            )  # fmt: skip


def test_a_population_that_does_not_change_writes_its_rows_once() -> None:
    populations = over(config(RING, *APART), 0, 5)
    assert [len(p.records()) for p in populations] == [8, 0, 0, 0, 0]
    assert Population(config(RING, *APART), 0, 4).records() == []


def test_rewiring_keeps_the_number_of_edges_and_moves_some() -> None:
    topology = {"kind": "networkx", "generator": "barabasi_albert_graph", "parameters": {"m": 2}}
    everyone = {"name": "a", "count": 12, "roles": BOTH}
    made = config(topology, everyone, changes={"rewire": {"every": 2, "share": 0.5}})
    edges = [set(map(frozenset, graph(p).edges)) for p in over(made, 5, 5)]
    assert [len(e) for e in edges] == [20] * 5
    assert edges[0] == edges[1] != edges[2] == edges[3] != edges[4]
    assert 5 <= len(edges[0] - edges[2]) <= 10


def test_migrants_change_their_organisation_and_nothing_else() -> None:
    made = config(RING, *APART, changes={"migrate": {"every": 3, "share": 0.25}})
    before, after = Population(made, 1, 2), Population(made, 1, 3)
    moved = [a for a, b in zip(after.agents, before.agents, strict=True) if a != b]
    assert len(moved) == 2 and [row.agent_id for row in after.records()] == [a.agent_id for a in moved]
    assert {a.organisation for a in after.agents} <= {"school", "house-0", "house-1"}
    assert graph(before).edges == graph(after).edges


def test_growth_stops_at_its_limit_and_a_complete_graph_stays_complete() -> None:
    groups = [{"name": "a", "count": 3, "roles": BOTH}]
    made = config(
        {"kind": "complete"},
        *groups,
        changes={"growth": {"every": 1, "group": "a", "agents": 2, "most": 6}},
    )
    sizes = [len(p) for p in over(made, 0, 4)]
    assert sizes == [3, 5, 6, 6]
    last = Population(made, 0, 3)
    assert all(len(a.neighbours) == 5 for a in last.agents)
    assert [a.agent_id for a in last.agents] == [f"a-{i}" for i in range(6)]


def test_newcomers_take_the_places_of_those_who_retire() -> None:
    made = config(RING, *APART, generations={"every": 2, "groups": ["s"]})
    before, after = Population(made, 0, 1), Population(made, 0, 2)
    assert before.successors() == {f"s-{i}": f"s-{i + 5}" for i in range(5)}
    assert after.successors() == {}
    heirs = {**before.successors(), **{f"p-{i}": f"p-{i}" for i in range(3)}}
    for old in before.agents:
        new = after.agent(heirs[old.agent_id])
        assert (new.organisation, new.roles) == (old.organisation, old.roles)
        assert sorted(new.neighbours) == sorted(heirs[name] for name in old.neighbours)
    rows = {row.agent_id: row for row in after.records()}
    assert rows["s-0"].retired == 2 and rows["s-0"].neighbours == []
    assert rows["s-5"].born == 2 and rows["s-5"].retired is None
    assert after.audience("p-0") == [heirs[s] for s in before.audience("p-0")]
    with pytest.raises(KeyError, match="'s-0'"):
        after.agent("s-0")


def test_a_share_retires_those_who_came_first() -> None:
    made = config(RING, *APART, generations={"every": 1, "groups": ["s"], "share": 0.4})
    born = [sorted(a.born for a in Population(made, 3, r).with_role("solver")) for r in range(4)]
    assert born == [[0] * 5, [0, 0, 0, 1, 1], [0, 1, 1, 2, 2], [1, 2, 2, 3, 3]]


def test_problems_of_one_who_has_retired_go_to_those_of_its_successor() -> None:
    made = config(RING, *APART, generations={"every": 1})
    population = Population(made, 0, 2)
    assert population.audience("p-0") == population.audience("p-3") == population.audience("p-6")


def test_newcomers_read_what_those_before_them_did_or_nothing_of_it() -> None:
    everyone = [{"name": "a", "count": 3, "roles": BOTH}]
    heir = Population(config(RING, *everyone, generations={"every": 2}), 0, 2).reader("a-3")
    assert heir.since == 0 and set(heir.neighbours) == {"a-0", "a-1", "a-2", "a-4", "a-5"}
    made = config(RING, *everyone, generations={"every": 2, "library": "none"})
    assert Population(made, 0, 2).reader("a-3").since == 2
    assert Population(made, 0, 1).reader("a-0").since == 0
    apart = config(
        RING, {"name": "a", "count": 8, "roles": BOTH}, generations={"every": 2}, placement="grouped"
    )
    population = Population(apart, 0, 2)
    assert set(population.reader("a-8").neighbours) == {"a-0", "a-1", "a-9", "a-7", "a-15"}
    assert population.may_read("a-8", "a-0") and not population.may_read("a-8", "a-2")


def test_policies_that_start_anew() -> None:
    made = config(RING, *APART, generations={"every": 3, "groups": ["s"], "weights": "fresh"})
    assert [Population(made, 0, r).restarting() for r in range(7)] == [
        [], [], [], ["spark"], [], [], ["spark"]
    ]  # fmt: skip
    assert [Population(made, 0, r).since("spark") for r in (0, 2, 3, 5, 6)] == [0, 0, 3, 3, 6]
    assert Population(made, 0, 5).since("p") == 0
    kept = config(RING, *APART, generations={"every": 3})
    assert [Population(kept, 0, r).restarting() for r in range(4)] == [[]] * 4


def test_the_time_of_weights_goes_from_their_start_to_their_last_round() -> None:
    made = config(RING, *APART, generations={"every": 3, "groups": ["s"], "weights": "fresh"})
    whole = [r / 7 for r in range(8)]
    assert [Population(made, 0, r).passed("spark", 8) for r in range(8)] == [0, 0.5, 1, 0, 0.5, 1, 0, 1]
    assert [Population(made, 0, r).passed("p", 8) for r in range(8)] == whole
    kept = config(RING, *APART, generations={"every": 3})
    assert [p.passed("spark", 8) for p in over(kept, 0, 8)] == whole
    assert Population(made, 0, 0).passed("spark", 1) == 0
    brief = config(RING, *APART, generations={"every": 1, "groups": ["s"], "weights": "fresh"})
    assert [p.passed("spark", 3) for p in over(brief, 0, 3)] == [0, 0, 0]
    late = config(RING, *APART, generations={"every": 9, "groups": ["s"], "weights": "fresh"})
    assert [p.passed("spark", 8) for p in over(late, 0, 8)] == whole


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"changes": {"rewire": {"every": 2}}}, "expected a topology with edges to rewire, got complete"),
        (
            {"changes": {"growth": {"every": 2, "group": "x"}}},
            r"expected a group \(p, s\) in changes.growth",
        ),
        (
            {"changes": {"growth": {"every": 2, "group": "s", "most": 5}}},
            "above the 5 agents that s begins",
        ),
        ({"changes": {"rewire": {"every": 0}}}, "greater than or equal to 1"),
        ({"changes": {"grow": {}}}, "Extra inputs"),
        ({"generations": {"every": 2, "groups": ["x"]}}, r"expected groups \(p, s\) in generations.groups"),
        (
            {"generations": {"every": 2, "share": 0.5, "weights": "fresh"}},
            "generations.share: 1 with weights: fresh.*got 0.5; write share: 1, weights: inherited",
        ),
        (
            {"generations": {"every": 2, "teachers": True, "library": "none"}},
            "write library: inherited, or teachers: false",
        ),
    ],
)
def test_changes_that_make_no_sense_are_refused(given: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        config({"kind": "complete"}, *APART, **given)


def test_migration_needs_somewhere_to_go() -> None:
    with pytest.raises(
        ValidationError, match="expected two organisations or more to migrate between, got school"
    ):
        config(RING, {"name": "a", "count": 3, "roles": BOTH}, changes={"migrate": {"every": 2}})


def test_a_policy_starts_anew_with_all_who_use_it() -> None:
    shared = [{**group, "policy": "one"} for group in APART]
    expected = "expected all groups with the policy one to retire together.*got s but not p"
    with pytest.raises(ValidationError, match=expected):
        config(RING, *shared, generations={"every": 2, "groups": ["s"], "weights": "fresh"})
    config(RING, *shared, generations={"every": 2, "weights": "fresh"})
