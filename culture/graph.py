"""The library as graphs of networkx: who cites what, what came of what, who reads whom, who wrote what.

Every function takes a connection from ``culture.connect`` (or any with the tables of the log) and, if
wanted, the last round to look at. Nodes are :class:`Node`, a kind and an id, so that an agent and a note
can never be mistaken for each other, whatever a model wrote into a citation. Node attributes are those of
the TypedDict for the kind, edge attributes those named by each function; titles and names are untrusted.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias, TypedDict, cast

import duckdb
import networkx as nx

NodeKind = Literal["note", "revision", "problem", "attempt", "agent"]


class Node(NamedTuple):
    """What a node stands for."""

    kind: NodeKind
    id: str


class NoteAttributes(TypedDict):
    """Of a note. A note that is cited and not there has none of them."""

    title: str
    note_kind: str
    domain: str
    shelf: str
    author: str
    round: int
    """In which it was begun."""


class RevisionAttributes(TypedDict):
    """Of a revision."""

    note_id: str
    author: str
    policy_version: str | None
    outcome: str
    round: int
    tokens: int
    """Length of its body, in tokens."""


class CitationAttributes(TypedDict):
    """Of an edge from what cites to what is cited."""

    round: int
    """In which it was first cited."""
    citations: int
    """Revisions that say so."""


class LineageAttributes(TypedDict):
    """Of an edge from a revision to one that it was made from."""

    position: int
    """Place among its parents, from 0."""


class ReadershipAttributes(TypedDict):
    """Of an edge from a reader to a note."""

    weight: int
    """Reads: attempts of the agent that the note was shown to, in attempts; the sum of the next three."""
    library: int
    """Of these in the library arm."""
    placebo: int
    """Of these in the placebo arm."""
    shuffled: int
    """Of these in the shuffled arm, whose notes were found for another problem."""
    first_round: int
    last_round: int


class AuthorshipAttributes(TypedDict):
    """Of an edge from an author to a note."""

    weight: int
    """Texts of the note that the agent wrote, merges of them left out, in revisions."""
    began: bool
    """Whether the first of all texts is the agent's."""
    first_round: int
    last_round: int


Digraph: TypeAlias = "nx.DiGraph[Node]"
_ALL = 2**62
CITED = """\
SELECT r.note_id AS source, c.target_kind, c.target_id, min(r.round) AS first_round, count(*) AS citations
FROM citations c JOIN revisions r USING (revision_id) WHERE r.round <= $last
GROUP BY ALL ORDER BY ALL"""
"""What :func:`citations` asks of notes."""
READ = """\
SELECT reader, note_id, count(DISTINCT attempt_id) AS attempts,
    count(DISTINCT attempt_id) FILTER (arm = 'library') AS library,
    count(DISTINCT attempt_id) FILTER (arm = 'placebo') AS placebo,
    count(DISTINCT attempt_id) FILTER (arm = 'shuffled') AS shuffled,
    min(reads.round) AS first_round, max(reads.round) AS last_round
FROM reads SEMI JOIN notes USING (note_id) WHERE reads.round <= $last GROUP BY ALL ORDER BY ALL"""
"""What :func:`readership` asks."""


def citations(
    log: duckdb.DuckDBPyConnection, *, by: Literal["note", "revision"] = "note", round: int | None = None
) -> Digraph:
    """Edges from what cites (notes, or their revisions) to the notes, problems and attempts that it cites.

    Edges have ``CitationAttributes``. All notes, or revisions, are nodes, those that cite nothing too.
    """
    graph: Digraph = nx.DiGraph()
    _add_notes(graph, log, round)
    if by == "revision":
        _add_revisions(graph, log, round)
    asked = CITED if by == "note" else CITED.replace("r.note_id AS", "r.revision_id AS")
    rows = log.execute(asked, {"last": _upto(round)}).fetchall()
    for source, kind, target, first, count in rows:
        said = CitationAttributes(round=first, citations=count)
        graph.add_edge(Node(by, source), Node(cast("NodeKind", kind), target), **said)
    return graph


