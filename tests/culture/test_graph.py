from __future__ import annotations

import typing
from collections.abc import Iterator
from dataclasses import replace

import duckdb
import networkx as nx
import pytest

from culture import graph
from culture.graph import Node
from culture.records import Agent, Read
from tests.arena.test_notes import told
from tests.culture.histories import in_memory
from tests.culture.rows import example


@pytest.fixture(scope="module")
def names() -> dict[str, str]:
    """Ids of revisions by name, and of the notes that they are of as `NAME!`."""
    story, names = told()
    notes = {f"{name}!": story.library.revision(r).note_id for name, r in names.items()}
    own = next(
        r for r in story.library.history(notes["merged!"]) if r.author == "carl" and r.outcome == "branch"
    )
    return {**names, **notes, "own": own.revision_id}


@pytest.fixture(scope="module")
def log() -> Iterator[duckdb.DuckDBPyConnection]:
    story, names = told()
    read = replace(example(Read, 2, 1), note_id="filler", revision_id="filler", reader="carl", round=2)
    # one attempt was shown a note for another problem, twice: at its start and when it looked something up
    name = story.library.revision(names["first"]).note_id
    other = replace(
        read, note_id=name, revision_id=names["first"], arm="shuffled", attempt_id="other", round=1
    )
    story.rounds[2].reads += [read, other, other]
    story.rounds[0].agents += [replace(example(Agent, 0, 1), agent_id=a) for a in ("anna", "carl", "zoe")]
    with in_memory(story) as connection:
        yield connection


def edges(found: nx.DiGraph) -> dict[tuple[Node, Node], dict[str, object]]:
    return {(a, b): data for a, b, data in found.edges(data=True)}


def note(name: str) -> Node:
    return Node("note", name)


def test_citations(log: duckdb.DuckDBPyConnection, names: dict[str, str]) -> None:
    first, hostile = note(names["first!"]), note(names["hostile!"])
    once = {"round": 0, "citations": 1}
    found = graph.citations(log)
    assert edges(found) == {
        (first, Node("problem", "p1")): once, (first, Node("attempt", "t1")): once, (hostile, first): once,
    }  # fmt: skip
    assert note(names["old!"]) in found and found.nodes[first]["title"] == "How to reverse"
    assert set(found.nodes[first]) == set(typing.get_type_hints(graph.NoteAttributes))
    by = graph.citations(log, by="revision")
    assert set(edges(by)) == {
        (Node("revision", names["first"]), Node("problem", "p1")),
        (Node("revision", names["first"]), Node("attempt", "t1")),
        (Node("revision", names["hostile"]), first),
    }
    assert by.nodes[Node("revision", names["merged"])]["outcome"] == "merged"


def test_lineage(log: duckdb.DuckDBPyConnection, names: dict[str, str]) -> None:
    found = graph.lineage(log)
    made_from = {(a.id, b.id): data["position"] for (a, b), data in edges(found).items()}
    assert {edge: place for edge, place in made_from.items() if edge[0] in names.values()} == {
        (names["second"], names["first"]): 0, (names["own"], names["first"]): 0,
        (names["merged"], names["second"]): 0, (names["merged"], names["own"]): 1,
        (names["branch"], names["first"]): 0,
    }  # fmt: skip
    assert nx.is_directed_acyclic_graph(found)
    (marker,) = (n for n, data in found.nodes(data=True) if data["outcome"] == "archived")
    assert list(found.successors(marker)) == [Node("revision", names["old"])]
    assert set(found.nodes[marker]) == set(typing.get_type_hints(graph.RevisionAttributes))


def test_readership(log: duckdb.DuckDBPyConnection, names: dict[str, str]) -> None:
    found = graph.readership(log)
    assert edges(found) == {
        (Node("agent", "carl"), note(names["first!"])): {
            "weight": 4, "library": 2, "placebo": 1, "shuffled": 1, "first_round": 0, "last_round": 1,
        },
    }  # fmt: skip
    (data,) = edges(graph.readership(log, round=0)).values()
    assert (data["weight"], data["shuffled"]) == (3, 0)
    assert set(data) == set(typing.get_type_hints(graph.ReadershipAttributes))
    assert Node("agent", "zoe") in found and note(names["new!"]) in found


def test_authorship(log: duckdb.DuckDBPyConnection, names: dict[str, str]) -> None:
    found = graph.authorship(log)
    wrote = {
        author.id: (data["weight"], data["began"], data["first_round"])
        for (author, to), data in edges(found).items()
        if to == note(names["first!"])
    }
    # the merge of carl's text with the head is the library's, not a second text of carl's
    assert wrote == {
        "anna": (1, True, 0), "ben": (1, False, 1), "carl": (1, False, 1), "dora": (1, False, 1),
    }  # fmt: skip
    assert found.out_degree(Node("agent", "anna"), weight="weight") == 3
    assert Node("agent", "zoe") in found


def test_graphs_are_as_of_any_round(log: duckdb.DuckDBPyConnection, names: dict[str, str]) -> None:
    assert {n.id for n in graph.lineage(log, round=0)} == {names["first"], names["hostile"]}
    for make in (graph.citations, graph.readership, graph.authorship):
        assert {n.id for n in make(log, round=0) if n.kind == "note"} == {
            names["first!"],
            names["hostile!"],
        }
    assert Node("agent", "ben") not in graph.authorship(log, round=0)
    assert not graph.readership(log, round=-1).edges


def test_a_citation_cannot_pose_as_another_kind(names: dict[str, str]) -> None:
    story, _ = told()
    citation = next(c for c in story.rounds[0].citations if c.target_kind == "problem")
    story.rounds[0].citations.append(replace(citation, target_id=names["old!"]))
    with in_memory(story) as log:
        found = graph.citations(log)
    assert Node("problem", names["old!"]) in found and found.in_degree(note(names["old!"])) == 0
