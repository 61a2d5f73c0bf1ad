"""Agents as of a round: who there is, what they did, and who is next to whom."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.browser.log import Log, Row

MOST = 200
"""Agents that are listed, and drawn one by one."""

_NOW = """
    SELECT agent_id, arg_max(roles, round) AS roles, arg_max(organisation, round) AS organisation,
        arg_max(persona, round) AS persona, arg_max(policy, round) AS policy,
        arg_max(neighbours, round) AS neighbours, arg_max(born, round) AS born,
        max(retired) AS retired, max(hostile) AS hostile
    FROM agents WHERE round <= $round GROUP BY agent_id
"""


@dataclass(frozen=True, slots=True)
class Population:
    """Everyone who was there by the end of a round."""

    total: int
    retired: int
    agents: list[Row]
    """With what each did; at most ``MOST``, those that are there first."""
    edges: list[tuple[str, str]]
    """Who sees whose shelf, among those that are listed and there."""
    groups: list[Row]
    """By organisation and policy, how many."""


def population(log: Log, round: int) -> Population:
    """Who there was at the end of a round."""
    here: dict[str, object] = {"round": round}
    counts = log.row(f"SELECT count(*) AS total, count(retired) AS retired FROM ({_NOW})", here) or {
        "total": 0,
        "retired": 0,
    }
    agents = log.rows(
        f"""
        WITH now AS MATERIALIZED (
            SELECT * FROM ({_NOW}) ORDER BY retired IS NOT NULL, organisation, agent_id LIMIT {MOST}
        ), tried AS (
            SELECT solver, count(*) AS attempts, count(*) FILTER (correct) AS correct
            FROM attempts WHERE round <= $round AND verdict <> 'error' GROUP BY solver
        ), posed AS (
            SELECT proposer, count(*) AS proposals, count(*) FILTER (status = 'admitted') AS admitted
            FROM problems WHERE round <= $round GROUP BY proposer
        ), wrote AS (
            SELECT author, count(*) AS notes FROM notes WHERE round <= $round GROUP BY author
        )
        SELECT now.*, attempts, correct, proposals, admitted, notes FROM now
        LEFT JOIN tried ON solver = agent_id LEFT JOIN posed ON proposer = agent_id
        LEFT JOIN wrote ON author = agent_id
        ORDER BY retired IS NOT NULL, organisation, agent_id
        """,
        here,
    )
    groups = log.rows(
        f"SELECT organisation, policy, count(*) AS agents FROM ({_NOW}) WHERE retired IS NULL "
        "GROUP BY ALL ORDER BY agents DESC, organisation, policy LIMIT 50",
        here,
    )
    there = {str(a["agent_id"]) for a in agents if a["retired"] is None}
    edges = [
        (str(a["agent_id"]), name)
        for a in agents
        if a["retired"] is None and isinstance(a["neighbours"], list)
        for name in a["neighbours"]
        if name in there
    ]
    return Population(int(str(counts["total"])), int(str(counts["retired"])), agents, edges, groups)


@dataclass(frozen=True, slots=True)
class AgentPage:
    """An agent and what it did lately."""

    agent: Row
    history: list[Row]
    """A row a round in which it joined, changed or retired."""
    decisions: list[Row]
    notes: list[Row]
    read: list[Row]
    """Whose notes it was shown, the most first."""


def agent_page(log: Log, round: int, name: str) -> AgentPage | None:
    """The agent of this name; None where there is none by then."""
    here: dict[str, object] = {"round": round, "id": name}
    found = log.row(f"SELECT * FROM ({_NOW}) WHERE agent_id = $id", here)
    if found is None:
        return None
    history = log.rows(
        "SELECT round, roles, organisation, policy, len(neighbours) AS neighbours, retired FROM agents "
        "WHERE agent_id = $id AND round <= $round ORDER BY round DESC LIMIT 50",
        here,
    )
    decisions = log.rows(
        "SELECT round, action, outcome, note_id, left(completion, 300) AS completion, reason "
        "FROM decisions WHERE agent_id = $id AND round <= $round ORDER BY round DESC, decision_id LIMIT 30",
        here,
    )
    notes = log.rows(
        "SELECT note_id, kind, left(title, 200) AS title, round FROM notes "
        "WHERE author = $id AND round <= $round ORDER BY round DESC, note_id LIMIT 30",
        here,
    )
    read = log.rows(
        """
        WITH seen AS MATERIALIZED (
            SELECT note_id, count(DISTINCT attempt_id) AS n FROM reads
            WHERE reader = $id AND round <= $round GROUP BY note_id
        )
        SELECT author, sum(n)::BIGINT AS reads, count(*) AS notes FROM seen JOIN notes USING (note_id)
        GROUP BY author ORDER BY reads DESC, author LIMIT 30
        """,
        here,
    )
    return AgentPage(found, history, decisions, notes, read)