def lineage(log: duckdb.DuckDBPyConnection, *, round: int | None = None) -> Digraph:
    """Edges from each revision to those that it was made from: a directed acyclic graph, a part a note.

    Nodes have ``RevisionAttributes``, edges ``LineageAttributes``. Archive markers are revisions too.
    """
    graph: Digraph = nx.DiGraph()
    _add_revisions(graph, log, round)
    rows = log.execute(
        "SELECT revision_id, parents FROM revisions WHERE round <= ? ORDER BY library_version",
        [_upto(round)],
    ).fetchall()
    for name, parents in rows:
        for position, parent in enumerate(parents):
            place = LineageAttributes(position=position)
            graph.add_edge(Node("revision", name), Node("revision", parent), **place)
    return graph


def readership(log: duckdb.DuckDBPyConnection, *, round: int | None = None) -> Digraph:
    """Edges from agents to the notes that were shown to attempts of theirs, weighted by how many.

    Edges have ``ReadershipAttributes``. All agents and notes are nodes. Placebos made of random characters
    are no notes and left out. A note that served as a placebo, or that was found for another problem, was
    read all the same: ``placebo`` and ``shuffled`` count those, ``library`` what was found for its problem.
    """
    graph: Digraph = nx.DiGraph()
    _add_agents(graph, log)
    _add_notes(graph, log, round)
    rows = log.execute(READ, {"last": _upto(round)}).fetchall()
    for reader, note, weight, library, placebo, shuffled, first, last in rows:
        read = ReadershipAttributes(
            weight=weight,
            library=library,
            placebo=placebo,
            shuffled=shuffled,
            first_round=first,
            last_round=last,
        )
        graph.add_edge(Node("agent", reader), Node("note", note), **read)
    return graph


def authorship(log: duckdb.DuckDBPyConnection, *, round: int | None = None) -> Digraph:
    """Edges from agents to the notes that they wrote texts of, weighted by how many.

    Edges have ``AuthorshipAttributes``. All agents and notes are nodes, and so are authors that are no
    agents of the run, such as ``import``.
    """
    graph: Digraph = nx.DiGraph()
    _add_agents(graph, log)
    _add_notes(graph, log, round)
    rows = log.execute(
        """
        SELECT author, note_id, count(*), bool_or(len(parents) = 0), min(round), max(round)
        FROM revisions WHERE outcome IN ('head', 'branch') AND round <= ? GROUP BY ALL ORDER BY ALL
        """,
        [_upto(round)],
    ).fetchall()
    for author, note, weight, began, first, last in rows:
        wrote = AuthorshipAttributes(weight=weight, began=began, first_round=first, last_round=last)
        graph.add_edge(Node("agent", author), Node("note", note), **wrote)
    return graph


def _upto(round: int | None) -> int:
    return _ALL if round is None else round


def _add_notes(graph: Digraph, log: duckdb.DuckDBPyConnection, round: int | None) -> None:
    rows = log.execute(
        """
        WITH moved AS MATERIALIZED (
            SELECT note_id, arg_max(evidence->>'shelf', library_version) AS shelf
            FROM revisions WHERE outcome = 'published' AND round <= $last GROUP BY note_id
        ), n AS MATERIALIZED (SELECT *, rowid AS place FROM notes WHERE round <= $last)
        SELECT note_id, title, kind, domain, coalesce(moved.shelf, n.shelf), author, round
        FROM n LEFT JOIN moved USING (note_id) ORDER BY place
        """,
        {"last": _upto(round)},
    ).fetchall()
    for name, title, kind, domain, shelf, author, begun in rows:
        about = NoteAttributes(
            title=title, note_kind=kind, domain=domain, shelf=shelf, author=author, round=begun
        )
        graph.add_node(Node("note", name), **about)


def _add_revisions(graph: Digraph, log: duckdb.DuckDBPyConnection, round: int | None) -> None:
    rows = log.execute(
        "SELECT revision_id, note_id, author, policy_version, outcome, round, tokens FROM revisions "
        "WHERE round <= ? ORDER BY library_version",
        [_upto(round)],
    ).fetchall()
    for name, note, author, policy, outcome, written, tokens in rows:
        about = RevisionAttributes(
            note_id=note,
            author=author,
            policy_version=policy,
            outcome=outcome,
            round=written,
            tokens=tokens,
        )
        graph.add_node(Node("revision", name), **about)


def _add_agents(graph: Digraph, log: duckdb.DuckDBPyConnection) -> None:
    rows = log.execute("SELECT DISTINCT agent_id FROM agents ORDER BY agent_id").fetchall()
    graph.add_nodes_from(Node("agent", name) for (name,) in rows)
